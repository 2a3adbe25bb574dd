"""Paths that somebody typed: what the operating system would choke on is said in words."""

from pathlib import Path

from core.errors import DataMissing

LONGEST = 1024


def spelled_path(text: str) -> Path:
    """The path, with ``~`` for the home folder, without a look at what is there.

    Raises:
        DataMissing: when no file can have such a name.
    """
    if len(text) > LONGEST or any(len(part.encode(errors="replace")) > 255 for part in text.split("/")):
        raise DataMissing(f"A path of {len(text)} characters names no file.", "Give a shorter one.")
    if not text.isprintable():
        raise DataMissing(f"{text!r} names no file: it holds characters that cannot be seen.", "Type the path anew.")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise DataMissing(f"{text} begins with the home folder of nobody.", "Give the whole path.") from None


def typed_path(text: str) -> Path:
    """The path; something is there, or nothing is.

    Raises:
        DataMissing: when no file can have such a name, or it may not be looked at.
    """
    path = spelled_path(text)
    try:
        if path.is_dir():
            next(path.iterdir(), None)
        return path
    except OSError as error:
        raise DataMissing(f"{text} cannot be read: {error.strerror or error}.", "Check who may read it.") from None
