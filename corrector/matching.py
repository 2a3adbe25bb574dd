"""Which real sample a sample is matched with: one to one as far as that goes, at the least total distance."""

import numpy as np
from numpy.typing import NDArray

from core.draws import Draws
from core.rotations import Array
from corrector.kinds import MOST_NUMBERS, distances, flat


def balanced_matching(distance: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,) for each row its column, at the least total distance such that every column of M is used floor(N / M) or
    ceil(N / M) times (Hungarian method, Jonker & Volgenant 1987)."""
    from scipy.optimize import linear_sum_assignment

    count, choices = distance.shape
    full, extra = divmod(count, choices)
    cost = np.tile(distance, (1, full + (extra > 0))) if count > choices else distance
    if full and extra:  # dummy rows may take only columns of the last copy, so that all others are used
        forbidden = (float(distance.max()) + 1.0) * (count + 1)
        dummies = np.zeros((cost.shape[1] - count, cost.shape[1]))
        dummies[:, : full * choices] = forbidden
        cost = np.concatenate([cost, dummies])
    chosen = linear_sum_assignment(cost)[1][:count] % choices
    return np.asarray(chosen, dtype=np.int64)


def monotone_matching(values: Array, others: Array) -> NDArray[np.int64]:
    """(S, N) for numbers (S, N) their places in (S, M): in order of size, the one at the same quantile.

    On a line that is optimal transport between the two sets, whatever their sizes, and balanced as above.
    """
    count, choices = values.shape[1], others.shape[1]
    partner = np.empty(values.shape, dtype=np.int64)
    place = ((np.arange(count) + 0.5) * choices / count).astype(np.int64)
    theirs = np.argsort(others, axis=1, kind="stable")[:, place]
    np.put_along_axis(partner, np.argsort(values, axis=1, kind="stable"), theirs, axis=1)
    return partner


def partners(samples: Draws, real: Draws) -> NDArray[np.int64]:
    """(S, N) the real sample that each one is matched with, inside its class (among all where the class has no real
    one); samples of weight 0 are not there and have the first."""
    found = np.zeros(samples.values.shape[:2], dtype=np.int64)
    for label in np.unique(samples.labels):
        mine = np.flatnonzero(samples.labels == label)
        theirs = np.flatnonzero(real.labels == label)
        if not len(theirs):
            theirs = np.arange(len(real))
        found[:, mine] = theirs[_matched(samples.take(mine), real.take(theirs))]
    return found


def _matched(samples: Draws, real: Draws) -> NDArray[np.int64]:
    """(S, N) of one class."""
    a, b = flat(samples.values), flat(real.values)
    if a.shape[2] == 1 and samples.weight is None:
        return monotone_matching(a[..., 0], b[..., 0])
    found = np.zeros(a.shape[:2], dtype=np.int64)
    block = max(1, MOST_NUMBERS // (a.shape[1] * b.shape[1]))
    for start in range(0, len(a), block):
        rows = slice(start, start + block)
        for seed, table in enumerate(distances(samples.of_seed(rows), real.of_seed(rows)), start):
            there = slice(None) if samples.weight is None else samples.weight[seed] > 0
            found[seed, there] = balanced_matching(table[there])  # it has no batched form, and is most of the work
    return found


def in_order_of(samples: Draws, targets: Array) -> Array:
    """Targets (S, N, d) in the order in which they are nearest to the samples, one to one: optimal transport between
    two sets of one size. Samples of weight 0 keep theirs."""
    moved = targets.copy()
    if targets.shape[2] == 1 and samples.weight is None:
        order = np.argsort(flat(samples.values)[..., 0], axis=1, kind="stable")
        np.put_along_axis(moved[..., 0], order, np.sort(targets[..., 0], axis=1), axis=1)
        return moved
    from scipy.optimize import linear_sum_assignment

    values = flat(samples.values)
    square = (values**2).sum(2)[:, :, None] + (targets**2).sum(2)[:, None] - 2.0 * values @ targets.transpose(0, 2, 1)
    for seed, cost in enumerate(square):
        if samples.weight is None:
            moved[seed] = targets[seed, linear_sum_assignment(cost)[1]]
        else:
            there = np.flatnonzero(samples.weight[seed] > 0)
            moved[seed, there] = targets[seed, there[linear_sum_assignment(cost[np.ix_(there, there)])[1]]]
    return moved
