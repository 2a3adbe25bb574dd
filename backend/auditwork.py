"""The work of an audit: lease, run, publish. A worker does it, or the command line in its own process."""

import logging
import secrets
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from backend.audits import AuditConfig
from backend.beating import Beating, LastResort, Leaving, Verdict
from backend.context import Backend
from backend.diagnosis import Trouble, check_space, describe, in_one_line, ran_out_of_memory, trouble_of
from backend.journal import bump, finite, sql_now
from backend.parts import build_domain
from backend.reclaiming import FUTURE_S
from backend.shelf import SqlShelf
from backend.stages import MAX_ATTEMPTS
from backend.tables import AuditJob, Loop, utc_now
from backend.troubles import insist
from core.config import LoopConfig, parse
from core.errors import Cancelled, InvalidConfig, LeaseLost, LoopscopeError
from core.protocols import Reference, Tick, silent
from core.seeds import seed_for
from core.threads import threads
from corrector.audit import Audit, Given, audit

log = logging.getLogger(__name__)

HELD_OUT_DRAW = 4
"""Draw 0 of the held-out windows is the evaluator's reference, the next three are its floors."""


@dataclass(frozen=True)
class AuditLease:
    """The right to do one audit."""

    audit_id: str
    token: str
    config: AuditConfig


@threads(1)
def compute(backend: Backend, config: AuditConfig, *, device: str = "auto", tick: Tick = silent) -> Audit:
    """The audit of a checked config.

    Raises:
        InvalidConfig: when the data set's evaluator shows no features.
    """
    from corrector.registry import CORRECTORS
    from model.domains import dataset_of

    assert config.data is not None  # checked configs name it
    form = LoopConfig(n=config.real, data=config.data)
    domain = build_domain(form, backend.memo, device)
    real = domain.real(config.real)
    judge: Any = domain.evaluator(_part(tick, 0.0, 0.05))
    part = CORRECTORS[config.corrector.kind]
    options = parse(part.options, config.corrector.options, "corrector.options")
    corrector = part.build(options, Reference(real, f"{domain.digest}-{config.real}", backend.memo))
    generated = [_generated(backend, config, t, device, _part(tick, 0.05, 0.06)) for t in config.generations]
    return audit(
        corrector, judge, real, dataset_of(config.data).held_out(config.n, HELD_OUT_DRAW), generated=generated,
        perturbations=config.perturbations, seed=config.seed, tick=_part(tick, 0.06, 1.0),
    )  # fmt: skip


def _generated(backend: Backend, config: AuditConfig, t: int, device: str, tick: Tick) -> Given:
    """n samples of generation t's model, drawn as it would draw the next generation's training set."""
    with backend.database.read() as session:
        row = session.get(Loop, config.loop)
    if row is None:
        raise InvalidConfig(f"The loop {config.loop!r} is not there any more.", "Choose another one.", "loop")
    loop = LoopConfig.model_validate(row.config)
    domain = build_domain(loop, backend.memo, device)
    classes = np.unique(domain.real(loop.n).labels)
    samples = domain.generator().sample(
        SqlShelf(backend, config.loop).load(t, "model"),
        classes[np.arange(config.n) % len(classes)],
        guidance=loop.sampling.guidance_synthesis,
        seed=seed_for(config.seed, t, "audit"),
        tick=tick,
    )
    return Given(f"generation-{t}", f"{row.name}, generation {t}", "generated", samples)


def _part(tick: Tick, low: float, high: float) -> Tick:
    return lambda fraction, sentence: tick(low + (high - low) * min(max(fraction, 0.0), 1.0), sentence)


# --- lease ---


def work(
    backend: Backend,
    audit_id: str,
    *,
    worker: str = "here",
    device: str = "auto",
    leaving: Callable[[], bool] = lambda: False,
    also: Tick = silent,
) -> bool:
    """Do an audit, if it is still to be done; returns whether it was published. Raises nothing that the work raises.

    Args:
        also: told of the progress beside SQL.
    """
    try:
        lease = claim(backend, audit_id, worker)
        return lease is not None and _do(backend, lease, device, leaving, also)
    except SQLAlchemyError as error:  # nobody can be told: the silence of this lease will be noticed
        log.warning("SQL does not answer; the audit %s waits: %s", audit_id, in_one_line(error))
        return False


def _do(backend: Backend, lease: AuditLease, device: str, leaving: Callable[[], bool], also: Tick) -> bool:
    last_resort = LastResort(
        backend.settings.hang_after_s, partial(hung, backend, lease), partial(release, backend, lease, resend=True)
    )
    with Beating(
        partial(heartbeat, backend, lease), partial(look, backend, lease), "audit", leaving, last_resort
    ) as beating:

        def tick(fraction: float, sentence: str) -> None:
            beating(fraction, sentence)
            also(fraction, sentence)

        try:
            check_space(backend.settings)
            result = compute(backend, lease.config, device=device, tick=tick)
            insist(lambda: publish(backend, lease, result))
        except (Cancelled, Leaving) as error:
            beating.stop()
            release(backend, lease, resend=isinstance(error, Leaving))
        except LeaseLost as error:
            log.warning("%s", error)
        except KeyboardInterrupt:
            beating.stop()
            _end(backend, lease, state="cancelled")
            raise
        except Exception as error:  # the boundary: whatever the work raises becomes the audit's state
            beating.stop()
            trouble, trace = trouble_of(error, backend.settings), traceback.format_exc()
            if trouble is not None:
                insist(lambda: postpone(backend, lease, trouble))
            else:
                log.exception("audit %s failed", lease.audit_id)
                insist(partial(fail, backend, lease, error, trace))
        else:
            return True
    return False


def claim(backend: Backend, audit_id: str, worker: str) -> AuditLease | None:
    """Take an audit; None when it is not there, done, or held by somebody else."""
    with backend.database.write() as session:
        job = session.scalar(select(AuditJob).where(AuditJob.id == audit_id).with_for_update())
        if job is None or job.state != "queued":
            return None
        now = sql_now(session)
        job.state, job.token, job.worker, job.attempt = "running", secrets.token_hex(16), worker, job.attempt + 1
        job.started_at = job.heartbeat_at = now
        job.finished_at, job.fraction, job.sentence, job.error = None, 0.0, "", None
        bump(session)
        return AuditLease(audit_id, job.token, AuditConfig.model_validate(job.config))


def look(backend: Backend, lease: AuditLease) -> Verdict:
    """Whether to go on; reads only."""
    with backend.database.read() as session:
        state = session.scalar(
            select(AuditJob.state).where(AuditJob.id == lease.audit_id, AuditJob.token == lease.token)
        )
    return "go" if state == "running" else "cancel" if state == "cancelling" else "lost"


def heartbeat(backend: Backend, lease: AuditLease, fraction: float, sentence: str) -> Verdict:
    """Say that the work is alive and how far it is, and learn whether to go on."""
    with backend.database.write() as session:
        told = session.execute(
            update(AuditJob)
            .where(
                AuditJob.id == lease.audit_id, AuditJob.token == lease.token,
                AuditJob.state.in_(("running", "cancelling")),
            )
            .values(heartbeat_at=sql_now(session), fraction=min(max(fraction, 0.0), 1.0), sentence=sentence)
            .returning(AuditJob.state)
        ).scalar_one_or_none()  # fmt: skip
        if told is not None:
            bump(session)
    return "lost" if told is None else "go" if told == "running" else "cancel"


def publish(backend: Backend, lease: AuditLease, result: Audit) -> None:
    """Make the outcome visible.

    Raises:
        LeaseLost: when another worker holds the audit by now; nothing changes then.
    """
    if not _end(backend, lease, state="done", result=finite(result.model_dump(mode="json")), fraction=1.0):
        raise LeaseLost("Another worker holds this audit now.")


def fail(backend: Backend, lease: AuditLease, error: Exception, trace: str) -> None:
    """The work raised. What may go better another time is tried again; an error of ours, or the third, ends it."""
    tries = 2 if ran_out_of_memory(error) else MAX_ATTEMPTS
    again = not isinstance(error, LoopscopeError) and _attempts(backend, lease) < tries
    if again:
        release(backend, lease, resend=True, counted=True)
    else:
        told = describe(error) | {"traceback": trace}
        if told["code"] == "unexpected":
            told["hint"] = "This should not happen: the traceback says where. Running the audit again tries anew."
        _end(backend, lease, state="failed", error=told)


def release(backend: Backend, lease: AuditLease, *, resend: bool, counted: bool = False, waits: str = "") -> None:
    """Give an audit back undone: it was cancelled, or (``resend``) somebody else shall do it.

    Args:
        counted: as an attempt that failed.
        waits: what for, where it is for nobody to do now; the reconciler sends for it again.
    """
    with backend.database.write() as session:
        job = session.scalar(select(AuditJob).where(AuditJob.id == lease.audit_id).with_for_update())
        if job is None or job.token != lease.token or job.state not in ("running", "cancelling"):
            return
        again = (resend or bool(waits)) and job.state == "running"
        job.state, job.token, job.sent_at = "queued" if again else "cancelled", "", sql_now(session)
        job.attempt -= 0 if counted else 1
        job.finished_at = None if again else utc_now()
        job.sentence = waits
        bump(session)
    if again and not waits:
        backend.queue.audit(lease.audit_id)


def postpone(backend: Backend, lease: AuditLease, trouble: Trouble) -> None:
    """Put an audit back until the reconciler sends for it again, which does not count as an attempt."""
    release(backend, lease, resend=False, waits=f"Waits: {trouble.message}")


def hung(backend: Backend, lease: AuditLease, silent_s: float) -> None:
    """A worker says of itself that its work makes no progress; it is about to be ended."""
    if _attempts(backend, lease) < MAX_ATTEMPTS:
        release(backend, lease, resend=True, counted=True)
        return
    told = {
        "code": "hung",
        "message": f"The audit made no progress for {silent_s:.0f} s, {MAX_ATTEMPTS} times.",
        "hint": "See the worker's log for what it waited for, then run the audit again.",
    }
    _end(backend, lease, state="failed", error=told)


def reclaim(backend: Backend) -> int:
    """Take back the audits of workers that have fallen silent; returns how many."""
    at_work = AuditJob.state.in_(("running", "cancelling"))
    with backend.database.read() as session:
        now = sql_now(session)
        limit, future = now - timedelta(seconds=backend.settings.stale_after_s), now + timedelta(seconds=FUTURE_S)
        silent_now = (at_work, AuditJob.heartbeat_at < limit)
        ahead = session.scalar(select(AuditJob.id).where(at_work, AuditJob.heartbeat_at > future).limit(1)) is not None
    if ahead:  # written before the clock was set back
        with backend.database.write() as session:
            session.execute(update(AuditJob).where(at_work, AuditJob.heartbeat_at > future).values(heartbeat_at=now))
    with backend.database.read() as session:
        if session.scalar(select(AuditJob.id).where(*silent_now).limit(1)) is None:
            return 0
    again: list[str] = []
    with backend.database.write() as session:
        found: Sequence[AuditJob] = session.scalars(select(AuditJob).where(*silent_now).with_for_update()).all()
        for job in found:
            job.token = ""
            if job.state == "cancelling":
                job.state, job.finished_at = "cancelled", utc_now()
            elif job.attempt >= MAX_ATTEMPTS:
                job.state, job.finished_at = "failed", utc_now()
                job.error = {
                    "code": "worker_lost",
                    "message": f"The worker was lost {job.attempt} times.",
                    "hint": "It may have run out of memory: see the worker's log, then run the audit again.",
                }
            else:
                job.state, job.sent_at = "queued", now
                again.append(job.id)
        if found:
            bump(session)
    for audit_id in again:
        backend.queue.audit(audit_id)
    return len(found)


def resend(backend: Backend, after_s: float) -> int:
    """Send again for audits that have waited so long since their last message; returns how many."""
    with backend.database.read() as session:
        now = sql_now(session)
        limit, future = now - timedelta(seconds=after_s), now + timedelta(seconds=FUTURE_S)
        waiting = (AuditJob.state == "queued", (AuditJob.sent_at < limit) | (AuditJob.sent_at > future))
        if session.scalar(select(AuditJob.id).where(*waiting).limit(1)) is None:
            return 0
    with backend.database.write() as session:
        rows = session.scalars(select(AuditJob).where(*waiting).with_for_update()).all()
        for row in rows:
            row.sent_at = now
        ids = [row.id for row in rows]
    for audit_id in ids:
        backend.queue.audit(audit_id)
    return len(ids)


def _attempts(backend: Backend, lease: AuditLease) -> int:
    with backend.database.read() as session:
        return session.scalar(select(AuditJob.attempt).where(AuditJob.id == lease.audit_id)) or MAX_ATTEMPTS


def _end(backend: Backend, lease: AuditLease, **values: Any) -> bool:
    """Write the last state, if the lease is still held."""
    with backend.database.write() as session:
        job = session.scalar(select(AuditJob).where(AuditJob.id == lease.audit_id).with_for_update())
        if job is None or job.token != lease.token or job.state not in ("running", "cancelling"):
            return False
        for name, value in values.items():
            setattr(job, name, value)
        job.token, job.finished_at = "", utc_now()
        bump(session)
    return True
