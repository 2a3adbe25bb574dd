"""How far samples are from a fixed reference, by a kernel: the squared maximum mean discrepancy, unbiased, and how
surely it is known (Gretton et al. 2012)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float64]
Kernel = Callable[[Features, Features], Features]
"""Features (N, F) and (M, F) -> (N, M)."""


@dataclass(frozen=True)
class Distance:
    """Squared discrepancy from the reference, unbiased (it may be negative), and its standard error."""

    value: float
    error: float


@dataclass(frozen=True, eq=False)
class Discrepancy:
    """The reference's features (M, F), a kernel, and its mean between two different ones of them."""

    reference: Features
    kernel: Kernel
    own: float

    @classmethod
    def of(cls, reference: Features, kernel: Kernel) -> "Discrepancy":
        between = kernel(reference, reference)
        np.fill_diagonal(between, 0.0)
        count = len(reference)
        return cls(reference, kernel, float(between.sum() / (count * (count - 1))))

    def distance(self, features: Features) -> Distance:
        """Of features (N, F), N >= 2; the standard error is the jackknife's over the rows (Efron & Stein 1981; infinite
        for two): the reference is many times larger, and its share is left out."""
        count = len(features)
        among = self.kernel(features, features)
        np.fill_diagonal(among, 0.0)
        rows, total = among.sum(1), float(among.sum())
        across = self.kernel(features, self.reference).mean(1)
        value = total / (count * (count - 1)) - 2 * across.mean() + self.own
        if count < 3:
            return Distance(float(value), float("inf"))
        without = (
            (total - 2 * rows) / ((count - 1) * (count - 2)) - 2 * (across.sum() - across) / (count - 1) + self.own
        )
        error = np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
        return Distance(float(value), float(error))
