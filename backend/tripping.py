"""Tripwires at work: after each recorded generation a loop's rules are looked at, and a rule that fires stops it."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from backend.journal import note, sql_now
from backend.parts import domain_part
from backend.tables import Artifact, DrawJob, Generation, Loop, MetricValue, PanelSample, Stage, TraceValue
from core.blocks import BLOCK
from core.config import LoopConfig
from core.errors import InvalidConfig, UnknownPart
from core.tripwires import Budget, OfMetric, Series, Tripwire, best_of, parse_tripwire

RUNS = ("queued", "running", "interrupted")
MOST_TOLD = 24  # values of the headline metric in the event of a roll-back


def watch(session: Session, loop: Loop, config: LoopConfig, recorded: Sequence[int]) -> int | None:
    """Look at the rules after these generations were recorded (rows flushed); the generation at which one fired.

    The loop is then on its way to ``stopped`` (:func:`backend.stages.settle` ends it). A loop at its last generation is
    done, whatever that broke; one that somebody cancels is cancelled.
    """
    disarmed = loop.disarmed or []
    wires = [parse_tripwire(rule) for rule in config.tripwires if rule not in disarmed]
    if not wires or loop.stop or loop.state not in RUNS:
        return None
    known = session.scalars(
        select(Generation.index)
        .where(Generation.loop_id == loop.id, Generation.index >= min(recorded))  # a later one may have been quicker
        .order_by(Generation.index)
    ).all()
    if known[-1] >= config.generations and _count(session, loop) == config.generations + 1:
        known = [t for t in known if t < config.generations]
        used = {}
    else:
        used = _used(session, loop, wires)
    series = {wire.condition.metric: _series(session, loop, wire.condition.metric) for wire in wires}
    for t in known:
        for wire in wires:
            if isinstance(wire.condition, Budget):
                broken = _overdrawn(wire.condition, t, used if t == known[-1] else {})
            else:
                broken = wire.condition.broken(series[wire.condition.metric], t)
            if broken:
                loop.stop = {"rule": str(wire), "sentence": broken, "generation": t}
                loop.state = "cancelling"
                return t
    return None


def settled(session: Session, loop: Loop) -> None:
    """A loop that a rule stopped has come to rest: say so, and roll back where the rule says so."""
    stop = loop.stop
    if not stop:
        return
    t, sentence, event = stop["generation"], stop["sentence"], f"Stopped at generation {stop['generation']}"
    wire = parse_tripwire(stop["rule"])
    best = _best_for(session, loop, wire.condition) if wire.roll_back else None
    note(session, loop, "stopped", f"{event}: {sentence}.", t)
    if best is not None:
        cut(session, loop, best)
        words = f"{sentence} at generation {t}; rolled back to the best before it"
        loop.stop = stop | {"best": best, "sentence": words if best < t else f"{sentence}; no generation was better"}


def best_generation(session: Session, loop: Loop, metric: str = "") -> tuple[str, int]:
    """The metric (the domain's first one where none is named), and its best recorded generation.

    Raises:
        UnknownPart: for a metric that the domain does not measure.
        InvalidConfig: when no generation has a finite value of it.
    """
    known = domain_part(LoopConfig.model_validate(loop.config).domain).metrics
    name = metric or next(iter(known))
    if name not in known:
        raise UnknownPart("metric", name, known, "metric")
    floor = [value for value in _floor(session, loop).get(name, []) if value is not None and math.isfinite(value)]
    best = best_of(_series(session, loop, name), known[name].direction, fmean(floor) if floor else None)
    if best is None:
        raise InvalidConfig(f"No generation has a value of {name!r}.", "Name another metric or a generation.", "metric")
    return name, best


def cut(session: Session, loop: Loop, last: int) -> None:
    """Remove what was made after generation ``last``; an event keeps the headline metric of what was recorded.

    The file of a block that goes beyond it stays: what it holds of earlier generations is still to be seen.
    """
    before = loop.generation
    removed = {t: value for t, value in _series(session, loop, _headline(loop)).items() if t > last}
    session.execute(delete(Generation).where(Generation.loop_id == loop.id, Generation.index > last))
    for table in (MetricValue, TraceValue, PanelSample, Artifact, Stage, DrawJob):
        session.execute(delete(table).where(table.loop_id == loop.id, table.generation > last))
    loop.generation = min(before, last)
    if before > last:
        words = f"Rolled back from generation {before} to {last}.{_told(loop, removed)}"
        note(session, loop, "rolled back", words, last)


def _told(loop: Loop, removed: Mapping[int, float | None]) -> str:
    if not removed:
        return ""
    step = -(-len(removed) // MOST_TOLD)
    chosen = [t for t in sorted(removed) if (max(removed) - t) % step == 0]
    values = ", ".join(f"{t}: {'-' if removed[t] is None else format(removed[t], '.4g')}" for t in chosen)
    some = f", one in {step}" if step > 1 else ""
    return f" What was removed had {_headline(loop)} (by generation{some}) {values}."


def _best_for(session: Session, loop: Loop, condition: OfMetric | Budget) -> int | None:
    try:
        return best_generation(session, loop, condition.metric)[1]
    except InvalidConfig:  # nothing to go back to: stopped where it is
        return None


def _headline(loop: Loop) -> str:
    try:
        return next(iter(domain_part(str(loop.config.get("domain", "motion"))).metrics), "")
    except UnknownPart:
        return ""


def _count(session: Session, loop: Loop) -> int:
    return session.scalar(select(func.count()).select_from(Generation).where(Generation.loop_id == loop.id)) or 0


def _series(session: Session, loop: Loop, metric: str) -> Series:
    if not metric:
        return {}
    rows = session.execute(
        select(MetricValue.generation, MetricValue.value).where(
            MetricValue.loop_id == loop.id, MetricValue.name == metric
        )
    )
    return {t: value for t, value in rows}


def _used(session: Session, loop: Loop, wires: Sequence[Tripwire]) -> dict[str, float]:
    """Hours since the loop first started, and gigabytes of its artifacts: by now, whichever generation it is."""
    wanted = {wire.condition.what for wire in wires if isinstance(wire.condition, Budget)}
    used = {}
    if "hours" in wanted and loop.started_at is not None:
        used["hours"] = (sql_now(session) - loop.started_at).total_seconds() / 3600
    if "disk_gb" in wanted:
        size = session.scalar(select(func.sum(Artifact.size)).where(Artifact.loop_id == loop.id))
        used["disk_gb"] = float(size or 0) / 1e9
    return used


def _overdrawn(budget: Budget, t: int, used: Mapping[str, float]) -> str:
    return budget.overdrawn(float(t) if budget.what == "generations" else used.get(budget.what, 0.0))


def _floor(session: Session, loop: Loop) -> dict[str, Any]:
    """The metrics of real held-out samples, a few draws each."""
    facts = session.scalar(
        select(Artifact.facts).where(
            Artifact.loop_id == loop.id, Artifact.generation == 0, Artifact.name.in_(("metrics", BLOCK))
        )
    )
    return dict((facts or {}).get("floor") or {})
