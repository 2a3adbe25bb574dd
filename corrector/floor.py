"""Step 2: put the motion on the floor where it is clearly above or below it."""

from dataclasses import replace

import numpy as np

from core import rotations as R
from core.motion import MotionBatch
from corrector.bounds import Bounds
from corrector.features import floor_offset, lowest_of, surface_of
from corrector.filters import covering, smoothstep

Array = R.Array

RAMP = 0.5  # full shift at 1.5 times the bound
LIFT_RADIUS_FRAMES, LIFT_SIGMA_FRAMES = 3, 1.2


def settle(batch: MotionBatch, bounds: Bounds) -> tuple[MotionBatch, Array, Array]:
    """Motions whose floor offset is shifted to the class's centre when it lies outside the class's radius, then lifted
    where they still sink deeper than real motion.

    Returns:
        The motions, (N,) the shift in metres (up is positive), and (N,) the highest lift in metres.
    """
    rows = bounds.rows_of(batch.labels)
    lowest = lowest_of(surface_of(batch))
    offset = floor_offset(lowest)
    away = offset - bounds.floor_center_m[rows]
    away = np.where(offset <= bounds.floor_highest_m[rows], away, 0.0)
    shift = -smoothstep((np.abs(away) / bounds.floor_radius_m[rows] - 1) / RAMP) * away
    excess = np.maximum(-(lowest + shift[:, None]) - bounds.penetration_limit_m[rows][:, None], 0.0)
    lift = covering(excess, LIFT_SIGMA_FRAMES, LIFT_RADIUS_FRAMES)
    if not shift.any() and not lift.any():
        return batch, shift, lift.max(1, initial=0.0)
    root = batch.root_position_m.copy()
    root[..., 1] += shift[:, None] + lift
    return replace(batch, root_position_m=root), shift, lift.max(1, initial=0.0)
