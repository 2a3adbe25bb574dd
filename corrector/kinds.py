"""What correctors ask of samples, by the type of the samples: motions, or plain draws. The only place that tells them
apart; everything else works on whatever :func:`kind_of` returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import rotations as R
from core.draws import Draws
from core.motion import MotionBatch, joint_distances
from core.records import Arrays
from corrector.checks import rejections as motion_rejections
from corrector.features import window_artefacts

Array = R.Array

TRACKS = ("residual_force_bw", "residual_torque_nm", "tracking_error_m")
"""Per-frame tracks of motions: help from outside the physics, and the mean joint distance between a simulated body and
what it follows; 0 where nothing was simulated. A rejected sample keeps the tracks of the simulation that failed."""
FEW_AXES = 4
MOST_NUMBERS = 2**24
"""Numbers from which a part of a table of distances is made in one go."""


@dataclass(frozen=True)
class Kind:
    """One type of samples.

    Attributes:
        rejections: a reason per sample why it is unusable; "" where it is usable.
        precise: the same samples in the precision that correctors compute in.
        moved: (before, after) -> (N,) mean distance, in the samples' own unit.
        between: (before, after, share of the way).
        put: (samples, index, batch): the samples with some replaced, in their own precision.
        measures: (N,) each, by the name under which outcomes show them.
        tracks: empty tracks.
        distances: (samples, others) -> (S, N, M), S = seeds that run at once.
        left_alone: a sample that moved no further counts as unchanged.
        block: samples corrected in one go, between two calls of tick.
        word: what one sample is called.
    """

    rejections: Callable[[Any], list[str]]
    precise: Callable[[Any], Any]
    moved: Callable[[Any, Any], Array]
    between: Callable[[Any, Any, float], Any]
    put: Callable[[Any, NDArray[np.int64], Any], Any]
    measures: Callable[[Any], Mapping[str, Array]]
    tracks: Callable[[Any], Arrays]
    distances: Callable[[Any, Any], Array]
    left_alone: float
    block: int
    word: str


def kind_of(samples: Any) -> Kind:
    """How samples of this type are handled."""
    return DRAWS if isinstance(samples, Draws) else MOTIONS


def precise(batch: MotionBatch) -> MotionBatch:
    """The same motions as float64 with unit rotations."""
    return replace(
        batch,
        root_position_m=batch.root_position_m.astype(np.float64),
        local_rotations_wxyz=R.normalize(batch.local_rotations_wxyz.astype(np.float64)),
    )


def moved_m(before: MotionBatch, after: MotionBatch) -> Array:
    """(N,) mean joint distance, metres."""
    if before is after:
        return np.zeros(len(before))
    distance = np.linalg.norm(before.world()[0] - after.world()[0], axis=-1)
    return np.asarray(distance.mean((1, 2)))


def _between_motions(before: MotionBatch, after: MotionBatch, share: float) -> MotionBatch:
    return replace(
        before,
        root_position_m=before.root_position_m + share * (after.root_position_m - before.root_position_m),
        local_rotations_wxyz=R.slerp(before.local_rotations_wxyz, after.local_rotations_wxyz, np.array(share)),
    )


def _put_motions(samples: MotionBatch, index: NDArray[np.int64], batch: MotionBatch) -> MotionBatch:
    root, rotations = samples.root_position_m.copy(), samples.local_rotations_wxyz.copy()
    root[index], rotations[index] = batch.root_position_m, batch.local_rotations_wxyz
    return replace(samples, root_position_m=root, local_rotations_wxyz=rotations)


def flat(values: NDArray[Any]) -> NDArray[Any]:
    """(S, N, ...) -> (S, N, d)."""
    return values.reshape(*values.shape[:2], int(np.prod(values.shape[2:])))


def distances(samples: Draws, others: Draws) -> Array:
    """(S, N, M) Euclidean distances of numbers; share of unlike places of token ids and other whole numbers."""
    a, b = flat(samples.values), flat(others.values)
    count, axes = a.shape[1:]
    if axes <= FEW_AXES and np.issubdtype(a.dtype, np.inexact):
        square = sum((a[:, :, None, k].astype(np.float64) - b[:, None, :, k]) ** 2 for k in range(axes))
        return np.asarray(np.sqrt(square))
    found = np.empty((len(a), count, b.shape[1]))
    rows = max(1, MOST_NUMBERS // max(b.shape[1] * axes, 1))
    for seed in range(len(a)):
        for start in range(0, count, rows):
            found[seed, start : start + rows] = _apart(a[seed, start : start + rows, None], b[seed, None])
    return found


def _apart(one: NDArray[Any], other: NDArray[Any]) -> Array:
    """Along the last axis."""
    if not np.issubdtype(one.dtype, np.inexact):
        return np.asarray((one != other).mean(-1))
    return np.asarray(np.linalg.norm(one.astype(np.float64) - other, axis=-1))


def moved(before: Draws, after: Draws) -> Array:
    """(N,) distance, mean over the seeds in which the sample is there; share of unlike places of whole numbers."""
    if before is after:
        return np.zeros(len(before))
    a, b = flat(before.values), flat(after.values)
    if not np.issubdtype(a.dtype, np.inexact):
        return np.asarray((a != b).mean((0, 2)), np.float64)
    way = a.astype(np.float64) - b
    distance = np.sqrt(np.einsum("snd,snd->sn", way, way))
    if before.weight is None:
        return np.asarray(distance.mean(0))
    there = before.weight > 0
    return np.asarray(np.where(there, distance, 0.0).sum(0) / np.maximum(there.sum(0), 1))


def _rejections(samples: Draws) -> list[str]:
    """A sample is unusable where it is no number in any of the seeds in which it is there."""
    if not np.issubdtype(samples.values.dtype, np.inexact):
        return [""] * len(samples)
    bad = ~np.isfinite(flat(samples.values)).all(2)
    if samples.weight is not None:
        bad &= samples.weight > 0
    reasons = [""] * len(samples)
    for i in np.flatnonzero(bad.any(0)):
        where = f", in {int(bad[:, i].sum())} of {samples.seeds} seeds" if samples.seeds > 1 else ""
        reasons[i] = f"NaN or infinite values{where}."
    return reasons


def _precise(samples: Draws) -> Draws:
    return samples.with_values(samples.values.astype(np.float64)) if _coarse(samples) else samples


def _coarse(samples: Draws) -> bool:
    return np.issubdtype(samples.values.dtype, np.inexact) and samples.values.dtype != np.float64


def _between(before: Draws, after: Draws, share: float) -> Draws:
    """Linear; of whole numbers, which have no between, the nearer one."""
    if not np.issubdtype(before.values.dtype, np.inexact):
        return after if share >= 0.5 else before
    return before.with_values(before.values + share * (after.values - before.values))


def _put(samples: Draws, index: NDArray[np.int64], batch: Draws) -> Draws:
    values = samples.values.copy()
    values[:, index] = batch.values
    return samples.with_values(values)


MOTIONS = Kind(
    rejections=motion_rejections,
    precise=precise,
    moved=moved_m,
    between=_between_motions,
    put=_put_motions,
    measures=window_artefacts,
    tracks=lambda batch: {name: np.zeros((len(batch), batch.frames)) for name in TRACKS},
    distances=lambda batch, others: joint_distances(batch, others)[None],
    left_alone=1e-6,
    block=64,
    word="motion",
)
DRAWS = Kind(
    rejections=_rejections,
    precise=_precise,
    moved=moved,
    between=_between,
    put=_put,
    measures=lambda _: {},
    tracks=lambda _: {},
    distances=distances,
    left_alone=0.0,
    block=2**31,
    word="sample",
)
