"""What the next generation learns from. One registry, ``POLICIES``.

n real samples; S_k is the (corrected) synthetic set that generation k learned from. A sample's origin is k for one of
S_k and 0 for a real one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.choices import capped, drawn, sliced
from core.config import Options
from core.protocols import Part


class Policy(Protocol):
    """How many samples a generation synthesizes, and which of all there are it learns from."""

    def synthetic_count(self, n: int) -> int:
        """Fresh synthetic samples per generation for n real ones."""
        ...

    def past_generations(self, t: int) -> range:
        """Which S_k generation t learns from: all that :meth:`keep` may choose from, and no other."""
        ...

    @property
    def keeps_real(self) -> bool:
        """Whether the first real samples, or some of them, stay in the training set."""
        ...

    def fresh_count(self, n: int) -> int:
        """New real samples per generation for n first ones."""
        ...

    def keep(self, origin: NDArray[np.int64], n: int, seed: int) -> NDArray[np.int64] | None:
        """Which of all samples there are (by their origin) are learned from, ascending; None = all."""
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
    kept = policy.keep(origin, len(real), seed)
    chosen = [samples for _, samples in parts]
    if kept is not None:
        starts = np.cumsum([0, *(len(samples) for samples in chosen)])
        bounds = np.searchsorted(kept, starts)
        index = [kept[a:b] - start for a, b, start in zip(bounds[:-1], bounds[1:], starts[:-1], strict=True)]
        chosen = [_taken(samples, mine) for samples, mine in zip(chosen, index, strict=True) if len(mine)]
        origin = origin[kept]
    return TrainingSet(chosen[0].concat(chosen[1:]) if len(chosen) > 1 else chosen[0], origin)


def _taken(samples: Any, index: NDArray[np.int64]) -> Any:
    """The samples of an ascending index; no copy where it has no gaps, because past sets are composed every time."""
    first, last = int(index[0]), int(index[-1])
    return samples.take(slice(first, last + 1) if last - first + 1 == len(index) else index)


class NoOptions(Options):
    """A part without options."""


class CapOptions(Options):
    synthetic_cap: float = Field(
        1.0,
        gt=0,
        le=1,
        title="Cap on the synthetic share",
        description="Largest share of synthetic samples in a training set; surplus ones are left out at random. "
        "1 = no cap.",
    )


class AugmentOptions(CapOptions):
    lam: float = Field(
        1.0,
        ge=0,
        le=100,
        title="lambda",
        description="Fresh synthetic samples per real sample (the papers' ratio).",
    )
    source: Literal["newest", "all past"] = Field(
        "newest",
        title="Synthetic samples from",
        description="The newest generation only; or all past ones, the first k/t of the set of generation k at "
        "generation t (the Gaussian toy of Gillman et al.): their number then grows with t.",
    )


class ReplaceOptions(Options):
    real_kept: float = Field(
        0.0,
        ge=0,
        lt=1,
        title="Original data kept",
        description="Share of the training set that is a random part of the first real samples, new in each "
        "generation; the set stays n in size (Shumailov et al.: 0.1).",
    )


class FreshOptions(Options):
    share: float = Field(
        0.5,
        gt=0,
        lt=1,
        title="Share of new real data",
        description="Share of a training set of n that is real data never seen before; the rest is synthetic.",
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
    """Real data and round(lambda n) fresh synthetic samples (Bertrand et al. 2024; Gillman et al. 2024).

    Attributes:
        source: ``all past``: of S_k, of m samples, the first floor(m k / t): about lambda n (t + 1) / 2 at generation t
            (the published code of Gillman et al., exp_scripts/gaussian_toy_example.py, which keeps all corrected sets).
        synthetic_cap: largest synthetic share of the training set.
    """

    lam: float
    source: Literal["newest", "all past"] = "newest"
    synthetic_cap: float = 1.0
    keeps_real: bool = True

    def synthetic_count(self, n: int) -> int:
        return round(self.lam * n)

    def past_generations(self, t: int) -> range:
        if self.lam <= 0:
            return range(0)
        return range(t, t + 1) if self.source == "newest" else range(1, t + 1)

    def keep(self, origin: NDArray[np.int64], n: int, seed: int) -> NDArray[np.int64] | None:
        del n
        kept = None if self.source == "newest" else sliced(origin)
        return capped(origin, kept, self.synthetic_cap, seed)


@dataclass(frozen=True)
class Replace(Plain):
    """Synthetic samples only, n per generation (Shumailov et al. 2024); or beside a part of the first real ones.

    Attributes:
        real_kept: share of the training set that is drawn from the first real samples, anew in each generation.
    """

    real_kept: float = 0.0

    @property
    def keeps_real(self) -> bool:
        return self.real_kept > 0

    def synthetic_count(self, n: int) -> int:
        return n - round(self.real_kept * n)

    def past_generations(self, t: int) -> range:
        return range(t, t + 1)

    def keep(self, origin: NDArray[np.int64], n: int, seed: int) -> NDArray[np.int64] | None:
        synthetic = np.flatnonzero(origin > 0)
        if not self.keeps_real or not len(synthetic):
            return None
        real = drawn(np.flatnonzero(origin == 0), round(self.real_kept * n), seed)
        return np.concatenate([real, synthetic])


@dataclass(frozen=True)
class Accumulate(Plain):
    """Real data and all synthetic samples so far, n new ones per generation (Gerstgrasser et al. 2024).

    Attributes:
        synthetic_cap: largest synthetic share of the training set.
    """

    synthetic_cap: float = 1.0
    keeps_real: bool = True

    def synthetic_count(self, n: int) -> int:
        return n

    def past_generations(self, t: int) -> range:
        return range(1, t + 1)

    def keep(self, origin: NDArray[np.int64], n: int, seed: int) -> NDArray[np.int64] | None:
        del n
        return capped(origin, None, self.synthetic_cap, seed)


@dataclass(frozen=True)
class AccumulateSubsample(Plain):
    """n samples drawn, all alike and none twice, from the real ones and all synthetic ones so far (Kazdan et al. 2024);
    n new synthetic ones per generation."""

    keeps_real: bool = True

    def synthetic_count(self, n: int) -> int:
        return n

    def past_generations(self, t: int) -> range:
        return range(1, t + 1)

    def keep(self, origin: NDArray[np.int64], n: int, seed: int) -> NDArray[np.int64] | None:
        return None if len(origin) <= n else drawn(np.arange(len(origin)), n, seed)


@dataclass(frozen=True)
class FreshReal(Plain):
    """round(share n) real samples never seen before and n - round(share n) synthetic ones of the newest generation; the
    first real samples are learned from once, in generation 0 (the fresh data loop of Alemohammad et al. 2024 at a fixed
    size)."""

    share: float
    keeps_real: bool = False

    def synthetic_count(self, n: int) -> int:
        return n - self.fresh_count(n)

    def fresh_count(self, n: int) -> int:
        return round(self.share * n)

    def past_generations(self, t: int) -> range:
        return range(t, t + 1)


def _augment(options: AugmentOptions) -> Policy:
    return Augment(options.lam, options.source, options.synthetic_cap)


POLICIES: dict[str, Part] = {
    "real": Part("Real only", "Control: the same steps on real data alone.", NoOptions, lambda _: RealOnly()),
    "augment": Part(
        "Augment", "Real data + lambda n fresh synthetic samples each generation.", AugmentOptions, _augment
    ),
    "replace": Part(
        "Replace", "Synthetic samples only, from generation 1 on; or beside a kept share of the original data.",
        ReplaceOptions, lambda options: Replace(options.real_kept),
    ),
    "accumulate": Part(
        "Accumulate", "Real data + every synthetic set so far.", CapOptions,
        lambda options: Accumulate(options.synthetic_cap),
    ),
    "accumulate-subsample": Part(
        "Accumulate, fixed budget", "n samples drawn from the real data and every synthetic set so far.", NoOptions,
        lambda _: AccumulateSubsample(),
    ),
    "fresh-real": Part(
        "Fresh real data", "A share of real data never seen before, the rest of n synthetic, each generation.",
        FreshOptions, lambda options: FreshReal(options.share),
    ),
}  # fmt: skip
