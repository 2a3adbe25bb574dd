"""Densities in the plane: a curve (or a few points), with Gaussian noise about it.

All fit into about [-2, 2] x [-2, 2]. A place on the curve is a number u in [0, 1), uniform in the real data.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from core.seeds import Seed, streams

Array = NDArray[np.float64]

MARGIN = 6.0  # how far beyond the curve the pictures and tables reach, in units of the noise
TINY = 1e-300


def _blobs(u: Array) -> Array:
    return _on_circle(np.floor(3 * u) / 3 + 0.25, 1.0)


def _ring(u: Array) -> Array:
    return _on_circle(np.floor(8 * u) / 8, 1.5)


def _moons(u: Array) -> Array:
    upper, lower = _on_circle(u, 1.0), np.array([1.0, 0.5]) - _on_circle(u - 0.5, 1.0)
    points: Array = np.where((u < 0.5)[..., None], upper, lower) - np.array([0.5, 0.25])
    return points


def _circles(u: Array) -> Array:
    return _on_circle(2 * u, 1.0) * np.where(u < 0.5, 1.0, 0.5)[..., None]


def _swiss_roll(u: Array) -> Array:
    turns = 0.75 + 1.5 * u
    return _on_circle(turns, 1.0) * (turns / 1.5)[..., None]


def _on_circle(turns: Array, radius: float) -> Array:
    points: Array = radius * np.stack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], axis=-1)
    return points


@dataclass(frozen=True)
class Shape:
    """One density.

    Attributes:
        title: what the page calls it.
        modes: its clusters; of a curve, equal pieces of u. What mode coverage counts.
        curve: u (...) -> points (..., 2).
    """

    title: str
    modes: int
    curve: Callable[[Array], Array]


SHAPES: dict[str, Shape] = {
    "blobs": Shape("Three blobs", 3, _blobs),
    "ring": Shape("Eight blobs on a ring", 8, _ring),
    "moons": Shape("Two moons", 8, _moons),
    "circles": Shape("Two circles", 8, _circles),
    "swiss-roll": Shape("Swiss roll", 8, _swiss_roll),
}


def draw(shape: str, seed: Seed, size: tuple[int, int], noise: float) -> tuple[Array, NDArray[np.int64]]:
    """(S, N, 2) points and (S, N) the mode that each belongs to.

    Args:
        size: (S, N).
        noise: standard deviation about the curve.
    """
    found = SHAPES[shape]
    points, modes = np.empty((*size, 2)), np.empty(size, np.int64)
    for rows, stream in streams(seed, size[0]):
        u = stream.random(modes[rows].shape)
        stream.standard_normal(out=points[rows])
        points[rows] *= noise
        points[rows] += found.curve(u)
        modes[rows] = u * found.modes
    return points, modes


@dataclass(frozen=True)
class Density:
    """The law that :func:`draw` draws from: its curve as many points, each with the noise about it.

    The points stand at most half a standard deviation apart: their sum is as smooth as the integral.
    """

    shape: str
    noise: float

    @cached_property
    def anchors(self) -> Array:
        """(A, 2) points of the curve, equally likely; a multiple of the modes in number, in their order."""
        found = SHAPES[self.shape]
        longest = 24.0  # more than any curve's greatest speed |dx/du|
        count = -(-int(np.ceil(2 * longest / self.noise)) // found.modes) * found.modes
        count = found.modes if self.shape in ("blobs", "ring") else count
        return found.curve((np.arange(count) + 0.5) / count)

    def sample(self, seed: Seed, shape: tuple[int, int]) -> Array:
        """(S, N, 2)."""
        return draw(self.shape, seed, shape, self.noise)[0]

    def log_density(self, values: Array) -> Array:
        """(S, N) of points (S, N, 2)."""
        points, found = values.reshape(-1, 2), np.empty(values.shape[0] * values.shape[1])
        for first in range(0, len(found), 1024):
            rows = slice(first, first + 1024)
            gap = points[rows, None] - self.anchors
            logs = np.einsum("nad,nad->na", gap, gap) / (-2 * self.noise**2)
            most = logs.max(1)
            found[rows] = most + np.log(np.exp(logs - most[:, None]).mean(1))
        found -= np.log(2 * np.pi * self.noise**2)
        return found.reshape(values.shape[:2])

    @property
    def limits(self) -> list[list[float]]:
        """[[low, high]] of x and y, noise included."""
        reach = MARGIN * self.noise
        low, high = self.anchors.min(0) - reach, self.anchors.max(0) + reach
        return [[float(a), float(b)] for a, b in zip(low, high, strict=True)]

    def on_grid(self, spacing: float) -> tuple[Array, Array, Array]:
        """x (X,), y (Y,) and the density that each mode adds there (modes, X, Y)."""
        x, y = (np.arange(low, high + spacing, spacing) for low, high in self.limits)
        parts = self.anchors.reshape(SHAPES[self.shape].modes, -1, 2)
        columns = np.exp((x - parts[..., 0, None]) ** 2 / (-2 * self.noise**2))
        rows = np.exp((y - parts[..., 1, None]) ** 2 / (-2 * self.noise**2))
        added = np.matmul(columns.transpose(0, 2, 1), rows)
        return x, y, added / (len(self.anchors) * 2 * np.pi * self.noise**2)


@dataclass(frozen=True)
class Table:
    """A density's logarithm and nearest modes on a fine grid, to look up many points fast.

    Attributes:
        low: (2,) its corner; ``spacing`` its step.
        score: (X, Y) negative log density at the nodes.
        mode: (X, Y) the mode that a node most likely belongs to.
    """

    low: Array
    spacing: float
    score: Array
    mode: NDArray[np.int64]

    def look_up(self, values: Array) -> tuple[Array, NDArray[np.int64]]:
        """(S, N) negative log densities, linear between the nodes, and modes of points (S, N, 2); inf and 0 outside."""
        x, y = ((values[..., axis] - self.low[axis]) / self.spacing for axis in (0, 1))
        wide, high = self.score.shape
        outside = ~((x >= 0) & (x < wide - 1) & (y >= 0) & (y < high - 1))
        x[outside] = y[outside] = 0.0
        i, j = x.astype(np.intp), y.astype(np.intp)
        x -= i
        y -= j
        i *= high
        i += j
        score = self.score.ravel()
        near = (1 - y) * np.take(score, i) + y * np.take(score, i + 1)
        far = (1 - y) * np.take(score, i + high) + y * np.take(score, i + high + 1)
        near += x * (far - near)
        near[outside] = np.inf
        return near, np.take(self.mode.ravel(), i)


@lru_cache(maxsize=8)
def table_of(density: Density) -> Table:
    """Nodes a quarter of the noise apart: interpolated log densities are too low by about .01, of real points too."""
    spacing = density.noise / 4
    x, y, added = density.on_grid(spacing)
    score = -np.log(np.maximum(added.sum(0), TINY))
    return Table(np.array([x[0], y[0]]), spacing, score, added.argmax(0).astype(np.int64))
