"""Small bodies and motions for tests."""

import numpy as np

from core import rotations as R
from core.motion import MotionBatch
from core.skeleton import Skeleton

NAMES = (
    "root chest neck right_hip right_knee right_ankle right_shoulder right_elbow right_wrist "
    "left_hip left_knee left_ankle left_shoulder left_elbow left_wrist"
).split()
PARENTS = (-1, 0, 1, 0, 3, 4, 1, 6, 7, 0, 9, 10, 1, 12, 13)
OFFSETS_M = [
    (0, 0, 0), (0, 0.24, 0), (0, 0.22, 0), (0, 0, 0.08), (0, -0.42, 0), (0, -0.41, 0), (0, 0.24, 0.18), (0, -0.27, 0),
    (0, -0.26, 0), (0, 0, -0.08), (0, -0.42, 0), (0, -0.41, 0), (0, 0.24, -0.18), (0, -0.27, 0), (0, -0.26, 0),
]  # fmt: skip
STANDING_HEIGHT_M = 0.42 + 0.41 + 0.05


def small_body() -> Skeleton:
    """15 joints, x forward, 0.88 m from sole to root."""
    tips = ((0.13, -0.05, 0.0), (0.13, -0.05, 0.0))
    return Skeleton("small", tuple(NAMES), PARENTS, np.array(OFFSETS_M, dtype=float), (11, 5), tips)


def standing(count: int = 3, frames: int = 20, fps: float = 20.0) -> MotionBatch:
    """Windows that stand still on the floor in the rest pose."""
    skeleton = small_body()
    position = np.zeros((count, frames, 3))
    position[..., 1] = STANDING_HEIGHT_M
    rotations = np.tile(R.IDENTITY_WXYZ, (count, frames, skeleton.joint_count, 1))
    return MotionBatch(skeleton, position, rotations, fps, np.arange(count) % 2)


def random_motion(count: int = 4, frames: int = 12, seed: int = 0) -> MotionBatch:
    """Windows of random smooth poses, anywhere."""
    rng = np.random.default_rng(seed)
    skeleton = small_body()
    position = np.cumsum(rng.normal(scale=0.02, size=(count, frames, 3)), axis=1) + np.array([0.0, 1.0, 0.0])
    turn = np.cumsum(rng.normal(scale=0.1, size=(count, frames, skeleton.joint_count, 3)), axis=1)
    return MotionBatch(skeleton, position, R.rotvec_to_unitquat(turn), 20.0, rng.integers(0, 3, count))
