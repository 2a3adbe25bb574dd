"""Which windows were cut from the same take, and folds for cross-validation that keep takes together.

A model that is tried on a window whose neighbour in time it was learned from looks better than it is.
"""

import numpy as np
from numpy.typing import NDArray

from core.rotations import Array

FOLDS = 8
FEWEST_TAKES = 4
SAME_STEPS = 0.6
"""Two windows overlap where some frame of one is nearer to a frame of the other than this times a step between frames:
cut at any phase, they are at most half a step apart."""


def folds_of(take: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """(N,) folds of windows from takes (N,), and how many of them are independent: whole takes where there are a few,
    else single windows."""
    _, number = np.unique(take, return_inverse=True)
    count = int(number.max(initial=-1)) + 1
    if count < FEWEST_TAKES:
        return np.arange(len(take)) % FOLDS, len(take)
    return np.asarray(number % FOLDS, dtype=np.int64), count


def takes_of(poses: Array) -> NDArray[np.int64]:
    """(N,) number of the take of each window (N, T, D), 0..: windows that overlap in time are of one take."""
    from scipy.sparse.csgraph import connected_components

    count = len(poses)
    if not count:
        return np.zeros(0, dtype=np.int64)
    poses = poses.astype(np.float32)
    step = np.linalg.norm(np.diff(poses, axis=1), axis=-1)
    near = np.median(step, axis=1) * SAME_STEPS
    square = (poses**2).sum(-1)
    linked = np.zeros((count, count), dtype=bool)
    for i in range(count):
        products = poses[i] @ poses.reshape(-1, poses.shape[2]).T
        distance = square[i][:, None] + square.reshape(1, -1) - 2.0 * products
        nearest = distance.min(0).reshape(count, -1)
        agreeing = (nearest < near[:, None] ** 2).sum(-1)
        linked[i] = agreeing >= 2
    _, take = connected_components(linked, directed=False)
    return np.asarray(take, dtype=np.int64)
