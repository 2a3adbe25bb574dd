"""Snaps samples to typical real ones: the nearest of k centres of their class (Gillman et al. 2024, MNIST: 16)."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import Options, digest
from core.draws import Draws
from core.errors import InvalidConfig
from core.protocols import Corrections, Reference, Tick, silent
from core.records import Item
from core.rotations import Array
from core.seeds import Seed
from core.threads import threads
from corrector.kinds import distances, flat
from corrector.report import Improved, correct_rows

VERSION = 1  # raise it when the same options give other centres: they are kept by it
SEED = 0


class KMeansOptions(Options):
    """How many centres, and how far samples go."""

    centres: int = Field(
        16, ge=1, le=1000, title="Centres per class", description="Learned on the real samples of each class (k-means)."
    )
    strength: float = Field(
        1.0,
        ge=0,
        le=1,
        title="Strength",
        description="Share of the way from the sample (0) to the nearest centre of its class (1).",
    )


@dataclass(frozen=True, eq=False)
class KMeans:
    """Implements :class:`core.protocols.Corrector` for draws of one seed."""

    options: KMeansOptions
    reference: Reference
    splittable: bool = True
    cost_s: float = 1e-4
    _kept: list[Draws] = field(default_factory=list)

    def correct(
        self, samples: Draws, *, rows: slice = slice(None), seed: Seed = 0, tick: Tick = silent
    ) -> Corrections:  # fmt: skip
        """See the protocol. The seed is not used: the same sample always goes the same way.

        Raises:
            InvalidConfig: when the samples are of another shape than the real ones, or of several seeds.
        """
        del seed
        centres = self._centres(tick)
        if samples.values.shape[2:] != centres.values.shape[2:] or samples.seeds != 1:
            raise InvalidConfig(
                f"The k-means corrector has centres of shape {centres.values.shape[2:]} for one seed; got samples of "
                f"shape {samples.values.shape[2:]} of {samples.seeds} seeds.",
                "Correct samples of the loop's own data set with it, one seed at a time.",
            )

        def improve(batch: Draws, index: NDArray[np.int64], tick: Tick) -> Improved:
            del index, tick
            values = batch.values.copy()
            notes = [""] * len(batch)
            for label in np.unique(batch.labels):
                mine, theirs = np.flatnonzero(batch.labels == label), np.flatnonzero(centres.labels == label)
                if not len(theirs):
                    theirs = np.arange(len(centres))
                nearest = distances(batch.take(mine), centres.take(theirs))[0].argmin(1)
                values[:, mine] += self.options.strength * (centres.values[:, theirs[nearest]] - values[:, mine])
                for i, k in zip(mine, nearest, strict=True):
                    notes[i] = f"moved {self.options.strength:.0%} of the way to centre {k + 1} of {len(theirs)}"
            return Improved(batch.with_values(values), notes)

        return correct_rows(samples, rows, improve, tick)

    def _centres(self, tick: Tick) -> Draws:
        """(1, K, ...) of all classes; learned once per data set."""
        if not self._kept:
            real: Draws = self.reference.real
            key = f"kmeans-{digest([self.reference.digest, VERSION, self.options.centres])}"
            item = self.reference.memo.get(
                key, lambda: Item(learn_centres(real, self.options.centres, tick).arrays()), tick
            )
            self._kept.append(real.with_arrays(item.arrays))
        return self._kept[0]


def learn_centres(real: Draws, count: int, tick: Tick = silent) -> Draws:
    """``count`` centres of each class, or as many as it has different samples (Lloyd's algorithm, scikit-learn)."""
    from sklearn.cluster import KMeans as Clustering

    values, labels = flat(real.values)[0].astype(np.float64), []
    centres: list[Array] = []
    classes = np.unique(real.labels)
    for k, label in enumerate(classes):
        tick(k / len(classes), "Learning the centres of the real samples")
        mine = values[real.labels == label]
        with threads(1):
            found = Clustering(min(count, len(np.unique(mine, axis=0))), random_state=SEED, n_init=4).fit(mine)
        centres.append(found.cluster_centers_)
        labels.append(np.full(len(found.cluster_centers_), label, dtype=np.int64))
    together = np.concatenate(centres)
    return Draws(together.reshape(1, len(together), *real.values.shape[2:]), np.concatenate(labels))


def build_kmeans(options: KMeansOptions, reference: Reference | None) -> KMeans:
    """The corrector.

    Raises:
        InvalidConfig: without real samples, for samples that are no draws of numbers, or of several seeds.
    """
    real = None if reference is None else reference.real
    if reference is None or not isinstance(real, Draws) or not np.issubdtype(real.values.dtype, np.inexact):
        raise InvalidConfig(
            "The k-means corrector needs real samples that are plain numbers, such as images, and there are none here.",
            "Use it inside a loop of such samples, or choose another corrector.",
            "corrector.kind",
        )
    if real.seeds != 1:
        raise InvalidConfig(
            f"The k-means corrector learns its centres for one seed; this loop runs {real.seeds} at once.",
            "Run one seed per loop, or choose the corrector 'idealized'.",
            "replicates",
        )
    return KMeans(options, reference)
