"""The 22 body joints that SMPL, SMPL+H and SMPL-X share, and a body to stand in for the licensed one.

Joint positions of the real bodies come from a model that may not be passed on. MEAN_OFFSETS_M is a stand-in: a grown
person's proportions rounded to the centimetre, left and right made equal, in SMPL's rest pose (a T-pose, y up, facing
+z, left on +x). Bones of a real subject differ by a few centimetres, so feet may sink or slide that much.
"""

import numpy as np

from core.skeleton import Skeleton

JOINTS = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
)  # fmt: skip
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)
MEAN_OFFSETS_M = np.array([
    (0, 0, 0), (0.07, -0.09, 0), (-0.07, -0.09, 0), (0, 0.11, -0.03), (0.04, -0.38, 0), (-0.04, -0.38, 0),
    (0, 0.14, 0), (-0.01, -0.40, -0.04), (0.01, -0.40, -0.04), (0, 0.05, 0.02), (0.03, -0.06, 0.12),
    (-0.03, -0.06, 0.12), (0, 0.21, -0.04), (0.08, 0.12, -0.03), (-0.08, 0.12, -0.03), (0, 0.07, 0.05),
    (0.09, 0.03, -0.01), (-0.09, 0.03, -0.01), (0.26, -0.01, -0.02), (-0.26, -0.01, -0.02), (0.25, 0.01, 0),
    (-0.25, 0.01, 0),
])  # fmt: skip
PELVIS_M = np.array([0.0, -0.22, 0.03])
"""Where the pelvis rests in the body model's frame: its world position is ``trans`` plus this, whatever the pose."""


def mean_skeleton(name: str = "smpl") -> Skeleton:
    """22 joints, about 1.7 m tall."""
    return Skeleton(name, JOINTS, PARENTS, MEAN_OFFSETS_M)
