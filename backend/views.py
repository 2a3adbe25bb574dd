"""What the API, the pages and the command line show: frozen models, JSON-ready, every state in words."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.journal import sql_now
from backend.parts import domain_part
from backend.tables import Generation, ImportedData, Loop, MetricValue, Stage, driver_rows
from core.blocks import BLOCK
from core.config import LoopConfig
from core.errors import UnknownPart
from core.loop import stages_of

State = Literal["queued", "running", "cancelling", "cancelled", "stopped", "interrupted", "failed", "done"]
ACTIVE = ("queued", "running", "cancelling", "interrupted")
DOING = {
    "synthesize": "Sampling the training set of",
    "correct": "Correcting the training set of",
    "learn": "Training",
    "panel": "Drawing the panel of",
    "evaluate": "Measuring",
    BLOCK: "Running",
}
IMPORTANCE = ("panel", "evaluate", "correct", "synthesize", "learn", BLOCK)  # the last that runs is told

HISTORY = 60  # values of a small curve, about


class View(BaseModel):
    model_config = ConfigDict(frozen=True)


class RunningStage(View):
    """A stage at work. ``part_fraction``: of all its parts, 0-1; of a ``block`` that runs many generations, the share
    done of all from its first to the loop's last."""

    generation: int
    stage: str
    part_fraction: float
    sentence: str
    worker: str


class ErrorView(View):
    code: str
    message: str
    hint: str = ""
    traceback: str = ""
    stage: str | None = None
    generation: int | None = None


class StopView(View):
    """What stopped a loop: a tripwire, or ("" for the rule) a person who rolled it back.

    Attributes:
        generation: at which the rule fired.
        best: the generation that it was rolled back to, where it was.
    """

    rule: str
    sentence: str
    generation: int
    best: int | None = None


class LoopView(View):
    """A loop as everybody sees it.

    Attributes:
        generation: highest recorded, -1 before the first.
        latest: metrics of that generation.
        data: what its data set is called: an imported one by its name.
        headline: the metric that its domain is told by first.
        history: that metric by generation, for a small curve: of a long loop only some generations.
        trouble: what an active loop waits for (disk, database), None where nothing is wrong.
        stop: what ended it, or ends it now, where that was a rule of its own or a roll-back.
        disarmed: stop rules that a person has resumed past.
    """

    id: str
    name: str
    group: str
    state: State
    sentence: str
    arm: Literal["real", "raw", "corrected"]
    config: dict[str, Any]
    generation: int
    running: list[RunningStage]
    fraction: float
    eta_s: float | None
    error: ErrorView | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime
    latest: dict[str, float]
    data: str = ""
    headline: str = ""
    history: list[float] = []
    deleted: bool
    owner: str = ""
    priority: int = 0
    trouble: ErrorView | None = None
    stop: StopView | None = None
    disarmed: list[str] = []
    revision: int


class GenerationView(View):
    index: int
    metrics: dict[str, float]
    counts: dict[str, int]
    training: dict[str, float]
    seconds: dict[str, float]
    recorded_at: datetime


class EventView(View):
    at: datetime
    kind: str
    generation: int | None
    stage: str | None
    sentence: str


class PanelSampleView(View):
    index: int
    label: str
    outcome: dict[str, Any]


class PanelView(View):
    loop_id: str
    generation: int
    samples: list[PanelSampleView]


def loop_views(session: Session, loops: Sequence[Loop], stale_after_s: float) -> list[LoopView]:
    """Views of loops, in six queries however many they are."""
    now = sql_now(session)
    ids = [loop.id for loop in loops]
    active = [loop.id for loop in loops if loop.state in ACTIVE]
    latest = _latest(session, ids)
    history = _history(session, {loop.id: _headline(loop.config) for loop in loops})
    parts = _parts(session, active)
    recorded = _recorded(session, active)
    imported = _imported(session, {_stored(loop.config) for loop in loops})
    return [
        _view(
            loop, now, stale_after_s, parts.get(loop.id, []), recorded.get(loop.id, []),
            latest.get(loop.id, {}), history.get(loop.id, []),
            imported.get(_stored(loop.config), str(loop.config["data"]["kind"])),
        )
        for loop in loops
    ]  # fmt: skip


def _stored(config: Mapping[str, Any]) -> str:
    """Id of the imported data set that a loop learns from, "" for any other."""
    data = config["data"]
    return str(data["options"].get("id", "")) if data["kind"] == "stored" else ""


def _imported(session: Session, ids: Collection[str]) -> dict[str, str]:
    """Names of imported data sets, also of deleted ones."""
    rows = session.execute(select(ImportedData.id, ImportedData.name).where(ImportedData.id.in_(set(ids) - {""})))
    return {dataset_id: name for dataset_id, name in rows}


def _view(
    loop: Loop,
    now: datetime,
    stale_after_s: float,
    parts: Sequence[Stage],
    recorded: Sequence[datetime],
    latest: dict[str, float],
    history: list[float],
    data: str,
) -> LoopView:
    config = LoopConfig.model_validate(loop.config)
    running = _running(parts)
    silence_s = _silence(parts, loop.state, now)
    state: Any = loop.state
    if state == "running" and silence_s is not None and silence_s > stale_after_s:
        state = "interrupted"  # true before anybody has decided what to do about it
    fraction = _fraction(loop, config, parts)
    eta_s = _eta(config, fraction, parts, recorded, now) if state == "running" else None
    return LoopView(
        id=loop.id, name=loop.name, group=loop.group, state=state,
        sentence=_sentence(state, loop, config, running, eta_s, silence_s),
        arm=config.arm, config=loop.config, generation=loop.generation, running=running,
        fraction=fraction, eta_s=eta_s,
        error=ErrorView.model_validate(loop.error) if loop.error else None,
        created_at=loop.created_at, started_at=loop.started_at, finished_at=loop.finished_at,
        updated_at=loop.updated_at, latest=latest, data=data, headline=_headline(loop.config),
        history=history,
        deleted=loop.deleted_at is not None, owner=loop.owner, priority=loop.priority,
        trouble=ErrorView.model_validate(loop.trouble) if loop.trouble and state in ACTIVE else None,
        stop=StopView.model_validate(loop.stop) if loop.stop and state in ("cancelling", "stopped") else None,
        disarmed=[str(rule) for rule in loop.disarmed or []], revision=loop.revision,
    )  # fmt: skip


def _sentence(
    state: str, loop: Loop, config: LoopConfig, running: Sequence[RunningStage], eta_s: float | None,
    silence_s: float | None,
) -> str:  # fmt: skip
    last = config.generations
    reached = f"after generation {loop.generation} of {last}" if loop.generation >= 0 else "before generation 0"
    if loop.trouble and state in ("queued", "interrupted"):
        return f"Waits: {loop.trouble.get('message', 'something is wrong')}"
    if state == "queued":
        return "Queued: waits for a free worker"
    if state == "cancelling":
        why = f"Stopping, {loop.stop['sentence']}" if loop.stop else "Cancelling"
        return f"{why}: the running stage stops in a moment"
    if state == "cancelled":
        return f"Cancelled {reached}"
    if state == "stopped":
        return f"Stopped {reached}: {(loop.stop or {}).get('sentence', 'by a rule of its own')}"
    if state == "interrupted":
        silent = f" for {silence_s:.0f} s" if silence_s is not None else ""
        return f"Interrupted: the worker has not been heard of{silent}; it will be picked up again"
    if state == "failed":
        return f"Failed {reached}: {(loop.error or {}).get('message', 'for an unknown reason')}"
    if state == "done":
        took = (loop.finished_at - loop.started_at).total_seconds() if loop.finished_at and loop.started_at else 0.0
        return f"Done: {last} {'generation' if last == 1 else 'generations'} in {in_words(took)}"
    if not running:
        return f"Waiting for a free worker, generation {min(loop.generation + 1, last)} of {last}"
    told = max(running, key=lambda stage: (IMPORTANCE.index(stage.stage), stage.generation))
    sentence = f"{DOING[told.stage]} generation {told.generation} of {last}"
    if told.stage == BLOCK:
        sentence = f"{DOING[BLOCK]} generations {told.generation} to {last}"
    detail = told.sentence.removeprefix("Learning: ")  # "Training" says so already
    if detail:
        sentence += f", {detail[0].lower()}{detail[1:].rstrip('.')}"
    return sentence + (f", about {in_words(eta_s)} left" if eta_s is not None else "")


def in_words(seconds: float) -> str:
    """A duration to read: ``12 s``, ``3 min 5 s``, ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole < 600 and whole % 60 else f"{round(whole / 60)} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _running(parts: Sequence[Stage]) -> list[RunningStage]:
    """Stages at work, their parts taken together."""
    found: dict[tuple[int, str], list[Stage]] = {}
    for part in parts:
        found.setdefault((part.generation, part.stage), []).append(part)
    views = []
    for (generation, stage), group in sorted(found.items()):
        at_work = [part for part in group if part.state == "running"]
        if not at_work:
            continue
        share = sum(1.0 if part.state == "done" else part.fraction for part in group) / len(group)
        sentence = at_work[0].sentence
        if len(group) > 1:
            sentence = f"part {sum(part.state == 'done' for part in group) + 1} of {len(group)}"
        workers = ", ".join(sorted({part.worker for part in at_work}))
        views.append(
            RunningStage(generation=generation, stage=stage, part_fraction=share, sentence=sentence, worker=workers)
        )
    return views


def _silence(parts: Sequence[Stage], state: str, now: datetime) -> float | None:
    """Seconds since the last sign of life of the stages at work (or, when interrupted, that were at work)."""
    wanted = "queued" if state == "interrupted" else "running"
    beats = [part.heartbeat_at for part in parts if part.state == wanted and part.heartbeat_at is not None]
    return max((now - max(beats)).total_seconds(), 0.0) if beats else None


def _fraction(loop: Loop, config: LoopConfig, parts: Sequence[Stage]) -> float:
    """Share of the whole loop, every generation weighing the same."""
    total = config.generations + 1
    if loop.state == "done":
        return 1.0
    shares = {t: 1.0 for t in range(loop.generation + 1)}
    for t in {part.generation for part in parts if part.stage != BLOCK}:
        stages = stages_of(config, t)
        of_stage: dict[str, list[float]] = {stage: [] for stage in stages}
        for part in parts:
            if part.generation == t:
                of_stage[part.stage].append(1.0 if part.state == "done" else part.fraction)
        shares[t] = sum(sum(done) / len(done) for done in of_stage.values() if done) / len(stages)
    ahead = sum(part.fraction * (total - part.generation) for part in parts if part.stage == BLOCK)
    return min((sum(shares.values()) + ahead) / total, 1.0)


def _eta(
    config: LoopConfig, fraction: float, parts: Sequence[Stage], recorded: Sequence[datetime], now: datetime
) -> float | None:
    """Seconds left, from the pace of the last generations, or of the block at work; None before there is a pace."""
    for part in parts:
        if part.stage == BLOCK:
            share, since = part.fraction, part.started_at
            return (now - since).total_seconds() * (1 - share) / share if share > 0 and since else None
    if len(recorded) < 2:
        return None
    steps = [(b - a).total_seconds() for a, b in zip(recorded, recorded[1:], strict=False)][-5:]
    pace = max(median(steps), _under_way_s(parts, now))  # a generation that drags on sets a new pace
    return (1.0 - fraction) * (config.generations + 1) * pace


def _under_way_s(parts: Sequence[Stage], now: datetime) -> float:
    """What the generation to be recorded next has taken so far; not the time for which its loop was stopped."""
    current = [part for part in parts if part.generation == min(each.generation for each in parts)]
    took: dict[str, float] = {}
    for part in current:
        if part.state == "done":
            took[part.stage] = max(part.seconds, took.get(part.stage, 0.0))
    waiting = [part.sent_at for part in current if part.state != "done"]
    return sum(took.values()) + ((now - min(waiting)).total_seconds() if waiting else 0.0)


def _latest(session: Session, ids: Collection[str]) -> dict[str, dict[str, float]]:
    metrics, loops = MetricValue.__table__.c, Loop.__table__.c
    rows = session.connection().execute(
        select(metrics.loop_id, metrics.name, metrics.value)
        .join(Loop.__table__, (loops.id == metrics.loop_id) & (loops.generation == metrics.generation))
        .where(metrics.loop_id.in_(ids), metrics.value.is_not(None))
    )
    found: dict[str, dict[str, float]] = {}
    for loop_id, name, value in driver_rows(rows):
        found.setdefault(loop_id, {})[name] = value
    return found


def _history(session: Session, headlines: Mapping[str, str]) -> dict[str, list[float]]:
    """The headline metric of loops (by id), thinned to about HISTORY values each, the last among them."""
    metrics, last = MetricValue.__table__.c, Loop.__table__.c.generation
    by_name: dict[str, list[str]] = {}
    for loop_id, name in headlines.items():
        by_name.setdefault(name, []).append(loop_id)
    found: dict[str, list[float]] = {}
    for name, ids in by_name.items():
        rows = session.connection().execute(
            select(metrics.loop_id, metrics.value)
            .join(Loop.__table__, Loop.__table__.c.id == metrics.loop_id)
            .where(
                metrics.loop_id.in_(ids), metrics.name == name, metrics.value.is_not(None),
                ((last - metrics.generation) % (1 + last // HISTORY) == 0),
            )
            .order_by(metrics.loop_id, metrics.generation)
        )  # fmt: skip
        for loop_id, value in driver_rows(rows):
            found.setdefault(loop_id, []).append(value)
    return found


def _headline(config: Mapping[str, Any]) -> str:
    """The first metric of a loop's domain; "" for a domain that is no more."""
    try:
        return next(iter(domain_part(str(config.get("domain", "motion"))).metrics), "")
    except UnknownPart:
        return ""


def _parts(session: Session, ids: Collection[str]) -> dict[str, list[Stage]]:
    """Stage rows of the generations that are not recorded yet."""
    first = select(Loop.generation).where(Loop.id == Stage.loop_id).scalar_subquery()
    finished = select(Generation.index).where(Generation.loop_id == Stage.loop_id, Generation.index == Stage.generation)
    rows = session.scalars(
        select(Stage)
        .where(Stage.loop_id.in_(ids), Stage.generation >= func.coalesce(first, -1) - 2, ~finished.exists())
        .order_by(Stage.generation, Stage.part)
    )
    found: dict[str, list[Stage]] = {}
    for row in rows:
        found.setdefault(row.loop_id, []).append(row)
    return found


def _recorded(session: Session, ids: Collection[str]) -> dict[str, list[datetime]]:
    limit = sql_now(session) - timedelta(days=1)
    rows = session.execute(
        select(Generation.loop_id, Generation.recorded_at)
        .join(Loop, Loop.id == Generation.loop_id)
        .where(Generation.loop_id.in_(ids), Generation.recorded_at > limit, Generation.index > Loop.generation - 6)
        .order_by(Generation.loop_id, Generation.recorded_at)
    )
    found: dict[str, list[datetime]] = {}
    for loop_id, at in rows:
        found.setdefault(loop_id, []).append(at)
    return found


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Those values that are numbers."""
    return {k: float(v) for k, v in values.items() if isinstance(v, int | float) and not isinstance(v, bool)}
