"""Smooth curves by weighted least squares: what a curve and its derivatives should be, each with a tolerance."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from core import rotations as R

Array = R.Array


@dataclass(frozen=True, eq=False)
class Wish:
    """What a derivative of the curves should be.

    Attributes:
        order: of the derivative, 0 for the curve itself.
        weight: (M, T - order) or what broadcasts to it; 1 / tolerance^2.
        goal: (M, T - order, C) or what broadcasts to it.
    """

    order: int
    weight: Array
    goal: Array | float = 0.0


def fit(rows: int, frames: int, width: int, fps: float, wishes: Sequence[Wish]) -> Array:
    """Curves (rows, frames, width) x that minimise the sum over wishes of weight |D^order x - goal|^2.

    D is the forward difference times ``fps``; a wish of an order that the motion is too short for is dropped. All rows
    are one banded system (a generalised Whittaker smoother; Eilers 2003), so that thousands cost one call.
    """
    from scipy.linalg import solveh_banded

    if not rows or not frames:
        return np.zeros((rows, frames, width))
    wishes = [wish for wish in wishes if wish.order < frames]
    bands = np.zeros((max(w.order for w in wishes) + 1, rows, frames))
    right = np.zeros((rows, frames, width))
    for wish in wishes:
        order, length = wish.order, frames - wish.order
        weight = np.broadcast_to(wish.weight, (rows, length))
        goal = np.broadcast_to(wish.goal, (rows, length, width))
        difference = [(-1.0) ** (order - k) * comb(order, k) * fps**order for k in range(order + 1)]
        for k, value in enumerate(difference):
            right[:, k : k + length] += value * weight[..., None] * goal
            for lag in range(order + 1 - k):
                bands[lag, :, k : k + length] += value * difference[k + lag] * weight
    solved: Array = solveh_banded(
        bands.reshape(len(bands), -1), right.reshape(-1, width), lower=True, check_finite=False
    )
    return solved.reshape(rows, frames, width)
