"""What the arms of an experiment measured, seed by seed, and sentences that judge it against a claim."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from core.config import LoopConfig

Values = NDArray[np.float64]


class Verdict(BaseModel):
    """A claim beside what was measured; ``agrees`` is None where nothing was measured yet or the claim is no test."""

    model_config = ConfigDict(frozen=True)

    claim: str
    measured: str
    agrees: bool | None = None


@dataclass(frozen=True)
class ArmFindings:
    """One arm's figures.

    Attributes:
        config: of its first loop.
        traces: by metric and generation, (S,) values of all its seeds.
        predicted: by metric and generation, the closed form's expectation, where there is one.
    """

    config: LoopConfig
    traces: Mapping[str, Mapping[int, Values]] = field(default_factory=dict)
    predicted: Mapping[str, Mapping[int, float]] = field(default_factory=dict)

    def at(self, metric: str, generation: int) -> Values | None:
        """(S,) finite values; None where nothing was measured."""
        found = self.traces.get(metric, {}).get(generation)
        if found is None:
            return None
        finite = found[np.isfinite(found)]
        return finite if len(finite) else None


@dataclass(frozen=True)
class Findings:
    """All arms by label, in drawing order. ``as_published``: nothing but seeds was changed on the card."""

    arms: Mapping[str, ArmFindings]
    as_published: bool = True

    @property
    def last(self) -> int:
        """The last generation that every arm was asked for."""
        return min((arm.config.generations for arm in self.arms.values()), default=0)


def mean_and_error(values: Values) -> tuple[float, float]:
    """Mean and its standard error (infinite for one value)."""
    count = len(values)
    error = float(values.std(ddof=1)) / math.sqrt(count) if count > 1 else math.inf
    return float(values.mean()), error


def told(values: Values | None) -> str:
    """``1.10 ± .01 (1000 seeds)``."""
    if values is None:
        return "not measured yet"
    mean, error = mean_and_error(values)
    spread = f" ± {error:.2g}" if math.isfinite(error) else ""
    return f"{mean:.4g}{spread} ({len(values)} {'seed' if len(values) == 1 else 'seeds'})"


def meets(findings: Findings, label: str, metric: str, fits: Sequence[int], what: str) -> list[Verdict]:
    """Whether an arm's mean lies within 2 standard errors of its closed form after so many fits (n = t + 1)."""
    arm, found = findings.arms[label], []
    for n in fits:
        predicted = arm.predicted.get(metric, {}).get(n - 1)
        if n - 1 > arm.config.generations or predicted is None:
            continue
        values = arm.at(metric, n - 1)
        agrees = None
        if values is not None and len(values) > 1:
            mean, error = mean_and_error(values)
            agrees = abs(mean - predicted) <= 2 * error + 1e-12 * abs(predicted)
        claim = f"{label}: {what} at n = {n} is {predicted:.4g}, to 2 standard errors"
        found.append(Verdict(claim=claim, measured=told(values), agrees=agrees))
    return found


def near(
    findings: Findings, label: str, metric: str, generation: int, value: float, tolerance: float, what: str
) -> list[Verdict]:
    """Whether an arm's mean is within a relative tolerance of a figure, where the card runs as published."""
    if not findings.as_published or generation > findings.arms[label].config.generations:
        return []
    values = findings.arms[label].at(metric, generation)
    claim = f"{label}: {what} is {value:g}, to {tolerance:.0%}"
    agrees = None if values is None else abs(float(values.mean()) - value) <= tolerance * abs(value)
    return [Verdict(claim=claim, measured=told(values), agrees=agrees)]


def changes(
    findings: Findings, label: str, metric: str, what: str, *, up: bool, start: int = 0, end: int | None = None
) -> list[Verdict]:
    """Whether an arm's mean rises (or falls) from one generation to another, seed by seed where they are paired."""
    end = findings.last if end is None else end
    arm = findings.arms[label]
    before, after = arm.at(metric, start), arm.at(metric, end)
    claim = f"{label}: {what} {'rises' if up else 'falls'} from generation {start} to {end}"
    if before is None or after is None:
        return [Verdict(claim=claim, measured="not measured yet")]
    agrees = (after.mean() > before.mean()) == up
    if len(before) == len(after) and len(after) > 1:
        mean, error = mean_and_error(after - before)
        agrees = (mean if up else -mean) > 2 * error
    measured = f"{told(before)} to {told(after)}"
    return [Verdict(claim=claim, measured=measured, agrees=bool(agrees))]


def steady(findings: Findings, label: str, metric: str, what: str) -> list[Verdict]:
    """Whether an arm's mean grows no more, to 2 standard errors, over the second half of the run."""
    arm, middle = findings.arms[label], findings.last // 2
    before, after = arm.at(metric, middle), arm.at(metric, findings.last)
    claim = f"{label}: {what} grows no more from generation {middle} to {findings.last}"
    if before is None or after is None or len(before) != len(after) or len(after) < 2:
        return [Verdict(claim=claim, measured="not measured yet" if after is None else told(after))]
    mean, error = mean_and_error(after - before)
    return [Verdict(claim=claim, measured=f"{told(before)} to {told(after)}", agrees=mean <= 2 * error)]


def above(findings: Findings, higher: str, lower: str, metric: str, what: str) -> list[Verdict]:
    """Whether one arm ends above another by more than 2 standard errors (for one seed each: at all)."""
    a, b = (findings.arms[label].at(metric, findings.last) for label in (higher, lower))
    claim = f"{what} at generation {findings.last} is higher under {higher} than under {lower}"
    if a is None or b is None:
        return [Verdict(claim=claim, measured="not measured yet")]
    agrees = a.mean() > b.mean()
    if len(a) > 1 and len(b) > 1:
        error = math.hypot(mean_and_error(a)[1], mean_and_error(b)[1])
        agrees = float(a.mean() - b.mean()) > 2 * error
    return [Verdict(claim=claim, measured=f"{told(a)} against {told(b)}", agrees=bool(agrees))]


def alike(findings: Findings, label: str, control: str, metric: str, what: str) -> list[Verdict]:
    """Whether an arm ends within 2 standard errors of another. With few seeds that is a weak statement."""
    a, b = (findings.arms[name].at(metric, findings.last) for name in (label, control))
    claim = f"{what} at generation {findings.last} is the same under {label} as under {control}, to 2 standard errors"
    if a is None or b is None or len(a) < 2 or len(b) < 2:
        return [Verdict(claim=claim, measured="not measured yet" if a is None or b is None else "one seed: no test")]
    error = math.hypot(mean_and_error(a)[1], mean_and_error(b)[1])
    agrees = abs(float(a.mean() - b.mean())) <= 2 * error
    return [Verdict(claim=claim, measured=f"{told(a)} against {told(b)}", agrees=agrees)]


def ordered(findings: Findings, labels: Sequence[str], metric: str, what: str) -> list[Verdict]:
    """Whether the last generation's means fall strictly from label to label."""
    values = [findings.arms[label].at(metric, findings.last) for label in labels]
    claim = (
        f"{what} at generation {findings.last} falls from {labels[0]} over {', '.join(labels[1:-1])} to {labels[-1]}"
    )
    if any(v is None for v in values):
        return [Verdict(claim=claim, measured="not measured yet")]
    means = [float(v.mean()) for v in values if v is not None]
    falls = all(a > b for a, b in zip(means, means[1:], strict=False))
    measured = "; ".join(f"{label}: {told(v)}" for label, v in zip(labels, values, strict=True))
    return [Verdict(claim=claim, measured=measured, agrees=falls)]


def median_near(findings: Findings, label: str, metric: str, fits: Sequence[int], what: str) -> list[Verdict]:
    """Whether the median over seeds agrees with the closed form ``<metric> median`` to 2 of its standard errors."""
    arm, found = findings.arms[label], []
    for n in fits:
        predicted = arm.predicted.get(f"{metric} median", {}).get(n - 1)
        values = arm.at(metric, n - 1) if n - 1 <= arm.config.generations else None
        if predicted is None or n - 1 > arm.config.generations:
            continue
        agrees, measured = None, "not measured yet"
        if values is not None and len(values) > 1:
            middle = float(np.median(values))
            quartiles = np.quantile(values, [0.25, 0.75])
            error = 1.2533 * float(quartiles[1] - quartiles[0]) / 1.349 / math.sqrt(len(values))  # of a normal sample
            agrees = abs(middle - predicted) <= 2 * error
            measured = f"median {middle:.4g} ± {error:.2g} ({len(values)} seeds)"
        claim = f"{label}: median of {what} at n = {n} is {predicted:.4g}"
        found.append(Verdict(claim=claim, measured=measured, agrees=agrees))
    return found
