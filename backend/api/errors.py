"""Every failure of the API as ``{"error": {"code", "message", "hint", "field"}}``, never a traceback."""

import logging
from uuid import uuid4

import fastapi
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from backend.gate import Forbidden, NotSignedIn
from core.errors import Conflict, DataMissing, InvalidConfig, InvalidMotion, LoopscopeError, NotFound

log = logging.getLogger(__name__)

STATUS: tuple[tuple[type[LoopscopeError], int], ...] = (
    (NotSignedIn, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (InvalidConfig, 422),
    (InvalidMotion, 422),
    (DataMissing, 422),
)


class ErrorDetail(BaseModel):
    """What was wrong, and what to do about it. ``field`` is the dotted path of the offending value, where one is."""

    code: str
    message: str
    hint: str = ""
    field: str | None = None


class Failure(BaseModel):
    """The answer of every request that failed."""

    error: ErrorDetail


class TooLarge(LoopscopeError):
    """An upload above the limit."""

    code = "too_large"


class Refused(fastapi.HTTPException):
    """A LoopscopeError met while a body is still being read, where FastAPI lets only its own exception through."""

    def __init__(self, status: int, why: LoopscopeError) -> None:
        super().__init__(status, why.message)
        self.why = why


ANSWERS: dict[int | str, dict[str, object]] = {
    404: {"model": Failure, "description": "No such thing."},
    409: {"model": Failure, "description": "Not possible in the present state."},
    422: {"model": Failure, "description": "Something in the request cannot be used; `field` says what."},
}
"""The failures that every route documents."""


def install_handlers(api: FastAPI) -> None:
    """Make ``api`` answer every exception in the one shape."""

    @api.exception_handler(LoopscopeError)
    def expected(request: Request, error: LoopscopeError) -> JSONResponse:
        missing = isinstance(error, DataMissing) and request.method == "GET"
        return answer(
            404 if missing else status_of(error), error.code, error.message, error.hint, getattr(error, "field", None)
        )

    @api.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"] if part != "body")
        shown = repr(first.get("input"))
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        found = "missing" if first["type"] == "missing" else shown
        return answer(422, "invalid_request", f"{field or 'body'}: {first['msg']} (got {found}).", "", field)

    @api.exception_handler(HTTPException)
    def refused(_: Request, error: HTTPException) -> JSONResponse:
        if isinstance(error, Refused):
            return answer(error.status_code, error.why.code, error.why.message, error.why.hint)
        codes = {404: "not_found", 405: "method_not_allowed"}
        hint = "The routes are listed in /api/v1/openapi.json." if error.status_code in codes else ""
        return answer(error.status_code, codes.get(error.status_code, "bad_request"), str(error.detail), hint)

    @api.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> JSONResponse:
        name = uuid4().hex[:12]
        log.error("%s %s failed (%s)", request.method, request.url.path, name, exc_info=error)
        return answer(
            500, "internal", f"Something went wrong that should not have ({name}).", "The server's log has the details."
        )


def status_of(error: LoopscopeError) -> int:
    """The HTTP status that an error is answered with (a GET that finds no data is 404, see above)."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 400)


def answer(status: int, code: str, message: str, hint: str = "", field: str | None = None) -> JSONResponse:
    detail = ErrorDetail(code=code, message=message, hint=hint, field=field or None)
    return JSONResponse({"error": detail.model_dump(exclude_none=True)}, status)
