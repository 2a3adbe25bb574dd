"""Windows as numbers that do not depend on where they stand and which way they look."""

from dataclasses import dataclass, replace

import numpy as np

from core import rotations as R
from core.motion import MotionBatch
from corrector.features import window_yaw

Array = R.Array


@dataclass(frozen=True, eq=False)
class Coordinates:
    """N windows of T frames.

    Attributes:
        values: (N, T, 3 + 6 J) root position in the window's heading and about its mean place (m; the height as it is),
            then the first two columns of each local rotation matrix (Zhou et al. 2019).
        yaw_rad: (N,) the headings.
        place_m: (N, 1, 3) the mean places on the floor.
    """

    values: Array
    yaw_rad: Array
    place_m: Array


def coordinates(batch: MotionBatch) -> Coordinates:
    """The windows' coordinates, float64."""
    yaw = window_yaw(batch)
    turn = R.yaw_to_unitquat(-yaw)[:, None]
    place = batch.root_position_m.mean(1, keepdims=True) * np.array([1.0, 0.0, 1.0])
    root = R.rotate(turn, batch.root_position_m - place)
    rotations = batch.local_rotations_wxyz.astype(np.float64)
    rotations[:, :, 0] = R.multiply(turn, rotations[:, :, 0])
    columns = R.unitquat_to_sixd(rotations).reshape(*root.shape[:2], -1)
    return Coordinates(np.concatenate([root, columns], axis=-1), yaw, place)


def from_coordinates(batch: MotionBatch, found: Coordinates) -> MotionBatch:
    """The inverse of :func:`coordinates`; labels and body are the batch's."""
    turn = R.yaw_to_unitquat(found.yaw_rad)[:, None]
    root = R.rotate(turn, found.values[..., :3]) + found.place_m
    rotations = R.sixd_to_unitquat(found.values[..., 3:].reshape(*root.shape[:2], -1, 6))
    rotations[:, :, 0] = R.multiply(turn, rotations[:, :, 0])
    return replace(batch, root_position_m=root, local_rotations_wxyz=rotations)


def channel_variance(variance: Array) -> Array:
    """Noise variances per axis of root and joints (N, 1 + J) as those of the coordinates (N, 3 + 6 J).

    A small turn moves each of a matrix's two columns along two of three axes.
    """
    joints = np.repeat(variance[:, 1:] * (2.0 / 3.0), 6, axis=1)
    return np.concatenate([np.repeat(variance[:, :1], 3, axis=1), joints], axis=1)
