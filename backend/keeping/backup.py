"""Saves database, artifacts and memo to one file, while loops run."""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from io import BufferedRandom
from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, select

from backend.blobs import sync_folder
from backend.context import Backend
from backend.keeping.archive import Writer
from backend.keeping.rows import tables, write_rows
from backend.memo import FOLDER as MEMO
from backend.store import from_bytes, name_of
from backend.tables import Artifact, ImportedData, utc_now
from core.errors import DataMissing, LoopscopeError

Progress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and of how much: rows' tables, then bytes."""


class BackupFailed(LoopscopeError):
    """A backup could not be written."""

    code = "backup_failed"


@dataclass(frozen=True)
class BackupReport:
    """What was saved; ``missing``: digests of artifacts that are referred to but could not be read."""

    path: str
    size: int
    loops: int
    artifacts: int
    memo: int
    missing: list[str]


def quiet(what: str, done: int, total: int) -> None:
    del what, done, total


def backup(backend: Backend, path: Path, progress: Progress = quiet) -> BackupReport:
    """Write a backup, readable by its owner alone: it holds the hashes of passwords and of tokens (log-ins do not
    outlive it). All tables are as they were at one instant; artifacts do not change once they are written.

    Raises:
        BackupFailed: when it cannot be written there; nothing is left then.
    """
    backend.gate.require("admin")
    if path.is_dir() or not path.parent.is_dir():
        raise BackupFailed(f"No backup can be written to {path}.", "Name a file in a folder that is there.")
    partial = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            report = _write(backend, path, Writer(file), progress)
            file.flush()
            os.fsync(file.fileno())
        size = partial.stat().st_size
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise BackupFailed(f"The backup {path} cannot be written: {error.strerror}.", "Is the disk full?") from error
    finally:
        partial.unlink(missing_ok=True)
    return BackupReport(str(path), size, **report)


def _write(backend: Backend, path: Path, writer: Writer, progress: Progress) -> dict[str, Any]:
    with contextlib.ExitStack() as stack:
        files: dict[str, tuple[BufferedRandom, int]] = {}
        with snapshot(backend) as connection:
            migration = MigrationContext.configure(connection).get_current_revision() or ""
            wanted = {d: size for d, size in connection.execute(select(Artifact.digest, Artifact.size).distinct())}
            wanted |= {d: size for d, size in connection.execute(select(ImportedData.digest, ImportedData.size))}
            for number, table in enumerate(tables()):
                progress(f"Reading {table.name}", number, len(tables()))
                lines = stack.enter_context(tempfile.TemporaryFile(dir=path.parent))
                files[table.name] = lines, write_rows(connection, table, lines)
        for name, (lines, rows) in files.items():
            writer.add_table(name, lines, rows)
    missing, done, total = [], 0, sum(wanted.values())
    for digest, size in sorted(wanted.items()):
        progress("Saving artifacts", done, total)
        try:
            writer.add(name_of(digest), backend.store.read(digest))
        except DataMissing:
            missing.append(digest)
        done += size
    memo = _save_memo(backend, writer)
    writer.close(
        version=version("loopscope"), migration=migration, created_at=utc_now().isoformat(), missing=missing
    )  # fmt: skip
    progress("Saving artifacts", total, total)
    return {"loops": files["loops"][1], "artifacts": len(wanted) - len(missing), "memo": memo, "missing": missing}


def _save_memo(backend: Backend, writer: Writer) -> int:
    """Evaluators and the like, so that loops that go on elsewhere are judged by the same bits."""
    count, place = 0, backend.memo.place
    for blob in sorted(place.find(MEMO), key=lambda blob: blob.name):
        if blob.name.endswith(".safetensors") and "/." not in blob.name and (data := place.read(blob.name)):
            with contextlib.suppress(DataMissing):
                from_bytes(data)
                writer.add(blob.name, data)
                count += 1
    return count


@contextlib.contextmanager
def snapshot(backend: Backend) -> Iterator[Connection]:
    """A connection that sees the database as it was at one instant; writers go on beside it."""
    options = {"isolation_level": "REPEATABLE READ"} if backend.database.engine.dialect.name == "postgresql" else {}
    with backend.database.engine.connect() as connection:
        yield connection.execution_options(**options)
