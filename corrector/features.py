"""What bounds are stated in: noise scale per channel, floor offset, headings."""

from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from core import rotations as R
from core.artefacts import tracks_of
from core.body import body_of
from core.motion import MotionBatch, heading_yaw

Array = R.Array

FLOOR_PERCENTILE = 20.0
FOURTH_DIFFERENCE_GAIN = 70.0**0.5  # of white noise: sqrt(1 + 16 + 36 + 16 + 1)
CHI3_MEDIAN = 1.5382  # median length of a 3-vector of unit normals


def channels(batch: MotionBatch) -> Array:
    """(T, N * (1 + J), 4) columns: root position (fourth value 0), then twice the continuous local quaternions, so that
    small differences are metres and radians."""
    count, frames = batch.root_position_m.shape[:2]
    values = np.zeros((count, frames, 1 + batch.skeleton.joint_count, 4))
    values[:, :, 0, :3] = batch.root_position_m
    values[:, :, 1:] = 2.0 * R.make_continuous(batch.local_rotations_wxyz, axis=1)
    return np.moveaxis(values, 1, 0).reshape(frames, -1, 4)


def from_channels(batch: MotionBatch, columns: Array) -> MotionBatch:
    """The inverse of :func:`channels`."""
    frames = len(columns)
    values = np.moveaxis(columns.reshape(frames, len(batch), -1, 4), 0, 1)
    return replace(
        batch, root_position_m=values[:, :, 0, :3].copy(), local_rotations_wxyz=R.normalize(values[:, :, 1:])
    )


def noise_of(columns: Array) -> Array:
    """(M,) standard deviation per axis of white noise that would give each channel's median fourth difference."""
    if len(columns) < 5:
        return np.zeros(columns.shape[1])
    size = np.linalg.norm(np.diff(columns, n=4, axis=0), axis=-1)
    return cast(Array, np.median(size, axis=0) / (FOURTH_DIFFERENCE_GAIN * CHI3_MEDIAN))


def noise_scales(batch: MotionBatch) -> Array:
    """(N, 1 + J) noise of the root (metres) and of the joints (radians) per axis."""
    return noise_of(channels(batch)).reshape(len(batch), -1)


def surface_of(batch: MotionBatch) -> Array:
    """(N, T, P, 3) lowest surface points of the body."""
    positions, rotations = batch.world()
    return body_of(batch.skeleton).surface_points(positions, rotations)


def lowest_of(points_m: Array) -> Array:
    """(N, T) height of the lowest point of all."""
    return cast(Array, points_m[..., 1].min(-1))


def floor_offset(lowest_m: Array) -> Array:
    """(N,) the height that the window takes for its floor: a low percentile of its lowest point."""
    return np.percentile(lowest_m, FLOOR_PERCENTILE, axis=1)


def window_yaw(batch: MotionBatch) -> Array:
    """(N,) one heading per window."""
    return heading_yaw(batch.local_rotations_wxyz[:, :, 0])


def turned(horizontal: Array, yaw_rad: Array) -> Array:
    """Horizontal vectors (N, 2) as (x, z), turned about +y."""
    vector = np.stack([horizontal[:, 0], np.zeros(len(horizontal)), horizontal[:, 1]], axis=-1)
    return R.rotate(R.yaw_to_unitquat(yaw_rad), vector)[:, [0, 2]]


def window_artefacts(batch: MotionBatch) -> dict[str, NDArray[np.float64]]:
    """Per-window means (N,) of penetration, float, skate and jerk, as in :func:`core.artefacts.mean_artefacts`."""
    if not len(batch):
        return {name: np.zeros(0) for name in ("penetration_mm", "float_mm", "skate_m_s", "jerk_m_s3")}
    tracks = tracks_of(batch)
    touching = np.maximum(tracks.contact.sum((1, 2)), 1)
    found = {
        "penetration_mm": tracks.penetration_m.mean(1) * 1e3,
        "float_mm": tracks.float_m.mean(1) * 1e3,
        "skate_m_s": (tracks.skate_m_s * tracks.contact).sum((1, 2)) / touching,
        "jerk_m_s3": tracks.jerk_m_s3.mean(1),
    }
    return {name: np.asarray(values, dtype=np.float64) for name, values in found.items()}
