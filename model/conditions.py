"""What a generator tells its network of each sample: nothing, its class, or a sentence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidConfig
from core.motion import MotionBatch
from core.protocols import Labels
from model.sentences import Embeddings

_CAPTIONS = 1  # the stream of a seed that captions are drawn from; noise has the seed itself

Told = NDArray[Any]
"""y, as networks take it: (N,) classes, (N, E) sentences of variance one, or (N,) zeros that nobody looks at."""


@dataclass(frozen=True, eq=False)
class Asked:
    """What samples are drawn from.

    Attributes:
        told: y.
        labels, captions: (N,) what the samples are called by; -1 where nobody can know.
    """

    told: Told
    labels: Labels
    captions: Labels


class Conditions(Protocol):
    """How samples become y.

    ``null`` fills a y that says nothing; ``guides`` is whether that differs from what is said.
    """

    @property
    def null(self) -> int: ...

    @property
    def guides(self) -> bool: ...

    def learned(self, samples: MotionBatch) -> Told:
        """y of training samples."""
        ...

    def asked(self, labels: Labels, seed: int) -> Asked:
        """What samples of these classes are drawn from; the i-th depends on the seed, i and its label only.

        Raises:
            InvalidConfig: for a label that is no class.
        """
        ...

    def prompted(self, texts: Sequence[str]) -> Asked:
        """What samples of free texts are drawn from.

        Raises:
            InvalidConfig: where the network is not told sentences.
        """
        ...


@dataclass(frozen=True)
class Nothing:
    """The network is told nothing, so nobody knows the class of what it draws."""

    null: int = 0
    guides: bool = False

    def learned(self, samples: MotionBatch) -> Told:
        return np.zeros(len(samples), np.int64)

    def asked(self, labels: Labels, seed: int) -> Asked:
        del seed
        unknown = np.full(len(labels), -1, np.int64)
        return Asked(np.zeros(len(labels), np.int64), unknown, unknown)

    def prompted(self, texts: Sequence[str]) -> Asked:
        raise _deaf(texts)


@dataclass(frozen=True)
class ByClass:
    """The network is told the class; number ``classes`` means none."""

    classes: int
    guides: bool = True

    @property
    def null(self) -> int:
        return self.classes

    def learned(self, samples: MotionBatch) -> Told:
        return samples.labels

    def asked(self, labels: Labels, seed: int) -> Asked:
        del seed
        _check(labels, self.classes)
        return Asked(labels, labels, np.full(len(labels), -1, np.int64))

    def prompted(self, texts: Sequence[str]) -> Asked:
        raise _deaf(texts)


class ByText:
    """The network is told a sentence; zeros mean none.

    Args:
        embed: texts -> (N, E) of length one.
        captions: K texts of the data set.
        real: the loop's real training samples: a class is asked for by their captions, each as often as it is there.
    """

    null = 0
    guides = True

    def __init__(
        self, embed: Callable[[Sequence[str]], Embeddings], captions: Sequence[str], real: MotionBatch, classes: int
    ) -> None:
        self._embed, self._classes = embed, classes
        self._table = np.concatenate([self._told(captions), self._told([""])])  # row -1 says nothing
        self._table[-1] = 0.0
        told = real.captions >= 0
        self._of_class = [real.captions[told & (real.labels == label)] for label in range(classes)]

    def learned(self, samples: MotionBatch) -> Told:
        return self._table[samples.captions]

    def asked(self, labels: Labels, seed: int) -> Asked:
        _check(labels, self._classes)
        chance = np.random.default_rng([seed, _CAPTIONS]).random(len(labels))
        captions = np.array(
            [own[int(c * len(own))] if len(own := self._of_class[label]) else -1
             for label, c in zip(labels, chance, strict=True)], dtype=np.int64,
        )  # fmt: skip
        return Asked(self._table[captions], labels, captions)

    def prompted(self, texts: Sequence[str]) -> Asked:
        unknown = np.full(len(texts), -1, np.int64)
        return Asked(self._told(texts), unknown, unknown)

    def _told(self, texts: Sequence[str]) -> Embeddings:
        """(N, E) of variance one, so that a sentence weighs as much as a class would."""
        vectors = self._embed(texts)
        return vectors * np.float32(np.sqrt(vectors.shape[1]))


def _check(labels: Labels, classes: int) -> None:
    if labels.size and not (0 <= labels.min() and labels.max() < classes):
        raise InvalidConfig(f"Labels go from 0 to {classes - 1}; got {labels.min()} to {labels.max()}.", "", "labels")


def _deaf(texts: Sequence[str]) -> InvalidConfig:
    return InvalidConfig(
        f"This model is not told sentences, so {texts[0]!r} would change nothing.",
        "Choose the model's condition 'text'.",
        "evaluation.prompts",
    )
