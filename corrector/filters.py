"""Filters along time for motions of any length: a bank of Whittaker smoothers, and short Gaussian kernels."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import rotations as R

Array = R.Array

PENALTIES = tuple(float(v) for v in np.geomspace(0.02, 2e4, 36))
"""Smoothness weights, weak to strong: the cut-off falls from half the frame rate to about a second."""
ORDER = (
    2  # second differences are penalised: straight lines pass unchanged, also at the ends; third ones left more jitter
)


def whittaker(values: Array, penalty: float) -> Array:
    """Minimise |y - x|^2 + penalty |D^2 y|^2 along the first axis (Whittaker 1923; Eilers 2003, eq. 5).

    Args:
        values: (T, M) columns, each smoothed apart from the others; fewer than 3 frames pass unchanged.
    """
    from scipy.linalg import solveh_banded

    if len(values) <= ORDER:
        return values
    smooth: Array = solveh_banded(_normal_matrix(len(values), penalty), values, lower=True, check_finite=False)
    return smooth


@lru_cache(maxsize=128)
def _normal_matrix(frames: int, penalty: float) -> Array:
    """Lower bands (ORDER + 1, T) of I + penalty D'D."""
    difference = np.array([1.0, -2.0, 1.0])
    bands = np.zeros((ORDER + 1, frames))
    for lag in range(ORDER + 1):
        products = difference[: ORDER + 1 - lag] * difference[lag:]
        for k, product in enumerate(products):
            bands[lag, k : k + frames - ORDER] += product
    bands *= penalty
    bands[0] += 1.0
    return bands


def weakest_smoother(columns: Array, scale: Callable[[Array], Array], target: Array) -> Array:
    """Each of M channels through the weakest smoother that brings its noise scale to its target.

    Args:
        columns: (T, M, D) channels of D values.
        scale: noise scales (M,) of channels (T, M, D).
        target: (M,).
    """
    result = columns.copy()
    left = np.flatnonzero(scale(columns) > target)
    frames, _, width = columns.shape
    for i, penalty in enumerate(PENALTIES):
        if not len(left):
            break
        smooth = whittaker(columns[:, left].reshape(frames, -1), penalty).reshape(frames, -1, width)
        done = scale(smooth) <= target[left]
        if i == len(PENALTIES) - 1:
            done[:] = True
        result[:, left[done]] = smooth[:, done]
        left = left[~done]
    return result


def gaussian(values: Array, sigma: float, radius: int) -> Array:
    """Gaussian mean along axis 1 of (N, T, ...), ends repeated, kernel cut at ``radius`` frames."""
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    windows = _windows(values, radius)
    return sum((weight * window for weight, window in zip(kernel, windows, strict=True)), start=np.zeros(()))


def running_maximum(values: Array, radius: int) -> Array:
    """Largest value within ``radius`` frames along axis 1 of (N, T, ...)."""
    largest: Array = np.maximum.reduce(_windows(values, radius))
    return largest


def covering(values: Array, sigma: float, radius: int) -> Array:
    """A smooth curve (N, T) that lies on or above the given one, and is zero where all near it is zero."""
    return gaussian(running_maximum(values, radius), sigma, radius)


def smoothstep(value: Any) -> NDArray[np.float64]:
    """0 below 0, 1 above 1, smooth between."""
    clipped = np.clip(value, 0.0, 1.0)
    return np.asarray(clipped * clipped * (3.0 - 2.0 * clipped), dtype=np.float64)


def _windows(values: Array, radius: int) -> list[Array]:
    """The curve shifted by -radius ... radius frames, ends repeated."""
    frames = values.shape[1]
    padding = [(0, 0), (radius, radius)] + [(0, 0)] * (values.ndim - 2)
    padded = np.pad(values, padding, mode="edge")
    return [padded[:, k : k + frames] for k in range(2 * radius + 1)]
