"""Kernel density estimates of samples of kernel density estimates (Kazdan et al. 2024).

A checkpoint is the training set: ``points`` (S, N, 2) and, where samples count differently, ``weight`` (S, N).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.draws import Draws
from core.protocols import Labels, Measured, Tails, Tick, silent
from core.records import Arrays, Item
from core.seeds import Seed, streams
from model.analytic.light import unlabelled
from model.analytic.sliced import SlicedW2, covered
from model.domains.densities import SHAPES, Density, table_of
from model.tails import yardstick

Array = NDArray[np.float64]

BLOCK = 1 << 17  # kernel values that are worked on at a time: they stay in the processor's cache
HELD_OUT, FLOOR_DRAWS, FLOOR_SEED = 4000, 4, 20240817
TINY = 1e-300


@dataclass(frozen=True)
class KernelDensity:
    """A Gaussian kernel on every sample. Implements :class:`core.protocols.Generator`.

    Attributes:
        bandwidth: standard deviation of the kernels.
        centres: the most that are kept; of more samples evenly many of every set are left out.
    """

    bandwidth: float
    centres: int

    def fit(
        self, samples: Draws, *, start: Item | None, scratch: bool, steps: int, seed: Seed, tick: Tick = silent
    ) -> Item:
        """Keeps the samples; nothing is trained. A seed that is left with none keeps what it had."""
        del scratch, steps, seed, tick
        if len(samples) > self.centres:
            samples = samples.take(np.arange(self.centres) * len(samples) // self.centres)
        arrays: Arrays = {"points": samples.values}
        if samples.weight is not None:
            arrays["weight"] = samples.weight
            gone = samples.weight.sum(1) == 0.0
            if start is not None and gone.any():
                arrays = _kept(arrays, start.arrays, gone)
        return Item(arrays, {"training": {"loss": 0.0, "steps": 1.0}})

    def sample(self, checkpoint: Item, labels: Labels, *, guidance: float, seed: Seed, tick: Tick = silent) -> Draws:
        """(S, N, 2): a training point each, and noise; there are no classes, so guidance means nothing."""
        del guidance, tick
        points, weight = checkpoint.arrays["points"], checkpoint.arrays.get("weight")
        seeds, count, d = points.shape
        chance, values = np.empty((seeds, len(labels))), np.empty((seeds, len(labels), d))
        for rows, stream in streams(seed, seeds):
            stream.random(out=chance[rows])
            stream.standard_normal(out=values[rows])
        index = (chance * count).astype(np.intp) if weight is None else pick(weight, chance)
        index += np.arange(seeds)[:, None] * count
        values *= self.bandwidth
        values += np.take(points.reshape(-1, d), index, axis=0)
        return Draws(values, labels)


class KernelJudge:
    """Compares with the true density. Implements :class:`core.protocols.Evaluator`."""

    def __init__(self, truth: Density, bandwidth: float) -> None:
        self._truth, self._bandwidth = truth, bandwidth
        self._table = table_of(truth)
        scores = self._table.look_up(truth.sample(FLOOR_SEED, (1, HELD_OUT)))[0]
        self._yardstick = yardstick(scores, "negative log density of the real law")
        self._bound = float(np.quantile(scores, 0.999))
        self._sliced = SlicedW2(truth.sample(FLOOR_SEED + 1, (1, 5 * HELD_OUT))[0])
        x, y, added = truth.on_grid(min(truth.noise, bandwidth))
        density = added.sum(0).ravel()
        self._x, self._y = x, y
        self._nodes = np.flatnonzero(density > density.max() * 1e-9)
        self._share = density[self._nodes] / density[self._nodes].sum()
        self._entropy = -float(self._share @ np.log(density[self._nodes]))

    def measure(self, samples: Draws, model: Item | None = None) -> Measured:
        score, mode = self._table.look_up(samples.values)
        found = {
            "modes": covered(mode, score <= self._bound, SHAPES[self._truth.shape].modes),
            "sliced_w2": self._sliced(samples.values),
        }
        return found if model is None else {"nll": self._nll(model)} | found

    def _nll(self, model: Item) -> Array:
        """(S,) expectation of the negative log density over the true law: an integral on a grid, no held-out samples.

        The true density is smooth at the scale of its noise, so the sum over a grid as fine converges at once (the
        trapezoidal rule); and the kernels are products of an x and a y part, so a grid costs little more than its two
        sides. A point more than 37 bandwidths from every sample counts with the 690 nats of the smallest number.
        """
        points, weight = model.arrays["points"], model.arrays.get("weight")
        seeds, count, _ = points.shape
        found, scale = np.empty(seeds), -0.5 / self._bandwidth**2
        norm = np.full(seeds, float(count)) if weight is None else weight.sum(1)
        block = max(1, BLOCK // (count * (len(self._x) + len(self._y))))
        for first in range(0, seeds, block):
            rows = slice(first, first + block)
            across = np.exp(scale * (points[rows, :, 0, None] - self._x) ** 2)  # (s, N, X)
            along = np.exp(scale * (points[rows, :, 1, None] - self._y) ** 2)
            if weight is not None:
                along *= weight[rows, :, None]
            density = np.matmul(across.transpose(0, 2, 1), along).reshape(len(across), -1)[:, self._nodes]
            found[rows] = np.log(np.maximum(density, TINY)) @ self._share
        return np.asarray(np.log(norm * 2 * np.pi * self._bandwidth**2) - found, np.float64)

    def tails(self, samples: Draws, model: Item | None = None) -> Tails:
        """By the true density."""
        del model
        return self._yardstick.of(self._table.look_up(samples.values)[0])

    def floor(self, count: int) -> dict[str, list[float]]:
        """Of real samples; the likelihood's floor is the true law's own entropy."""
        real = unlabelled(self._truth.sample(FLOOR_SEED + 2, (FLOOR_DRAWS, count)))
        measured = {**self.measure(real), "tail": self.tails(real).beyond(0.05)}
        return {"nll": [self._entropy]} | {name: np.asarray(values).tolist() for name, values in measured.items()}


def pick(weight: Array, chance: Array) -> NDArray[np.intp]:
    """(S, M) indices into the N columns, each as likely as its weight: a binary search in every row at once.

    Args:
        weight: (S, N), not negative, not all 0 in a row.
        chance: (S, M) uniform numbers in [0, 1).
    """
    sums = np.cumsum(weight, axis=1)
    wanted = chance * sums[:, -1:]
    low, high = np.zeros(chance.shape, np.intp), np.full(chance.shape, weight.shape[1] - 1, np.intp)
    for _ in range(int(weight.shape[1]).bit_length()):
        middle = (low + high) >> 1
        right = np.take_along_axis(sums, middle, axis=1) <= wanted
        low, high = np.where(right, np.minimum(middle + 1, high), low), np.where(right, high, middle)
    return low


def _kept(arrays: Arrays, before: Arrays, gone: NDArray[np.bool_]) -> Arrays:
    """The new training sets, and those of before for the seeds that have none; short ones filled up with weight 0."""
    width = max(arrays["points"].shape[1], before["points"].shape[1])
    old, new = (_filled(one, width) for one in (before, arrays))
    for name, values in new.items():
        values[gone] = old[name][gone]
    return new


def _filled(arrays: Arrays, width: int) -> Arrays:
    points = arrays["points"]
    weight = arrays.get("weight", np.ones(points.shape[:2]))
    more = ((0, 0), (0, width - points.shape[1]))
    return {"points": np.pad(points, (*more, (0, 0))), "weight": np.pad(weight, more)}
