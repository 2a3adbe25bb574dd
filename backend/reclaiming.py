"""What the reconciler does for stages: takes them back from silent workers, and sends messages that were lost."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from backend.context import Backend
from backend.journal import lock_loop, note, sql_now, touch
from backend.queue import Message, queue_of
from backend.stages import (
    MAX_ATTEMPTS,
    RUNNABLE,
    Lease,
    fail_loop,
    leased,
    message_of,
    settle,
    what_of,
)
from backend.tables import Loop, Stage
from backend.troubles import LONGEST_WAIT_S
from core.config import LoopConfig
from core.errors import LeaseLost, NotFound

FUTURE_S = 5.0
"""A time so far ahead of the clock was written before the clock was set back: it counts as now."""


@dataclass(frozen=True)
class Loss:
    """How a worker was lost, in words: ``{times}`` and ``{where}`` are filled in."""

    kind: str  # of the event
    told: str
    code: str
    message: str
    hint: str


SILENT = Loss(
    "interrupted",
    "{worker} has not been heard of for {silent_s:.0f} s; it will be picked up again.",
    "worker_lost",
    "The worker was lost {times} times in {where}.",
    "It may have run out of memory: see the worker's log, then resume.",
)
HUNG = Loss(
    "hung",
    "{worker} made no progress for {silent_s:.0f} s in {where} and was ended; it will be picked up again.",
    "hung",
    "{where} made no progress for {silent_s:.0f} s, {times} times.",
    "See the worker's log for what it waited for, then resume; LOOPSCOPE_HANG_AFTER_S says how long is too long.",
)


def mend_times(backend: Backend) -> int:
    """Where the clock was set back, stages were last heard of in the future; returns how many such times there were."""
    with backend.database.read() as session:
        now = sql_now(session)
        latest = {
            Stage.heartbeat_at: now + timedelta(seconds=FUTURE_S),
            Stage.sent_at: now + timedelta(seconds=FUTURE_S),
            Stage.retry_at: now + timedelta(seconds=LONGEST_WAIT_S + FUTURE_S),
        }
        open_stage = Stage.state.in_(("queued", "running"))
        wrong = [
            column
            for column, limit in latest.items()
            if session.scalar(select(Stage.loop_id).where(open_stage, column > limit).limit(1)) is not None
        ]
    if not wrong:
        return 0
    count = 0
    with backend.database.write() as session:
        for column in wrong:
            mended = session.execute(update(Stage).where(open_stage, column > latest[column]).values({column: now}))
            count += mended.rowcount  # type: ignore[attr-defined]
    return count


def reclaim(backend: Backend) -> int:
    """Take back the stages of workers that have fallen silent; returns how many."""
    with backend.database.read() as session:
        limit = sql_now(session) - timedelta(seconds=backend.settings.stale_after_s)
        stale = session.execute(
            select(Stage.loop_id, Stage.generation, Stage.stage, Stage.part)
            .where(Stage.state == "running", (Stage.heartbeat_at < limit) | Stage.heartbeat_at.is_(None))
        ).all()  # fmt: skip
    found = 0
    for loop_id, generation, stage, part in stale:
        with backend.database.write() as session:
            try:
                loop = lock_loop(session, loop_id)
            except NotFound:
                continue
            row = session.get(Stage, (loop_id, generation, stage, part))
            if row is None or row.state != "running" or (row.heartbeat_at is not None and row.heartbeat_at >= limit):
                continue
            silent_s = (sql_now(session) - row.heartbeat_at).total_seconds() if row.heartbeat_at else 0.0
            messages = _take_back(session, loop, row, SILENT, silent_s)
        found += 1
        backend.queue.send(messages)
    return found


def hung(backend: Backend, lease: Lease, silent_s: float) -> None:
    """A worker says of itself that its work makes no progress; it is about to be ended."""
    with backend.database.write() as session:
        try:
            loop, row = leased(session, lease)
        except LeaseLost:
            return
        messages = _take_back(session, loop, row, HUNG, silent_s)
    backend.queue.send(messages)


def _take_back(session: Session, loop: Loop, row: Stage, loss: Loss, silent_s: float) -> list[Message]:
    """Queue a lost stage again, or park its loop the third time; the messages to send."""
    where = what_of(row.stage, row.generation)
    worker, now = row.worker or "The worker", sql_now(session)
    row.token, row.state, row.sent_at = "", "queued", now
    row.fraction, row.sentence = 0.0, ""
    if loop.state in RUNNABLE and row.attempt >= MAX_ATTEMPTS:
        row.state, row.finished_at = "failed", now
        message = loss.message.format(times=row.attempt, where=where, silent_s=silent_s)
        error = {"code": loss.code, "message": message[0].upper() + message[1:], "hint": loss.hint, "traceback": ""}
        fail_loop(session, loop, row.generation, row.stage, error)
    elif loop.state in RUNNABLE:
        loop.state = "interrupted"
        sentence = loss.told.format(worker=worker, silent_s=silent_s, where=where)
        note(session, loop, loss.kind, sentence, row.generation, row.stage)
    settle(session, loop)
    touch(session, loop)
    again = row.state == "queued" and loop.state in RUNNABLE and loop.deleted_at is None
    return [message_of(row, LoopConfig.model_validate(loop.config))] if again else []


def settle_all(backend: Backend) -> None:
    """End the cancelling of loops that nothing runs for any more."""
    with backend.database.read() as session:
        ids = session.scalars(select(Loop.id).where(Loop.state == "cancelling")).all()
    for loop_id in ids:
        with backend.database.write() as session:
            loop = session.scalar(select(Loop).where(Loop.id == loop_id).with_for_update())
            if loop is not None and settle(session, loop):
                touch(session, loop)


def name_queues(backend: Backend) -> int:
    """Say in SQL which queue stages of older versions wait in; returns how many did not know."""
    nameless = (Stage.queue == "", Stage.state.in_(("queued", "running", "failed")))
    with backend.database.read() as session:
        if session.scalar(select(Stage.loop_id).where(*nameless).limit(1)) is None:
            return 0
    with backend.database.write() as session:
        rows = session.execute(
            select(Stage, Loop.config)
            .join(Loop, Loop.id == Stage.loop_id)
            .where(*nameless)
            .with_for_update(of=Stage, skip_locked=True)
        ).all()  # fmt: skip
        for row, config in rows:
            row.queue = queue_of(LoopConfig.model_validate(config), row.stage)
    return len(rows)


def wake(backend: Backend) -> int:
    """Send for stages that had to wait for something and need not any more; returns how many."""
    with backend.database.read() as session:
        now = sql_now(session)
    return _send_again(backend, now, Stage.retry_at <= now, Stage.sent_at <= Stage.retry_at)


def resend(backend: Backend, queue: str, after_s: float) -> int:
    """Send again for stages of a queue that have waited so long since their last message; returns how many."""
    with backend.database.read() as session:
        now = sql_now(session)
    limit = now - timedelta(seconds=after_s)
    waits_on_purpose = Stage.retry_at.is_not(None) & (Stage.retry_at > now)
    return _send_again(backend, now, Stage.queue == queue, Stage.sent_at < limit, ~waits_on_purpose)


def _send_again(backend: Backend, now: datetime, *which: ColumnElement[bool]) -> int:
    runnable = select(Loop.id).where(Loop.state.in_(RUNNABLE), Loop.deleted_at.is_(None))
    chosen = (Stage.state == "queued", Stage.loop_id.in_(runnable), *which)
    with backend.database.read() as session:
        if session.scalar(select(Stage.loop_id).where(*chosen).limit(1)) is None:
            return 0
    with backend.database.write() as session:
        rows = session.scalars(select(Stage).where(*chosen).with_for_update(skip_locked=True)).all()  # never waits
        for row in rows:
            row.sent_at = now
    ordered = sorted(rows, key=lambda row: (row.generation, row.stage, row.part))
    backend.queue.send([Message(r.loop_id, r.generation, r.stage, r.part, r.queue) for r in ordered])
    return len(rows)
