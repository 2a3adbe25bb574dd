"""Leases on jobs (:mod:`backend.jobs`): claim, run, publish, give back, take up again. Only the token may publish."""

import logging
import secrets
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from backend.beating import Beating, LastResort, Leaving, Verdict
from backend.context import Backend
from backend.diagnosis import Trouble, check_space, describe, in_one_line, ran_out_of_memory, trouble_of
from backend.jobs import AT_WORK, KINDS, Kind
from backend.journal import bump, sql_now
from backend.reclaiming import FUTURE_S
from backend.stages import MAX_ATTEMPTS
from backend.tables import Artifact, Loop, utc_now
from backend.troubles import insist
from core.errors import Cancelled, LeaseLost, LoopscopeError
from core.protocols import Tick, silent

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lease:
    """The right to do one job; ``asked`` is its config."""

    kind: Kind
    job_id: str
    token: str
    asked: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What work made.

    Attributes:
        values: of columns of the job's row.
        artifacts: of one loop, published with it.
    """

    values: Mapping[str, Any]
    artifacts: Sequence[Artifact] = ()


def share(tick: Tick, low: float, high: float) -> Tick:
    """A tick for a part of the work: its 0 to 1 is ``low`` to ``high`` of the whole."""
    return lambda fraction, sentence: tick(low + (high - low) * min(max(fraction, 0.0), 1.0), sentence)


def work(
    backend: Backend,
    kind: Kind,
    job_id: str,
    do: Callable[[dict[str, Any], Tick], Outcome],
    *,
    worker: str = "here",
    leaving: Callable[[], bool] = lambda: False,
    also: Tick = silent,
) -> bool:
    """Do a job, if it is still to be done; returns whether it was published. Raises nothing that the work raises.

    Args:
        do: the work, given what was asked for.
        also: told of the progress beside SQL.
    """
    try:
        lease = claim(backend, kind, job_id, worker)
        return lease is not None and _run(backend, lease, do, leaving, also)
    except SQLAlchemyError as error:  # nobody can be told: the silence of this lease will be noticed
        log.warning("SQL does not answer; the %s %s waits: %s", kind.what, job_id, in_one_line(error))
        return False


def _run(
    backend: Backend,
    lease: Lease,
    do: Callable[[dict[str, Any], Tick], Outcome],
    leaving: Callable[[], bool],
    also: Tick,
) -> bool:
    last_resort = LastResort(
        backend.settings.hang_after_s, partial(hung, backend, lease), partial(release, backend, lease, resend=True)
    )
    with Beating(
        partial(heartbeat, backend, lease), partial(look, backend, lease), lease.kind.what, leaving, last_resort
    ) as beating:

        def tick(fraction: float, sentence: str) -> None:
            beating(fraction, sentence)
            also(fraction, sentence)

        try:
            check_space(backend.settings)
            outcome = do(lease.asked, tick)
            insist(lambda: publish(backend, lease, outcome))
        except (Cancelled, Leaving) as error:
            beating.stop()
            release(backend, lease, resend=isinstance(error, Leaving))
        except LeaseLost as error:
            log.warning("%s", error)
        except KeyboardInterrupt:
            beating.stop()
            _end(backend, lease, {"state": "cancelled"})
            raise
        except Exception as error:  # the boundary: whatever the work raises becomes the job's state
            beating.stop()
            trouble, trace = trouble_of(error, backend.settings), traceback.format_exc()
            if trouble is not None:
                insist(lambda: postpone(backend, lease, trouble))
            else:
                log.exception("%s %s failed", lease.kind.what, lease.job_id)
                insist(partial(fail, backend, lease, error, trace))
        else:
            return True
    return False


def claim(backend: Backend, kind: Kind, job_id: str, worker: str) -> Lease | None:
    """Take a job; None when it is not there, done, or held by somebody else."""
    with backend.database.write() as session:
        job = session.scalar(select(kind.table).where(kind.table.id == job_id).with_for_update())
        if job is None or job.state != "queued":
            return None
        now = sql_now(session)
        job.state, job.token, job.worker, job.attempt = "running", secrets.token_hex(16), worker, job.attempt + 1
        job.started_at = job.heartbeat_at = now
        job.finished_at, job.fraction, job.sentence, job.error = None, 0.0, "", None
        bump(session)
        return Lease(kind, job_id, job.token, job.config)


def look(backend: Backend, lease: Lease) -> Verdict:
    """Whether to go on; reads only."""
    table = lease.kind.table
    with backend.database.read() as session:
        state = session.scalar(select(table.state).where(table.id == lease.job_id, table.token == lease.token))
    return "go" if state == "running" else "cancel" if state == "cancelling" else "lost"


def heartbeat(backend: Backend, lease: Lease, fraction: float, sentence: str) -> Verdict:
    """Say that the work is alive and how far it is, and learn whether to go on."""
    table = lease.kind.table
    with backend.database.write() as session:
        told = session.execute(
            update(table)
            .where(table.id == lease.job_id, table.token == lease.token, table.state.in_(AT_WORK))
            .values(heartbeat_at=sql_now(session), fraction=min(max(fraction, 0.0), 1.0), sentence=sentence)
            .returning(table.state)
        ).scalar_one_or_none()
        if told is not None:
            bump(session)
    return "lost" if told is None else "go" if told == "running" else "cancel"


def publish(backend: Backend, lease: Lease, outcome: Outcome) -> None:
    """Make the outcome visible.

    Raises:
        LeaseLost: when another worker holds the job by now, or it is gone; nothing changes then.
    """
    if not _end(backend, lease, {**outcome.values, "state": "done", "fraction": 1.0}, outcome.artifacts):
        raise LeaseLost(f"Another worker holds this {lease.kind.what} now.")


def fail(backend: Backend, lease: Lease, error: Exception, trace: str) -> None:
    """The work raised. What may go better another time is tried again; an error of ours, or the third, ends it."""
    tries = 2 if ran_out_of_memory(error) else MAX_ATTEMPTS
    again = not isinstance(error, LoopscopeError) and _attempts(backend, lease) < tries
    if again:
        release(backend, lease, resend=True, counted=True)
    else:
        told = describe(error) | {"traceback": trace}
        if told["code"] == "unexpected":
            told["hint"] = f"This should not happen: the traceback says where. Ask for the {lease.kind.what} again."
        _end(backend, lease, {"state": "failed", "error": told})


def release(backend: Backend, lease: Lease, *, resend: bool, counted: bool = False, waits: str = "") -> None:
    """Give a job back undone: it was cancelled, or (``resend``) somebody else shall do it.

    Args:
        counted: as an attempt that failed.
        waits: what for, where it is for nobody to do now; the reconciler sends for it again.
    """
    table = lease.kind.table
    with backend.database.write() as session:
        job = session.scalar(select(table).where(table.id == lease.job_id).with_for_update())
        if job is None or job.token != lease.token or job.state not in AT_WORK:
            return
        again = (resend or bool(waits)) and job.state == "running"
        job.state, job.token, job.sent_at = "queued" if again else "cancelled", "", sql_now(session)
        job.attempt -= 0 if counted else 1
        job.finished_at = None if again else utc_now()
        job.sentence = waits
        bump(session)
    if again and not waits:
        lease.kind.send(backend.queue, lease.job_id)


def postpone(backend: Backend, lease: Lease, trouble: Trouble) -> None:
    """Put a job back until the reconciler sends for it again, which does not count as an attempt."""
    release(backend, lease, resend=False, waits=f"Waits: {trouble.message}")


def hung(backend: Backend, lease: Lease, silent_s: float) -> None:
    """A worker says of itself that its work makes no progress; it is about to be ended."""
    if _attempts(backend, lease) < MAX_ATTEMPTS:
        release(backend, lease, resend=True, counted=True)
        return
    told = {
        "code": "hung",
        "message": f"The {lease.kind.what} made no progress for {silent_s:.0f} s, {MAX_ATTEMPTS} times.",
        "hint": f"See the worker's log for what it waited for, then ask for the {lease.kind.what} again.",
    }
    _end(backend, lease, {"state": "failed", "error": told})


def reclaim(backend: Backend, kinds: Sequence[Kind] = KINDS) -> int:
    """Take back the jobs of workers that have fallen silent; returns how many."""
    return sum(_reclaim(backend, kind) for kind in kinds)


def _reclaim(backend: Backend, kind: Kind) -> int:
    table = kind.table
    at_work = table.state.in_(AT_WORK)
    with backend.database.read() as session:
        now = sql_now(session)
        limit, future = now - timedelta(seconds=backend.settings.stale_after_s), now + timedelta(seconds=FUTURE_S)
        silent_now = (at_work, table.heartbeat_at < limit)
        ahead = session.scalar(select(table.id).where(at_work, table.heartbeat_at > future).limit(1)) is not None
    if ahead:  # written before the clock was set back
        with backend.database.write() as session:
            session.execute(update(table).where(at_work, table.heartbeat_at > future).values(heartbeat_at=now))
    with backend.database.read() as session:
        if session.scalar(select(table.id).where(*silent_now).limit(1)) is None:
            return 0
    again: list[str] = []
    with backend.database.write() as session:
        found = session.scalars(select(table).where(*silent_now).with_for_update()).all()
        for job in found:
            job.token = job.sentence = ""
            if job.state == "cancelling":
                job.state, job.finished_at = "cancelled", utc_now()
            elif job.attempt >= MAX_ATTEMPTS:
                job.state, job.finished_at = "failed", utc_now()
                job.error = {
                    "code": "worker_lost",
                    "message": f"The worker was lost {job.attempt} times.",
                    "hint": f"It may have run out of memory: see the worker's log, then ask for the {kind.what} again.",
                }
            else:
                job.state, job.sent_at = "queued", now
                again.append(job.id)
        if found:
            bump(session)
    for job_id in again:
        kind.send(backend.queue, job_id)
    return len(found)


def resend(backend: Backend, after_s: float, kinds: Sequence[Kind] = KINDS) -> int:
    """Send again for jobs that have waited so long since their last message; returns how many."""
    return sum(_resend(backend, kind, after_s) for kind in kinds)


def _resend(backend: Backend, kind: Kind, after_s: float) -> int:
    table = kind.table
    with backend.database.read() as session:
        now = sql_now(session)
        limit, future = now - timedelta(seconds=after_s), now + timedelta(seconds=FUTURE_S)
        waiting = (table.state == "queued", (table.sent_at < limit) | (table.sent_at > future))
        if session.scalar(select(table.id).where(*waiting).limit(1)) is None:
            return 0
    with backend.database.write() as session:
        rows = session.scalars(select(table).where(*waiting).with_for_update()).all()
        for row in rows:
            row.sent_at = now
        ids = [row.id for row in rows]
    for job_id in ids:
        kind.send(backend.queue, job_id)
    return len(ids)


def _attempts(backend: Backend, lease: Lease) -> int:
    table = lease.kind.table
    with backend.database.read() as session:
        return session.scalar(select(table.attempt).where(table.id == lease.job_id)) or MAX_ATTEMPTS


def _end(backend: Backend, lease: Lease, values: Mapping[str, Any], artifacts: Sequence[Artifact] = ()) -> bool:
    """Write the last state, if the lease is still held."""
    table = lease.kind.table
    with backend.database.write() as session:
        for loop_id in {artifact.loop_id for artifact in artifacts}:  # first, as every writer of a loop does
            session.scalar(select(Loop.id).where(Loop.id == loop_id).with_for_update())
        job = session.scalar(select(table).where(table.id == lease.job_id).with_for_update())
        if job is None or job.token != lease.token or job.state not in AT_WORK:
            return False
        for name, value in values.items():
            setattr(job, name, value)
        job.token, job.finished_at = "", utc_now()
        for artifact in artifacts:
            session.merge(artifact)
        bump(session)
    return True
