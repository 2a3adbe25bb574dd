"""The file of a backup: a plain tar of tables (JSON lines), artifacts, memo and, last, a manifest of all that.

It is read member by member with names from a fixed set, never unpacked by the paths that it holds.
"""

import hashlib
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedRandom, BytesIO
from pathlib import Path
from typing import IO, BinaryIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backend.store import FOLDER as ARTIFACTS
from core.errors import LoopscopeError

FORMAT = "loopscope-backup-1"
MANIFEST = re.compile(r"manifest-([0-9a-f]{64})\.json")  # with its own digest
TABLE = re.compile(r"tables/([a-z_]{1,40})\.jsonl")
ARTIFACT = re.compile(rf"{ARTIFACTS}/([0-9a-f]{{2}})/([0-9a-f]{{62}})")
MEMO = re.compile(r"memo/[0-9a-f]{40}\.safetensors")
BLOCK = tarfile.BLOCKSIZE
LARGEST_MANIFEST = 256_000_000  # 120 bytes per file: two million of them
CHUNK = 1 << 20


class BadBackup(LoopscopeError):
    """A file that is no backup, is damaged, or does not fit here."""

    code = "bad_backup"


class Entry(BaseModel):
    """One member. ``rows`` is that of a table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    size: int = Field(ge=0)
    sha256: str
    rows: int | None = Field(None, ge=0)


class Manifest(BaseModel):
    """What a backup holds, and what it is of.

    Attributes:
        version, migration: of the program and the tables that it was made with.
        missing: digests of artifacts that the tables refer to, but which could not be read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str
    version: str
    migration: str
    created_at: str
    entries: list[Entry]
    missing: list[str]


@dataclass
class Writer:
    """Adds members to a tar, and remembers them for the manifest."""

    file: IO[bytes]
    entries: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._tar = tarfile.open(fileobj=self.file, mode="w:", format=tarfile.GNU_FORMAT)  # noqa: SIM115

    def add(self, name: str, data: bytes) -> None:
        self._add(name, BytesIO(data), len(data))
        self.entries.append(Entry(name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest()))

    def add_table(self, name: str, lines: BufferedRandom, rows: int) -> None:
        """A table's JSON lines, from a file."""
        lines.seek(0)
        digest = hashlib.file_digest(lines, "sha256").hexdigest()
        size = lines.seek(0, os.SEEK_END)
        lines.seek(0)
        self._add(f"tables/{name}.jsonl", lines, size)
        self.entries.append(Entry(name=f"tables/{name}.jsonl", size=size, sha256=digest, rows=rows))

    def close(self, *, version: str, migration: str, created_at: str, missing: list[str]) -> Manifest:
        """Write the manifest and the end."""
        manifest = Manifest(
            format=FORMAT, version=version, migration=migration, created_at=created_at, entries=self.entries,
            missing=missing,
        )  # fmt: skip
        data = manifest.model_dump_json().encode()
        self._add(f"manifest-{hashlib.sha256(data).hexdigest()}.json", BytesIO(data), len(data))
        self._tar.close()
        return manifest

    def _add(self, name: str, data: IO[bytes], size: int) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o600
        self._tar.addfile(member, data)


@dataclass(frozen=True)
class Archive:
    """A backup that was opened: its manifest agrees with its members; their content is verified by :meth:`chunks`."""

    file: BinaryIO
    manifest: Manifest
    offsets: dict[str, int]

    def chunks(self, entry: Entry) -> Iterator[bytes]:
        """A member's bytes in pieces.

        Raises:
            BadBackup: after the last piece, when the content is not what was written.
        """
        digest, left = hashlib.sha256(), entry.size
        self.file.seek(self.offsets[entry.name])
        while left:
            piece = self.file.read(min(left, CHUNK))
            if not piece:
                raise _damaged(entry.name)
            digest.update(piece)
            left -= len(piece)
            yield piece
        if digest.hexdigest() != entry.sha256:
            raise _damaged(entry.name)

    def read(self, entry: Entry) -> bytes:
        """A member's bytes, verified."""
        return b"".join(self.chunks(entry))


def open_archive(file: BinaryIO, path: Path) -> Archive:
    """Read a backup's members and manifest.

    Raises:
        BadBackup: when it is none, ends early, or holds what no backup holds.
    """
    found = dict(_members(file, path))
    last = MANIFEST.fullmatch(next(reversed(found), ""))
    if last is None:
        raise BadBackup(f"The backup {path} has no end: it was cut off or damaged.", "Use another copy of it.")
    offset, size = found.pop(last[0])
    if size > LARGEST_MANIFEST:
        raise _foreign(path)
    file.seek(offset)
    data = file.read(size)
    if hashlib.sha256(data).hexdigest() != last[1]:
        raise _damaged("manifest")
    try:
        manifest = Manifest.model_validate_json(data)
    except (ValidationError, RecursionError):
        raise _foreign(path) from None
    if manifest.format != FORMAT:
        raise BadBackup(f"The backup {path} has a form that is not known here.", "Use the Loopscope that made it.")
    if {name: size for name, (_, size) in found.items()} != {entry.name: entry.size for entry in manifest.entries}:
        raise BadBackup(f"The members of {path} are not those of its manifest.", "Use another copy of it.")
    for entry in manifest.entries:
        _check_name(entry, path)
    return Archive(file, manifest, {name: offset for name, (offset, _) in found.items()})


def table_of(entry: Entry) -> str:
    """Name of the table that a member holds; "" for other members."""
    match = TABLE.fullmatch(entry.name)
    return match[1] if match else ""


def _members(file: BinaryIO, path: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """(name, (offset, size)) of every member: plain files only, so that no header can name a place to write to."""
    length, offset, seen = file.seek(0, os.SEEK_END), 0, set[str]()
    while True:
        file.seek(offset)
        header = file.read(BLOCK)
        if len(header) < BLOCK or not any(header):
            return
        try:
            member = tarfile.TarInfo.frombuf(header, "ascii", "strict")
            if member.tobuf(tarfile.GNU_FORMAT, "ascii", "strict") != header:
                raise ValueError("the same header is written in one way only")
        except (tarfile.TarError, ValueError):
            if not offset:
                raise _foreign(path) from None
            raise BadBackup(f"The backup {path} is damaged at byte {offset}.", "Use another copy of it.") from None
        name, start = member.name, offset + BLOCK
        known = any(form.fullmatch(name) for form in (TABLE, ARTIFACT, MEMO, MANIFEST))
        if member.type != tarfile.REGTYPE or not known or name in seen:
            raise _foreign(path)
        if member.size < 0 or start + member.size > length:
            raise BadBackup(f"The backup {path} was cut off within {name}.", "Use another copy of it.")
        seen.add(name)
        yield name, (start, member.size)
        offset = start + -(-member.size // BLOCK) * BLOCK


def _check_name(entry: Entry, path: Path) -> None:
    artifact = ARTIFACT.fullmatch(entry.name)
    if artifact and artifact[1] + artifact[2] != entry.sha256:
        raise BadBackup(f"The backup {path} names an artifact by what it is not: {entry.name}.", "Use another copy.")
    if (entry.rows is None) != (not table_of(entry)):
        raise _foreign(path)


def _foreign(path: Path) -> BadBackup:
    return BadBackup(f"{path} is no backup of Loopscope.", "Give a file that `loopscope backup` has written.")


def _damaged(name: str) -> BadBackup:
    return BadBackup(f"The backup is damaged: {name} is not what was written.", "Use another copy of it.")
