"""What vanishes first: how much of the generated data lies beyond quantiles of the real data's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.protocols import Metric, Tails

Array = NDArray[np.float64]

LEVELS = (0.5, 0.2, 0.1, 0.05, 0.01)
BINS = 24
TAIL = Metric(
    "tail", "Tail mass", "", "real", "diversity",
    "Share of generated samples beyond the bound that 5 % of held-out real ones lie beyond: what vanishes first.",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Yardstick:
    """What the real data say, to be asked of every generation.

    Attributes:
        score: what is counted by, in words; larger the rarer a sample is.
        bounds: (S or 1, K) the scores that the levels' shares of real samples lie beyond.
        edges, real: (B+1,), (B,) histogram of the real scores, as shares.
    """

    score: str
    bounds: Array
    edges: Array
    real: Array

    def of(self, generated: Array) -> Tails:
        """Tails of (S, N) scores of generated samples; not finite = beyond everything."""
        far = generated if np.isfinite(generated).all() else np.where(np.isfinite(generated), generated, np.inf)
        shares = np.stack([(far > bound[:, None]).mean(1) for bound in self.bounds.T], axis=1)
        return Tails(np.array(LEVELS), shares, self.score, self.edges, self.real, _histogram(far, self.edges))


def yardstick(real: Array, score: str) -> Yardstick:
    """From (S or 1, M) scores of held-out real samples; one row serves all seeds."""
    bounds = np.quantile(real, 1.0 - np.array(LEVELS), axis=1).T
    low, high = float(real.min()), float(np.quantile(real, 0.999))
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    return Yardstick(score, bounds, edges, _histogram(real, edges))


def tails_of(real: Array, generated: Array, score: str) -> Tails:
    """Tails by a score that is larger the rarer a sample is.

    Args:
        real: (S or 1, M) scores of held-out real samples; one row serves all seeds.
        generated: (S, N) scores of generated samples; not finite = beyond everything.
        score: what it is, in words.
    """
    return yardstick(real, score).of(generated)


def _histogram(values: Array, edges: Array) -> Array:
    """Share per bin of equal width; what lies outside counts in the bin at that end."""
    step = (edges[-1] - edges[0]) / (len(edges) - 1)
    place = ((values - edges[0]) / step).clip(0.0, len(edges) - 1.5)  # a value at the last edge is in the last bin
    counts = np.bincount(place.astype(np.intp).ravel(), minlength=len(edges) - 1)
    return np.asarray(counts / values.size, np.float64)
