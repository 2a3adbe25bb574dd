"""What drifts in a loop: single motions that are no longer valid, or modes that are no longer made.

Every window is assigned to its nearest real training window of its class (:func:`core.motion.nearest_of_class`).
*Snapped* to it, a set has no artefact left and keeps the frequencies of its modes, so what snapping takes from FID is
the most that a corrector of single motions could win; and the assignments say how many training windows are in use.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.motion import MotionBatch, nearest_of_class
from core.protocols import Memo, Metric
from core.records import Arrays, Item
from model.datasets.base import Dataset
from model.metrics import Features, frechet_of_moments, moments

VERSION = 1  # raise it when the same windows give other numbers: what real data say is kept by it

_ALL = (
    Metric(
        "fid_snapped", "FID after snapping", "", "lower", "fidelity",
        "FID once every window is replaced by its nearest real training window of its class: no artefact is left, so "
        "what remains is which motions are made, not how.",
    ),
    Metric(
        "validity_share", "Artefact share", "", "lower", "fidelity",
        "Share of FID above its floor that snapping every window to a real one takes away: the most that correcting "
        "single motions could win.",
    ),
    Metric(
        "mode_share", "Modes in use", "", "real", "diversity",
        "Effective number of real training windows that generated ones are nearest to (exp of the entropy), relative "
        "to as many new real windows; falls when modes are lost.",
    ),
    Metric(
        "memorization", "Memorization", "", "real", "fidelity",
        "Chance that a generated window is nearer to the training windows than a held-out one of its class is; .5 = "
        "like unseen real motion, 1 = copies. Held-out subjects that move differently raise it for every model.",
    ),
)  # fmt: skip

DRIFT: dict[str, Metric] = {metric.name: metric for metric in _ALL}


REAL_DRAWS = 3
UNSEEN_WINDOWS = 1024


class DriftGauge:
    """Measures :data:`DRIFT` of a loop's generations.

    Args:
        dataset: what the loop's windows are drawn from.
        learned: (n) windows that it learns from, the data set's first training windows.
        features: what the evaluator sees of windows, (N, F).
        reference: moments of the held-out features.
        memo, key: keep what the real data say, under names that begin with ``key``.
    """

    def __init__(
        self,
        dataset: Dataset,
        learned: MotionBatch,
        features: Callable[[MotionBatch], Features],
        reference: tuple[Features, Features],
        memo: Memo,
        key: str,
    ) -> None:
        self._dataset, self._learned, self._reference, self._memo = dataset, learned, reference, memo
        self._see = features
        self._key = f"{key}-drift-{VERSION}-{len(learned)}"
        self._modes: dict[int, float] = {}

    def measure(self, samples: MotionBatch, fid: float, floor: float) -> dict[str, float]:
        """All of :data:`DRIFT`.

        Args:
            fid: of the samples.
            floor: of as many held-out real windows.
        """
        real = self._real
        nearest, distance_m = nearest_of_class(samples, self._learned)
        after = frechet_of_moments(self._reference, moments(real["features"][nearest]))
        return {
            "fid_snapped": after,
            "validity_share": validity_share(fid, after, floor),
            "mode_share": effective_modes(nearest) / self._real_modes(len(samples)),
            "memorization": nearer_than_unseen(distance_m, samples.labels, real["unseen_m"], real["unseen_labels"]),
        }

    @cached_property
    def _real(self) -> Arrays:
        """``features`` (n, F) of the training windows; ``unseen_m``, ``unseen_labels`` (M,) of held-out windows, their
        distances to the nearest of them."""
        return self._memo.get(self._key, self._look_at_real).arrays

    def _look_at_real(self) -> Item:
        unseen = self._dataset.held_out(UNSEEN_WINDOWS)
        distance_m = nearest_of_class(unseen, self._learned)[1]
        return Item({"features": self._see(self._learned), "unseen_m": distance_m, "unseen_labels": unseen.labels})

    def _real_modes(self, count: int) -> float:
        """Effective modes of ``count`` other windows of the training split: the mean of a few draws."""
        if count not in self._modes:
            item = self._memo.get(f"{self._key}-modes-{count}", lambda: Item(meta={"modes": self._count_modes(count)}))
            self._modes[count] = float(np.mean(item.meta["modes"]))
        return self._modes[count]

    def _count_modes(self, count: int) -> list[float]:
        nearest, _ = nearest_of_class(self._dataset.evaluator_train(REAL_DRAWS * count), self._learned)
        return [effective_modes(part) for part in np.split(nearest, REAL_DRAWS)]


def validity_share(fid: float, snapped: float, floor: float) -> float:
    """Share of the FID above its floor that snapping takes away, in 0..1; 0 where FID is at its floor, or snapping wins
    nothing."""
    gained, above = fid - snapped, fid - floor
    return min(gained / above, 1.0) if gained > 0 and above > 0 else 0.0


def effective_modes(nearest: NDArray[np.int64]) -> float:
    """exp of the entropy of the assignments (N,): k for k modes used equally often (Hill 1973, number of order 1)."""
    counts = np.unique(nearest, return_counts=True)[1]
    share = counts / counts.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def nearer_than_unseen(
    distance_m: NDArray[np.float64],
    labels: NDArray[np.int64],
    unseen_m: NDArray[np.float64],
    unseen_labels: NDArray[np.int64],
) -> float:
    """Chance that a sample lies nearer to the training set than unseen data of its class; ties count half.

    One minus the Delta_T of Meehan, Chaudhuri & Dasgupta 2020 ("A non-parametric test to detect data-copying in
    generative models"), the Mann-Whitney statistic behind their C_T, with classes as its cells: unlike C_T it does not
    grow with the sample. Classes that have no unseen window are left out; .5 where none is left.
    """
    chance, weight = 0.0, 0
    for label in np.unique(labels):
        mine, theirs = distance_m[labels == label], np.sort(unseen_m[unseen_labels == label])
        if len(theirs):
            below, upto = (np.searchsorted(theirs, mine, side) for side in ("left", "right"))
            chance += float((1.0 - (below + upto) / (2 * len(theirs))).sum())
            weight += len(mine)
    return chance / weight if weight else 0.5
