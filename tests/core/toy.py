"""A domain small enough to follow by hand: 1-D Gaussians fitted by their mean, for tests of the loop's machinery."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from core.config import LoopConfig, parse
from core.loop import Run
from core.memory import MemoryMemo, MemoryShelf
from core.policies import POLICIES
from core.protocols import Corrections, Labels, Tails, Tick, silent
from core.records import Arrays, Item, Outcome


@dataclass(frozen=True, eq=False)
class Numbers:
    """N scalars with labels."""

    values: NDArray[np.float64]
    labels: Labels

    def __len__(self) -> int:
        return len(self.values)

    def take(self, index: Any) -> Self:
        return type(self)(self.values[index], self.labels[index])

    def concat(self, others: Sequence["Numbers"]) -> "Numbers":
        every = [self, *others]
        return Numbers(np.concatenate([o.values for o in every]), np.concatenate([o.labels for o in every]))

    def arrays(self) -> Arrays:
        return {"values": self.values, "labels": self.labels}

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> "Numbers":
        return Numbers(np.asarray(arrays["values"]), np.asarray(arrays["labels"]))


class MeanGenerator:
    """Learns the mean; samples around it."""

    fits = 0

    def fit(
        self, samples: Numbers, *, start: Item | None, scratch: bool, steps: int, seed: int, tick: Tick = silent
    ) -> Item:
        type(self).fits += 1
        tick(1.0, "Fitting")
        arrays = {"mean": np.array([samples.values.mean()])}
        return Item(
            arrays, {"training": {"loss": 0.0, "steps": float(steps)}, "from": start is not None, "scratch": scratch}
        )

    def sample(self, checkpoint: Item, labels: Labels, *, guidance: float, seed: int, tick: Tick = silent) -> Numbers:
        del guidance, tick
        noise = np.random.default_rng(seed).normal(size=len(labels))
        return Numbers(float(checkpoint.arrays["mean"][0]) + noise, labels)


class Judge:
    def measure(self, samples: Numbers, model: Item | None = None) -> dict[str, float]:
        del model
        return {"mean": float(samples.values.mean())}

    def tails(self, samples: Numbers, model: Item | None = None) -> Tails | None:
        return None

    def floor(self, count: int) -> dict[str, list[float]]:
        return {"mean": [0.0, 1.0 / count]}


@dataclass(frozen=True)
class ToyDomain:
    class_names: Sequence[str] = ("a", "b")
    digest: str = "toy"

    def real(self, count: int) -> Numbers:
        return Numbers(np.random.default_rng(0).normal(size=count), np.arange(count) % 2)

    def distance(self, samples: Numbers, others: Numbers) -> NDArray[np.float64]:
        return np.abs(samples.values[:, None] - others.values[None, :])

    def fresh_real(self, count: int, generation: int) -> Numbers:
        return Numbers(np.random.default_rng(generation).normal(size=count), np.arange(count) % 2)

    def body(self) -> dict[str, Any]:
        return {"view": "points", "limits": [[-4.0, 4.0]], "class_names": list(self.class_names)}

    def generator(self) -> MeanGenerator:
        return MeanGenerator()

    def evaluator(self, tick: Tick = silent) -> Judge:
        tick(1.0, "Ready")
        return Judge()


@dataclass(frozen=True)
class Clip:
    """Clips to +-limit and rejects what is beyond 2 limit."""

    limit: float
    splittable: bool = True

    def correct(
        self, samples: Numbers, *, rows: slice = slice(None), seed: int = 0, tick: Tick = silent
    ) -> Corrections:
        del seed
        tick(0.5, "Clipping")
        chosen = samples.take(rows)
        clipped = np.clip(chosen.values, -self.limit, self.limit)
        bad = np.abs(chosen.values) > 2 * self.limit
        statuses = np.where(bad, "rejected", np.where(clipped == chosen.values, "unchanged", "corrected"))
        values = np.where(bad, chosen.values, clipped)
        return Corrections(Numbers(values, chosen.labels), tuple(Outcome(s) for s in statuses.tolist()))


def toy_run(config: LoopConfig, *, limit: float = 1.0, memo: MemoryMemo | None = None, tick: Tick = silent) -> Run:
    """A run of the toy domain; any corrector kind but ``none`` clips."""
    part = POLICIES[config.policy.kind]
    policy = part.build(parse(part.options, config.policy.options))
    corrector = None if config.corrector.kind == "none" else Clip(limit)
    return Run(config, ToyDomain(), policy, corrector, Clip(limit), MemoryShelf(), memo or MemoryMemo(), tick)
