"""A language model of counts, for a judge: interpolated Kneser-Ney smoothing (Kneser & Ney 1995; Chen & Goodman 1999).

With a corpus of a few hundred pages it is learned in a blink, always comes out the same, and shares no bias with the
networks that it judges. Pairs predict held-out topics about as well as a small network (perplexity 55 to its 50) and
find its texts as probable as real ones; triples do better (33), and find all of them odd, in every generation alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]

ORDER = 2


@dataclass(frozen=True, eq=False)
class Level:
    """Runs of k ids. A run is one number, its ids the digits of base V.

    Attributes:
        runs: (R,) ascending; counts: (R,) how often each was seen, or below the highest level after how many ids.
        contexts: (C,) the runs without their last id, ascending.
        totals, kinds: (C,) of a context's runs the sum of counts, and how many there are.
        discount: what is taken off each count, for runs that were not seen.
    """

    runs: Keys
    counts: NDArray[np.float64]
    contexts: Keys
    totals: NDArray[np.float64]
    kinds: NDArray[np.float64]
    discount: float


@dataclass(frozen=True, eq=False)
class NgramModel:
    """Levels from the shortest runs to the longest, over V ids."""

    levels: tuple[Level, ...]
    vocabulary: int

    def losses(self, before: NDArray[np.int32], blocks: NDArray[np.int32]) -> NDArray[np.float64]:
        """(N, L) negative log-likelihoods, natural logarithm, of the ids of blocks (N, L).

        Args:
            before: (N, ORDER - 1 or more) the ids before each block.
        """
        order = len(self.levels)
        tokens = np.concatenate([before[:, before.shape[1] - order + 1 :], blocks], axis=1)
        chance = np.full(blocks.shape, 1.0 / self.vocabulary)
        for size, level in enumerate(self.levels, 1):
            runs = runs_of(tokens[:, order - size :], size, self.vocabulary)
            context = runs // self.vocabulary
            total, kinds = _found(level.contexts, level.totals, context), _found(level.contexts, level.kinds, context)
            left = np.maximum(_found(level.runs, level.counts, runs) - level.discount, 0.0)
            seen = total > 0
            chance[seen] = (left[seen] + level.discount * kinds[seen] * chance[seen]) / total[seen]
        return np.asarray(-np.log(chance), np.float64)


def learn_ngrams(stream: NDArray[np.int32], vocabulary: int, order: int = ORDER) -> NgramModel:
    """The model of a text.

    Args:
        stream: (T,) ids, T >= order.
    """
    runs, counts = np.unique(runs_of(stream[None], order, vocabulary), return_counts=True)
    levels = [_level(runs, counts, vocabulary)]
    for size in range(order - 1, 0, -1):
        runs, counts = np.unique(runs % vocabulary**size, return_counts=True)  # after how many different ids
        levels.append(_level(runs, counts, vocabulary))
    return NgramModel(tuple(reversed(levels)), vocabulary)


def runs_of(tokens: NDArray[np.int32], size: int, vocabulary: int) -> Keys:
    """(N, T - size + 1) one number for each run of ``size`` ids in (N, T)."""
    count = tokens.shape[1] - size + 1
    found = np.zeros((len(tokens), count), np.int64)
    for offset in range(size):
        found = found * vocabulary + tokens[:, offset : offset + count]
    return found


def _level(runs: Keys, counts: NDArray[np.int64], vocabulary: int) -> Level:
    contexts, where, kinds = np.unique(runs // vocabulary, return_inverse=True, return_counts=True)
    totals = np.bincount(where.ravel(), counts).astype(np.float64)
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    discount = min(max(once / max(once + 2 * twice, 1), 0.1), 0.9)
    return Level(runs, counts.astype(np.float64), contexts, totals, kinds.astype(np.float64), discount)


def _found(keys: Keys, values: NDArray[np.float64], wanted: Keys) -> NDArray[np.float64]:
    """The values of keys; 0 for keys that are not there."""
    where = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where(keys[where] == wanted, values[where], 0.0)
