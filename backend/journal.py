"""What every change of a loop has in common: the row is locked first, an event says it, the revision grows."""

import math
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from backend.tables import Counter, Event, Loop, utc_now
from core.errors import NotFound

REVISION = "revision"


def lock_loop(session: Session, loop_id: str) -> Loop:
    """The loop's row, locked until the transaction ends; every writer takes it before any other row.

    Raises:
        NotFound: when there is none.
    """
    loop = session.scalar(select(Loop).where(Loop.id == loop_id).with_for_update())
    if loop is None:
        raise no_loop(loop_id)
    return loop


def get_loop(session: Session, loop_id: str) -> Loop:
    """The loop's row, to read.

    Raises:
        NotFound: when there is none.
    """
    loop = session.get(Loop, loop_id)
    if loop is None:
        raise no_loop(loop_id)
    return loop


def no_loop(loop_id: str) -> NotFound:
    return NotFound(f"There is no loop {loop_id!r}.", "List the loops to see their ids.")


def sql_now(session: Session) -> datetime:
    """The database's time (PostgreSQL), so that machines with other clocks agree; this machine's with SQLite."""
    if session.get_bind().dialect.name == "postgresql":
        now: datetime = session.scalar(select(func.clock_timestamp())) or utc_now()
        return now.astimezone(UTC)
    return utc_now()


def touch(session: Session, loop: Loop) -> None:
    """Say that something visible changed. The last statement of a transaction, because all writers share the row."""
    loop.revision += 1
    loop.updated_at = utc_now()
    session.flush()
    bump(session)


def bump(session: Session) -> None:
    found = session.execute(update(Counter).where(Counter.name == REVISION).values(value=Counter.value + 1))
    if not found.rowcount:  # type: ignore[attr-defined]
        session.add(Counter(name=REVISION, value=1))


def note(
    session: Session, loop: Loop, kind: str, sentence: str, generation: int | None = None, stage: str | None = None
) -> None:
    """Add an event."""
    session.add(Event(loop_id=loop.id, at=utc_now(), kind=kind, generation=generation, stage=stage, sentence=sentence))


def finite(value: Any) -> Any:
    """Plain JSON data with None for NaN and infinities, which SQL's JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return value
