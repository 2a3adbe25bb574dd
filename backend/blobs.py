"""Named bytes in one place: a folder, or (:mod:`backend.s3blobs`) a bucket. What artifacts and the memo are kept in."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.errors import LoopscopeError


class StoreUnreachable(LoopscopeError):
    """The place where artifacts lie does not answer; time may cure it."""

    code = "store_unreachable"


class StoreRefused(StoreUnreachable):
    """It answers, but has no such bucket or does not accept the keys; a person has to do something."""


@dataclass(frozen=True)
class Blob:
    """What a place knows about one name: bytes, and when they were written (Unix time)."""

    name: str
    size: int
    modified: float


class Blobs(Protocol):
    """Names are relative, with ``/`` between folders. Writes are all or nothing.

    Every method raises :class:`StoreUnreachable` where the place is elsewhere and does not answer, and OSError (disk
    full, no right) where it is a folder.
    """

    @property
    def where(self) -> str:
        """The place in words, without secrets."""
        ...

    @property
    def remote(self) -> bool:
        """Whether this is no folder: bytes have to be fetched."""
        ...

    def check(self) -> None:
        """See that the place is there and may be used."""
        ...

    def read(self, name: str) -> bytes | None:
        """All bytes of a name; None where there is none."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Keep bytes under a name, whatever was there; :meth:`remove` takes them for young afterwards."""
        ...

    def create(self, name: str, data: bytes) -> bool:
        """Keep bytes under a name unless something is there; whether they were kept."""
        ...

    def find(self, folder: str) -> Iterator[Blob]:
        """Everything below a folder, temporary files of writes included."""
        ...

    def remove(self, name: str, before: float) -> bool:
        """Remove what was written before then (Unix time); whether it was removed."""
        ...

    def path(self, name: str) -> Path:
        """The file of a name; only where the place is a folder (``remote`` is False)."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class FolderBlobs:
    """Files below a folder."""

    folder: Path

    @property
    def where(self) -> str:
        return f"the folder {self.folder}"

    @property
    def remote(self) -> bool:
        return False

    def check(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreRefused(f"The folder {self.folder} cannot be made: {error.strerror}.", _LOOK) from None
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise StoreRefused(f"The folder {self.folder} cannot be written.", _LOOK)

    def read(self, name: str) -> bytes | None:
        try:
            return self.path(name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        path = self.path(name)
        if _holds(path, data):
            path.touch()
        else:
            write_atomically(path, data)

    def create(self, name: str, data: bytes) -> bool:
        path = self.path(name)
        make_folder(path.parent)
        with _temporary(path, data) as temporary:
            try:
                os.link(temporary, path)  # unlike a rename it fails where something is
            except FileExistsError:
                return False
        sync_folder(path.parent)
        return True

    def find(self, folder: str) -> Iterator[Blob]:
        for path in self.path(folder).rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # it has just been removed
                found = path.lstat()
                if not path.is_dir():
                    yield Blob(path.relative_to(self.folder).as_posix(), found.st_size, found.st_mtime)

    def remove(self, name: str, before: float) -> bool:
        path = self.path(name)
        doomed = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        try:
            path.rename(doomed)  # first away: who writes the same now makes a new file, who touched it saved it
        except FileNotFoundError:
            return False
        if doomed.lstat().st_mtime >= before:
            doomed.replace(path)
            return False
        doomed.unlink()
        return True

    def path(self, name: str) -> Path:
        return self.folder / name

    def close(self) -> None:
        pass


_LOOK = "Check LOOPSCOPE_HOME and LOOPSCOPE_ARTIFACTS_URL."


def write_atomically(path: Path, data: bytes) -> None:
    """All or nothing under ``path``, whenever the machine stops."""
    make_folder(path.parent)
    with _temporary(path, data) as temporary:
        temporary.replace(path)
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder so that it outlives a power cut."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to disk: without this a rename may be undone by a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _temporary(path: Path, data: bytes) -> Iterator[Path]:
    """A file beside ``path`` with these bytes, on disk; gone in the end, unless it was renamed."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _holds(path: Path, data: bytes) -> bool:
    """Whether exactly these bytes are there: a damaged file is written anew."""
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False
