"""Gaussian mixtures fitted by EM to samples of Gaussian mixtures, all seeds at once.

The log density of a Gaussian is linear in the features 1, x_i, x_i x_j, so both steps of EM are one product of
matrices each: (K, F) parameters with (F, N) features give the log densities, (K, N) responsibilities with the same
features the sufficient statistics (Dempster, Laird and Rubin 1977; the exponential-family form).

A checkpoint holds ``weight`` (S, K), ``mean`` (S, K, d) and ``covariance`` (S, K, d, d).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from core.draws import Draws
from core.errors import TrainingDiverged
from core.protocols import Labels, Measured, Tails, Tick, silent
from core.records import Arrays, Item
from core.seeds import Seed, streams, uniform
from model.analytic.light import unlabelled
from model.analytic.sliced import SlicedW2, covered
from model.tails import yardstick

Array = NDArray[np.float64]

BLOCK = 1 << 16  # log densities that are worked on at a time: they stay in the processor's cache
HELD_OUT, MEASURED, FLOOR_DRAWS, FLOOR_SEED = 4000, 2000, 4, 20240817
TINY = 1e-300


@dataclass(frozen=True)
class Truth:
    """Equally likely isotropic Gaussians on a line (d = 1) or a circle, neighbours ``separation`` std apart."""

    components: int
    separation: float
    d: int
    std: float

    @property
    def centres(self) -> Array:
        """(K, d), zero in the mean."""
        found = np.zeros((self.components, self.d))
        step, index = self.separation * self.std, np.arange(self.components)
        if self.d == 1 or self.components == 2:
            found[:, 0] = (index - (self.components - 1) / 2) * step
        else:
            angle = 2 * np.pi * index / self.components
            found[:, :2] = np.stack([np.cos(angle), np.sin(angle)], 1) * step / (2 * np.sin(np.pi / self.components))
        return found

    def sample(self, seed: Seed, shape: tuple[int, int]) -> Array:
        """(S, N, d)."""
        values = np.empty((*shape, self.d))
        for rows, stream in streams(seed, shape[0]):
            own = self.centres[stream.integers(self.components, size=values[rows].shape[:2])]
            values[rows] = own + self.std * stream.standard_normal(values[rows].shape)
        return values

    def by_component(self, values: Array) -> Array:
        """(S, K, N) log densities of each component, its weight included."""
        spread = np.broadcast_to(np.eye(self.d) * self.std**2, (1, self.components, self.d, self.d))
        even = np.full((1, self.components), 1.0 / self.components)
        logs: Array = np.matmul(parameters(even, self.centres[None], spread), features(values))
        return logs

    def log_density(self, values: Array) -> Array:
        """(S, N)."""
        return log_sum(self.by_component(values))


@dataclass(frozen=True)
class MixtureFit:
    """EM for a fixed number of steps. Implements :class:`core.protocols.Generator`.

    Attributes:
        components: K.
        floor: added to the variances, so that no component shrinks to a point.
    """

    components: int
    floor: float

    def fit(
        self, samples: Draws, *, start: Item | None, scratch: bool, steps: int, seed: Seed, tick: Tick = silent
    ) -> Item:
        """``steps`` of EM from ``start``; from k-means++ centres where there is none, or from scratch.

        Raises:
            TrainingDiverged: when the likelihood is not finite.
        """
        if start is None or scratch:
            begin = self._begin(samples, uniform(seed, (samples.seeds, self.components)))
        else:
            begin = start.arrays
        found: Arrays = {name: begin[name].copy() for name in ("weight", "mean", "covariance")}
        loss = np.empty(samples.seeds)
        block = max(1, BLOCK // (len(samples) * self.components))
        for first in range(0, samples.seeds, block):
            tick(first / samples.seeds, "Fitting mixtures")
            rows = slice(first, first + block)
            loss[rows] = self._climb(samples.of_seed(rows), {k: v[rows] for k, v in found.items()}, steps)
        if not np.isfinite(loss).all():
            raise TrainingDiverged(steps, float(loss[~np.isfinite(loss)][0]))
        return Item(found, {"training": {"loss": float(loss.mean()), "steps": float(steps)}})

    def _climb(self, samples: Draws, found: Arrays, steps: int) -> Array:
        """EM in place. Returns (S,) the negative log likelihood per sample that the last step began from."""
        phi, counts = features(samples.values), samples.weight
        likelihood = np.zeros((samples.seeds, len(samples)))
        for step in range(steps + 1):  # one more E step, for the likelihood of what came out
            logs = np.matmul(parameters(found["weight"], found["mean"], found["covariance"]), phi)  # (S, K, N)
            most = logs.max(1)
            logs -= most[:, None]
            shares = np.exp(logs, out=logs)
            total = shares.sum(1)
            if step == steps:
                likelihood = most + np.log(total)
                break
            shares *= ((1.0 if counts is None else counts) / total)[:, None]
            self._maximise(np.matmul(shares, phi.transpose(0, 2, 1)), found)
        if counts is None:
            return np.asarray(-likelihood.mean(1), np.float64)
        return np.asarray(-(likelihood * counts).sum(1) / np.maximum(counts.sum(1), TINY), np.float64)

    def _maximise(self, statistics: Array, found: Arrays) -> None:
        """The M step, in place. A component that no sample belongs to keeps its place and loses its weight.

        Args:
            statistics: (S, K, F) sums of the features.
        """
        d = found["mean"].shape[2]
        first, second = pairs(d)
        mass = statistics[..., 0]
        alive = mass > 1e-8
        means = statistics[..., 1:] / np.where(alive, mass, 1.0)[..., None]
        centre, square = means[..., :d], np.empty((*mass.shape, d, d))
        square[..., first, second] = square[..., second, first] = means[..., d:]
        square -= centre[..., :, None] * centre[..., None, :]
        index = np.arange(d)
        square[..., index, index] = square[..., index, index].clip(0.0) + self.floor
        total = mass.sum(1, keepdims=True)
        found["weight"][...] = np.where(total > 0.0, mass / np.where(total > 0.0, total, 1.0), found["weight"])
        found["mean"][...] = np.where(alive[..., None], centre, found["mean"])
        found["covariance"][...] = np.where(alive[..., None, None], square, found["covariance"])

    def _begin(self, samples: Draws, chance: Array) -> Arrays:
        """k-means++ centres (Arthur and Vassilvitskii 2007), each with the covariance of all samples.

        Args:
            chance: (S, K) uniform numbers.
        """
        values, weight = samples.values, samples.weights()
        rows, d = np.arange(samples.seeds), values.shape[2]
        total = np.maximum(weight.sum(1), TINY)
        centred = values - (np.matmul(weight[:, None], values) / total[:, None, None])
        spread = np.matmul((centred * weight[..., None]).transpose(0, 2, 1), centred) / total[:, None, None]
        mean = np.empty((samples.seeds, self.components, d))
        distance = np.full(weight.shape, np.inf)
        for k in range(self.components):
            sums = np.cumsum(weight if k == 0 else weight * distance, axis=1)
            index = (sums <= chance[:, k, None] * sums[:, -1:]).sum(1)
            mean[:, k] = values[rows, np.minimum(index, values.shape[1] - 1)]
            gap = values - mean[:, k, None]
            distance = np.minimum(distance, np.einsum("snd,snd->sn", gap, gap))
        covariance = spread + np.eye(d) * self.floor
        return {
            "weight": np.full(mean.shape[:2], 1.0 / self.components),
            "mean": mean,
            "covariance": np.repeat(covariance[:, None], self.components, axis=1),
        }

    def sample(self, checkpoint: Item, labels: Labels, *, guidance: float, seed: Seed, tick: Tick = silent) -> Draws:
        """(S, N, d); there are no classes, so guidance means nothing."""
        del guidance, tick
        weight, mean = checkpoint.arrays["weight"], checkpoint.arrays["mean"]
        root = np.linalg.cholesky(checkpoint.arrays["covariance"])
        seeds, parts, d = mean.shape
        chance, noise = np.empty((seeds, len(labels))), np.empty((seeds, len(labels), d))
        for rows, stream in streams(seed, seeds):
            stream.random(out=chance[rows])
            stream.standard_normal(out=noise[rows])
        sums = np.cumsum(weight, axis=1)
        part = np.zeros(chance.shape, np.intp)
        for k in range(parts - 1):
            part += chance >= sums[:, k, None]
        part += np.arange(seeds)[:, None] * parts
        values = np.take(mean.reshape(-1, d), part, axis=0)
        roots = root.reshape(-1, d, d)
        for i in range(d):
            for j in range(i + 1):
                values[..., i] += np.take(roots[:, i, j], part) * noise[..., j]
        return Draws(values, labels)


class MixtureJudge:
    """Compares with the true mixture. Implements :class:`core.protocols.Evaluator`."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        held_out = truth.sample(FLOOR_SEED, (1, HELD_OUT))
        self._features = features(held_out[:, :MEASURED])[0]
        self._scores = -truth.log_density(held_out)
        self._yardstick = yardstick(self._scores, "negative log density of the real law")
        self._bound = float(np.quantile(self._scores, 0.999))
        self._sliced = SlicedW2(truth.sample(FLOOR_SEED + 1, (1, 5 * HELD_OUT))[0])

    def measure(self, samples: Draws, model: Item | None = None) -> Measured:
        own = self._truth.by_component(samples.values)
        found = {
            "modes": covered(own.argmax(1), -log_sum(own) <= self._bound, self._truth.components),
            "sliced_w2": self._sliced(samples.values),
        }
        if model is None:
            return found
        fitted = parameters(model.arrays["weight"], model.arrays["mean"], model.arrays["covariance"])
        return {"nll": -log_sum(np.matmul(fitted, self._features)).mean(1)} | found

    def tails(self, samples: Draws, model: Item | None = None) -> Tails:
        """By the true density."""
        del model
        return self._yardstick.of(-self._truth.log_density(samples.values))

    def floor(self, count: int) -> dict[str, list[float]]:
        """Of real samples; the likelihood's floor is the true law's own, on the same held-out samples."""
        real = unlabelled(self._truth.sample(FLOOR_SEED + 2, (FLOOR_DRAWS, count)))
        measured = {**self.measure(real), "tail": self.tails(real).beyond(0.05)}
        found = {name: np.asarray(values).tolist() for name, values in measured.items()}
        return {"nll": [float(self._scores[:, :MEASURED].mean())]} | found


@lru_cache
def pairs(d: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """i and j of the products x_i x_j, i <= j."""
    return np.triu_indices(d)


def features(values: Array) -> Array:
    """(S, F, N) of samples (S, N, d): 1, x_i, and x_i x_j for i <= j."""
    seeds, count, d = values.shape
    first, second = pairs(d)
    found = np.empty((seeds, 1 + d + len(first), count))
    found[:, 0] = 1.0
    found[:, 1 : 1 + d] = values.transpose(0, 2, 1)
    for k, (i, j) in enumerate(zip(first, second, strict=True)):
        np.multiply(found[:, 1 + i], found[:, 1 + j], out=found[:, 1 + d + k])
    return found


def parameters(weight: Array, mean: Array, covariance: Array) -> Array:
    """(S, K, F) whose products with the features are log weights plus log densities."""
    d = mean.shape[-1]
    first, second = pairs(d)
    precision = np.linalg.inv(covariance)
    slope = np.matmul(precision, mean[..., None])[..., 0]
    half_log_det = np.log(np.diagonal(np.linalg.cholesky(covariance), axis1=-2, axis2=-1)).sum(-1)
    constant = np.log(np.maximum(weight, TINY)) - 0.5 * (slope * mean).sum(-1) - half_log_det
    found = np.empty((*mean.shape[:2], 1 + d + len(first)))
    found[..., 0] = constant - 0.5 * d * np.log(2 * np.pi)
    found[..., 1 : 1 + d] = slope
    found[..., 1 + d :] = precision[..., first, second] * np.where(first == second, -0.5, -1.0)
    return found


def log_sum(logs: Array) -> Array:
    """(S, N) log of the sum over components, of (S, K, N)."""
    most = logs.max(1)
    found: Array = most + np.log(np.exp(logs - most[:, None]).sum(1))
    return found
