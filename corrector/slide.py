"""How fast the standing foot slides: the most frequent horizontal velocity of feet near the floor.

Feet that stand all move as the slide does and swinging feet move in many ways, so the mode of their velocities is the
slide; and a slide added to a window adds exactly itself to the mode, whatever else the feet do.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core import rotations as R
from core.body import REFERENCE_LEG_M, body_of
from core.motion import MotionBatch
from corrector.features import floor_offset, lowest_of, turned, window_yaw

Array = R.Array

BANDWIDTH_M_S = 0.12
NEAR_FLOOR_M = 0.05
HIGHEST_FLOOR_M = 0.08  # a window whose lowest points are higher than this is in the air
FEWEST_CONTACTS = 8
MEAN_SHIFTS = 3
MOST_STARTS = 240  # velocities that the mode is searched among; long motions are thinned


@dataclass(frozen=True, eq=False)
class Slide:
    """The slide of the standing foot, per window.

    Attributes:
        velocity_m_s: (N, 2) along x and z in the window's heading; NaN where hardly anything touches the floor.
        error_m_s: (N,) its standard error.
        certainty: (N,) share of the contacts that move so, 0..1.
    """

    velocity_m_s: Array
    error_m_s: Array
    certainty: Array


def slide_of(batch: MotionBatch, points_m: Array) -> Slide:
    """The slide of each window; ``points_m`` from :func:`corrector.features.surface_of`."""
    count = len(batch)
    if not body_of(batch.skeleton).sole_points or batch.frames < 3 or count == 0:
        return Slide(np.full((count, 2), np.nan), np.zeros(count), np.zeros(count))
    velocity, near = _contacts(batch, points_m)
    total = near.sum(1)
    mode = _densest(velocity, near)
    for _ in range(MEAN_SHIFTS):
        weight = _kernel(velocity - mode[:, None]) * near
        mode = (weight[..., None] * velocity).sum(1) / np.maximum(weight.sum(1), 1e-9)[:, None]
    offset = velocity - mode[:, None]
    weight = _kernel(offset) * near
    with_it = np.maximum(weight.sum(1), 1e-9)
    variance = (weight * (offset**2).sum(-1)).sum(1) / with_it
    standing = total >= min(FEWEST_CONTACTS, velocity.shape[1] // 2)
    return Slide(
        np.where(standing[:, None], turned(mode, -window_yaw(batch)), np.nan),
        np.where(standing, np.sqrt(variance / np.maximum(with_it, 1.0)), 0.0),
        np.where(standing, with_it / np.maximum(total, 1.0), 0.0),
    )


def _contacts(batch: MotionBatch, points_m: Array) -> tuple[Array, Array]:
    """(N, M, 2) velocity of each foot's lowest sole point between frames, and (N, M) 1 where it is near the floor."""
    scale = batch.skeleton.leg_length_m / REFERENCE_LEG_M
    velocities, heights = [], []
    for sole in body_of(batch.skeleton).sole_points:
        foot = points_m[:, :, sole]
        velocity = np.diff(foot[..., [0, 2]], axis=1) * batch.fps
        height = np.maximum(foot[:, 1:, :, 1], foot[:, :-1, :, 1])
        lowest = height.argmin(-1)[..., None]
        velocities.append(np.take_along_axis(velocity, lowest[..., None], axis=2)[:, :, 0])
        heights.append(np.take_along_axis(height, lowest, axis=2)[..., 0])
    floor = np.minimum(floor_offset(lowest_of(points_m)), HIGHEST_FLOOR_M * scale)
    near = np.concatenate(heights, axis=1) < floor[:, None] + NEAR_FLOOR_M * scale
    return np.concatenate(velocities, axis=1), near.astype(np.float64)


def _densest(velocity: Array, near: Array) -> Array:
    """(N, 2) the velocity in the thickest of all contacts."""
    thin: NDArray[np.int64] = np.unique(np.linspace(0, velocity.shape[1] - 1, MOST_STARTS).astype(np.int64))
    starts, weight = velocity[:, thin], near[:, thin]
    density = (_kernel(starts[:, :, None] - starts[:, None]) * weight[:, None]).sum(-1) * weight
    best = density.argmax(1)[:, None, None]
    return np.take_along_axis(starts, best, axis=1)[:, 0]


def _kernel(offset_m_s: Array) -> Array:
    return np.asarray(np.exp(-0.5 * (offset_m_s**2).sum(-1) / BANDWIDTH_M_S**2))
