"""One camera for all panes: where it looks at each moment, and how far it stands off so that everything fits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backend.media.figure import Figure
from core.motion import heading_yaw
from core.rotations import Array

YFOV_RAD = 0.5
PITCH_RAD = 0.2
AZIMUTH_RAD = 0.7  # seen from the front and the side
MARGIN_M = 0.18  # of flesh around the joints
FOLLOW_BEYOND_M = 1.5  # motions that travel farther are followed
SMOOTH_S = 0.5
MAX_DISTANCE_M = 14.0


@dataclass(frozen=True, eq=False)
class Camera:
    """Targets (M, 3) per moment, the world rotation (3, 3) of the camera (it looks along -z), and its distance."""

    targets_m: Array
    rotation: Array
    distance_m: float

    def pose(self, moment: int, shift_m: Array | None = None) -> Array:
        """(4, 4) camera to world."""
        pose = np.eye(4)
        pose[:3, :3] = self.rotation
        target = self.targets_m[moment] + (0.0 if shift_m is None else shift_m)
        pose[:3, 3] = target + self.rotation[:, 2] * self.distance_m
        return pose


def camera_for(
    figures: Sequence[Figure],
    frames: Sequence[NDArray[np.int64]],
    times_s: Array,
    aspect: float,
    *,
    aim: Literal["film", "still", "each"],
) -> Camera:
    """The camera that sees every figure at every moment at the same size.

    Args:
        frames: per figure the (M,) frame shown at each moment.
        times_s: (M,) the moments.
        aspect: width / height of a pane.
        aim: ``film`` stands still, or follows where the motion travels; ``still`` stands; ``each`` aims at the origin,
            and ``pose`` is to be shifted to each figure's root.
    """
    roots = np.stack([figure.positions_m[index, 0] for figure, index in zip(figures, frames, strict=True)])
    middle = np.median(roots, axis=0) * [1.0, 0.0, 1.0]  # (M, 3); the median, so that one runaway does not steer
    spread = float(np.linalg.norm(np.ptp(np.percentile(middle, [2, 98], axis=0), axis=0)))
    seen = [figure.positions_m[index] for figure, index in zip(figures, frames, strict=True)]
    if aim == "each":
        targets = np.zeros_like(middle)
        seen = [points - points[:, :1] * [1.0, 0.0, 1.0] for points in seen]
    elif aim == "film" and spread > FOLLOW_BEYOND_M:
        targets = _smoothed(middle, times_s)
    else:
        targets = np.repeat((middle.min(0) + middle.max(0))[None] / 2, len(middle), axis=0)
    first = figures[0].rotations_wxyz[:, 0]
    rotation = _looking(float(heading_yaw(first)) + AZIMUTH_RAD)
    # Far outliers do not count: a figure that falls through the floor must not shrink the others to dots.
    points = (np.concatenate(seen, axis=1) - targets[:, None]).reshape(-1, 3)
    far = np.linalg.norm(points, axis=-1)
    near = points[far < max(4.0, 3 * float(np.median(far)))]
    heights = near[:, 1]
    targets = targets + np.array([0.0, (max(float(heights.max()), 0.5) + MARGIN_M) / 2, 0.0])
    local = (near - [0.0, targets[0, 1], 0.0]) @ rotation
    reach_y = np.abs(local[:, 1]) + MARGIN_M
    reach_x = np.abs(local[:, 0]) + MARGIN_M
    tangent = np.tan(YFOV_RAD / 2) * 0.94
    needed = np.maximum(reach_y / tangent, reach_x / (tangent * aspect)) + local[:, 2]
    return Camera(targets, rotation, float(np.clip(needed.max(), 2.0, MAX_DISTANCE_M)))


def _looking(yaw: float) -> Array:
    """Axes of a camera that stands at this yaw, a little above, and looks at the origin."""
    back = np.array([np.cos(PITCH_RAD) * np.sin(yaw), np.sin(PITCH_RAD), np.cos(PITCH_RAD) * np.cos(yaw)])
    right = np.cross([0.0, 1.0, 0.0], back)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(back, right), back], axis=1)


def _smoothed(path: Array, times_s: Array) -> Array:
    weight = np.exp(-0.5 * ((times_s[:, None] - times_s[None]) / SMOOTH_S) ** 2)
    smooth: Array = (weight / weight.sum(1, keepdims=True)) @ path
    return smooth
