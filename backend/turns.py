"""Whose turn it is: workers choose their work from SQL. A message only says that a queue has some."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Row, case, func, select
from sqlalchemy.orm import Session

from backend.context import Backend
from backend.journal import sql_now
from backend.stages import RUNNABLE, Lease, take
from backend.tables import Loop, Stage

LOOKED_AT = 8
ROUNDS = 5
PLACE = {"synthesize": 0, "correct": 1, "learn": 3, "panel": 4, "evaluate": 12}
"""Order of one loop's stages, a generation being ten: what is measured of a generation waits for the samples of the
next one, which a corrector could start with, but not for its training."""
LOCK = 0x100950  # first half of the key of PostgreSQL's advisory locks for turns


def claim_next(backend: Backend, queue: str, worker: str) -> Lease | None:
    """Take the stage of a queue whose turn it is; None when nothing there may run.

    Loops of higher priority come first; among equals the one with the fewest parts at work in this queue, then the one
    that was served longest ago.
    """
    with backend.database.write() as session:
        if session.get_bind().dialect.name == "postgresql":
            # One claim at a time per queue, so that each sees what the others took; SQLite's writers queue up anyway.
            session.execute(select(func.pg_advisory_xact_lock(LOCK, func.hashtext(queue))))
        for _ in range(ROUNDS):
            found = _next(session, queue, sql_now(session))
            if not found:
                return None
            for key in found:
                lease = take(session, key.loop_id, key.generation, key.stage, key.part, worker)
                if lease is not None:
                    return lease
    return None


def _next(session: Session, queue: str, now: datetime) -> Sequence[Row[str, int, str, int]]:
    """The first few stages that may run, in the order of turns."""
    at_work = (
        select(Stage.loop_id, func.count().label("parts"))
        .where(Stage.state == "running", Stage.queue == queue)
        .group_by(Stage.loop_id)
        .subquery()
    )
    return session.execute(
        select(Stage.loop_id, Stage.generation, Stage.stage, Stage.part)
        .join(Loop, Loop.id == Stage.loop_id)
        .outerjoin(at_work, at_work.c.loop_id == Stage.loop_id)
        .where(
            Stage.state == "queued", Stage.queue == queue, Loop.state.in_(RUNNABLE), Loop.deleted_at.is_(None),
            Stage.retry_at.is_(None) | (Stage.retry_at <= now),
        )
        .order_by(
            Loop.priority.desc(), func.coalesce(at_work.c.parts, 0), Loop.served_at.asc().nulls_first(),
            Loop.created_at, Loop.id, Stage.generation * 10 + case(PLACE, value=Stage.stage, else_=0), Stage.part,
        )
        .limit(LOOKED_AT)
    ).all()  # fmt: skip
