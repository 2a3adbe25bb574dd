"""The effective strength gamma of a correction, from features before and after.

The paper's idealized correction of strength gamma replaces the model's distribution p by the mixture
(p + gamma p*) / (1 + gamma), p* being the real one (Gillman et al. 2024, eq. 5). Every expectation is linear in the
distribution, so every kernel mean embedding moves on the straight line from p to p*, and for every kernel the maximum
mean discrepancy shrinks by exactly that factor: MMD(after, p*) = MMD(p, p*) / (1 + gamma). So
gamma = sqrt(MMD2 before / MMD2 after) - 1. FID has no such law: the mean's part shrinks by (1 + gamma)^2, the
covariance's does not.

The kernel is that of the energy distance (Szekely & Rizzo 2013), -|x - y|: it sees every difference of distributions,
also mere loss of variety, and its tails are light (the cubic kernel of KID, Binkowski et al. 2018, tells a collapsed
loop from real motion about half as surely). The estimator is unbiased, so that n does not shift it as it shifts FID.
Features are standardised by the reference first, a fixed map that leaves the law as it is; whitening them instead would
let the directions in which real motion hardly varies decide alone.

Limits: it is the strength *as the evaluator's features see it*; a corrector that moves motions is no mixture, so gamma
says how much nearer the distribution came, not that it became that mixture. Where the input is real within the noise
there is nothing to shrink, and gamma is not identifiable.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from core.discrepancy import Discrepancy, Distance

Features = NDArray[np.float64]

CERTAIN = 3.0
"""Standard errors above zero from which a distance counts as one."""


class Gamma(BaseModel):
    """An estimate.

    Attributes:
        value: None where it is not identifiable, and where the output is as good as real (then ``low`` bounds it).
            Negative where the output is further from real than the input.
        low, high: two standard errors of the distance after the correction; ``high`` is None where nothing bounds it.
        words: what it says, or why there is none.
    """

    model_config = ConfigDict(frozen=True)

    value: float | None
    low: float | None
    high: float | None
    words: str


@dataclass(frozen=True, eq=False)
class Embedding:
    """What standardises features, mean (F,) and scale (F,), and the reference so standardised."""

    mean: Features
    scale: Features
    standard: Discrepancy

    @classmethod
    def of(cls, reference: Features) -> "Embedding":
        mean, scale = reference.mean(0), reference.std(0)
        scale = np.where(scale > 1e-9 * scale.max(), scale, 1.0)  # a feature that never varies
        return cls(mean, scale, Discrepancy.of((reference - mean) / scale, kernel))

    def distance(self, features: Features) -> Distance:
        """Energy distance of features (N, F), N >= 3, to the reference."""
        return self.standard.distance((features - self.mean) / self.scale)


def kernel(a: Features, b: Features) -> Features:
    """(N, M) minus the distance per root of the dimension, of features (N, F) and (M, F)."""
    square = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    found: Features = -np.sqrt(square.clip(0) / a.shape[1])
    return found


def gamma_of(before: Distance, after: Distance) -> Gamma:
    """The strength of the paper's correction that brings the distance from ``before`` to ``after``."""
    if before.value <= CERTAIN * before.error:
        return Gamma(
            value=None, low=None, high=None, words="not identifiable: before correction it is real within the noise"
        )
    low = _strength(before.value, max(after.value, 0.0) + 2 * after.error)
    if after.value <= 2 * after.error:
        return Gamma(value=None, low=low, high=None, words=f"at least {low:.2g}: what is left is within the noise")
    value, high = _strength(before.value, after.value), _strength(before.value, after.value - 2 * after.error)
    if value < 0:
        words = f"{value:.2g}: the output is further from real motion than the input"
    else:
        words = f"{value:.2g} ({low:.2g} to {high:.2g})"
    return Gamma(value=value, low=low, high=high, words=words)


def _strength(before: float, after: float) -> float:
    return float(np.sqrt(before / max(after, 1e-12)) - 1.0)
