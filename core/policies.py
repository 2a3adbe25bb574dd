"""What the next generation learns from. One registry, ``POLICIES``.

n real samples; S_k is the (corrected) synthetic set that generation k learned from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import Options
from core.protocols import Part


class Policy(Protocol):
    """How many samples a generation synthesizes, and which of all there are it learns from."""

    def synthetic_count(self, n: int) -> int:
        """Fresh synthetic samples per generation for n real ones."""
        ...

    def past_generations(self, t: int) -> range:
        """Which S_k generation t learns from."""
        ...

    @property
    def keeps_real(self) -> bool:
        """Whether the real samples stay in the training set."""
        ...

    def fresh_count(self, n: int) -> int:
        """New real samples per generation for n first ones."""
        ...

    def keep(self, origin: NDArray[np.int64], n: int, seed: int) -> NDArray[np.int64] | None:
        """Which of all samples there are (by their origin) are learned from; None = all."""
        ...


class Plain:
    """What most policies do not do."""

    def fresh_count(self, n: int) -> int:
        del n
        return 0

    def keep(self, origin: NDArray[np.int64], n: int, seed: int) -> NDArray[np.int64] | None:
        del origin, n, seed
        return None


@dataclass(frozen=True)
class TrainingSet:
    """What one generation learns from. ``origin`` (N,): 0 for real, k for a sample of S_k."""

    samples: Any
    origin: NDArray[np.int64]


def compose(
    policy: Policy, real: Any, synthetic: Sequence[tuple[int, Any]], *, fresh: Any = None, seed: int = 0
) -> TrainingSet:
    """Real samples (when the policy keeps them), fresh real ones, and the synthetic sets ``(k, S_k)``, tagged by
    origin; of all these, what the policy keeps."""
    parts: list[tuple[int, Any]] = [(0, real)] if policy.keeps_real or not (synthetic or fresh is not None) else []
    parts += [(0, fresh)] if fresh is not None else []
    parts += synthetic
    origin = np.concatenate([np.full(len(samples), k, dtype=np.int64) for k, samples in parts])
    samples = parts[0][1].concat([s for _, s in parts[1:]]) if len(parts) > 1 else parts[0][1]
    kept = policy.keep(origin, len(real), seed)
    return TrainingSet(samples, origin) if kept is None else TrainingSet(samples.take(kept), origin[kept])


class NoOptions(Options):
    """A part without options."""


class AugmentOptions(Options):
    lam: float = Field(
        1.0,
        ge=0,
        le=100,
        title="lambda",
        description="Fresh synthetic samples per real sample (the papers' ratio).",
    )


@dataclass(frozen=True)
class RealOnly(Plain):
    """The control: the same number of steps on real data alone (Gillman et al. 2024, baseline)."""

    keeps_real: bool = True

    def synthetic_count(self, n: int) -> int:
        del n
        return 0

    def past_generations(self, t: int) -> range:
        del t
        return range(0)


@dataclass(frozen=True)
class Augment(Plain):
    """Real data and round(lambda n) fresh synthetic samples (Bertrand et al. 2024; Gillman et al. 2024)."""

    lam: float
    keeps_real: bool = True

    def synthetic_count(self, n: int) -> int:
        return round(self.lam * n)

    def past_generations(self, t: int) -> range:
        return range(t, t + 1) if self.lam > 0 else range(0)


@dataclass(frozen=True)
class Replace(Plain):
    """Synthetic samples only, n per generation (Shumailov et al. 2024)."""

    keeps_real: bool = False

    def synthetic_count(self, n: int) -> int:
        return n

    def past_generations(self, t: int) -> range:
        return range(t, t + 1)


@dataclass(frozen=True)
class Accumulate(Plain):
    """Real data and all synthetic samples so far, n new ones per generation (Gerstgrasser et al. 2024)."""

    keeps_real: bool = True

    def synthetic_count(self, n: int) -> int:
        return n

    def past_generations(self, t: int) -> range:
        return range(1, t + 1)


POLICIES: dict[str, Part] = {
    "real": Part("Real only", "Control: the same steps on real data alone.", NoOptions, lambda _: RealOnly()),
    "augment": Part(
        "Augment", "Real data + lambda n fresh synthetic samples each generation.", AugmentOptions,
        lambda options: Augment(options.lam),
    ),
    "replace": Part("Replace", "Synthetic samples only, from generation 1 on.", NoOptions, lambda _: Replace()),
    "accumulate": Part("Accumulate", "Real data + every synthetic set so far.", NoOptions, lambda _: Accumulate()),
}  # fmt: skip
