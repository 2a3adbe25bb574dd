"""Step 3: anchor the standing foot where it slides as no real foot of the class does.

Only the part of the slide that is constant over the window is taken away, from the root's path. Windows whose contacts
agree less than those of real windows (noise, flight) are left as they are, and so are slides too fast to be one.
"""

from dataclasses import replace

import numpy as np

from core import rotations as R
from core.body import REFERENCE_LEG_M
from core.motion import MotionBatch
from corrector.bounds import Bounds
from corrector.features import surface_of, turned, window_yaw
from corrector.filters import smoothstep
from corrector.slide import slide_of

Array = R.Array

RAMP = 0.5  # all of the slide is removed at 1.5 times the bound
GUARD_ERRORS = 2.0
LEAST_CERTAINTY, FULL_CERTAINTY = 0.8, 1.0  # of the least that real windows of the class show
FASTEST_SLIDE_M_S = 1.0


def anchor(batch: MotionBatch, bounds: Bounds) -> tuple[MotionBatch, Array]:
    """Motions without excess slide, and (N,) the speed that was taken away, m/s."""
    rows = bounds.rows_of(batch.labels)
    slide = slide_of(batch, surface_of(batch))
    excess = np.nan_to_num(slide.velocity_m_s - bounds.slide_center_m_s[rows])
    speed = np.linalg.norm(excess, axis=-1)
    room = bounds.slide_radius_m_s[rows] + GUARD_ERRORS * slide.error_m_s
    agreement = slide.certainty / bounds.slide_certainty[rows]
    weight = smoothstep((speed / room - 1) / RAMP)
    weight *= smoothstep((agreement - LEAST_CERTAINTY) / (FULL_CERTAINTY - LEAST_CERTAINTY))
    weight *= speed <= FASTEST_SLIDE_M_S * batch.skeleton.leg_length_m / REFERENCE_LEG_M
    if not weight.any():
        return batch, weight * speed
    velocity = turned(weight[:, None] * excess, window_yaw(batch))
    seconds = np.arange(batch.frames) / batch.fps
    root = batch.root_position_m.copy()
    root[..., [0, 2]] -= velocity[:, None, :] * seconds[None, :, None]
    return replace(batch, root_position_m=root), weight * speed
