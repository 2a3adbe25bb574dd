"""Brings an installation back from the file of a backup: all of it, or nothing."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Table, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from backend.context import Backend
from backend.keeping.archive import Archive, BadBackup, Entry, open_archive, table_of
from backend.keeping.backup import Progress, quiet
from backend.keeping.reviving import as_at_rest, checked
from backend.keeping.rows import MOST_AT_ONCE, BadRow, lines_of, read_rows, tables
from backend.migrations import configuration
from backend.store import digest_of
from backend.tables import ApiToken, Artifact, AuditJob, Base, Counter, Event, ImportedData, Loop, User, utc_now
from core.errors import Conflict

EMPTY_FIRST = "Restore into an empty data folder (LOOPSCOPE_HOME) or an empty database (LOOPSCOPE_DATABASE_URL)."


@dataclass(frozen=True)
class RestoreReport:
    """What was brought back; ``resuming``: loops that ran when they were saved and go on by themselves."""

    path: str
    created_at: str
    loops: int
    resuming: int
    artifacts: int
    memo: int
    missing: list[str]


def restore(path: Path, backend: Backend, progress: Progress = quiet) -> RestoreReport:
    """Bring everything back. The whole file is verified before anything is written; rows are one transaction.

    Loops that ran are interrupted, with their leases cleared: workers take them up where they were. Users that are here
    already keep their passwords and roles.

    Raises:
        BadBackup: when the file is no backup, is damaged, or is of a newer Loopscope.
        Conflict: when there are loops, audits or imported data sets here already.
    """
    backend.gate.require("admin")
    with backend.database.read() as session:
        _refuse_occupied(session.connection())
    try:
        with path.open("rb") as file:
            archive = open_archive(file, path)
            _verify(backend, archive, progress)
            _restore_files(backend, archive, progress)
            resuming = _restore_rows(backend, archive, progress)
    except FileNotFoundError:
        raise BadBackup(f"There is no file {path}.", "Name the file of a backup.") from None
    except IsADirectoryError:
        raise BadBackup(f"{path} is a folder.", "Name the file of a backup.") from None
    entries = archive.manifest.entries
    return RestoreReport(
        str(path), archive.manifest.created_at, loops=sum(e.rows or 0 for e in entries if table_of(e) == "loops"),
        resuming=resuming, artifacts=sum(bool(digest_of(e.name)) for e in entries),
        memo=sum(e.name.startswith("memo/") for e in entries), missing=list(archive.manifest.missing),
    )  # fmt: skip


def _refuse_occupied(connection: Connection) -> None:
    for table, what in ((Loop, "loops"), (AuditJob, "audits"), (ImportedData, "data sets")):
        count = connection.scalar(select(func.count()).select_from(table)) or 0
        if count:
            raise Conflict(f"There are {count} {what} here already, deleted ones included.", EMPTY_FIRST)


def _verify(backend: Backend, archive: Archive, progress: Progress) -> None:
    """Read all of it once."""
    manifest = archive.manifest
    known = {script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions()}
    if manifest.migration not in known:
        raise BadBackup(
            f"The backup is of Loopscope {manifest.version}, whose tables ({manifest.migration!r}) are not known here.",
            "Update Loopscope first.",
        )
    if {table_of(entry) for entry in manifest.entries if table_of(entry)} - {table.name for table in tables()}:
        raise BadBackup("The backup holds a table that is not known here.", "Update Loopscope first.")
    total = sum(entry.size for entry in manifest.entries)
    free = shutil.disk_usage(backend.settings.home).free
    if not backend.store.blobs.remote and total > free:
        raise BadBackup(
            f"The backup holds {total / 1e6:,.0f} MB; {free / 1e6:,.0f} MB are free in {backend.settings.home}.",
            "Make room first.",
        )
    there = set(manifest.missing) | {digest_of(entry.name) for entry in manifest.entries}
    done = 0
    for entry in manifest.entries:
        progress("Verifying", done, total)
        done += entry.size
        table = table_of(entry)
        if not table:
            for _ in archive.chunks(entry):
                pass
            continue
        count = 0
        for row in _rows(archive, entry):
            count += 1
            if table in (Artifact.__tablename__, ImportedData.__tablename__) and row["digest"] not in there:
                raise BadBackup(f"The backup lacks the artifact {row['digest'][:12]}.", "Use another copy of it.")
        if count != entry.rows:
            raise BadBackup(f"The backup has {count} {table}, not {entry.rows}.", "Use another copy of it.")
    progress("Verifying", total, total)


def _restore_files(backend: Backend, archive: Archive, progress: Progress) -> None:
    """Artifacts are named by content, memo files by key: what a failure leaves of them is harmless."""
    wanted = [entry for entry in archive.manifest.entries if not table_of(entry)]
    done, total = 0, sum(entry.size for entry in wanted)
    for entry in wanted:
        progress("Writing artifacts", done, total)
        data = archive.read(entry)
        if digest_of(entry.name):
            backend.store.write(data)
        else:
            backend.memo.bring_back(entry.name, data)
        done += entry.size
    progress("Writing artifacts", total, total)


def _restore_rows(backend: Backend, archive: Archive, progress: Progress) -> int:
    """Returns how many loops will go on."""
    by_table = {table_of(entry): entry for entry in archive.manifest.entries if table_of(entry)}
    try:
        with backend.database.write() as session:
            connection = session.connection()
            _refuse_occupied(connection)
            kept = set(connection.scalars(select(User.name)).all())
            for number, table in enumerate(tables()):
                progress(f"Writing {table.name}", number, len(tables()))
                if table.name in by_table:
                    _insert(connection, table, _rows(archive, by_table[table.name]), kept)
            if connection.dialect.name == "postgresql":  # its counter knows nothing of ids that were given
                connection.execute(
                    text(
                        "SELECT setval(pg_get_serial_sequence('events', 'id'), max(id)) FROM events HAVING max(id) > 0"
                    )
                )
            resuming = connection.scalars(select(Loop.id).where(Loop.state == "interrupted")).all()
            for loop_id in resuming:
                connection.execute(
                    insert(Event).values(
                        loop_id=loop_id, at=utc_now(), kind="interrupted",
                        sentence="Brought back from a backup; it will be picked up again.",
                    )
                )  # fmt: skip
    except IntegrityError as error:
        reason = str(error.orig).splitlines()[0][:200]
        raise BadBackup(f"The rows of the backup contradict each other: {reason}.", "Use another copy of it.") from None
    progress("Writing rows", 1, 1)
    return len(resuming)


def _rows(archive: Archive, entry: Entry) -> Iterator[dict[str, Any]]:
    table: Table = Base.metadata.tables[table_of(entry)]
    try:
        for row in read_rows(table, lines_of(archive.chunks(entry))):
            yield checked(table, row)
    except BadRow as error:
        raise BadBackup(str(error), "The file was changed, or is damaged: use another copy of it.") from None


def _insert(connection: Connection, table: Table, rows: Iterator[dict[str, Any]], kept: set[str]) -> None:
    """Add rows, but for those of users that were here before (``kept``) and their tokens."""
    batch: list[dict[str, Any]] = []
    for row in rows:
        if table is User.__table__ and row["name"] in kept or table is ApiToken.__table__ and row["user"] in kept:
            continue
        if table is Counter.__table__:
            _raise_counter(connection, row)
            continue
        batch.append(as_at_rest(table, row))
        if len(batch) == MOST_AT_ONCE:
            connection.execute(insert(table), batch)
            batch = []
    if batch:
        connection.execute(insert(table), batch)


def _raise_counter(connection: Connection, row: dict[str, Any]) -> None:
    """Counters only grow: a page that knows the present value shall see a change."""
    here = connection.scalar(select(Counter.value).where(Counter.name == row["name"]))
    if here is None:
        connection.execute(insert(Counter).values(row))
    else:
        value = max(here, row["value"]) + 1
        connection.execute(update(Counter).where(Counter.name == row["name"]).values(value=value))
