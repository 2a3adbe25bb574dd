"""Work of its own beside the stages: kinds of it, and what its rows say in words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from backend.queue import CPU, GPU, Queue
from backend.tables import AuditJob, DrawJob, Job, utc_now
from backend.views import in_words

State = Literal["queued", "running", "interrupted", "cancelling", "cancelled", "failed", "done"]
AT_WORK = ("running", "cancelling")
PENDING = ("queued", *AT_WORK, "interrupted")


@dataclass(frozen=True)
class Kind:
    """A kind of job.

    Attributes:
        table: its rows.
        what: what people call it.
        doing: what a worker does, in the list of workers.
        queue: whose workers do it.
        send: wakes one of them for the job of an id.
    """

    table: type[Job]
    what: str
    doing: str
    queue: str
    send: Callable[[Queue, str], None]


AUDIT = Kind(AuditJob, "audit", "audit of a corrector", CPU, lambda queue, job_id: queue.audit(job_id))
DRAW = Kind(DrawJob, "draw", "drawing of new samples", GPU, lambda queue, job_id: queue.draw(job_id))
KINDS = (AUDIT, DRAW)


@dataclass(frozen=True)
class Progress:
    """What a job's row says at this moment; ``eta_s`` is None before there is a pace."""

    state: State
    sentence: str
    fraction: float
    eta_s: float | None


def progress_of(job: Job, stale_after_s: float) -> Progress:
    """How far a job is; ``interrupted`` where its worker has been silent for longer than that."""
    now = utc_now()
    silence_s = (now - job.heartbeat_at).total_seconds() if job.heartbeat_at else 0.0
    state: State = job.state  # type: ignore[assignment]  # nothing else is ever written
    if state == "running" and silence_s > stale_after_s:
        state = "interrupted"
    eta_s = None
    if state == "running" and job.started_at is not None and job.fraction > 0.02:
        eta_s = (now - job.started_at).total_seconds() * (1 - job.fraction) / job.fraction
    return Progress(state, _sentence(job, state, silence_s, eta_s), 1.0 if state == "done" else job.fraction, eta_s)


def _sentence(job: Job, state: State, silence_s: float, eta_s: float | None) -> str:
    if state == "queued":
        return job.sentence or "Queued: waits for a free worker"
    if state == "cancelling":
        return "Cancelling: it stops in a moment"
    if state == "cancelled":
        return "Cancelled"
    if state == "interrupted":
        return f"Interrupted: the worker has not been heard of for {silence_s:.0f} s; it will be picked up again"
    if state == "failed":
        return f"Failed: {(job.error or {}).get('message', 'for an unknown reason')}"
    if state == "done":
        took = (job.finished_at - job.started_at).total_seconds() if job.finished_at and job.started_at else 0.0
        return f"Done in {in_words(took)}"
    left = f", about {in_words(eta_s)} left" if eta_s is not None else ""
    return f"{job.sentence or 'Starting'}{left}"
