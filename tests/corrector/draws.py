"""Plain draws, and the real ones that correctors of draws learn from."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.draws import Draws
from core.memory import MemoryMemo
from core.protocols import Corrector, Reference
from core.rotations import Array
from core.seeds import Seed, normal
from corrector.registry import CORRECTORS


@dataclass(frozen=True)
class Normal:
    """N(0, I) in d dimensions, as a domain that knows its truth tells it."""

    d: int

    def sample(self, seed: Seed, shape: tuple[int, int]) -> Array:
        return normal(seed, (*shape, self.d))

    def log_density(self, values: Array) -> Array:
        return np.asarray(-0.5 * (values**2).sum(-1) - 0.5 * self.d * np.log(2 * np.pi))


def drawn(seed: Seed, seeds: int, count: int, d: int = 2, *, classes: int = 1, std: float = 1.0) -> Draws:
    """(seeds, count, d) normal numbers; class k is shifted by 10 k."""
    labels = np.arange(count) % classes
    return Draws(std * normal(seed, (seeds, count, d)) + 10.0 * labels[:, None], labels)


def reference_of(real: Draws, truth: Any = None) -> Reference:
    return Reference(real, "draws", MemoryMemo(), truth)


def corrector_of(kind: str, reference: Reference, **options: Any) -> Corrector:
    part = CORRECTORS[kind]
    corrector: Corrector = part.build(part.options(**options), reference)
    return corrector


def values_of(samples: Any) -> Array:
    """(S, N, ...) of corrected draws."""
    assert isinstance(samples, Draws)
    return samples.values
