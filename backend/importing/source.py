"""What is imported: a file, a folder or a zip of them, read with distrust and never outside of itself."""

import contextlib
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from backend.motionfiles.source import MAX_BYTES, shown
from core.errors import DataMissing
from core.typedpaths import typed_path

MAX_FILES = 200_000  # HumanML3D has 29,228 recordings, each with features, positions and captions
MAX_UNPACKED_BYTES = 8 << 30
MAX_RATIO = 1100  # deflate's best is 1032
MAX_TEXT_BYTES = 64 << 20
MEANINGFUL = ("new_joint_vecs",)
SUFFIXES = (".bvh", ".npz", ".npy", ".txt", ".json", ".csv", ".md")


@dataclass(frozen=True)
class Source:
    """Files below a folder.

    Attributes:
        folder: where they lie.
        name: what to call the whole in messages and by default.
        files: relative names with ``/``, sorted.
    """

    folder: Path
    name: str
    files: tuple[str, ...]

    @cached_property
    def names(self) -> frozenset[str]:
        """The same, to ask whether one is there."""
        return frozenset(self.files)

    def of(self, *suffixes: str) -> list[str]:
        """Files by suffix."""
        return [file for file in self.files if file.lower().endswith(suffixes)]

    def path(self, file: str) -> Path:
        return self.folder / file

    def head(self, file: str, count: int = 4096) -> bytes:
        """The first bytes of a file; nothing where it cannot be read."""
        try:
            with self.path(file).open("rb") as stream:
                return stream.read(count)
        except OSError:
            return b""

    def members(self, file: str) -> frozenset[str]:
        """Names of the arrays in an npz; none where it is no such archive."""
        try:
            with zipfile.ZipFile(self.path(file)) as archive:
                return frozenset(info.filename.removesuffix(".npy") for info in archive.infolist()[:MAX_FILES])
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            return frozenset()

    def data(self, file: str, most: int = MAX_BYTES) -> bytes:
        """A file's bytes.

        Raises:
            DataMissing: when it cannot be read, or is too large.
        """
        path = self.path(file)
        try:
            if path.stat().st_size > most:
                raise DataMissing(f"{shown(file)} is larger than {most / 2**20:.0f} MiB.", "Cut it into shorter takes.")
            return path.read_bytes()
        except OSError as error:
            raise DataMissing(f"{shown(file)} cannot be read: {error.strerror or error}.") from None

    def text(self, file: str) -> str:
        """A file's text; raises as :meth:`data`, and when it is no text."""
        try:
            return self.data(file, MAX_TEXT_BYTES).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataMissing(f"{shown(file)} is no text: byte {error.start}.", "Save it as UTF-8.") from None


@contextlib.contextmanager
def opened(path: str | Path, scratch: Path) -> Iterator[Source]:
    """The files under a path; a zip is unpacked below ``scratch`` while they are used.

    Raises:
        DataMissing: when nothing is there, or what is there is no source.
    """
    place = typed_path(str(path))
    if place.is_dir():
        yield _source(place, place.resolve().name or "data")
    elif not place.is_file():
        raise DataMissing(f"There is no file or folder {str(path)!r}.", "Check the path.")
    elif place.suffix.lower() == ".zip":
        folder = scratch / "unpacked"
        try:
            _unpack(place, folder)
            yield _within(_source(folder, place.stem))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    else:
        beside = [place.parent / name for name in ("index.csv", "skeleton.json")] if place.suffix == ".npz" else []
        files = sorted({place.name, *(each.name for each in beside if each.is_file())})
        yield Source(place.parent, place.stem, tuple(files))


@contextlib.contextmanager
def parcel(path: Path) -> Iterator[tuple[str, BinaryIO]]:
    """A file to be sent somewhere, or a folder as one zip: its name, and its bytes.

    Raises:
        DataMissing: as :func:`opened`.
    """
    with tempfile.TemporaryDirectory(prefix="loopscope-parcel-") as scratch:
        place = typed_path(str(path))
        if place.is_file() and place.suffix.lower() == ".zip":
            whole = place
        else:
            whole = Path(scratch, f"{place.resolve().stem or 'data'}.zip")
            with opened(place, Path(scratch)) as source, zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
                for file in source.files:
                    if file.lower().endswith(SUFFIXES):
                        archive.write(source.path(file), file)
        with whole.open("rb") as stream:
            yield whole.name, stream


def _source(folder: Path, name: str) -> Source:
    files: list[str] = []
    for path in _walk(folder):
        files.append(path.relative_to(folder).as_posix())
        if len(files) > MAX_FILES:
            raise DataMissing(f"{name} holds more than {MAX_FILES:,} files.", "Import a part of it at a time.")
    return Source(folder, name, tuple(sorted(files)))


def _within(source: Source) -> Source:
    """A zip of one folder is that folder, unless its name means something."""
    inner = _only_folder(source.files)
    if not inner or inner in MEANINGFUL:
        return source
    names = tuple(sorted(file.removeprefix(f"{inner}/") for file in source.files))
    return Source(source.folder / inner, source.name, names)


def _walk(folder: Path) -> Iterator[Path]:
    """Plain files; links are not followed out of the folder."""
    for path in folder.rglob("*"):
        if not path.is_symlink() and path.is_file():
            yield path


def _only_folder(files: Iterable[str]) -> str:
    heads = {file.partition("/")[0] if "/" in file else "" for file in files}
    return heads.pop() if len(heads) == 1 else ""


def _unpack(archive: Path, folder: Path) -> None:
    """The files of a zip, by names that stay inside ``folder``, as long as they unpack to what they say."""
    name = shown(archive.name)
    folder.mkdir(parents=True)
    try:
        with zipfile.ZipFile(archive) as members:
            infos = [info for info in members.infolist() if not info.is_dir()]
            total = sum(info.file_size for info in infos)
            if len(infos) > MAX_FILES or total > MAX_UNPACKED_BYTES or total > MAX_RATIO * archive.stat().st_size:
                raise DataMissing(
                    f"{name} holds {len(infos):,} files that unpack to {total / 2**20:,.0f} MiB, which is no data set.",
                    f"At most {MAX_FILES:,} files and {MAX_UNPACKED_BYTES / 2**30:.0f} GiB are read.",
                )
            for info in infos:
                inner = PurePosixPath(info.filename.replace("\\", "/"))
                if inner.is_absolute() or ".." in inner.parts or not info.filename.isprintable():
                    raise DataMissing(f"{name} holds a file that would lie outside of it: {shown(info.filename)}.")
                if inner.suffix.lower() in SUFFIXES and "__MACOSX" not in inner.parts:
                    _unpack_one(members, info, folder / inner, name)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise DataMissing(f"{name} cannot be read as a zip: {error}.", "It may be cut short, or locked.") from None
    except OSError as error:
        raise DataMissing(f"{name} cannot be unpacked: {error.strerror or error}.") from None


def _unpack_one(members: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, name: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    left = info.file_size
    with members.open(info) as packed, target.open("wb") as plain:
        while piece := packed.read(1 << 20):
            left -= len(piece)
            if left < 0:
                raise DataMissing(f"{name}: {shown(info.filename)} unpacks to more than it says.")
            plain.write(piece)
