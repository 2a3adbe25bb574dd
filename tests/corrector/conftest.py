"""Real windows, and correctors that learned their bounds from them (once per session)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core import rotations as R
from core.motion import MotionBatch
from core.protocols import Corrector, Reference, Tick, silent
from core.records import Item
from corrector.bounds import Bounds, learn_bounds
from corrector.registry import CORRECTORS
from model.datasets import deepmimic

Make = Callable[..., Corrector]


class CountingMemo:
    """A memo that says how often it had to compute."""

    def __init__(self) -> None:
        self.kept: dict[str, Item] = {}
        self.computed: list[str] = []

    def get(self, key: str, compute: Callable[[], Item], tick: Tick = silent) -> Item:
        del tick
        if key not in self.kept:
            self.kept[key] = compute()
            self.computed.append(key)
        return self.kept[key]


@pytest.fixture(scope="session")
def dataset() -> Any:
    return deepmimic.build(deepmimic.DeepMimicOptions())


@pytest.fixture(scope="session")
def reference(dataset: Any) -> Reference:
    return Reference(dataset.train(120), dataset.digest, CountingMemo())


@pytest.fixture(scope="session")
def bounds(reference: Reference) -> Bounds:
    """What the correctors learn from the reference."""
    return learn_bounds(reference.real)


@pytest.fixture(scope="session")
def clean(dataset: Any) -> MotionBatch:
    """15 held-out windows, one per class."""
    batch: MotionBatch = dataset.held_out(15)
    return batch


@pytest.fixture(scope="session")
def make(reference: Reference) -> Make:
    """``make(kind, **options)`` with learned bounds; ``learned=False`` for the built-in ones."""

    def build(kind: str, *, learned: bool = True, **options: Any) -> Corrector:
        part = CORRECTORS[kind]
        corrector: Corrector = part.build(part.options(**options), reference if learned else None, silent)
        return corrector

    return build


def jittered(batch: MotionBatch, angle_rad: float = 0.1, distance_m: float = 0.03) -> MotionBatch:
    rng = np.random.default_rng(3)
    noise = R.rotvec_to_unitquat(rng.normal(0, angle_rad, (*batch.local_rotations_wxyz.shape[:-1], 3)))
    root = batch.root_position_m + rng.normal(0, distance_m, batch.root_position_m.shape)
    return replace(batch, root_position_m=root, local_rotations_wxyz=R.multiply(batch.local_rotations_wxyz, noise))


def raised(batch: MotionBatch, height_m: float) -> MotionBatch:
    return replace(batch, root_position_m=batch.root_position_m + np.array([0.0, height_m, 0.0]))


def slid(batch: MotionBatch, speed_m_s: float) -> MotionBatch:
    root = batch.root_position_m.astype(np.float64)
    root[..., 2] += speed_m_s * np.arange(batch.frames) / batch.fps
    return replace(batch, root_position_m=root)


def same(a: MotionBatch, b: MotionBatch) -> bool:
    return np.array_equal(a.root_position_m, b.root_position_m) and np.array_equal(
        a.local_rotations_wxyz, b.local_rotations_wxyz
    )
