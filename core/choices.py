"""Which of the samples there are a policy keeps: indices into them, by origin (0 = real, k = of S_k)."""

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]


def sliced(origin: Index) -> Index:
    """Real samples, and of the m samples of S_k the first floor(m k / t), where S_t is the newest."""
    count = np.bincount(origin)
    order = np.argsort(origin, kind="stable")
    rank = np.empty_like(origin)
    rank[order] = np.arange(len(origin)) - np.repeat(np.cumsum(count) - count, count)
    newest = max(len(count) - 1, 1)
    return np.flatnonzero((origin == 0) | (rank < count[origin] * origin // newest))


def capped(origin: Index, kept: Index | None, cap: float, seed: int) -> Index | None:
    """Of the samples ``kept`` (None = all) all real ones, and synthetic ones at random up to a share of all."""
    if cap >= 1:
        return kept
    kept = np.arange(len(origin)) if kept is None else kept
    real, synthetic = kept[origin[kept] == 0], kept[origin[kept] > 0]
    room = int(cap / (1 - cap) * len(real) + 1e-9)  # a cap of 0.3 beside 70 is 30, not 29
    return np.concatenate([real, drawn(synthetic, room, seed)])


def drawn(index: Index, count: int, seed: int) -> Index:
    """``count`` of an index (all, where there are fewer), at random, in their order."""
    if count >= len(index):
        return index
    chosen: Index = np.sort(np.random.default_rng(seed).choice(index, count, replace=False))
    return chosen
