"""How far real motion goes, per class: inside these bounds nothing is moved.

Learned from real training windows where there are any; otherwise built in, class-free and in proportion to the body.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import rotations as R
from core.body import REFERENCE_LEG_M
from core.motion import MotionBatch, lateral_axis, mirrored
from core.records import Item
from core.skeleton import Skeleton
from corrector.features import floor_offset, lowest_of, noise_scales, surface_of, window_artefacts
from corrector.slide import slide_of

Array = R.Array

SLACK = 1.25
"""A bound is the largest value of the class's windows times this, plus a little that lets still classes breathe."""
ARTEFACTS = ("penetration_mm", "float_mm", "skate_m_s", "jerk_m_s3")
ARTEFACT_ALLOWANCE = {"penetration_mm": 5.0, "float_mm": 10.0, "skate_m_s": 0.1, "jerk_m_s3": 30.0}
MEDIAN_TOLERANCE = 0.98  # quantile of all real windows that bounds a sample of unknown class

FEW = 4.0  # windows (mirror images count) at which bounds are twice as wide as those of very many
LEAST_AGREEMENT = (
    0.33  # of a class's contacts: where fewer stand still together (flips, rolls, runs) nothing is anchored
)


@dataclass(frozen=True, eq=False)
class Bounds:
    """Bounds of C classes in rows, and one more row for everything else.

    Attributes:
        classes: (C,) labels, ascending.
        noise_median, noise_limit: (C + 1, 1 + J) of the root (m) and the joints (rad).
        floor_center_m, floor_radius_m: (C + 1,) of the floor offset.
        floor_highest_m: (C + 1,) offsets above this are left alone: the body stands on something.
        penetration_limit_m: (C + 1,) deepest point that real motion reaches now and then.
        slide_center_m_s: (C + 1, 2) of the standing foot, in the window's heading.
        slide_radius_m_s: (C + 1,) infinite where a class hardly ever stands.
        slide_certainty: (C + 1,) least agreement of contacts in real windows.
        artefact_limit: (C + 1, 4) of the means named by ARTEFACTS.
    """

    classes: NDArray[np.int64]
    noise_median: Array
    noise_limit: Array
    floor_center_m: Array
    floor_radius_m: Array
    floor_highest_m: Array
    penetration_limit_m: Array
    slide_center_m_s: Array
    slide_radius_m_s: Array
    slide_certainty: Array
    artefact_limit: Array

    def rows_of(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N,) the row of each label; the last one for labels without windows."""
        if not len(self.classes):
            return np.zeros(len(labels), dtype=np.int64)
        at = np.minimum(np.searchsorted(self.classes, labels), len(self.classes) - 1)
        return np.where(self.classes[at] == labels, at, len(self.classes)).astype(np.int64)

    def as_item(self) -> Item:
        return Item({f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def from_item(cls, item: Item) -> "Bounds":
        return cls(**{f.name: np.asarray(item.arrays[f.name]) for f in fields(cls)})


def learn_bounds(real: MotionBatch, progress: Callable[[float], None] | None = None) -> Bounds:
    """Bounds of real windows and of their mirror images, per class."""
    measured = _measure(real)
    labels = real.labels
    if real.skeleton.mirror is not None:
        if progress is not None:
            progress(0.5)
        image = _measure(mirrored(real, lateral_axis(real.skeleton)))
        measured = tuple(np.concatenate(pair) for pair in zip(measured, image, strict=True))
        labels = np.concatenate([labels, labels])
    classes = np.unique(labels[labels >= 0])
    rows = [_class_row(*(values[labels == c] for values in measured)) for c in classes]
    rows.append(_open_row(*measured))
    return Bounds(classes, *(np.stack(column) for column in zip(*rows, strict=True)))


def builtin_bounds(skeleton: Skeleton, fps: float) -> Bounds:
    """Class-free bounds for any body.

    Lengths scale with the leg. The noise that smooth real motion seems to have comes from its own fourth derivative and
    falls with the frame rate; values measured on motion capture of 20 and 30 frames per second.
    """
    scale = skeleton.leg_length_m / REFERENCE_LEG_M
    rate = float(np.clip(20.0 / fps, 0.02, 2.0)) ** 2
    joints = skeleton.joint_count
    limit = np.concatenate([[0.008 * scale * rate + 0.001 * scale], np.full(joints, 0.045 * rate + 0.006)])
    limits = [15.0, 400.0, 1.6, 900.0]
    return Bounds(
        np.zeros(0, dtype=np.int64),
        limit[None] * 0.15,
        limit[None],
        np.array([-0.01 * scale]),
        np.array([0.03 * scale]),
        np.array([0.25 * scale]),
        np.array([0.05 * scale]),
        np.zeros((1, 2)),
        np.array([0.2 * scale]),
        np.array([0.5]),
        np.array([limits]),
    )


def _measure(batch: MotionBatch) -> tuple[Array, ...]:
    points = surface_of(batch)
    lowest = lowest_of(points)
    slide = slide_of(batch, points)
    means = window_artefacts(batch)
    artefacts = np.stack([means[name] for name in ARTEFACTS], axis=-1)
    deepest = np.maximum(-lowest, 0.0).max(1)
    return noise_scales(batch), floor_offset(lowest), deepest, slide.velocity_m_s, slide.certainty, artefacts


def _class_row(
    noise: Array, floor: Array, deepest: Array, slide: Array, certainty: Array, artefacts: Array
) -> tuple[Any, ...]:
    allowance = np.array([0.0005] + [0.003] * (noise.shape[1] - 1))
    # The extremes of a few windows say little about the next one.
    slack = SLACK * (1.0 + FEW / len(noise))
    center = np.median(floor)
    stands = np.isfinite(slide[:, 0])
    standing = slide[stands]
    mean = standing.mean(0) if len(standing) else np.zeros(2)
    agreed = certainty[stands].min() if stands.any() else np.inf
    anchored = len(standing) > 2 and agreed >= LEAST_AGREEMENT
    radius = slack * np.linalg.norm(standing - mean, axis=1).max() + 0.03 if anchored else np.inf
    return (
        np.median(noise, axis=0),
        slack * noise.max(0) + allowance,
        center,
        slack * np.abs(floor - center).max() + 0.003,
        np.inf,
        deepest.max() + 0.005,
        mean,
        radius,
        agreed,
        slack * artefacts.max(0) + np.array([ARTEFACT_ALLOWANCE[name] for name in ARTEFACTS]),
    )


def _open_row(
    noise: Array, floor: Array, deepest: Array, slide: Array, certainty: Array, artefacts: Array
) -> tuple[Any, ...]:
    """Bounds for a sample whose class is unknown: the bulk of all windows."""
    stands = np.isfinite(slide[:, 0])
    standing = slide[stands]
    low, high = np.quantile(floor, [1 - MEDIAN_TOLERANCE, MEDIAN_TOLERANCE])
    return (
        np.median(noise, axis=0),
        np.quantile(noise, MEDIAN_TOLERANCE, axis=0),
        (low + high) / 2,
        (high - low) / 2 + 0.003,
        np.inf,
        np.quantile(deepest, MEDIAN_TOLERANCE) + 0.005,
        np.zeros(2),
        np.quantile(np.linalg.norm(standing, axis=1), 0.9) if len(standing) > 2 else np.inf,
        np.quantile(certainty[stands], 1 - MEDIAN_TOLERANCE) if stands.any() else np.inf,
        np.quantile(artefacts, MEDIAN_TOLERANCE, axis=0),
    )
