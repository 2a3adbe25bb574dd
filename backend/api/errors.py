"""Every failure of the API as ``{"error": {"code", "message", "hint", "field"}}``, never a traceback."""

import logging
import re
from uuid import uuid4

import fastapi
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from backend.access.attempts import TooManyTries
from backend.access.passwords import TooBusy
from backend.access.sessions import WrongPassword
from backend.blobs import StoreUnreachable
from backend.gate import Forbidden, NotSignedIn
from core.complaints import complaint_of
from core.errors import Conflict, DataMissing, InvalidConfig, InvalidMotion, LoopscopeError, NotFound

log = logging.getLogger(__name__)

SECRET = re.compile("password|current|token|secret")
"""Fields whose values no answer repeats."""


class TooLarge(LoopscopeError):
    """An upload above the limit."""

    code = "too_large"


class TooSlow(LoopscopeError):
    """A body that does not arrive."""

    code = "too_slow"


class DatabaseAway(LoopscopeError):
    """The database does not answer."""

    code = "database_away"

    def __init__(self) -> None:
        super().__init__("The database does not answer.", "Nothing is lost; try again in a moment.")


AWAY = (OperationalError, InterfaceError, PoolTimeout)
"""What SQLAlchemy raises while the database is away, locked for too long, or out of connections."""


STATUS: tuple[tuple[type[LoopscopeError], int], ...] = (
    (NotSignedIn, 401),
    (WrongPassword, 401),
    (TooManyTries, 429),
    (TooBusy, 503),
    (DatabaseAway, 503),
    (StoreUnreachable, 503),
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


class Refused(fastapi.HTTPException):
    """A LoopscopeError met while a body is still being read, where FastAPI lets only its own exception through."""

    def __init__(self, status: int, why: LoopscopeError) -> None:
        super().__init__(status, why.message)
        self.why = why


ANSWERS: dict[int | str, dict[str, object]] = {
    401: {"model": Failure, "description": "Nobody is logged in, and the server has users."},
    403: {"model": Failure, "description": "Not with this role."},
    404: {"model": Failure, "description": "No such thing."},
    409: {"model": Failure, "description": "Not possible in the present state."},
    422: {"model": Failure, "description": "Something in the request cannot be used; `field` says what."},
    503: {"model": Failure, "description": "The database does not answer."},
}
"""The failures that every route documents."""


def install_handlers(api: FastAPI) -> None:
    """Make ``api`` answer every exception in the one shape."""

    @api.exception_handler(LoopscopeError)
    def expected(request: Request, error: LoopscopeError) -> JSONResponse:
        missing = isinstance(error, DataMissing) and request.method == "GET"
        return answer_to(error, 404 if missing else None)

    @api.exception_handler(DataError)
    def unstorable(_: Request, error: DataError) -> JSONResponse:
        del error
        return answer(422, "invalid_request", "The request holds a character or number that no database can hold.")

    @api.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"] if part != "body")
        shown = "something secret" if SECRET.search(field) else repr(first.get("input"))
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        if first["type"] == "json_invalid":
            field = ""  # its place is a column, which no field has
        return answer(422, "invalid_request", f"{field or 'body'}: {complaint_of(first, shown)}.", "", field)

    @api.exception_handler(HTTPException)
    def refused(_: Request, error: HTTPException) -> JSONResponse:
        if isinstance(error, Refused):
            return answer(error.status_code, error.why.code, error.why.message, error.why.hint)
        codes = {404: "not_found", 405: "method_not_allowed"}
        hint = "The routes are listed in /api/v1/openapi.json." if error.status_code in codes else ""
        return answer(error.status_code, codes.get(error.status_code, "bad_request"), str(error.detail), hint)

    for kind in AWAY:
        api.add_exception_handler(kind, away)

    @api.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> JSONResponse:
        name = uuid4().hex[:12]
        log.error("%s %s failed (%s)", request.method, request.url.path, name, exc_info=error)
        return answer(
            500, "internal", f"Something went wrong that should not have ({name}).", "The server's log has the details."
        )


def away(request: Request, error: Exception) -> JSONResponse:
    """The answer while the database is away; what the driver says of it may name hosts and users, so it is logged."""
    log.warning("%s %s: the database does not answer (%s)", request.method, request.url.path, type(error).__name__)
    return answer_to(DatabaseAway())


def answer_to(error: LoopscopeError, status: int | None = None) -> JSONResponse:
    """An error as an answer, with what its kind adds to the headers."""
    found = answer(status or status_of(error), error.code, error.message, error.hint, getattr(error, "field", None))
    if isinstance(error, NotSignedIn):
        found.headers["www-authenticate"] = "Bearer"
    if isinstance(error, TooManyTries):
        found.headers["retry-after"] = str(error.retry_after_s)
    return found


def status_of(error: LoopscopeError) -> int:
    """The HTTP status that an error is answered with (a GET that finds no data is 404, see above)."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 400)


def answer(status: int, code: str, message: str, hint: str = "", field: str | None = None) -> JSONResponse:
    detail = ErrorDetail(code=code, message=message, hint=hint, field=field or None)
    return JSONResponse({"error": detail.model_dump(exclude_none=True)}, status)
