"""Distances between clouds of points that see their modes, for many clouds at once."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DIRECTIONS, SEED = 8, 20240817
LEAST_SHARE = 0.1  # of a mode's fair share of the samples, for the mode to count as covered


class SlicedW2:
    """Sliced 2-Wasserstein distance to a fixed reference (Bonneel et al. 2015), exact in each direction.

    In the plane the directions are evenly spaced; elsewhere they are drawn once.
    """

    def __init__(self, reference: Array) -> None:
        """Args: reference: (M, d) real samples, many more than will be compared."""
        self._directions = directions(reference.shape[1])
        self._sorted = np.sort(self._directions @ reference.T, axis=1)  # (P, M)
        self._quantiles: dict[int, Array] = {}

    def __call__(self, values: Array) -> Array:
        """(S,) distances of clouds (S, N, d)."""
        projected = np.matmul(self._directions, values.transpose(0, 2, 1))  # (S, P, N)
        projected.sort(axis=2)
        projected -= self._at(values.shape[1])
        flat = projected.reshape(len(values), -1)
        found: Array = np.sqrt(np.vecdot(flat, flat) / flat.shape[1])
        return found

    def _at(self, count: int) -> Array:
        """(P, N) the reference's quantiles that N sorted points are compared with."""
        if count not in self._quantiles:
            size = self._sorted.shape[1]
            place = (np.arange(count) + 0.5) / count * size - 0.5
            self._quantiles[count] = np.stack([np.interp(place, np.arange(size), row) for row in self._sorted])
        return self._quantiles[count]


def directions(d: int) -> Array:
    """(P, d) unit vectors."""
    if d == 1:
        return np.ones((1, 1))
    if d == 2:
        angle = np.arange(DIRECTIONS) * np.pi / DIRECTIONS
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)
    found = np.random.default_rng(SEED).standard_normal((max(DIRECTIONS, 2 * d), d))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float64)


def covered(mode: NDArray[np.integer], inside: NDArray[np.bool_], modes: int) -> Array:
    """(S,) share of the modes that get at least a tenth of their fair share of the samples.

    Args:
        mode: (S, N) the mode that each sample is nearest to.
        inside: (S, N) whether it lies where real samples do.
        modes: how many there are, all equally likely.
    """
    seeds, count = mode.shape
    cell = mode + np.arange(seeds)[:, None] * modes
    counts = np.bincount(cell[inside], minlength=seeds * modes).reshape(seeds, modes)
    return np.asarray((counts >= max(LEAST_SHARE * count / modes, 1.0)).mean(1), np.float64)
