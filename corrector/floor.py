"""Step 2: put the motion on the floor where it is clearly above or below it.

The whole window is shifted first. What then still sinks deeper than real motion is lifted, and no more of it than
brings the window's mean penetration back to its class's: real feet sink a little too.
"""

from dataclasses import replace

import numpy as np

from core.motion import MotionBatch
from core.rotations import Array
from corrector.bounds import Bounds
from corrector.features import lowest_of, surface_of
from corrector.filters import covering
from corrector.offsets import Offsets

LIFT_RADIUS_FRAMES, LIFT_SIGMA_FRAMES = 3, 1.2


def settle(batch: MotionBatch, bounds: Bounds, offsets: Offsets) -> tuple[MotionBatch, Array]:
    """Motions shifted to their class's height when they stand outside its bounds, and (N,) the shift in metres, up."""
    rows = bounds.rows_of(batch.labels)
    gauge = bounds.height if offsets.pose_height_m is not None else bounds.height_alone
    away, weight = gauge.excess(offsets.floor_m, offsets.pose_height_m, rows)
    shift = -np.where(offsets.floor_m[:, 0] <= bounds.floor_highest_m[rows], weight, 0.0) * away[:, 0]
    return _raised(batch, np.repeat(shift[:, None], batch.frames, axis=1)), shift


def lift(batch: MotionBatch, bounds: Bounds) -> tuple[MotionBatch, Array]:
    """Motions lifted where they sink deeper than real motion, and (N,) the highest lift in metres."""
    rows = bounds.rows_of(batch.labels)
    lowest = lowest_of(surface_of(batch))
    excess = np.maximum(-lowest - bounds.penetration_limit_m[rows][:, None], 0.0)
    height = covering(excess, LIFT_SIGMA_FRAMES, LIFT_RADIUS_FRAMES)
    before, after = (np.maximum(-low, 0.0).mean(1) for low in (lowest, lowest + height))
    usual = bounds.penetration_usual_m[rows]
    height *= np.clip((before - usual) / np.maximum(before - after, 1e-9), 0.0, 1.0)[:, None]
    return _raised(batch, height), height.max(1, initial=0.0)


def _raised(batch: MotionBatch, height_m: Array) -> MotionBatch:
    if not height_m.any():
        return batch
    root = batch.root_position_m.copy()
    root[..., 1] += height_m
    return replace(batch, root_position_m=root)
