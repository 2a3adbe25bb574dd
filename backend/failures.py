"""Errors across a process boundary: as plain data, and back as the exception that was raised on the other side."""

from typing import Any

from backend.gate import Forbidden, NotSignedIn
from core.errors import (
    Cancelled,
    Conflict,
    DataMissing,
    InvalidConfig,
    InvalidMotion,
    LoopscopeError,
    NotFound,
    SimulationFailed,
    UnknownPart,
)

PLAIN: dict[str, type[LoopscopeError]] = {
    kind.code: kind
    for kind in (
        Conflict,
        DataMissing,
        Forbidden,
        InvalidMotion,
        NotFound,
        NotSignedIn,
        SimulationFailed,
    )
}


def told(error: LoopscopeError) -> dict[str, Any]:
    """JSON-ready form."""
    detail = {"code": error.code, "message": error.message, "hint": error.hint}
    field = getattr(error, "field", "")
    return detail | ({"field": field} if field else {})


def rebuilt(code: str, message: str, hint: str = "", field: str = "") -> LoopscopeError:
    """The error that :func:`told` described; a LoopscopeError with that code where its class is not known here."""
    if code in PLAIN:
        return PLAIN[code](message, hint)
    if code == Cancelled.code:
        return Cancelled(message)
    about_config = bool(field) or code in (InvalidConfig.code, UnknownPart.code)
    error = InvalidConfig(message, hint, field) if about_config else LoopscopeError(message, hint)
    error.code = code
    return error
