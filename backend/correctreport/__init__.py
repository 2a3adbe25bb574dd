"""The report of one correction: what was done to a motion file, with curves before and after over time."""

from pathlib import Path

from backend.correctreport.trial import Trial
from core.errors import InvalidConfig, LoopscopeError

__all__ = ["FORMS", "Trial", "check_target", "write_report"]

FORMS = (".html", ".png")


def check_target(path: str | Path) -> Path:
    """The path, if a report can be written there: worth asking before a long correction.

    Raises:
        InvalidConfig: for another suffix.
        LoopscopeError: where there is no such folder.
    """
    target = Path(path)
    if target.suffix.lower() not in FORMS:
        raise InvalidConfig(
            f"A report cannot be written as {target.suffix or target.name!r}.",
            f"Choose one of: {', '.join(FORMS)}.",
            "report",
        )
    if not target.parent.is_dir():
        raise LoopscopeError(f"{target.name} cannot be written: there is no folder {target.parent}.", "Make it first.")
    return target


def write_report(trial: Trial, path: str | Path) -> None:
    """Write the report as one file: ``.html`` (opens offline, light and dark, printable) or ``.png``.

    Raises:
        InvalidConfig: for another suffix.
        LoopscopeError: when the file cannot be written.
    """
    from backend.correctreport.curves import rows_of
    from backend.correctreport.film import film_of
    from backend.correctreport.page import page_of
    from backend.correctreport.picture import picture_of

    target = check_target(path)
    rows, film = rows_of(trial), film_of(trial)
    if target.suffix.lower() == ".png":
        data = picture_of(trial, rows, film)
    else:
        data = page_of(trial, rows, film).encode()
    try:
        target.write_bytes(data)
    except OSError as error:
        raise LoopscopeError(
            f"{target.name} cannot be written: {error.strerror or error}.", "Check the folder."
        ) from error
