"""Draws from mixtures of a generation's samples and the real distribution: the distributional form of the idealized
correction, pi_gamma p = (p + gamma p_real) / (1 + gamma) (Gillman et al. 2024).

``share`` is the real part, gamma / (1 + gamma), one number per seed.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.draws import Draws
from core.rotations import Array
from core.seeds import Seed, seed_for, streams, uniform
from corrector.kinds import flat

BINS = 10  # per axis, as in the paper's toy
MOST_AXES = 3
CANDIDATES = 4  # of a sample per round
MOST_ROUNDS = 64
PEAK_DRAWS = 100_000


class Truth(Protocol):
    """The real distribution itself, which a domain may know (its ``truth``)."""

    def sample(self, seed: Seed, shape: tuple[int, int]) -> Array:
        """(S, N, d)."""
        ...

    def log_density(self, values: Array) -> Array:
        """(S, N) of (S, N, d)."""
        ...


def derived(seed: Seed, part: int) -> Seed:
    """Another seed for another part of the work."""
    if isinstance(seed, int):
        return seed_for(seed, 0, "corrector", part)
    return tuple((seed_for(one, 0, "corrector", part), rows) for one, rows in seed)


def replaced(samples: Draws, real: Draws, truth: Truth | None, share: Array, seed: Seed) -> Array:
    """(S, N, ...) values of which each is, with probability ``share`` (S,), a real one in place of the sample: exactly
    a draw from the mixture.

    Real ones are fresh draws from the truth; where nobody knows it, real samples of the class at random.
    """
    chance = uniform(seed, (*samples.values.shape[:2], 2))
    if truth is not None:
        others = truth.sample(derived(seed, 1), (samples.seeds, len(samples))).reshape(samples.values.shape)
    else:
        others = _random_real(samples, real, chance[..., 1])
    swap = chance[..., 0] < share[:, None]
    found: Array = np.where(swap.reshape(*swap.shape, *[1] * (samples.values.ndim - 2)), others, samples.values)
    return found


def _random_real(samples: Draws, real: Draws, chance: Array) -> Array:
    found = np.empty_like(samples.values)
    for label in np.unique(samples.labels):
        mine, theirs = np.flatnonzero(samples.labels == label), np.flatnonzero(real.labels == label)
        if not len(theirs):
            theirs = np.arange(len(real))
        index = theirs[(chance[:, mine] * len(theirs)).astype(np.int64)]
        found[:, mine] = real.values[np.arange(samples.seeds)[:, None], index]
    return found


@dataclass(frozen=True, eq=False)
class Histogram:
    """A histogram of each seed's samples, BINS per axis between the smallest and the largest value.

    Attributes:
        low, width: (S, d) of the first bin.
        cell: (S, N, d) the bin of each sample.
        picks: (S, N) cumulated weights of the samples, ending with 1; None where all weigh alike.
        density: (S, BINS ** d).
    """

    low: Array
    width: Array
    cell: NDArray[np.int64]
    picks: Array | None
    density: Array

    @classmethod
    def of(cls, samples: Draws) -> "Histogram":
        values, weight = flat(samples.values), samples.weights()
        there = weight[..., None] > 0
        low = np.where(there, values, np.inf).min(1)
        high = np.where(there, values, -np.inf).max(1)
        point = ~(high > low)  # all samples in one place: a bin of width 1 around it, as numpy.histogram has
        low, high = np.where(point, low - 0.5, low), np.where(point, low + 0.5, high)
        width = (high - low) / BINS
        cell = cells(values, low, width).clip(0, BINS - 1)
        index = (np.arange(len(values))[:, None] * BINS ** values.shape[2] + _flat_index(cell)).ravel()
        size = len(values) * BINS ** values.shape[2]
        count = np.bincount(index, weight.ravel(), size).reshape(len(values), -1)
        total = weight.sum(1, keepdims=True)
        picks = None if samples.weight is None else np.cumsum(weight, axis=1) / total
        return cls(low, width, cell, picks, count / total / width.prod(1, keepdims=True))

    def density_at(self, rows: NDArray[np.int64], values: Array) -> Array:
        """(K, C) of values (K, C, d), 0 outside of the bins; ``rows`` (K,) says whose histogram."""
        cell = cells(values, self.low[rows], self.width[rows])
        inside = ((cell >= 0) & (cell < BINS)).all(2)
        found: Array = np.where(inside, self.density[rows[:, None], _flat_index(cell.clip(0, BINS - 1))], 0.0)
        return found


def cells(values: Array, low: Array, width: Array) -> NDArray[np.int64]:
    """(S, N, d) which bin values are in; negative below the first one."""
    return np.floor((values - low[:, None]) / width[:, None]).astype(np.int64)


def _flat_index(cell: NDArray[np.int64]) -> NDArray[np.int64]:
    index: NDArray[np.int64] = cell @ BINS ** np.arange(cell.shape[2])
    return index


def peak_of(truth: Truth) -> float:
    """Log density of the truth where it is highest, as far as many draws tell (in d dimensions to about
    PEAK_DRAWS ** (-2 / d))."""
    return float(truth.log_density(truth.sample(0, (1, PEAK_DRAWS))).max())


def rejection_sample(samples: Draws, truth: Truth, peak: float, share: Array, seed: Seed) -> Array:
    """(S, N, d) draws of what the published toy of Gillman et al. draws from (exp_scripts/gaussian_toy_example.py).

    That code draws candidates from the truth q and accepts them with probability f / (M q), where
    f = (1 - share) histogram + share q and M = ((1 - share) max histogram + share max q) / max q. This M bounds f / q
    at the peak of q but not in its tails, where the probability is cut off at 1. What comes out follows min(f, M q),
    not f: far samples are lost even at gamma = 0. The same is drawn here, faster: candidates come from f itself and are
    accepted with probability min(1, M q / f). The bins are those of the histogram (the code's first bin of each axis is
    twice as wide, because it rounds towards zero).

    Where MOST_ROUNDS rounds give a sample no accepted candidate, one of its candidates is taken, by the same odds.
    """
    histogram = Histogram.of(samples)
    seeds, count, axes = flat(samples.values).shape
    top = (1.0 - share) * histogram.density.max(1) + share * np.exp(peak)
    log_envelope = np.log(top) - peak
    found = np.empty((seeds, count, axes))
    best = np.full((seeds, count), np.inf)
    open_ = np.ones((seeds, count), dtype=bool)
    generators = list(streams(seed, seeds))
    for attempt in range(MOST_ROUNDS):
        rows, columns = np.nonzero(open_)
        if not len(rows):
            break
        chance = np.concatenate([g.random((int(open_[part].sum()), CANDIDATES, 3 + axes)) for part, g in generators])
        candidates = _from_histogram(histogram, rows, chance[..., 1], chance[..., 3:])
        if share.any():
            real = truth.sample(derived(seed, attempt + 1), (seeds, CANDIDATES * count))
            real = real.reshape(seeds, count, CANDIDATES, axes)[rows, columns]
            candidates = np.where((chance[..., 0] < share[rows, None])[..., None], real, candidates)
        log_truth = truth.log_density(candidates)
        with np.errstate(divide="ignore"):
            part = (1.0 - share[rows, None]) * histogram.density_at(rows, candidates)
            density = np.log(part + share[rows, None] * np.exp(log_truth))
            log_odds = np.minimum(0.0, log_envelope[rows, None] + log_truth - density)
            clock = np.log(-np.log1p(-chance[..., 2])) - log_odds  # the first to ring is one chosen by its odds
        score = np.where(chance[..., 2] < np.exp(log_odds), -np.inf, clock)
        first = (np.arange(len(rows)), score.argmin(1))  # the first accepted one, or else the first to ring
        better = score[first] < best[rows, columns]
        found[rows[better], columns[better]] = candidates[first][better]
        best[rows[better], columns[better]] = score[first][better]
        open_ = best > -np.inf
    return found


def _from_histogram(histogram: Histogram, rows: NDArray[np.int64], pick: Array, within: Array) -> Array:
    """(K, C, d) draws from the histograms of ``rows``, by uniform numbers (K, C) and (K, C, d)."""
    count = histogram.cell.shape[1]
    if histogram.picks is None:
        chosen = (pick * count).astype(np.int64)
    else:
        picks = [np.searchsorted(histogram.picks[r], p, side="right") for r, p in zip(rows, pick, strict=True)]
        chosen = np.array(picks, dtype=np.int64)
    cell = histogram.cell[rows[:, None], chosen.clip(0, count - 1)]
    found: Array = histogram.low[rows, None] + (cell + within) * histogram.width[rows, None]
    return found
