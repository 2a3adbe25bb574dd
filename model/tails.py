"""What vanishes first: how much of the generated data lies beyond quantiles of the real data's."""

import numpy as np
from numpy.typing import NDArray

from core.protocols import Metric, Tails

LEVELS = (0.5, 0.2, 0.1, 0.05, 0.01)
BINS = 24
TAIL = Metric(
    "tail", "Tail mass", "", "real", "diversity",
    "Share of generated samples beyond the bound that 5 % of held-out real ones lie beyond: what vanishes first.",
)  # fmt: skip


def tails_of(real: NDArray[np.float64], generated: NDArray[np.float64], score: str) -> Tails:
    """Tails by a score that is larger the rarer a sample is.

    Args:
        real: (S or 1, M) scores of held-out real samples; one row serves all seeds.
        generated: (S, N) scores of generated samples; not finite = beyond everything.
        score: what it is, in words.
    """
    levels = np.array(LEVELS)
    bounds = np.quantile(real, 1.0 - levels, axis=1).T  # (S or 1, K)
    far = np.where(np.isfinite(generated), generated, np.inf)
    shares = (far[:, :, None] > bounds[:, None, :]).mean(1)
    low, high = float(real.min()), float(np.quantile(real, 0.999))
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    return Tails(levels, shares, score, edges, _histogram(real, edges), _histogram(far, edges))


def _histogram(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share per bin; what lies outside counts in the bin at that end."""
    counts = np.histogram(values.clip(edges[0], edges[-1]), edges)[0]
    return np.asarray(counts / values.size, np.float64)
