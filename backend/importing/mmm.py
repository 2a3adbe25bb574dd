"""The 21 joints of KIT-ML (Plappert et al. 2016): the Master Motor Map's reference body (Terlemez et al. 2014).

In the order of its files, under names that say what they are; the Map's own are beside. Its segments are shares of the
body's height, which features do not tell.
"""

import numpy as np

JOINTS = (
    "pelvis",  # root
    "lower_spine", "upper_spine", "lower_neck", "upper_neck",  # BP, BT, BLN, BUN
    "left_shoulder", "left_elbow", "left_wrist",  # LS, LE, LW
    "right_shoulder", "right_elbow", "right_wrist",
    "left_hip", "left_knee", "left_ankle", "left_midfoot", "left_toes",  # LH, LK, LA, LMrot, LF
    "right_hip", "right_knee", "right_ankle", "right_midfoot", "right_toes",
)  # fmt: skip
PARENTS = (-1, 0, 1, 2, 3, 3, 5, 6, 3, 8, 9, 0, 11, 12, 13, 14, 0, 16, 17, 18, 19)
OFFSETS = np.array([
    (0, 0, 0), (0, 80, 0), (0, 120, 0), (0, 44, 0), (0, 30, 0),
    (110, 0, 0), (188, 0, 0), (145, 0, 0), (-110, 0, 0), (-188, 0, 0), (-145, 0, 0),
    (52, 0, 0), (0, -245, 0), (0, -246, 0), (-0.6, -18.7, 23.8), (8.8, -14.4, 53.7),
    (-52, 0, 0), (0, -245, 0), (0, -246, 0), (0.6, -18.7, 23.8), (-8.8, -14.4, 53.7),
]) / 1000  # fmt: skip
"""In a T-pose that faces +z, left on +x, as shares of the height."""
HEIGHT_M = 1.75
"""Of a grown person, where nobody says."""
