"""Cleans up: deleted loops past their time, files that nothing refers to, unused caches, old logs."""

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, func, select

from backend.blobs import Blobs
from backend.context import Backend
from backend.jobs import KINDS
from backend.journal import bump
from backend.memo import FOLDER as MEMO
from backend.store import temporary
from backend.tables import Artifact, ImportedData, Loop, Stage, utc_now
from backend.views import ACTIVE

GRACE_HOURS = 24.0
WORKING_HOURS = 1.0  # while stages run: what they have stored and not yet published must live until they do
LOG_DAYS = 14.0
CACHES = ("cache/corrections", "cache/artifacts", "cache/media", "cache/datasets")


@dataclass(frozen=True)
class Removed:
    """How many, and how many bytes."""

    count: int = 0
    size: int = 0


@dataclass(frozen=True)
class GcReport:
    """What was removed, or would be.

    Attributes:
        loops: deleted longer ago than LOOPSCOPE_PURGE_AFTER_DAYS.
        artifacts: no loop refers to them, or killed writers left them half.
        memo: half-written results. Whole ones are kept: a loop may be extended.
        caches: copies, corrected uploads and films that nobody has used for so long.
        logs: older than two weeks.
        datasets: the same of imported data sets that no loop has learned from.
        grace_hours: what is younger was spared; at least one hour while stages run.
    """

    dry_run: bool
    grace_hours: float
    loops: int
    artifacts: Removed
    memo: Removed
    caches: Removed
    logs: Removed
    datasets: int = 0

    @property
    def size(self) -> int:
        """Bytes of all."""
        return self.artifacts.size + self.memo.size + self.caches.size + self.logs.size


def gc(backend: Backend, *, dry_run: bool = False, grace_hours: float = GRACE_HOURS) -> GcReport:
    """Remove what nobody needs; safe while loops run."""
    backend.gate.require("admin")
    limit = utc_now() - timedelta(days=backend.settings.purge_after_days)
    old = Loop.deleted_at.is_not(None) & (Loop.deleted_at < limit) & Loop.state.not_in(ACTIVE)
    with backend.database.read() as session:
        doomed = session.scalars(select(Loop.id).where(old)).all()
        working = session.scalar(select(func.count()).select_from(Stage).where(Stage.state == "running")) or 0
        for table in (kind.table for kind in KINDS):
            working += session.scalar(select(func.count()).select_from(table).where(table.state == "running")) or 0
    if doomed and not dry_run:
        with backend.database.write() as session:
            # asked again: somebody may have restored one of them
            doomed = session.scalars(delete(Loop).where(old).returning(Loop.id)).all()
            bump(session)
    unused = _unused_data(backend, limit)
    if unused and not dry_run:
        with backend.database.write() as session:
            still = ImportedData.deleted_at.is_not(None) & (ImportedData.deleted_at < limit)
            session.execute(delete(ImportedData).where(ImportedData.id.in_(unused), still))
            bump(session)
    grace_hours = max(grace_hours, WORKING_HOURS) if working else grace_hours
    before = time.time() - grace_hours * 3600
    with backend.database.read() as session:
        wanted = session.scalars(
            select(Artifact.digest).where(Artifact.loop_id.not_in(select(Loop.id).where(old))).distinct()
        ).all()
        kept = session.scalars(select(ImportedData.digest).where(ImportedData.id.not_in(unused))).all()
    return GcReport(
        dry_run, grace_hours, len(doomed),
        artifacts=_artifacts(backend, [*wanted, *kept], before, dry_run),
        memo=_memo(backend, before, dry_run),
        caches=_files((backend.settings.home / name for name in CACHES), before, dry_run),
        logs=_files([backend.settings.logs], time.time() - LOG_DAYS * 86_400, dry_run),
        datasets=len(unused),
    )  # fmt: skip


def _unused_data(backend: Backend, limit: datetime) -> list[str]:
    """Data sets deleted before then that no loop, deleted ones included, names."""
    with backend.database.read() as session:
        doomed = set(session.scalars(select(ImportedData.id).where(ImportedData.deleted_at < limit)).all())
        if doomed:
            for config in session.scalars(select(Loop.config).execution_options(yield_per=500)):
                doomed.discard(str(config["data"].get("options", {}).get("id", "")))
    return sorted(doomed)


def _artifacts(backend: Backend, wanted: Iterable[str], before: float, dry_run: bool) -> Removed:
    blobs = backend.store.unwanted(wanted, before)
    gone = [blob for blob in blobs if dry_run or backend.store.blobs.remove(blob.name, before)]
    return Removed(len(gone), sum(blob.size for blob in gone))


def _memo(backend: Backend, before: float, dry_run: bool) -> Removed:
    """Here and where it is shared. Locks are left: a file that somebody is about to lock must not go."""
    gone = []
    places: list[Blobs] = [backend.memo.here, *([backend.memo.shared] if backend.memo.shared else [])]
    for place in places:
        for blob in list(place.find(MEMO)):
            half = temporary(blob.name) or blob.name.endswith(".draft")
            if half and blob.modified < before and (dry_run or place.remove(blob.name, before)):
                gone.append(blob)
    return Removed(len(gone), sum(blob.size for blob in gone))


def _files(folders: Iterable[Path], before: float, dry_run: bool) -> Removed:
    count = size = 0
    for folder in folders:
        for path in folder.rglob("*"):
            with contextlib.suppress(OSError):  # somebody else removes it just now
                found = path.lstat()
                if path.is_dir() or path.suffix == ".lock" or path.name == ".lock" or found.st_mtime >= before:
                    continue
                if not dry_run:
                    path.unlink()
                count, size = count + 1, size + found.st_size
    return Removed(count, size)
