"""How high a window stands off the floor and how fast it slides, by its feet and by how its pose moves."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.motion import MotionBatch
from core.rotations import Array
from corrector.coordinates import coordinates
from corrector.features import floor_offset, lowest_of, surface_of
from corrector.prior import WindowPrior
from corrector.slide import Slide, slide_of


@dataclass(frozen=True, eq=False)
class Offsets:
    """What was measured on N windows.

    Attributes:
        lowest_m: (N, T) height of the lowest surface point.
        floor_m: (N, 1) the height that the window takes for its floor.
        slide: of the standing foot.
        pose_height_m: (N, 1), pose_slide_m_s: (N, 2) in the window's heading: by how much the root is higher, and
            drifts faster, than the pose lets one expect; None where there is no prior for such windows.
    """

    lowest_m: Array
    floor_m: Array
    slide: Slide
    pose_height_m: Array | None
    pose_slide_m_s: Array | None


def offsets_of(batch: MotionBatch, prior: WindowPrior, rows: NDArray[np.int64]) -> Offsets:
    """Both witnesses of each window; ``rows`` (N,) of the prior."""
    points = surface_of(batch)
    lowest = lowest_of(points)
    floor, slide = floor_offset(lowest)[:, None], slide_of(batch, points)
    if not prior.fits(batch):
        return Offsets(lowest, floor, slide, None, None)
    told = prior.offset_of(coordinates(batch).values, rows)
    return Offsets(lowest, floor, slide, told[:, :1], told[:, 1:])
