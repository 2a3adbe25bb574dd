"""Questions to SQL about the whole installation. Each is cheap however many loops there are, or asked seldom."""

import os
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import Select, func, select, text
from sqlalchemy.orm import Session

from backend.context import Backend
from backend.jobs import AT_WORK, KINDS
from backend.observe.views import IncidentView
from backend.queue import CPU, GPU
from backend.tables import Artifact, Event, Leader, Loop, Stage
from backend.views import State

RUNNABLE = ("queued", "running", "interrupted")
INCIDENTS = ("failed", "retry", "interrupted", "hung", "waiting", "trouble", "postponed")
INCIDENTS_SHOWN = 12
EVENTS_LOOKED_AT = 5_000


@dataclass(frozen=True)
class Load:
    """Of one queue, from SQL."""

    waiting: int = 0
    at_work: int = 0
    oldest: datetime | None = None


def loops_by_state(session: Session) -> dict[str, int]:
    """Every state, those without a loop as 0; deleted loops are left out."""
    rows = session.execute(select(Loop.state, func.count()).where(Loop.deleted_at.is_(None)).group_by(Loop.state))
    return dict.fromkeys(get_args(State), 0) | {state: count for state, count in rows}


def loads(session: Session) -> dict[str, Load]:
    """Of each queue: what a worker could start now, and what workers hold."""
    runnable = Loop.state.in_(RUNNABLE) & Loop.deleted_at.is_(None)
    waiting = _by_queue(
        session,
        select(Stage.queue, func.count(), func.min(Stage.sent_at))
        .join(Loop, Loop.id == Stage.loop_id)
        .where(Stage.state == "queued", runnable),
    )
    at_work = _by_queue(
        session, select(Stage.queue, func.count(), func.min(Stage.started_at)).where(Stage.state == "running")
    )
    found = {}
    for name in (GPU, CPU):
        count, oldest = waiting.get(name, (0, None))
        working = at_work.get(name, (0, None))[0]
        for table in (kind.table for kind in KINDS if kind.queue == name):
            more, since = session.execute(
                select(func.count(), func.min(table.sent_at)).where(table.state == "queued")
            ).one()
            count, oldest = count + more, min((t for t in (oldest, since) if t is not None), default=None)
            busy = select(func.count()).select_from(table).where(table.state.in_(AT_WORK))
            working += session.scalar(busy) or 0
        found[name] = Load(count, working, oldest)
    return found


def _by_queue(session: Session, query: Select[*tuple[Any, ...]]) -> dict[str, tuple[int, datetime | None]]:
    rows = session.execute(query.group_by(Stage.queue)).all()
    return {queue: (count, oldest) for queue, count, oldest in rows}


def incidents(session: Session) -> list[IncidentView]:
    """The newest, of the last :data:`EVENTS_LOOKED_AT` events of loops that are not deleted."""
    newest = session.scalar(select(func.max(Event.id))) or 0
    rows = session.execute(
        select(Event, Loop.name)
        .join(Loop, Loop.id == Event.loop_id)
        .where(Event.id > newest - EVENTS_LOOKED_AT, Event.kind.in_(INCIDENTS), Loop.deleted_at.is_(None))
        .order_by(Event.id.desc())
        .limit(INCIDENTS_SHOWN)
    )
    return [
        IncidentView(
            loop_id=event.loop_id, loop_name=name, at=event.at, kind=event.kind, generation=event.generation,
            sentence=event.sentence,
        )
        for event, name in rows
    ]  # fmt: skip


def leader(session: Session, job: str, now: datetime) -> str | None:
    """The process that does a job which one of them shall do."""
    return session.scalar(select(Leader.holder).where(Leader.name == job, Leader.until >= now))


def artifacts(session: Session) -> tuple[int, int]:
    """Files that published items name, and their bytes; each file once."""
    files = select(Artifact.digest, func.max(Artifact.size).label("size")).group_by(Artifact.digest).subquery()
    count, size = session.execute(select(func.count(), func.coalesce(func.sum(files.c.size), 0))).one()
    return count, int(size)


def database_bytes(backend: Backend, session: Session) -> int:
    """What the database takes on its disk."""
    if session.get_bind().dialect.name == "postgresql":
        return int(session.scalar(text("SELECT pg_database_size(current_database())")) or 0)
    file = backend.database.engine.url.database
    if not file or file == ":memory:":
        return 0
    return sum(size_of(f"{file}{suffix}") for suffix in ("", "-wal", "-shm"))


def size_of(path: str) -> int:
    """Bytes of a file, or of all files below a folder; 0 where there is none."""
    try:
        if not os.path.isdir(path):
            return os.stat(path).st_size
        with os.scandir(path) as entries:
            found = [(entry.path, entry.is_symlink()) for entry in entries]
    except OSError:
        return 0  # gone meanwhile
    return sum(size_of(inner) for inner, elsewhere in found if not elsewhere)
