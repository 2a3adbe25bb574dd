"""Leases on stages: claim, heartbeat, publish, fail, release. Who holds the token may publish; nobody else changes
anything. Each function is one short transaction that locks the loop's row first; messages are sent after it."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from backend import tripping
from backend.context import Backend
from backend.diagnosis import describe, in_one_line, ran_out_of_memory
from backend.journal import bump, finite, lock_loop, note, sql_now, touch
from backend.parts import domain_part
from backend.queue import Message, queue_of
from backend.shelf import FactShelf, Pending
from backend.tables import Artifact, Generation, Loop, MetricValue, PanelSample, Stage, utc_now
from core.blocks import BLOCK
from core.config import LoopConfig
from core.errors import LeaseLost, LoopscopeError, NotFound
from core.loop import ready_stages, record_of, stages_of

MAX_ATTEMPTS = 3
OVER_AFTER_S = 5.0  # a stage that has worked so long says that what its loop waited for is over
RUNNABLE = ("queued", "running", "interrupted")
Verdict = Literal["go", "cancel", "lost"]
Parts = Callable[[str], int]
"""How many parts a stage is done in."""


@dataclass(frozen=True)
class Lease:
    """The right to do one part of one stage."""

    loop_id: str
    generation: int
    stage: str
    part: int
    token: str
    attempt: int
    config: LoopConfig


def claim(backend: Backend, loop_id: str, generation: int, stage: str, part: int, worker: str) -> Lease | None:
    """Take a certain stage; None when it is done, held by somebody else, or its loop shall not run."""
    with backend.database.write() as session:
        return take(session, loop_id, generation, stage, part, worker)


def take(session: Session, loop_id: str, generation: int, stage: str, part: int, worker: str) -> Lease | None:
    """The same within a transaction."""
    try:
        loop = lock_loop(session, loop_id)
    except NotFound:
        return None  # purged while its message waited
    now = sql_now(session)
    row = session.get(Stage, (loop_id, generation, stage, part))
    if row is None or row.state != "queued" or loop.state not in RUNNABLE or loop.deleted_at is not None:
        return None
    if row.retry_at is not None and row.retry_at > now:
        return None
    row.state, row.token, row.worker, row.attempt = "running", secrets.token_hex(16), worker, row.attempt + 1
    row.started_at = row.heartbeat_at = loop.served_at = now
    row.finished_at, row.fraction, row.sentence = None, 0.0, ""
    loop.state = "running"
    loop.started_at = loop.started_at or now
    touch(session, loop)
    return Lease(loop_id, generation, stage, part, row.token, row.attempt, LoopConfig.model_validate(loop.config))


def look(backend: Backend, lease: Lease) -> Verdict:
    """Whether to go on; reads only."""
    with backend.database.read() as session:
        found = session.execute(
            select(Loop.state, Loop.deleted_at)
            .join(Stage, Stage.loop_id == Loop.id)
            .where(*_row_of(lease), Stage.token == lease.token, Stage.state == "running")
        ).one_or_none()
    if found is None:
        return "lost"
    return "go" if found.state in RUNNABLE and found.deleted_at is None else "cancel"


def heartbeat(backend: Backend, lease: Lease, fraction: float, sentence: str) -> Verdict:
    """Say that the work is alive and how far it is, and learn whether to go on."""
    with backend.database.write() as session:
        found = session.execute(
            update(Loop).where(Loop.id == lease.loop_id).values(revision=Loop.revision + 1)
            .returning(Loop.state, Loop.deleted_at, Loop.trouble)
        ).one_or_none()  # fmt: skip
        now = sql_now(session)
        started_at = session.scalar(
            update(Stage)
            .where(*_row_of(lease), Stage.token == lease.token, Stage.state == "running")
            .values(heartbeat_at=now, fraction=min(max(fraction, 0.0), 1.0), sentence=sentence)
            .returning(Stage.started_at)
        )
        if found is None or started_at is None:
            session.rollback()
            return "lost"
        if found.trouble is not None and (now - started_at).total_seconds() > OVER_AFTER_S:
            session.execute(update(Loop).where(Loop.id == lease.loop_id).values(trouble=None))
        bump(session)
        return "go" if found.state in RUNNABLE and found.deleted_at is None else "cancel"


def publish(
    backend: Backend,
    lease: Lease,
    pending: Mapping[tuple[int, str], Pending],
    parts: Parts,
    *,
    seconds: float,
    samples: Sequence[tuple[str, Mapping[str, Any]]] = (),
) -> None:
    """Make a stage's outcome visible and queue what can start now, all in one transaction.

    Args:
        pending: what the stage saved on its shelf.
        parts: of the stages that follow.
        samples: (label, outcome) of the panel's samples.

    Raises:
        LeaseLost: when another worker holds the stage by now; nothing changes then.
    """
    with backend.database.write() as session:
        loop, row = leased(session, lease)
        config = LoopConfig.model_validate(loop.config)  # it may have been extended since the claim
        row.state, row.finished_at, row.fraction, row.seconds = "done", utc_now(), 1.0, seconds
        loop.trouble = None
        for (generation, name), item in pending.items():
            session.merge(
                Artifact(
                    loop_id=loop.id, generation=generation, name=name, digest=item.stored.digest,
                    size=item.stored.size, facts=finite(item.facts),
                )
            )  # fmt: skip
        for index, (label, outcome) in enumerate(samples):
            session.merge(
                PanelSample(
                    loop_id=loop.id, generation=lease.generation, index=index, label=label,
                    outcome=finite(dict(outcome)),
                )
            )  # fmt: skip
        session.flush()
        messages = advance(session, loop, config, parts)
        _record(session, loop, config, lease.generation)
        if loop.state == "cancelling":
            settle(session, loop)
        touch(session, loop)
        runnable = loop.state in RUNNABLE
    if runnable:
        backend.queue.send(messages)


def published(backend: Backend, lease: Lease) -> bool:
    """Whether a stage was published under this very lease: asked when the answer of a transaction was lost."""
    with backend.database.read() as session:
        token = session.scalar(select(Stage.token).where(*_row_of(lease), Stage.state == "done"))
    return token == lease.token


def advance(session: Session, loop: Loop, config: LoopConfig, parts: Parts) -> list[Message]:
    """Queue every stage that lacks nothing and is not queued yet; the messages to send once that is committed."""
    if in_blocks(config):
        t = loop.generation + 1
        waits = t > config.generations or session.get(Stage, (loop.id, t, BLOCK, 0)) is not None
        return [] if waits else add_stage(session, loop, config, t, BLOCK, 1)
    counts = session.execute(
        select(Stage.generation, Stage.stage, func.count(), func.sum(case((Stage.state == "done", 1), else_=0)))
        .where(Stage.loop_id == loop.id)
        .group_by(Stage.generation, Stage.stage)
    ).all()
    known = {(t, stage) for t, stage, _, _ in counts}
    done = {(t, stage) for t, stage, total, finished in counts if total == finished}
    messages = []
    for t, stage in ready_stages(config, done):
        if (t, stage) not in known:
            messages += add_stage(session, loop, config, t, stage, parts(stage))
    # The next generation's samples are wanted by a corrector that could start while this one is measured.
    return sorted(messages, key=lambda message: message.stage == "evaluate")


def in_blocks(config: LoopConfig) -> bool:
    """Whether a loop runs in blocks of generations, one lease each, instead of stage by stage."""
    return domain_part(config.domain).light


def add_stage(session: Session, loop: Loop, config: LoopConfig, t: int, stage: str, parts: int) -> list[Message]:
    """Queue one stage in so many parts."""
    now, queue = sql_now(session), queue_of(config, stage)
    for part in range(parts):
        session.add(
            Stage(loop_id=loop.id, generation=t, stage=stage, part=part, queue=queue, state="queued", sent_at=now)
        )
    return [Message(loop.id, t, stage, part, queue) for part in range(parts)]


def fail(backend: Backend, lease: Lease, error: Exception, traceback: str) -> None:
    """A stage raised. What may go better another time is tried again; an error of ours, or the third, ends the loop.

    So does memory that has run out twice: it will again.
    """
    tries = 2 if ran_out_of_memory(error) else MAX_ATTEMPTS
    with backend.database.write() as session:
        try:
            loop, row = leased(session, lease)
        except LeaseLost:
            return
        again = not isinstance(error, LoopscopeError) and row.attempt < tries
        where = what_of(lease.stage, lease.generation)
        told = describe(error)
        if again or loop.state not in RUNNABLE:  # who stops a loop is not told of its errors; resume tries again
            row.state, row.token, row.sent_at = "queued", "", sql_now(session)
            row.fraction, row.sentence = 0.0, ""
            message = told["message"] if told["code"] == "out_of_memory" else in_one_line(error)
            sentence = f"Trouble in {where} (attempt {row.attempt} of {tries}): {message}"
            note(session, loop, "retry", sentence, lease.generation, lease.stage)
        else:
            row.state, row.token, row.finished_at = "failed", "", utc_now()
            fail_loop(session, loop, lease.generation, lease.stage, told | {"traceback": traceback})
        settle(session, loop)
        touch(session, loop)
        again = again and loop.state in RUNNABLE
        waiting = message_of(row, lease.config)
    if again:
        backend.queue.send([waiting])


def release(backend: Backend, lease: Lease, *, resend: bool = False) -> None:
    """Give a stage back undone: its loop was cancelled, or (``resend``) its worker is going."""
    with backend.database.write() as session:
        try:
            loop, row = leased(session, lease)
        except LeaseLost:
            return
        row.state, row.token, row.attempt, row.sent_at = "queued", "", row.attempt - 1, sql_now(session)
        row.fraction, row.sentence = 0.0, ""
        session.flush()
        if loop.state == "running" and resend and not running_parts(session, loop):
            loop.state = "queued"
        settle(session, loop)
        touch(session, loop)
        message = message_of(row, lease.config)
        resend = loop.state in RUNNABLE and loop.deleted_at is None  # it may have been resumed in the meantime
    if resend:
        backend.queue.send([message])


def settle(session: Session, loop: Loop) -> bool:
    """A loop that is being cancelled is cancelled as soon as nothing of it runs any more."""
    session.flush()
    if loop.state != "cancelling" or running_parts(session, loop):
        return False
    loop.state, loop.finished_at = "stopped" if loop.stop else "cancelled", utc_now()
    tripping.settled(session, loop)
    if not loop.stop:
        note(session, loop, "cancelled", "Cancelled. What was recorded is kept; resume goes on from there.")
    return True


def message_of(row: Stage, config: LoopConfig) -> Message:
    return Message(row.loop_id, row.generation, row.stage, row.part, queue_of(config, row.stage))


def what_of(stage: str, generation: int) -> str:
    """A stage in words."""
    return f"generation {generation}" if stage == BLOCK else f"{stage} of generation {generation}"


def fail_loop(session: Session, loop: Loop, generation: int, stage: str, error: dict[str, str]) -> None:
    """Park a loop, with the reason."""
    loop.state, loop.finished_at = "failed", utc_now()
    loop.trouble = None
    loop.error = {**error, "stage": stage, "generation": generation}
    note(session, loop, "failed", error["message"], generation, stage)


def _row_of(lease: Lease) -> tuple[Any, ...]:
    return (
        Stage.loop_id == lease.loop_id,
        Stage.generation == lease.generation,
        Stage.stage == lease.stage,
        Stage.part == lease.part,
    )


def told_of_rejected(counts: Mapping[str, int]) -> str:
    """What became of a generation's rejected samples, in words; "" where there were none."""
    redrawn, rejected = counts.get("redrawn", 0), counts.get("rejected", 0)
    if not redrawn and not rejected:
        return ""
    if "redrawn" in counts:
        left = f"{_samples(rejected)} still rejected and left out" if rejected else "none was left out"
        return f"{_samples(redrawn)} rejected and drawn anew; {left}."
    return f"{_samples(rejected)} rejected and {'left out of training' if 'dropped' in counts else 'let in raw'}."


def _samples(count: int) -> str:
    return f"{count} sample{' was' if count == 1 else 's were'}"


def leased(session: Session, lease: Lease) -> tuple[Loop, Stage]:
    """The loop's row, locked, and the stage's.

    Raises:
        LeaseLost: when another worker holds the stage by now, or the loop is gone.
    """
    try:
        loop = lock_loop(session, lease.loop_id)
    except NotFound:
        raise LeaseLost(f"The loop {lease.loop_id} is no more.") from None
    return loop, held(session, lease)


def held(session: Session, lease: Lease) -> Stage:
    row = session.get(Stage, (lease.loop_id, lease.generation, lease.stage, lease.part))
    if row is None or row.token != lease.token or row.state != "running":
        raise LeaseLost(f"Another worker holds {what_of(lease.stage, lease.generation)} of loop {lease.loop_id} now.")
    return row


def running_parts(session: Session, loop: Loop) -> int:
    """How many parts of a loop's stages are at work."""
    count = select(func.count()).select_from(Stage).where(Stage.loop_id == loop.id, Stage.state == "running")
    return session.scalar(count) or 0


def _record(session: Session, loop: Loop, config: LoopConfig, t: int) -> None:
    """Write the generation's record once all its stages are done, and end the loop with the last one."""
    rows = session.execute(
        select(Stage.stage, Stage.state, Stage.seconds).where(Stage.loop_id == loop.id, Stage.generation == t)
    ).all()
    if {row.stage for row in rows} != set(stages_of(config, t)) or any(row.state != "done" for row in rows):
        return
    if session.get(Generation, (loop.id, t)) is None:
        seconds = {stage: sum(r.seconds for r in rows if r.stage == stage) for stage in stages_of(config, t)}
        facts = session.execute(
            select(Artifact.name, Artifact.facts).where(Artifact.loop_id == loop.id, Artifact.generation == t)
        ).all()
        record = record_of(FactShelf({(t, name): kept for name, kept in facts}), t, seconds)
        session.add(
            Generation(
                loop_id=loop.id, index=t, counts=dict(record.counts), seconds=seconds, recorded_at=utc_now(),
                training=finite({**record.training, **record.pace}),
            )
        )  # fmt: skip
        for name, value in record.metrics.items():
            session.merge(MetricValue(loop_id=loop.id, generation=t, name=name, value=finite(value)))
        if told := told_of_rejected(record.counts):
            note(session, loop, "rejected", f"Generation {t}: {told}", t)
        loop.generation = max(loop.generation, t)
        session.flush()
        tripping.watch(session, loop, config, [t])
    end_if_complete(session, loop, config)


def end_if_complete(session: Session, loop: Loop, config: LoopConfig) -> None:
    """End the loop once every generation has its record."""
    recorded = session.scalar(select(func.count()).select_from(Generation).where(Generation.loop_id == loop.id))
    if recorded == config.generations + 1 and loop.state in (*RUNNABLE, "cancelling"):
        loop.state, loop.finished_at, loop.error = "done", utc_now(), None
        loop.stop = loop.trouble = None  # a rule that fired at the last generation has stopped nothing
        note(session, loop, "done", f"Done: {config.generations + 1} generations recorded.")
