"""A filter: the best share of the samples of each class is kept, the rest rejected. Nothing is moved.

Choosing by a score is what people do with synthetic data before they train on it. It makes samples likelier and the set
narrower: look at the diversity beside the score.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import Options, digest
from core.draws import Draws
from core.errors import InvalidConfig
from core.protocols import Corrections, Reference, Tick, silent
from core.records import Item, Outcome
from core.rotations import Array
from corrector.kinds import kind_of

VERSION = 1  # raise it when the same real samples give another width: it is kept by it
Score = Literal["typicality", "density"]


class QualityOptions(Options):
    """What is kept."""

    share: float = Field(
        0.8, gt=0, le=1, title="Share kept", description="Of the samples of each class; at least one of each is kept."
    )
    score: Score = Field(
        "typicality",
        title="Score",
        description="typicality: how near the nearest real sample of the class is. density: a kernel estimate from all "
        "real samples of the class, of a width of their usual distance to one another.",
    )


@dataclass(frozen=True, eq=False)
class Quality:
    """Implements :class:`core.protocols.Corrector`.

    Outcomes speak of one place of the batch in all seeds. Where several seeds run at once, each seed's samples are put
    in another order inside their class: those that are kept first (in their order), the rejected ones last. A place
    that is rejected stays so whatever is drawn for it anew.
    """

    options: QualityOptions
    reference: Reference
    splittable: bool = True
    whole_batch: bool = True
    reorders: bool = True
    cost_s: float = 1e-3
    _widths: dict[int, Array] = field(default_factory=dict)

    def correct(self, samples: Any, *, rows: slice = slice(None), seed: Any = 0, tick: Tick = silent) -> Corrections:
        """See the protocol. The seed is not used."""
        del seed
        kind, real = kind_of(samples), _real_for(samples, self.reference.real)
        tick(0.0, f"Scoring {len(samples)} {kind.word}s")
        reasons = kind.rejections(samples)
        usable = np.array([not reason for reason in reasons], dtype=bool)
        order = np.tile(np.arange(len(samples)), (getattr(samples, "seeds", 1), 1))
        for label in np.unique(samples.labels[usable]):
            mine = np.flatnonzero(usable & (samples.labels == label))
            score, words = self._scores(samples.take(mine), real, int(label))
            kept = max(1, round(self.options.share * len(mine)))
            best = np.zeros(score.shape, dtype=bool)
            np.put_along_axis(best, np.argsort(-score, axis=1, kind="stable")[:, :kept], True, axis=1)
            why = f"not among the best {self.options.share:.0%} of its class by {self.options.score}"
            if len(order) == 1:
                for k in np.flatnonzero(~best[0]):
                    reasons[mine[k]] = f"{words.format(score[0, k])}: {why}."
            else:
                order[:, mine] = mine[np.argsort(~best, axis=1, kind="stable")]
                for i in mine[kept:]:
                    reasons[i] = f"{why[0].upper()}{why[1:]}."
        tick(1.0, f"Scored {len(samples)} {kind.word}s")
        if len(order) > 1:
            samples = _in_order(samples, order)
        measures = kind.measures(samples.take(np.flatnonzero(usable)))
        outcomes = _outcomes(reasons, usable, measures)
        chosen = samples.take(np.arange(len(samples))[rows])
        return Corrections(chosen, tuple(outcomes[rows]), kind.tracks(chosen))

    def _scores(self, samples: Any, real: Any, label: int) -> tuple[Array, str]:
        """(S, N) of one class, more is better, and how it is said of one sample."""
        theirs = np.flatnonzero(real.labels == label)
        if not len(theirs):
            theirs = np.arange(len(real))
        distance = kind_of(samples).distances(samples, real.take(theirs))
        if self.options.score == "typicality":
            return -distance.min(2), "Typicality {:.3g} (distance to the nearest real sample, negative)"
        width = self._width(label, theirs)[: len(distance)]
        exponent = -0.5 * (distance / width[:, None, None]) ** 2
        most = exponent.max(2, keepdims=True)
        return (np.log(np.exp(exponent - most).mean(2)) + most[..., 0]), "Log density {:.3g}"

    def _width(self, label: int, theirs: NDArray[np.int64]) -> Array:
        """(S,) of the kernel of a class: the median distance from a real sample to the nearest other one."""
        if label not in self._widths:
            mine = self.reference.real.take(theirs)

            def compute() -> Item:
                distance = kind_of(mine).distances(mine, mine)
                distance[:, np.arange(len(theirs)), np.arange(len(theirs))] = np.inf
                width = np.median(distance.min(2), axis=1)
                return Item({"width": np.where(np.isfinite(width) & (width > 0), width, 1.0)})

            key = f"quality-{digest([self.reference.digest, VERSION, label])}"
            self._widths[label] = self.reference.memo.get(key, compute).arrays["width"]
        return self._widths[label]


def _real_for(samples: Any, real: Any) -> Any:
    """The real samples of the seeds at hand: those of the first, for samples of one seed (a panel's)."""
    seeds = getattr(samples, "seeds", 1)
    if type(samples) is not type(real) or seeds not in (1, getattr(real, "seeds", 1)):
        raise InvalidConfig(
            f"The quality filter compares with real samples of {getattr(real, 'seeds', 1)} seeds; got {seeds}.",
            "Filter samples of the loop's own data set with it.",
        )
    return real.of_seed(slice(0, seeds)) if isinstance(real, Draws) else real


def _in_order(samples: Draws, order: NDArray[np.int64]) -> Draws:
    """Each seed's samples in an order (S, N) of its own; labels stay in place."""
    seed = np.arange(len(order))[:, None]
    weight = None if samples.weight is None else samples.weight[seed, order]
    return Draws(samples.values[seed, order], samples.labels, weight)


def _outcomes(reasons: list[str], usable: NDArray[np.bool_], measures: Any) -> list[Outcome]:
    found = []
    measured = np.cumsum(usable) - 1
    for reason, known, k in zip(reasons, usable, measured, strict=True):
        was = {name: float(values[k]) for name, values in measures.items()} if known else {}
        found.append(Outcome("rejected" if reason else "unchanged", reason, before=was, after=was))
    return found


def build_quality(options: QualityOptions, reference: Reference | None) -> Quality:
    """The corrector.

    Raises:
        InvalidConfig: without real samples to compare with.
    """
    if reference is None or not len(reference.real):
        raise InvalidConfig(
            "The quality filter scores samples by real ones, and there are none here.",
            "Use it inside a loop, or choose kinematic or physics for single motions.",
            "corrector.kind",
        )
    return Quality(options, reference)
