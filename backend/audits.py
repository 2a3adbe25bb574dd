"""Audits of correctors: asked for once, computed by a worker, kept. The verbs are those of the API and the page."""

import secrets
from datetime import datetime

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend import loops, parts
from backend.context import Backend
from backend.jobs import State, progress_of
from backend.journal import bump
from backend.paths import confined
from backend.tables import AuditJob, utc_now
from backend.views import ErrorView, View
from core.config import LoopConfig, Options, PartConfig, digest
from core.errors import Conflict, InvalidConfig, NotFound
from corrector.audit import LEAST_WINDOWS, Audit
from corrector.minimal import BOUNDS_VERSION
from corrector.perturb import PERTURBATIONS
from corrector.physics import TRACKER_VERSION

VERSIONS = (2, BOUNDS_VERSION, TRACKER_VERSION)
"""Results are found by them: raise the first when the same audit gives other numbers for another reason."""
MOST_GENERATIONS = 16
EVALUATOR_S, KINEMATIC_S, SIMULATED_S = 25.0, 0.012, 0.1  # measured on two cores; per window and input
UNDER_WAY = ("queued", "running")


class AuditConfig(Options):
    """What is audited, and on what."""

    data: PartConfig | None = Field(
        None, title="Data set", description="None = the loop's data set, or deepmimic where there is no loop."
    )
    corrector: PartConfig = Field(default_factory=lambda: PartConfig(kind="physics"), title="Corrector")
    n: int = Field(
        255, ge=LEAST_WINDOWS, le=4096, title="Windows n",
        description="Per input. FID depends on it: compare equal n only.",
    )  # fmt: skip
    real: int = Field(
        256, ge=LEAST_WINDOWS, le=100_000, title="Real training windows",
        description="The corrector learns its bounds from them, and the ceiling snaps to them.",
    )  # fmt: skip
    perturbations: list[str] = Field(
        default_factory=lambda: list(PERTURBATIONS), title="Perturbations",
        description="Ways to break real motion, three strengths each.",
    )  # fmt: skip
    loop: str = Field("", title="Loop", description="Also correct what this loop's models make.")
    generations: list[int] = Field(
        default_factory=list, max_length=MOST_GENERATIONS, title="Generations", description="Of that loop."
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, title="Seed", description="Of perturbations and samples.")


class AuditView(View):
    """An audit as everybody sees it; ``result`` is there when its state is done."""

    id: str
    state: State
    sentence: str
    fraction: float
    eta_s: float | None
    config: AuditConfig
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    result: Audit | None
    error: ErrorView | None


def check(backend: Backend, config: AuditConfig) -> AuditConfig:
    """The config with its data set named and every part's options checked and filled in.

    Raises:
        InvalidConfig: naming the field that cannot be.
        NotFound: when the loop is not there.
        DataMissing: when the data set's files are not there.
    """
    unknown = [name for name in config.perturbations if name not in PERTURBATIONS]
    if unknown:
        raise InvalidConfig(
            f"There is no perturbation named {unknown[0]!r}.", f"Choose from: {', '.join(PERTURBATIONS)}.",
            "perturbations",
        )  # fmt: skip
    loop = _checked_loop(backend, config)
    data = config.data or (loop.data if loop else PartConfig(kind="deepmimic"))
    form = LoopConfig(n=config.real, data=data, corrector=config.corrector)
    checked = parts.check(confined(backend, form))
    if loop is not None and checked.data != loop.data:
        raise InvalidConfig(
            f"The loop {config.loop!r} learned from other data ({loop.data.kind}).",
            "Leave the data set out, or audit without the loop.",
            "data",
        )
    return config.model_copy(update={"data": checked.data, "corrector": checked.corrector})


def _checked_loop(backend: Backend, config: AuditConfig) -> LoopConfig | None:
    if not config.loop:
        if config.generations:
            raise InvalidConfig("Generations belong to a loop, and none is named.", "Name a loop.", "loop")
        return None
    view = loops.show_loop(backend, config.loop)
    if view.config["domain"] != "motion":
        raise InvalidConfig(f"The loop {config.loop!r} makes no motions.", "Choose another loop.", "loop")
    if not config.generations:
        raise InvalidConfig("No generation of the loop is named.", "Name one or more, e.g. 0 and 6.", "generations")
    beyond = [t for t in config.generations if not 0 <= t <= view.generation]
    if beyond:
        reached = f"generations 0 to {view.generation}" if view.generation >= 0 else "no generation yet"
        raise InvalidConfig(f"The loop {view.name!r} has {reached}; got {beyond[0]}.", "", "generations")
    return LoopConfig.model_validate(view.config)


def start(backend: Backend, config: AuditConfig, *, again: bool = False, send: bool = True) -> AuditView:
    """Ask for an audit; the one that is there, or under way, when the same was asked for before.

    Args:
        again: compute it anew.
        send: wake a worker (False where the caller does the work).

    Raises:
        InvalidConfig, NotFound, DataMissing: as :func:`check`.
    """
    from model.domains import dataset_of

    actor = backend.gate.require("runner")
    config = check(backend, config)
    assert config.data is not None  # check has named it
    name = digest([VERSIONS, dataset_of(config.data).digest, config.model_dump(mode="json")])
    with backend.database.write() as session:
        wanted = UNDER_WAY if again else ("done", *UNDER_WAY)
        job = session.scalar(
            select(AuditJob)
            .where(AuditJob.config_digest == name, AuditJob.state.in_(wanted))
            .order_by(AuditJob.created_at.desc())
            .limit(1)
        )
        new = job is None
        if job is None:
            now = utc_now()
            job = AuditJob(
                id=secrets.token_hex(6), config=config.model_dump(mode="json"), config_digest=name, state="queued",
                owner=actor.name,
                created_at=now, sent_at=now,
            )  # fmt: skip
            session.add(job)
            bump(session)
        audit_id = job.id
    if new and send:
        backend.queue.audit(audit_id)
    return show(backend, audit_id)


def show(backend: Backend, audit_id: str) -> AuditView:
    """One audit.

    Raises:
        NotFound: when there is none of that id.
    """
    with backend.database.read() as session:
        return view_of(get(session, audit_id), backend.settings.stale_after_s)


def estimate_s(backend: Backend, config: AuditConfig) -> float:
    """Seconds that a checked audit takes: from the last one of the same corrector here, else from another machine."""
    work = config.n * (1 + 3 * len(config.perturbations) + len(config.generations))
    with backend.database.read() as session:
        rows = session.scalars(
            select(AuditJob).where(AuditJob.state == "done").order_by(AuditJob.finished_at.desc()).limit(50)
        ).all()
    for row in rows:
        past = AuditConfig.model_validate(row.config)
        if past.corrector == config.corrector and row.started_at and row.finished_at:
            took = (row.finished_at - row.started_at).total_seconds()
            return took * work / (past.n * (1 + 3 * len(past.perturbations) + len(past.generations)))
    return EVALUATOR_S + work * (SIMULATED_S if _simulates(config.corrector) else KINEMATIC_S)


def _simulates(corrector: PartConfig) -> bool:
    return "physics" in str(corrector.model_dump())


def list_audits(backend: Backend, limit: int = 100) -> list[AuditView]:
    """Audits, newest first, without their results."""
    with backend.database.read() as session:
        rows = session.scalars(select(AuditJob).order_by(AuditJob.created_at.desc(), AuditJob.id).limit(limit)).all()
        return [view_of(row, backend.settings.stale_after_s, whole=False) for row in rows]


def cancel(backend: Backend, audit_id: str) -> AuditView:
    """Stop an audit; a running one sees it within a second or two.

    Raises:
        Conflict: when it has ended already.
    """
    backend.gate.require("runner")
    with backend.database.write() as session:
        job = get(session, audit_id, lock=True)
        if job.state in ("done", "failed"):
            raise Conflict(f"This audit is {job.state} already.", "There is nothing to cancel.")
        if job.state == "queued":
            job.state, job.finished_at = "cancelled", utc_now()
        elif job.state == "running":
            job.state = "cancelling"
        bump(session)
    return show(backend, audit_id)


def get(session: Session, audit_id: str, *, lock: bool = False) -> AuditJob:
    """The row of an audit."""
    query = select(AuditJob).where(AuditJob.id == audit_id)
    job = session.scalar(query.with_for_update() if lock else query)
    if job is None:
        raise NotFound(f"There is no audit {audit_id!r}.", "List the audits to see their ids.")
    return job


def view_of(job: AuditJob, stale_after_s: float, *, whole: bool = True) -> AuditView:
    """The view of a row; ``whole`` with its result."""
    now = progress_of(job, stale_after_s)
    return AuditView(
        id=job.id, state=now.state, sentence=now.sentence, fraction=now.fraction, eta_s=now.eta_s,
        config=AuditConfig.model_validate(job.config), created_at=job.created_at, started_at=job.started_at,
        finished_at=job.finished_at,
        result=Audit.model_validate(job.result) if whole and job.result is not None else None,
        error=ErrorView.model_validate(job.error) if job.error else None,
    )  # fmt: skip
