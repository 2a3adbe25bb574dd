"""Looks at one installation: what the System page, ``/api/v1/system`` and ``/metrics`` tell. Asked often, it answers
from what it saw a moment ago."""

import os
import platform
import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError

from backend import presence
from backend.context import Backend
from backend.journal import sql_now
from backend.observe import checks, counting
from backend.observe.caching import Cached, Measured
from backend.observe.checks import CheckView
from backend.observe.views import (
    BrokerView,
    DatabaseView,
    DiskView,
    IncidentView,
    MemoryView,
    QueueView,
    SystemView,
)
from backend.presence import ProcessView
from backend.redaction import redacted
from backend.settings import Settings
from backend.tables import utc_now

KEEP_S = 2.0
SIZES_KEEP_S = 60.0  # of what has to look at every artifact
RECONCILER = "reconciler"
PACKAGES = ("loopscope", "torch", "numpy", "pybullet", "gradio", "fastapi", "celery", "sqlalchemy")
SHOWN_SETTINGS = (
    "host", "port", "device", "hosts", "session_hours", "hang_after_s", "stale_after_s", "max_active_loops",
    "max_active_draws", "max_samples", "max_frames", "min_free_mb", "upload_limit_mb", "purge_after_days", "log_format",
)  # fmt: skip


@dataclass(frozen=True)
class Sizes:
    """What takes room, in bytes."""

    artifact_files: int = 0
    artifacts: int = 0
    memo: int = 0
    logs: int = 0


@dataclass(frozen=True)
class Rows:
    """What SQL knows at one moment; ``trouble`` says why it knows nothing."""

    at: datetime
    loops: dict[str, int]
    loads: dict[str, counting.Load]
    processes: Sequence[ProcessView]
    incidents: Sequence[IncidentView]
    leader: str | None
    database_bytes: int | None
    trouble: str = ""


class Observer:
    """One per door that asks. Thread-safe."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._asked = checks.checks(backend)
        self._checks = Cached(lambda: checks.examine(self._asked), KEEP_S)
        self._system = Cached(self._look, KEEP_S)
        self._sizes = Measured(self._measure, Sizes(), SIZES_KEEP_S)

    def checks(self) -> list[CheckView]:
        """Whether everything that the server needs answers."""
        return self._checks.get()

    def system(self) -> SystemView:
        """Everything; never raises for what is away."""
        return self._system.get()

    def _look(self) -> SystemView:
        settings, found = self._backend.settings, {check.name: check for check in self.checks()}
        database, broker = found["database"], found["broker"]
        rows = _rows(self._backend) if database.ok else _no_rows(database.sentence)
        queues = _queues(self._backend, rows, ask=broker.ok)
        told = f"answers, its tables {found['tables'].sentence}" if database.ok else database.sentence
        return SystemView(
            at=rows.at,
            versions=versions(),
            database=DatabaseView(
                kind="SQLite" if settings.sql_url.startswith("sqlite") else "PostgreSQL",
                place=_place(settings),
                answers=database.ok and not rows.trouble,
                sentence=rows.trouble or told,
                seconds=database.seconds if database.ok else None,
                size_bytes=rows.database_bytes,
            ),
            broker=BrokerView(
                kind="own" if settings.redis_url else "bundled", place=_broker_place(settings),
                answers=broker.ok, sentence=broker.sentence,
            ),
            loops=rows.loops,
            queues=queues,
            processes=list(rows.processes),
            memory=_memory(rows.processes),
            disk=self._disk(rows),
            incidents=list(rows.incidents),
            leader=rows.leader,
            settings=_settings(settings),
        )  # fmt: skip

    def _disk(self, rows: Rows) -> DiskView:
        settings = self._backend.settings
        sizes = self._sizes.get()
        usage = shutil.disk_usage(settings.home)
        here = _same_disk(settings)
        on_this_disk = settings.sql_url.startswith("sqlite")
        database = rows.database_bytes or 0
        ours = (sizes.artifacts if here else 0) + (database if on_this_disk else 0) + sizes.memo + sizes.logs
        return DiskView(
            folder=str(settings.home), total=usage.total, free=usage.free, artifacts=sizes.artifacts,
            artifact_files=sizes.artifact_files, artifacts_at=self._backend.store.blobs.where,
            artifacts_here=here, database=database if on_this_disk else 0, memo=sizes.memo, logs=sizes.logs,
            other=max(usage.total - usage.free - ours, 0), needed=int(settings.min_free_mb * 1e6),
        )  # fmt: skip

    def _measure(self) -> Sizes:
        settings = self._backend.settings
        with self._backend.database.read() as session:
            count, size = counting.artifacts(session)
        return Sizes(
            count, size, counting.size_of(str(settings.home / "memo")), counting.size_of(str(settings.logs))
        )  # fmt: skip


def _same_disk(settings: Settings) -> bool:
    """Whether artifacts lie on the disk of the data folder."""
    if not settings.artifacts_url:
        return True
    parsed = urlsplit(settings.artifacts_url)
    try:
        return parsed.scheme == "file" and os.stat(parsed.path).st_dev == os.stat(settings.home).st_dev
    except OSError:
        return False


def _rows(backend: Backend) -> Rows:
    try:
        with backend.database.read() as session:
            now = sql_now(session)
            return Rows(
                at=now,
                loops=counting.loops_by_state(session),
                loads=counting.loads(session),
                processes=presence.workers(backend),
                incidents=counting.incidents(session),
                leader=counting.leader(session, RECONCILER, now),
                database_bytes=counting.database_bytes(backend, session),
            )
    except SQLAlchemyError as error:
        return _no_rows(f"does not answer: {checks.first_line(getattr(error, 'orig', None) or error)}")


def _no_rows(trouble: str) -> Rows:
    return Rows(utc_now(), {}, {}, (), (), None, None, trouble)


def _queues(backend: Backend, rows: Rows, *, ask: bool) -> list[QueueView]:
    views = []
    for name, load in rows.loads.items():
        oldest_s = max((rows.at - load.oldest).total_seconds(), 0.0) if load.oldest and load.waiting else None
        views.append(
            QueueView(
                name=name, waiting=load.waiting, at_work=load.at_work, oldest_s=oldest_s,
                messages=backend.queue.waiting(name) if ask else None,
                workers=sum(view.state == "alive" and name in view.queues for view in rows.processes),
            )
        )  # fmt: skip
    return views


def _memory(processes: Sequence[ProcessView]) -> MemoryView | None:
    import psutil

    try:
        machine = psutil.virtual_memory()
    except (OSError, psutil.Error):
        return None
    here = socket.gethostname()
    ours = sum((view.rss_mb or 0.0) * 1e6 for view in processes if view.state == "alive" and view.host == here)
    return MemoryView(total=machine.total, available=machine.available, ours=int(ours))


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Of the program, of Python, and of what results depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return {"loopscope": found.pop("loopscope", "?")} | found


def _place(settings: Settings) -> str:
    """Where the database is, to read: a file's name, or host and database."""
    from sqlalchemy import make_url

    url = make_url(settings.sql_url)
    if url.get_backend_name() == "sqlite":
        return url.database or "memory"
    port = f":{url.port}" if url.port else ""
    return f"{url.host or 'this machine'}{port}/{url.database or ''}"


def _broker_place(settings: Settings) -> str:
    return redacted(settings.redis_url).rpartition("@")[2] if settings.redis_url else str(settings.broker_socket)


def _settings(settings: Settings) -> dict[str, str]:
    values: dict[str, Any] = settings.model_dump(mode="json", include=set(SHOWN_SETTINGS))
    shown = {name: str(values[name]) for name in SHOWN_SETTINGS}
    return shown | {"cpu_workers": str(settings.processes_for_physics)}
