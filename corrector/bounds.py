"""How far real motion goes, per class: inside these bounds nothing is moved.

Learned from real training windows where there are any; otherwise built in, class-free and in proportion to the body.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.body import REFERENCE_LEG_M
from core.motion import MotionBatch, lateral_axis, mirrored
from core.records import Item
from core.rotations import Array
from core.skeleton import Skeleton
from corrector.features import floor_offset, lowest_of, noise_scales, surface_of, window_artefacts
from corrector.gauge import SLACK, Gauge, fixed_gauge, learn_gauge, narrower
from corrector.prior import WindowPrior, no_prior
from corrector.prior_learning import learn_prior
from corrector.slide import Slide, slide_of

ARTEFACTS = ("penetration_mm", "float_mm", "skate_m_s", "jerk_m_s3")
ARTEFACT_ALLOWANCE = {"penetration_mm": 5.0, "float_mm": 10.0, "skate_m_s": 0.1, "jerk_m_s3": 30.0}
OPEN_QUANTILE = 0.98  # of all real windows, that bounds a sample of unknown class
# Bounds are wider by these, so that still classes may breathe.
HEIGHT_ALLOWANCE_M, SLIDE_ALLOWANCE_M_S = 0.003, 0.03
SKATE_ALLOWANCE_M_S = 0.03
CERTAINTY_QUANTILE = 0.05
LEAST_AGREEMENT = 0.15  # of a class's contacts: where fewer stand still together, feet say nothing about its slide
FEW = 4.0  # windows at which noise bounds are twice as wide as those of very many
SKATE_SLACK = 0.45  # a lock moves little, and real windows of one class skate very alike


@dataclass(frozen=True, eq=False)
class Bounds:
    """Bounds of C classes in rows, and one more row for everything else.

    Attributes:
        classes: (C,) labels, ascending.
        noise_median, noise_limit: (C + 1, 1 + J) of the root (m) and the joints (rad).
        height, height_alone: of the floor offset (m), with and without a prior's word.
        floor_highest_m: (C + 1,) offsets above this are left alone: the body stands on something.
        penetration_usual_m: (C + 1,) its mean over a window; penetration_limit_m: (C + 1,) the deepest point that real
            motion reaches now and then.
        slide, slide_alone: of the standing foot's velocity in the window's heading (m/s), likewise.
        slide_certainty: (C + 1,) agreement of contacts that nearly all real windows have.
        skate: of its mean over the window (m/s).
        artefact_limit: (C + 1, 4) of the means named by ARTEFACTS.
        prior: what real windows look like.
    """

    classes: NDArray[np.int64]
    noise_median: Array
    noise_limit: Array
    height: Gauge
    height_alone: Gauge
    floor_highest_m: Array
    penetration_usual_m: Array
    penetration_limit_m: Array
    slide: Gauge
    slide_alone: Gauge
    slide_certainty: Array
    skate: Gauge
    artefact_limit: Array
    prior: WindowPrior

    def rows_of(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N,) the row of each label; the last one for labels without windows."""
        if not len(self.classes):
            return np.zeros(len(labels), dtype=np.int64)
        at = np.minimum(np.searchsorted(self.classes, labels), len(self.classes) - 1)
        return np.where(self.classes[at] == labels, at, len(self.classes)).astype(np.int64)

    def as_item(self) -> Item:
        """All arrays by name, those of a gauge or the prior with a point in theirs."""
        return Item(_flat(self))

    @classmethod
    def from_item(cls, item: Item) -> "Bounds":
        return cls(**{f.name: _part(item.arrays, f.name) for f in fields(cls)})


_PARTS: Mapping[str, type] = {
    "height": Gauge, "height_alone": Gauge, "slide": Gauge, "slide_alone": Gauge,
    "skate": Gauge, "prior": WindowPrior,
}  # fmt: skip


def _flat(bounds: Bounds) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    for f in fields(bounds):
        value = getattr(bounds, f.name)
        if f.name in _PARTS:
            found |= {f"{f.name}.{part.name}": getattr(value, part.name) for part in fields(value)}
        else:
            found[f.name] = value
    return found


def _part(arrays: Mapping[str, NDArray[Any]], name: str) -> Any:
    if name not in _PARTS:
        return np.asarray(arrays[name])
    kind = _PARTS[name]
    return kind(**{f.name: np.asarray(arrays[f"{name}.{f.name}"]) for f in fields(kind)})


def learn_bounds(real: MotionBatch, progress: Callable[[float], None] | None = None) -> Bounds:
    """Bounds of real windows and of their mirror images, per class."""
    classes = np.unique(real.labels[real.labels >= 0])
    both = real
    if real.skeleton.mirror is not None:
        both = real.concat([mirrored(real, lateral_axis(real.skeleton))])
    if progress is not None:
        progress(0.2)
    learned = learn_prior(real, classes)
    if progress is not None:
        progress(0.8)
    noise, measured = noise_scales(both), window_artefacts(both)
    artefacts = np.stack([measured[name] for name in ARTEFACTS], axis=-1)
    points = surface_of(both)
    lowest = lowest_of(points)
    slide = slide_of(both, points)
    floor, deepest = floor_offset(lowest)[:, None], np.maximum(-lowest, 0.0).max(1)
    members = [both.labels == c for c in classes]
    seen = [learned.window[learned.row == row] for row in range(len(classes) + 1)]
    told = [learned.offset[learned.row == row] for row in range(len(classes) + 1)]
    everything = np.ones(len(both), dtype=bool)
    sinks = np.array([1e-3 * np.median(measured["penetration_mm"][mine]) for mine in [*members, everything]])
    skates = [(measured["skate_m_s"][mine, None], None) for mine in [*members, everything]]
    alone = [(floor[mine], None) for mine in [*members, everything]]
    alone_slide = [(_agreed(slide, mine), None) for mine in [*members, everything]]
    told_height = [(floor[at], offset[:, :1]) for at, offset in zip(seen, told, strict=True)]
    told_slide = [(_agreed(slide, at), offset[:, 1:]) for at, offset in zip(seen, told, strict=True)]
    stands = np.isfinite(slide.velocity_m_s[:, 0])
    rows = [_noise_row(noise[mine], artefacts[mine], deepest[mine], slide.certainty[mine & stands]) for mine in members]
    rows.append(_open_row(noise, artefacts, deepest, slide.certainty[stands]))
    median, limit, means, deep, certainty = (np.stack(column) for column in zip(*rows, strict=True))
    n = learned.evidence
    height_alone = learn_gauge(alone, n, HEIGHT_ALLOWANCE_M)
    slide_alone = learn_gauge(alone_slide, n, SLIDE_ALLOWANCE_M_S)
    return Bounds(
        classes, median, limit,
        narrower(learn_gauge(told_height, n, HEIGHT_ALLOWANCE_M), height_alone), height_alone,
        np.full(len(rows), np.inf), sinks, deep,
        narrower(learn_gauge(told_slide, n, SLIDE_ALLOWANCE_M_S), slide_alone), slide_alone,
        certainty, learn_gauge(skates, n, SKATE_ALLOWANCE_M_S, SKATE_SLACK), means, learned.prior,
    )  # fmt: skip


def builtin_bounds(skeleton: Skeleton, fps: float) -> Bounds:
    """Class-free bounds for any body, and no prior.

    Lengths scale with the leg. The noise that smooth real motion seems to have comes from its own fourth derivative and
    falls with the frame rate; values measured on motion capture of 20 and 30 frames per second.
    """
    scale = skeleton.leg_length_m / REFERENCE_LEG_M
    rate = float(np.clip(20.0 / fps, 0.02, 2.0)) ** 2
    joints = skeleton.joint_count
    limit = np.concatenate([[0.008 * scale * rate + 0.001 * scale], np.full(joints, 0.045 * rate + 0.006)])
    height = fixed_gauge(np.array([-0.01 * scale]), 0.027 * scale)
    none = fixed_gauge(np.zeros(1), np.inf)
    slide = fixed_gauge(np.zeros(2), 0.15 * scale)
    return Bounds(
        np.zeros(0, dtype=np.int64), limit[None] * 0.08, limit[None], height, height, np.array([0.25 * scale]),
        np.zeros(1), np.array([0.05 * scale]), slide, slide, np.array([0.45]), none,
        np.array([[15.0, 400.0, 1.6, 900.0]]), no_prior(joints, 1),
    )  # fmt: skip


def _agreed(slide: Slide, windows: NDArray[Any]) -> Array:
    """(n, 2) slides of some windows, all NaN where their contacts have next to no velocity in common (flips, spins)."""
    certainty = slide.certainty[windows]
    told = len(certainty) > 0 and np.median(certainty) >= LEAST_AGREEMENT
    return slide.velocity_m_s[windows] if told else np.full((len(certainty), 2), np.nan)


def _noise_row(noise: Array, artefacts: Array, deepest: Array, certainty: Array) -> tuple[Any, ...]:
    allowance = np.array([0.0005] + [0.003] * (noise.shape[1] - 1))
    slack = SLACK * (1.0 + FEW / len(noise))
    return (
        np.median(noise, axis=0),
        slack * noise.max(0) + allowance,
        slack * artefacts.max(0) + np.array([ARTEFACT_ALLOWANCE[name] for name in ARTEFACTS]),
        deepest.max() + 0.005,
        np.quantile(certainty, CERTAINTY_QUANTILE) if len(certainty) else np.inf,
    )


def _open_row(noise: Array, artefacts: Array, deepest: Array, certainty: Array) -> tuple[Any, ...]:
    """Bounds for a sample whose class is unknown: the bulk of all windows."""
    return (
        np.median(noise, axis=0),
        np.quantile(noise, OPEN_QUANTILE, axis=0),
        np.quantile(artefacts, OPEN_QUANTILE, axis=0),
        np.quantile(deepest, OPEN_QUANTILE) + 0.005,
        np.quantile(certainty, CERTAINTY_QUANTILE) if len(certainty) else np.inf,
    )
