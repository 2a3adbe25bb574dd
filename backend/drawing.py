"""New samples of one generation, for the eye: asked for once, drawn by a worker, kept with the loop."""

from collections.abc import Sequence
from datetime import datetime
from statistics import median

from pydantic import Field
from sqlalchemy import delete as delete_rows
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend import loops, quotas
from backend.context import Backend
from backend.jobs import State, progress_of
from backend.journal import bump, get_loop, lock_loop, sql_now
from backend.parts import domain_part
from backend.playing import BODY, Kind, PanelMotion, motion_of
from backend.shelf import SqlShelf
from backend.tables import Artifact, DrawJob, Loop
from backend.views import ErrorView, PanelSampleView, View, in_words
from core.config import LoopConfig, Options, Prompt, digest
from core.errors import Conflict, DataMissing, InvalidConfig, NotFound
from corrector.minimal import BOUNDS_VERSION
from corrector.physics import TRACKER_VERSION

VERSIONS = (1, BOUNDS_VERSION, TRACKER_VERSION)
"""Draws are found by them: raise the first when the same request gives other motions for another reason."""
MOST_SAMPLES = 8
KINDS: tuple[Kind, ...] = ("real", "raw", "corrected")
REMEMBERED = 20  # draws whose time says what the next one takes


class DrawRequest(Options):
    """What is drawn: ``count`` samples of one class, or of one sentence."""

    loop: str = Field(max_length=32, title="Loop")
    generation: int = Field(ge=0, le=10_000, title="Generation")
    label: str = Field("", max_length=200, title="Class")
    prompt: Prompt | None = Field(
        None, title="Sentence", description="Instead of a class, where the model is told text."
    )
    guidance_scale: float | None = Field(
        None, ge=0, le=20, title="Guidance scale",
        description="Classifier-free guidance; 1 = no guidance, None = as the loop's evaluation.",
    )  # fmt: skip
    count: int = Field(4, ge=1, le=MOST_SAMPLES, title="Samples")
    seed: int = Field(
        0, ge=0, le=2**31 - 1, title="Seed", description="The same seed is the same noise in every generation and loop."
    )


class DrawView(View):
    """A draw as everybody sees it; ``samples`` are there when its state is done."""

    id: str
    loop_id: str
    generation: int
    state: State
    sentence: str
    fraction: float
    eta_s: float | None
    request: DrawRequest
    created_at: datetime
    finished_at: datetime | None
    samples: list[PanelSampleView]
    error: ErrorView | None


class Askable(View):
    """What can be asked of the generations of a loop: ``told`` is what its model is told."""

    told: str
    class_names: list[str]
    guidance_scale: float


def askable(backend: Backend, loop_id: str) -> Askable:
    """What a loop's model can be asked for.

    Raises:
        NotFound: when the loop is not there.
        InvalidConfig: when it makes no motions, or has drawn none yet.
    """
    from model.domains.motion import told_of

    view = loops.show_loop(backend, loop_id)
    config = LoopConfig.model_validate(view.config)
    domain = domain_part(config.domain)
    if domain.view != "motion":
        raise InvalidConfig(
            f"The loop {view.name!r} makes no motions ({domain.title}).", "Choose a loop of motion.", "loop"
        )
    with backend.database.read() as session:
        first = session.scalar(
            select(Artifact.generation)
            .where(Artifact.loop_id == loop_id, Artifact.name == BODY)
            .order_by(Artifact.generation)
            .limit(1)
        )
    if first is None:
        raise InvalidConfig(
            f"The loop {view.name!r} has no generation yet.", "Wait until its first panel is drawn.", "generation"
        )
    names = SqlShelf(backend, loop_id).load(first, BODY).meta["class_names"]
    told = told_of(config.model)
    return Askable(told=told, class_names=names, guidance_scale=config.sampling.guidance_evaluation)


def check(backend: Backend, request: DrawRequest) -> DrawRequest:
    """The request with its guidance filled in.

    Raises:
        InvalidConfig: naming the field that cannot be.
        NotFound: when the loop is not there.
    """
    can = askable(backend, request.loop)
    if request.prompt is not None and can.told != "text":
        told = "nothing" if can.told == "none" else "the class"
        raise InvalidConfig(
            f"This loop's model is told {told}, not sentences: {request.prompt!r} would change nothing.",
            "Launch a loop with the model's condition 'text', or ask by class." if can.told == "class" else "",
            "prompt",
        )
    if request.prompt is not None and request.label:
        raise InvalidConfig("Both a class and a sentence are asked for.", "Leave one of them out.", "prompt")
    if request.label and can.told == "none":
        raise InvalidConfig(
            "This loop's model is told nothing, so a class would change nothing.", "Leave it out.", "label"
        )
    if request.label and request.label not in can.class_names:
        raise InvalidConfig(
            f"There is no class {request.label!r}.", f"Choose one of: {', '.join(can.class_names)}.", "label"
        )
    if request.prompt is None and not request.label and can.told != "none":
        classes = f"Choose a class ({', '.join(can.class_names)})"
        more = ", or write a sentence." if can.told == "text" else "."
        raise InvalidConfig("Nothing is asked for.", classes + more, "label")
    scale = can.guidance_scale if request.guidance_scale is None else request.guidance_scale
    return request.model_copy(update={"guidance_scale": scale})


def start(backend: Backend, request: DrawRequest, *, send: bool = True) -> DrawView:
    """Ask for samples; the draw that is there, or under way, when the same was asked for before.

    Args:
        send: wake a worker (False where the caller does the work).

    Raises:
        InvalidConfig, NotFound: as :func:`check`; InvalidConfig for a generation without a checkpoint, too.
        OverQuota: when too many of this person's wait or are at work.
        Conflict: when the loop is deleted.
    """
    actor = backend.gate.require("runner")
    request = check(backend, request)
    with backend.database.write() as session:
        loop = lock_loop(session, request.loop)
        if loop.deleted_at is not None:
            raise Conflict(f"The loop {loop.name!r} is deleted.", "Restore it first.")
        checkpoint = _checkpoint(session, loop, request.generation)
        draw_id = digest([VERSIONS, checkpoint, request.model_dump(mode="json")])
        job = session.get(DrawJob, draw_id)
        new = job is None or not _serves(session, job)
        if new:
            quotas.check_draws(backend, session, actor)
            now = sql_now(session)
            session.merge(DrawJob(
                id=draw_id, loop_id=loop.id, generation=request.generation, config=request.model_dump(mode="json"),
                state="queued", attempt=0, token="", worker="", owner=actor.name, created_at=now, sent_at=now,
                started_at=None, finished_at=None, heartbeat_at=None, fraction=0.0, sentence="", samples=None,
                error=None,
            ))  # fmt: skip
            session.flush()
            bump(session)
    if new and send:
        backend.queue.draw(draw_id)
    return show(backend, request.loop, draw_id)


def show(backend: Backend, loop_id: str, draw_id: str) -> DrawView:
    """One draw of a loop.

    Raises:
        NotFound: as every function here that takes an id.
    """
    with backend.database.read() as session:
        view = view_of(_get(session, loop_id, draw_id), backend.settings.stale_after_s)
        usual_s = _usual_s(session, loop_id) if view.state == "queued" else None
    if usual_s is None:
        return view
    words = f"{view.sentence}; drawing then takes about {in_words(usual_s)}"
    return view.model_copy(update={"sentence": words, "eta_s": usual_s})


def list_draws(backend: Backend, loop_id: str, generation: int | None = None, limit: int = 100) -> list[DrawView]:
    """A loop's draws, newest first; of one generation where asked for."""
    query = select(DrawJob).where(DrawJob.loop_id == loop_id)
    if generation is not None:
        query = query.where(DrawJob.generation == generation)
    with backend.database.read() as session:
        get_loop(session, loop_id)
        rows = session.scalars(query.order_by(DrawJob.created_at.desc(), DrawJob.id).limit(limit)).all()
        return [view_of(row, backend.settings.stale_after_s) for row in rows]


def delete(backend: Backend, loop_id: str, draw_id: str) -> None:
    """Forget a draw; one that waits or is at work ends."""
    backend.gate.require("runner")
    with backend.database.write() as session:
        lock_loop(session, loop_id)
        job = _get(session, loop_id, draw_id)
        session.execute(delete_rows(Artifact).where(Artifact.loop_id == loop_id, Artifact.name == name_of(draw_id)))
        session.delete(job)
        session.flush()
        bump(session)


def motion(backend: Backend, loop_id: str, draw_id: str, kind: Kind, index: int) -> PanelMotion:
    """One motion of a draw: the nearest real one, the raw sample, or its corrected form.

    Raises:
        NotFound: when it is not drawn yet, or has no such sample.
    """
    view = show(backend, loop_id, draw_id)
    if view.state != "done":
        raise NotFound(f"This draw has no samples: {view.sentence}.", "Wait until it is done.")
    if not 0 <= index < len(view.samples):
        raise NotFound(f"The draw has samples 0 to {len(view.samples) - 1}; got {index}.")
    try:
        item = SqlShelf(backend, loop_id).load(view.generation, name_of(draw_id))
    except DataMissing as error:
        raise NotFound(error.message, "Ask for the draw again.") from None
    arrays = {k.removeprefix(f"{kind}."): v for k, v in item.arrays.items() if k.startswith(f"{kind}.")}
    outcome = view.samples[index].outcome if kind == "corrected" else None
    text = view.request.prompt or ""
    return motion_of(item.meta["body"], arrays, index, outcome, text if kind != "real" else "")


def name_of(draw_id: str) -> str:
    """Name of the artifact that holds a draw's motions."""
    return f"draw-{draw_id}"


def asked_words(request: DrawRequest) -> str:
    """What was asked for, in words."""
    return f"“{request.prompt}”" if request.prompt else request.label or "whatever the model makes"


def view_of(job: DrawJob, stale_after_s: float) -> DrawView:
    """The view of a row."""
    now = progress_of(job, stale_after_s)
    samples = job.samples or []
    return DrawView(
        id=job.id, loop_id=job.loop_id, generation=job.generation, state=now.state, sentence=now.sentence,
        fraction=now.fraction, eta_s=now.eta_s, request=DrawRequest.model_validate(job.config),
        created_at=job.created_at, finished_at=job.finished_at,
        samples=[PanelSampleView(index=i, **told) for i, told in enumerate(samples)],
        error=ErrorView.model_validate(job.error) if job.error else None,
    )  # fmt: skip


def _checkpoint(session: Session, loop: Loop, generation: int) -> str:
    """Digest of a generation's model.

    Raises:
        InvalidConfig: when it is not there yet, or no more.
    """
    rows = session.execute(
        select(Artifact.generation, Artifact.digest).where(Artifact.loop_id == loop.id, Artifact.name == "model")
    )
    kept = {t: digest for t, digest in rows.all()}
    if generation in kept:
        return kept[generation]
    there = f"There are checkpoints of generations {_ranges(sorted(kept))}." if kept else ""
    if generation <= loop.generation:
        said = f"The checkpoint of generation {generation} of {loop.name!r} is no longer kept."
        raise InvalidConfig(said, there or "Run the loop again to have it.", "generation")
    said = f"Generation {generation} of {loop.name!r} is not trained yet."
    raise InvalidConfig(said, there or "Wait until its first generation is trained.", "generation")


def _ranges(numbers: Sequence[int]) -> str:
    """``0 to 3, 5``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _serves(session: Session, job: DrawJob) -> bool:
    """Whether a draw is done and its motions are there, or it will be."""
    if job.state == "done":
        return session.get(Artifact, (job.loop_id, job.generation, name_of(job.id))) is not None
    return job.state in ("queued", "running")


def _usual_s(session: Session, loop_id: str) -> float | None:
    """Seconds that the last draws of a loop took; None before there was one."""
    rows = session.execute(
        select(DrawJob.started_at, DrawJob.finished_at)
        .where(DrawJob.loop_id == loop_id, DrawJob.state == "done")
        .order_by(DrawJob.finished_at.desc())
        .limit(REMEMBERED)
    )
    taken = [(end - begin).total_seconds() for begin, end in rows.all() if begin and end]
    return median(taken) if taken else None


def _get(session: Session, loop_id: str, draw_id: str) -> DrawJob:
    job = session.get(DrawJob, draw_id)
    if job is None or job.loop_id != loop_id:
        get_loop(session, loop_id)
        raise NotFound(f"Loop {loop_id} has no draw {draw_id!r}.", "List its draws to see their ids.")
    return job
