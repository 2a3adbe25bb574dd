"""Step 3: take away steady sliding that no real window of the class shows.

Only the part of the slide that is constant over the window is taken away, from the root's path: what the standing foot
and the motion of the pose agree on. Slides too fast to be one are left as they are, and so are windows whose contacts
agree less than those of real windows (noise, flight), as far as the feet have a say in their class.
"""

from dataclasses import replace

import numpy as np

from core.body import REFERENCE_LEG_M
from core.motion import MotionBatch
from core.rotations import Array
from corrector.bounds import Bounds
from corrector.features import turned, window_yaw
from corrector.filters import smoothstep
from corrector.offsets import Offsets

GUARD_ERRORS = 2.0
LEAST_CERTAINTY, FULL_CERTAINTY = 0.7, 1.0  # of the least that real windows of the class show
FASTEST_SLIDE_M_S = 1.0


def anchor(batch: MotionBatch, bounds: Bounds, offsets: Offsets) -> tuple[MotionBatch, Array]:
    """Motions without excess slide, and (N,) the speed that was taken away, m/s."""
    rows, slide = bounds.rows_of(batch.labels), offsets.slide
    gauge = bounds.slide if offsets.pose_slide_m_s is not None else bounds.slide_alone
    excess, weight = gauge.excess(slide.velocity_m_s, offsets.pose_slide_m_s, rows, GUARD_ERRORS * slide.error_m_s)
    speed = np.linalg.norm(excess, axis=-1)
    agreement = slide.certainty / bounds.slide_certainty[rows]
    agreeing = smoothstep((agreement - LEAST_CERTAINTY) / (FULL_CERTAINTY - LEAST_CERTAINTY))
    weight = weight * np.where(gauge.share[rows] > 0, agreeing, 1.0)
    weight = weight * (speed <= FASTEST_SLIDE_M_S * batch.skeleton.leg_length_m / REFERENCE_LEG_M)
    if not weight.any():
        return batch, weight * speed
    velocity = turned(weight[:, None] * excess, window_yaw(batch))
    seconds = np.arange(batch.frames) / batch.fps
    root = batch.root_position_m.copy()
    root[..., [0, 2]] -= velocity[:, None, :] * seconds[None, :, None]
    return replace(batch, root_position_m=root), weight * speed
