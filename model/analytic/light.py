"""What the light domains share: real data drawn from a known law, for each of the seeds that run at once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.config import LoopConfig, digest
from core.draws import Draws
from core.errors import InvalidConfig
from core.protocols import Evaluator, Generator, Tick, silent
from core.seeds import seed_for

MOST_NUMBERS = 50_000_000
"""Numbers of one training set, all seeds together: 400 MB."""


@dataclass(frozen=True, eq=False)
class LightDomain:
    """Implements :class:`core.protocols.Domain`.

    Attributes:
        version: raise it when the same config gives other numbers: generations 0 are cached by it.
        draw: (seed, seeds at once S, count, generation) -> real samples; generation 0 are those of the loop.
        truth: the law itself, where it is one of points: ``sample(seed, (S, N)) -> (S, N, d)`` and
            ``log_density(values (S, N, d)) -> (S, N)``; else None.
        judge: the evaluator.
        facts: the body, for viewers.
    """

    config: LoopConfig
    version: int
    draw: Callable[[int, int, int, int], Draws]
    truth: Any
    learner: Generator
    judge: Evaluator
    facts: dict[str, Any]
    class_names: tuple[str, ...] = ("all",)
    _kept: dict[int, Draws] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Names the seed too: the real data are drawn from it."""
        config = self.config
        return digest([config.domain, self.version, config.data.model_dump(), config.seed, config.replicates])

    def real(self, count: int) -> Draws:
        """(S, count, ...); kept, because every stage asks for them."""
        if count not in self._kept:
            self._kept[count] = self._draws(count, 0, "real")
        return self._kept[count]

    def fresh_real(self, count: int, generation: int) -> Draws:
        """New ones for each generation; there is no end of them."""
        return self._draws(count, generation, "fresh-real")

    def _draws(self, count: int, generation: int, name: str) -> Draws:
        seed = seed_for(self.config.seed, generation, name)
        return self.draw(seed, self.config.replicates, count, generation)

    def distance(self, samples: Draws, others: Draws) -> NDArray[np.float64]:
        """(N, M) Euclidean distances; where several seeds run at once, of the first one's samples."""
        a, b = (one.values[0].reshape(len(one), -1) for one in (samples, others))
        square = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2.0 * a @ b.T
        return np.asarray(np.sqrt(square.clip(0.0)), np.float64)

    def body(self) -> dict[str, Any]:
        return {**self.facts, "class_names": list(self.class_names)}

    def generator(self) -> Generator:
        return self.learner

    def evaluator(self, tick: Tick = silent) -> Evaluator:
        del tick  # there is nothing to train
        return self.judge


def unlabelled(values: NDArray[np.float64]) -> Draws:
    """Samples (S, N, d) of a domain with one class."""
    return Draws(values, np.zeros(values.shape[1], np.int64))


def check_size(config: LoopConfig, dimensions: int) -> None:
    """A training set of all seeds fits into memory.

    Raises:
        InvalidConfig: naming the product that does not.
    """
    numbers = config.replicates * config.n * dimensions
    if numbers > MOST_NUMBERS:
        raise InvalidConfig(
            f"{config.replicates} seeds at once x n = {config.n} x {dimensions} dimensions are {numbers:.1e} numbers "
            f"per training set; at most {MOST_NUMBERS:.0e} fit.",
            "Run fewer seeds at once, or choose a smaller n.",
            "replicates",
        )
