"""What an error means: words for people, whether time cures it, whether memory ran out."""

import errno
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from backend.settings import Settings
from core.errors import LoopscopeError

MB = 1e6
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
NO_SPACE_WORDS = ("database or disk is full", "no space left on device", "disk quota exceeded")
SQLITE_PASSES = (
    "is locked",
    "unable to open database",
    "disk i/o error",
    "readonly",
)
NO_MEMORY_WORDS = (
    "cuda out of memory",
    "cuda error: out of memory",
    "can't allocate memory",
    "cublas_status_alloc_failed",
    "std::bad_alloc",
)

TITLES = {
    "disk_full": "the disk is full",
    "database": "the database does not answer",
    "store": "the artifact store does not answer",
}

Cure = Literal["disk_full", "database", "store"]


@dataclass(frozen=True)
class Trouble:
    """Something that time or a person's hand cures: work waits for it and goes on by itself."""

    code: str
    message: str
    hint: str

    @property
    def title(self) -> str:
        """The same for every time that it comes."""
        return TITLES.get(self.code, self.message)

    @property
    def plain(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message, "hint": self.hint}


class DiskFull(LoopscopeError):
    """Less space is left than working needs."""

    code = "disk_full"


def check_space(settings: Settings) -> None:
    """Raises DiskFull when the data folder has less free space than settings want."""
    free = free_mb(settings)
    if free < settings.min_free_mb:
        raise DiskFull(
            f"The disk is full: {free:.0f} MB are free, {settings.min_free_mb:.0f} MB are needed.",
            "Free some space (loopscope gc removes what nobody needs); it goes on by itself.",
        )


def free_mb(settings: Settings) -> float:
    """Free space of the data folder's disk, in MB."""
    return shutil.disk_usage(settings.home).free / MB


def trouble_of(error: BaseException, settings: Settings) -> Trouble | None:
    """The trouble behind an error; None for an error that trying later does not mend."""
    for cause in _causes(error):
        if isinstance(cause, DiskFull):
            return Trouble(cause.code, cause.message, cause.hint)
        cure = _cure_of(cause)
        if cure == "disk_full":
            try:
                check_space(settings)
            except DiskFull as full:
                return Trouble(full.code, full.message, full.hint)
            except OSError:
                pass
            return Trouble(
                "disk_full", "The disk was full.", "Free some space, also on the database's disk; it goes on by itself."
            )
        if cure == "database":
            return Trouble("database", "The database does not answer.", "It goes on by itself when the database does.")
        if cure == "store":
            hint = "It goes on by itself when the store answers."
            return Trouble("store", "The artifact store does not answer.", hint)
    return None


def is_database_trouble(error: BaseException) -> bool:
    """Whether SQL is away, locked or full: the same call may go through in a moment."""
    return isinstance(error, DBAPIError | NoFreeConnection) and _cure_of(error) is not None


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: the machine's or the accelerator's."""
    return any(
        isinstance(cause, MemoryError)
        or type(cause).__name__ == "OutOfMemoryError"
        or (isinstance(cause, RuntimeError) and any(words in str(cause).lower() for words in NO_MEMORY_WORDS))
        for cause in _causes(error)
    )


def describe(error: Exception) -> dict[str, str]:
    """Code, message and hint of any error."""
    if isinstance(error, LoopscopeError):
        return {"code": error.code, "message": error.message, "hint": error.hint}
    if ran_out_of_memory(error):
        where = "The GPU's memory" if "cuda" in str(error).lower() else "Memory"
        return {
            "code": "out_of_memory",
            "message": f"{where} ran out.",
            "hint": "Use fewer samples, a smaller model or smaller batches, or end what else uses it; then resume.",
        }
    return {
        "code": "unexpected",
        "message": in_one_line(error),
        "hint": "This should not happen: the traceback says where. Resume tries again.",
    }


def in_one_line(error: BaseException) -> str:
    """Kind and beginning of an error that nobody foresaw."""
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:300]}".rstrip(": ")


def _cure_of(error: BaseException) -> Cure | None:
    text = str(error).lower()
    if isinstance(error, OSError | OperationalError) or type(error).__name__ == "SafetensorError":
        if getattr(error, "errno", None) in NO_SPACE or any(words in text for words in NO_SPACE_WORDS):
            return "disk_full"
    if isinstance(error, LoopscopeError):
        return "store" if error.code == "store_unreachable" else None
    if isinstance(error, NoFreeConnection):
        return "database"
    if isinstance(error, OperationalError):
        sqlite = type(error.orig).__module__.startswith("sqlite3")
        return "database" if not sqlite or any(words in text for words in SQLITE_PASSES) else None
    if isinstance(error, InterfaceError) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return "database"
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it, each once."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        found = waiting.pop(0)
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        waiting.append(found.__cause__ if found.__cause__ or found.__suppress_context__ else found.__context__)
