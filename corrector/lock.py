"""Step 4: hold standing feet in place where they skate more than in any real window of the class.

Legs are bent so that the feet stand, by just as much as brings the window's mean skate back to its class's.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.artefacts import sole_speed
from core.body import body_of
from core.motion import MotionBatch
from core.rotations import Array
from corrector.bounds import Bounds
from corrector.contacts import stance_of
from corrector.features import surface_of
from corrector.footing import foot_lock


def lock(batch: MotionBatch, bounds: Bounds) -> tuple[MotionBatch, Array]:
    """Motions that skate no more than real ones, and (N,) how firmly feet were held, 0..1."""
    rows = bounds.rows_of(batch.labels)
    before = skate_of(batch)
    firmly = bounds.skate.above(before, rows)
    chosen = np.flatnonzero(firmly > 0)
    if not len(chosen):
        return batch, firmly
    part = batch.take(chosen)
    stance = stance_of(part)
    after = skate_of(foot_lock(part, stance, np.ones(len(part)), level=False))
    usual = bounds.skate.center[rows[chosen], 0]
    needed = (before[chosen] - usual) / np.maximum(before[chosen] - after, 1e-9)
    firmly[chosen] *= np.where(after < before[chosen], np.clip(needed, 0.0, 1.0), 0.0)
    held = foot_lock(part, stance, firmly[chosen], level=False)
    moved = firmly[chosen] > 0
    return _with_rows(batch, chosen[moved], held.take(moved)), firmly


def skate_of(batch: MotionBatch) -> Array:
    """(N,) mean skate in m/s, as in :class:`core.artefacts.Artefacts`."""
    points = surface_of(batch)
    total, touching = np.zeros(len(batch)), np.zeros(len(batch))
    for sole in body_of(batch.skeleton).sole_points:
        speed, near = sole_speed(np.ascontiguousarray(points[:, :, sole]), batch.fps)
        count = near.sum(-1)
        total += ((speed * near).sum(-1) / np.maximum(count, 1)).sum(1)
        touching += (count > 0).sum(1)
    return total / np.maximum(touching, 1)


def _with_rows(batch: MotionBatch, rows: NDArray[np.int64], part: MotionBatch) -> MotionBatch:
    root, rotations = batch.root_position_m.copy(), batch.local_rotations_wxyz.copy()
    root[rows], rotations[rows] = part.root_position_m, part.local_rotations_wxyz
    return replace(batch, root_position_m=root, local_rotations_wxyz=rotations)
