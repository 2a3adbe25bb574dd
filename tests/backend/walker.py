"""A small human that steps in place, for tests of files and pictures."""

import numpy as np

from core import rotations as R
from core.motion import Motion
from core.skeleton import Skeleton

JOINTS = (
    ("Hips", -1, (0.0, 0.0, 0.0)),
    ("LeftUpLeg", 0, (0.1, -0.05, 0.0)),
    ("LeftLeg", 1, (0.0, -0.42, 0.0)),
    ("LeftFoot", 2, (0.0, -0.4, 0.0)),
    ("RightUpLeg", 0, (-0.1, -0.05, 0.0)),
    ("RightLeg", 4, (0.0, -0.42, 0.0)),
    ("RightFoot", 5, (0.0, -0.4, 0.0)),
    ("Spine", 0, (0.0, 0.2, 0.0)),
    ("Neck", 7, (0.0, 0.3, 0.0)),
    ("Head", 8, (0.0, 0.12, 0.0)),
    ("LeftArm", 7, (0.2, 0.25, 0.0)),
    ("LeftForeArm", 10, (0.27, 0.0, 0.0)),
    ("LeftHand", 11, (0.25, 0.0, 0.0)),
    ("RightArm", 7, (-0.2, 0.25, 0.0)),
    ("RightForeArm", 13, (-0.27, 0.0, 0.0)),
    ("RightHand", 14, (-0.25, 0.0, 0.0)),
)
TOES = ((0.0, -0.06, 0.15), (0.0, -0.06, 0.15))


def walker(frames: int = 30, fps: float = 30.0, *, toes: bool = True, seed: int = 0) -> Motion:
    """Legs and arms swing, the root travels 1 m/s along z; every joint also turns a little, so that no angle is 0."""
    names, parents, offsets = zip(*JOINTS, strict=True)
    skeleton = Skeleton("walker", names, parents, np.array(offsets), (3, 6), TOES if toes else ())
    seconds = np.arange(frames) / fps
    swing = 0.4 * np.sin(2 * np.pi * seconds)
    turns = 0.05 * np.random.default_rng(seed).normal(size=(1, len(JOINTS), 3)) * np.ones((frames, 1, 1))
    for joint, sign in ((1, 1.0), (4, -1.0), (10, -1.0), (13, 1.0)):
        turns[:, joint, 0] += sign * swing
    root = np.stack([np.zeros(frames), np.full(frames, 0.93), seconds], axis=-1)
    return Motion(skeleton, root, R.rotvec_to_unitquat(turns), fps, "walk", "a person walks")
