"""Laws that every denoiser keeps behind the generator's interface."""

import numpy as np
import pytest
from pydantic import JsonValue

from backend.store import from_bytes, to_bytes
from core.config import LoopConfig, PartConfig, TrainingConfig
from core.memory import MemoryMemo
from core.motion import MotionBatch
from core.protocols import Generator
from core.records import Item
from model.denoisers import MODELS
from model.domains import DOMAINS

SMALL: dict[str, dict[str, JsonValue]] = {"transformer": {"width": 32, "layers": 1, "heads": 2}}
LABELS = np.array([0, 3, 3])


class Trained:
    def __init__(self, kind: str) -> None:
        config = LoopConfig(
            n=30,
            model=PartConfig(kind=kind, options=SMALL.get(kind, {})),
            training=TrainingConfig(initial_steps=6, steps=3, batch_size=16),
        )
        self.domain = DOMAINS["motion"].build(config, MemoryMemo(), "cpu")
        self.generator: Generator = self.domain.generator()
        self.real: MotionBatch = self.domain.real(30)
        self.checkpoint = self.fit(None)

    def fit(self, start: Item | None, *, scratch: bool = False, seed: int = 1) -> Item:
        return self.generator.fit(self.real, start=start, scratch=scratch, steps=6, seed=seed)

    def draw(self, checkpoint: Item, *, guidance: float = 1.0, seed: int = 5) -> np.ndarray:
        sample: MotionBatch = self.generator.sample(checkpoint, LABELS, guidance=guidance, seed=seed)
        return sample.local_rotations_wxyz


@pytest.fixture(scope="module", params=list(MODELS))
def trained(request: pytest.FixtureRequest) -> Trained:
    return Trained(request.param)


def same(a: Item, b: Item) -> bool:
    return a.arrays.keys() == b.arrays.keys() and all(np.array_equal(a.arrays[k], b.arrays[k]) for k in a.arrays)


def test_samples_are_motions_of_the_data_sets_body(trained: Trained) -> None:
    sample = trained.generator.sample(trained.checkpoint, LABELS, guidance=2.5, seed=0)
    assert isinstance(sample, MotionBatch)
    assert sample.skeleton == trained.real.skeleton and sample.frames == trained.real.frames
    assert np.array_equal(sample.labels, LABELS)
    assert np.allclose(np.linalg.norm(sample.local_rotations_wxyz, axis=-1), 1.0, atol=1e-4)


def test_training_and_drawing_repeat_by_seed(trained: Trained) -> None:
    assert same(trained.fit(None), trained.checkpoint)
    assert not same(trained.fit(None, seed=2), trained.checkpoint)
    assert np.array_equal(trained.draw(trained.checkpoint), trained.draw(trained.checkpoint))
    assert not np.array_equal(trained.draw(trained.checkpoint), trained.draw(trained.checkpoint, seed=6))


def test_a_stored_checkpoint_is_the_checkpoint(trained: Trained) -> None:
    stored = from_bytes(to_bytes(trained.checkpoint))
    assert same(stored, trained.checkpoint)
    assert np.array_equal(trained.draw(stored), trained.draw(trained.checkpoint))
    assert same(trained.fit(stored), trained.fit(trained.checkpoint))


def test_fine_tuning_goes_on_and_starting_over_does_not(trained: Trained) -> None:
    tuned, scratch = trained.fit(trained.checkpoint), trained.fit(trained.checkpoint, scratch=True)
    assert not same(tuned, trained.checkpoint) and not same(tuned, scratch)
    kept = [name for name in trained.checkpoint.arrays if name.startswith("representation.")]
    assert kept
    for after in (tuned, scratch):
        assert all(np.array_equal(after.arrays[name], trained.checkpoint.arrays[name]) for name in kept)


def test_guidance_changes_what_is_drawn(trained: Trained) -> None:
    assert not np.allclose(trained.draw(trained.checkpoint), trained.draw(trained.checkpoint, guidance=2.5))


def test_training_reports_a_finite_loss(trained: Trained) -> None:
    report = trained.checkpoint.meta["training"]
    assert np.isfinite(report["loss"]) and report["steps"] == 6


@pytest.mark.parametrize("kind", list(MODELS))
def test_entries_describe_themselves(kind: str) -> None:
    part = MODELS[kind]
    assert part.title and part.description
    assert all(field.title for field in part.options.model_fields.values())
