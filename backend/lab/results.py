"""What an experiment's loops have measured so far, from SQL: curves with bands, predictions, verdicts."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from backend import loops, measures, theory
from backend.lab.card import Card
from backend.lab.findings import ArmFindings, Findings, Values, Verdict
from backend.lab.launching import configured, label_of
from core.config import LoopConfig
from core.errors import NotFound

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.views import LoopView

SEEDS_ONLY = ("seed", "replicates")  # what may differ from a card's own numbers without another experiment


class LabArm(BaseModel):
    """One arm's curve of the card's metric: mean and standard deviation over seeds, by generation ``x``."""

    model_config = ConfigDict(frozen=True)

    label: str
    x: list[int]
    mean: list[float | None]
    std: list[float | None]
    n_seeds: int
    theory: list[float | None] | None = None


class LabResult(BaseModel):
    """An experiment's answer. ``seconds``: from its first start to its last end, of what has run so far."""

    model_config = ConfigDict(frozen=True)

    name: str
    arms: list[LabArm]
    seconds: float
    metric: str
    group: str
    state: str
    loops: dict[str, list[str]]
    verdicts: list[Verdict]


def result(backend: "Backend", key: str, card: Card, group: str = "") -> LabResult:
    """The newest group of a card's loops, or the one asked for.

    Raises:
        NotFound: when the card has not been launched here.
    """
    views = loops_of(backend, card, group)
    labels = dict(card.arms)
    by_label: dict[str, list[LoopView]] = {label: [] for label in labels}
    for view in views:
        if (label := label_of(view.name, labels)) is not None:
            by_label[label].append(view)
    by_label = {label: found for label, found in by_label.items() if found}
    arms = {label: _findings(backend, found) for label, found in by_label.items()}
    findings = Findings(arms, as_published=_as_published(card, arms))
    complete = len(arms) == len(card.arms)
    return LabResult(
        name=key,
        arms=[_arm(label, arm, card.metric) for label, arm in arms.items()],
        seconds=_seconds(views),
        metric=card.metric,
        group=views[0].group,
        state=_state(views),
        loops={label: [view.id for view in found] for label, found in by_label.items()},
        verdicts=list(card.verdicts(findings)) if complete else [],
    )


def loops_of(backend: "Backend", card: Card, group: str = "") -> "list[LoopView]":
    """The loops of a group of the card, its newest where none is named, in drawing order of their launch.

    Raises:
        NotFound: when there are none.
    """
    if group and not is_group_of(card, group):
        raise NotFound(f"{group!r} is no group of {card.title!r}.", "Leave the group out for the newest one.")
    if not group:
        every = [view for view in loops.list_loops(backend, limit=5000) if is_group_of(card, view.group)]
        group = every[0].group if every else card.title
    found = loops.list_loops(backend, group=group, limit=5000)
    if not found:
        raise NotFound(f"{card.title!r} has not been run here yet.", "Launch it first.")
    return found[::-1]


def is_group_of(card: Card, group: str) -> bool:
    """Whether a group of that name was launched by the card."""
    return re.fullmatch(rf"{re.escape(card.title)}( \d+)?", group) is not None


class Pooled(Mapping[str, Mapping[int, Values]]):
    """An arm's values by metric and generation, all seeds of its loops; a metric is read when it is first asked for,
    because a thousand seeds of all of them are many numbers."""

    def __init__(self, backend: "Backend", ids: Sequence[str]) -> None:
        self._backend, self._ids = backend, ids
        self._read: dict[str, dict[int, Values]] = {}

    def __getitem__(self, metric: str) -> Mapping[int, Values]:
        if metric not in self._read:
            rows = measures.traces(self._backend, self._ids, metric)
            each = [dict(rows.get(loop_id, {}).get(metric, ())) for loop_id in self._ids]
            common = set.intersection(*(set(points) for points in each))  # a mean over fewer seeds would jump
            self._read[metric] = {
                t: np.concatenate([np.array(points[t], dtype=np.float64) for points in each])  # None becomes NaN
                for t in sorted(common)
            }
        return self._read[metric]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)


def _findings(backend: "Backend", views: "Sequence[LoopView]") -> ArmFindings:
    config = LoopConfig.model_validate(views[0].config)
    return ArmFindings(config, Pooled(backend, [view.id for view in views]), _predicted(config))


def _predicted(config: LoopConfig) -> dict[str, dict[int, float]]:
    """Expectations by metric; ``std median`` is the median's. Exact ones before their leading terms."""
    found: dict[str, dict[int, float]] = {}
    for line in sorted(theory.lines(config, config.generations), key=lambda line: line.kind != "exact"):
        name = "std median" if line.key == "gaussian-median-std" else line.metric
        if line.kind != "bound" and name not in found:
            found[name] = dict(line.points)
    return found


def _arm(label: str, arm: ArmFindings, metric: str) -> LabArm:
    points = arm.traces.get(metric, {})
    seeds = [values[np.isfinite(values)] for values in points.values()]
    predicted = arm.predicted.get(metric)
    return LabArm(
        label=label,
        x=list(points),
        mean=[_number(values.mean()) if len(values) else None for values in seeds],
        std=[_number(values.std(ddof=1)) if len(values) > 1 else None for values in seeds],
        n_seeds=max((len(values) for values in seeds), default=0),
        theory=[_number(predicted.get(t, math.nan)) for t in points] if predicted is not None else None,
    )


def _number(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _as_published(card: Card, arms: Mapping[str, ArmFindings]) -> bool:
    published = dict(configured(card))
    return all(_settings(arm.config) == _settings(published[label]) for label, arm in arms.items())


def _settings(config: LoopConfig) -> dict[str, Any]:
    return {k: v for k, v in config.model_dump(mode="json").items() if k not in SEEDS_ONLY}


def _seconds(views: "Sequence[LoopView]") -> float:
    starts = [view.started_at for view in views if view.started_at is not None]
    ends = [view.finished_at or view.updated_at for view in views if view.started_at is not None]
    return round((max(ends) - min(starts)).total_seconds(), 3) if starts else 0.0


def _state(views: "Sequence[LoopView]") -> str:
    """``done``, what went wrong, or ``running``."""
    states = {view.state for view in views}
    for state in ("failed", "cancelled", "stopped", "interrupted"):
        if state in states:
            return state
    return "done" if states == {"done"} else "queued" if states == {"queued"} else "running"
