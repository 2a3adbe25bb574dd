"""Gaussians fitted to samples of Gaussians (Shumailov et al. 2024; Gillman et al. 2024; Kazdan et al. 2024).

A checkpoint holds ``mean`` (S, d) and ``scale`` (S, d), the standard deviations along the fit's principal axes (along
the coordinates, where the fit is diagonal); full fits also the symmetric root of the covariance, ``root`` (S, d, d).
That root changes little when the covariance does, unlike eigenvectors, and exists for singular ones, unlike Cholesky's.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.draws import Draws
from core.protocols import Labels, Measured, Tails, Tick, silent
from core.records import Item
from core.seeds import Seed, normal
from model.analytic.light import unlabelled
from model.tails import yardstick

Array = NDArray[np.float64]

QUANTILES = 1000  # by which the true law's distances are represented
FLOOR_DRAWS, FLOOR_SEED = 4, 20240817


@dataclass(frozen=True)
class Truth:
    """N(mean, std^2 I) in d dimensions."""

    d: int
    std: float
    mean: float

    def sample(self, seed: Seed, shape: tuple[int, int]) -> Array:
        """(S, N, d)."""
        values = normal(seed, (*shape, self.d))
        if self.std != 1.0:
            values *= self.std
        if self.mean != 0.0:
            values += self.mean
        return values

    def log_density(self, values: Array) -> Array:
        """(S, N)."""
        found: Array = -0.5 * self.distance(values) ** 2 - self.d * np.log(self.std * np.sqrt(2 * np.pi))
        return found

    def distance(self, values: Array) -> Array:
        """(S, N) Mahalanobis distances from the mean."""
        centred = values - self.mean if self.mean != 0.0 else values
        length = np.abs(centred[..., 0]) if self.d == 1 else np.sqrt(np.einsum("snd,snd->sn", centred, centred))
        return np.asarray(length / self.std, np.float64)


@dataclass(frozen=True)
class GaussianFit:
    """Mean and covariance of the samples. Implements :class:`core.protocols.Generator`.

    Attributes:
        biased: divide by n instead of n - 1 (maximum likelihood).
        diagonal: fit no covariances.
    """

    biased: bool
    diagonal: bool

    def fit(
        self, samples: Draws, *, start: Item | None, scratch: bool, steps: int, seed: Seed, tick: Tick = silent
    ) -> Item:
        """Closed form, so there are no steps. A seed that is left with no sample keeps what it had; one sample has no
        spread."""
        del scratch, steps, seed, tick
        values, weight = samples.values, samples.weight
        total = np.full(samples.seeds, float(len(samples))) if weight is None else weight.sum(1)
        share = np.full((1, 1, len(samples)), 1.0 / len(samples)) if weight is None else _shares(weight, total)
        mean = np.matmul(share, values)[:, 0]
        centred = values - mean[:, None]
        counted = centred if weight is None else centred * weight[:, :, None]
        divisor = total if self.biased else np.where(total > 1.0, total - 1.0, np.inf)
        divisor = np.maximum(divisor, np.finfo(float).tiny)[:, None]
        arrays = {"mean": mean}
        if self.diagonal or values.shape[2] == 1:
            arrays["scale"] = np.sqrt(np.einsum("snd,snd->sd", counted, centred) / divisor)
        else:
            covariance = np.matmul(counted.transpose(0, 2, 1), centred) / divisor[:, :, None]
            variances, axes = np.linalg.eigh(covariance)
            arrays["scale"] = np.sqrt(variances.clip(0.0))
            arrays["root"] = np.matmul(axes * arrays["scale"][:, None, :], axes.transpose(0, 2, 1))
        if start is not None and not total.all():
            gone = total == 0.0
            for name, found in arrays.items():
                found[gone] = start.arrays[name][gone]
        entropy = np.log(arrays["scale"].clip(1e-300)).sum(1) + 0.5 * values.shape[2] * np.log(2 * np.pi * np.e)
        return Item(arrays, {"training": {"loss": float(entropy.mean()), "steps": 1.0}})

    def sample(self, checkpoint: Item, labels: Labels, *, guidance: float, seed: Seed, tick: Tick = silent) -> Draws:
        """(S, N, d); there are no classes, so guidance means nothing."""
        del guidance, tick
        mean = checkpoint.arrays["mean"]
        values = normal(seed, (len(mean), len(labels), mean.shape[1]))
        if "root" in checkpoint.arrays:
            values = np.matmul(values, checkpoint.arrays["root"])
        else:
            values *= checkpoint.arrays["scale"][:, None]
        values += mean[:, None]
        return Draws(values, labels)


class GaussianJudge:
    """Compares the fitted Gaussian with the true one. Implements :class:`core.protocols.Evaluator`."""

    def __init__(self, truth: Truth) -> None:
        from scipy.special import chdtri  # the quantiles of a chi-square law

        self._truth = truth
        beyond = 1.0 - (np.arange(QUANTILES) + 0.5) / QUANTILES
        self._yardstick = yardstick(np.sqrt(chdtri(truth.d, beyond))[None], "distance from the mean, in std")

    def measure(self, samples: Draws, model: Item | None = None) -> Measured:
        """Of the fit; where there is none, of the samples' own mean and covariance.

        2-Wasserstein: |m - m0|^2 + tr(C + C0 - 2 (C0^1/2 C C0^1/2)^1/2); with C0 = std^2 I, which commutes with every
        C, the trace is the sum of (scale - std)^2 (Givens and Shortt 1984).
        """
        if model is None:
            fit = GaussianFit(biased=False, diagonal=False)
            model = fit.fit(samples, start=None, scratch=False, steps=0, seed=0)
        mean, scale, std, d = model.arrays["mean"], model.arrays["scale"], self._truth.std, self._truth.d
        gap = ((mean - self._truth.mean) ** 2).sum(1)
        squared = gap + ((scale - std) ** 2).sum(1)
        variance = (scale**2).mean(1) / std**2
        return {
            "w2": np.sqrt(squared),
            "w2_squared": squared,
            "variance": variance,
            "std": np.sqrt(variance),
            "spread": gap / (d * std**2) + variance,
            "mean_error": np.sqrt(gap) / std,
        }

    def tails(self, samples: Draws, model: Item | None = None) -> Tails:
        """By distance from the true mean, against the true law's own quantiles."""
        del model
        return self._yardstick.of(self._truth.distance(samples.values))

    def floor(self, count: int) -> dict[str, list[float]]:
        """Only of the tail: everything else is measured on a fit."""
        values = self._truth.sample(FLOOR_SEED, (FLOOR_DRAWS, count))
        return {"tail": self.tails(unlabelled(values)).beyond(0.05).tolist()}


def _shares(weight: Array, total: Array) -> Array:
    """(S, 1, N) weights that add up to 1 (to 0 where nothing is there)."""
    found: Array = (weight / np.where(total > 0.0, total, 1.0)[:, None])[:, None]
    return found
