"""Training, fine-tuning and sampling."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from core.config import PartConfig, SamplingConfig, TrainingConfig, parse
from core.errors import Cancelled, DataMissing, InvalidConfig, TrainingDiverged
from core.motion import MotionBatch, canonicalize
from core.records import Item
from model.datasets.base import Dataset
from model.denoisers import MODELS
from model.devices import pick_device
from model.generator import MotionGenerator

SMALL: dict[str, dict[str, Any]] = {
    "latent-mlp": {"width": 64, "layers": 2, "components": 24},
    "transformer": {"width": 32, "layers": 1, "patch": 8},
}
Maker = Callable[..., MotionGenerator]


@pytest.fixture
def make(deepmimic: Dataset) -> Maker:
    def build(
        kind: str = "latent-mlp", steps: int = 4, solver: Any = "ddim", options: dict[str, Any] | None = None,
        **training: Any,
    ) -> MotionGenerator:  # fmt: skip
        part, options = MODELS[kind], SMALL[kind] | (options or {})
        return MotionGenerator(
            PartConfig(kind=kind, options=options),
            part.build(parse(part.options, options)),
            deepmimic.skeleton,
            deepmimic.fps,
            len(deepmimic.class_names),
            parse(TrainingConfig, {"batch_size": 16, **training}),
            SamplingConfig(steps=steps, solver=solver),
            "cpu",
        )

    return build


@pytest.fixture(scope="module")
def real(deepmimic: Dataset) -> MotionBatch:
    return deepmimic.train(45)


def equal(a: Item, b: Item) -> bool:
    return a.arrays.keys() == b.arrays.keys() and all(np.array_equal(v, b.arrays[k]) for k, v in a.arrays.items())


@pytest.mark.parametrize("kind", MODELS)
def test_same_seed_same_numbers_other_seed_other_numbers(kind: str, make: Maker, real: MotionBatch) -> None:
    before = torch.get_rng_state()
    one, two = (make(kind).fit(real, start=None, scratch=False, steps=6, seed=3) for _ in range(2))
    other = make(kind).fit(real, start=None, scratch=False, steps=6, seed=4)
    assert equal(one, two) and one.meta == two.meta and not equal(one, other)
    samples = [make(kind).sample(one, real.labels, guidance=2.5, seed=seed) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(samples[0].local_rotations_wxyz, samples[1].local_rotations_wxyz)
    assert not np.array_equal(samples[0].local_rotations_wxyz, samples[2].local_rotations_wxyz)
    assert torch.equal(before, torch.get_rng_state())  # nobody else's random numbers are used up


@pytest.mark.parametrize("kind", MODELS)
def test_samples_are_canonical_motions_of_the_labels_asked_for(kind: str, make: Maker, real: MotionBatch) -> None:
    generator = make(kind)
    checkpoint = generator.fit(real, start=None, scratch=False, steps=4, seed=0)
    labels = np.array([3, 3, 0, 14])
    samples = generator.sample(checkpoint, labels, guidance=1.0, seed=0)
    assert samples.labels.tolist() == labels.tolist()
    assert samples.skeleton == real.skeleton and samples.frames == real.frames and samples.fps == real.fps
    np.testing.assert_allclose(canonicalize(samples).root_position_m, samples.root_position_m, atol=1e-4)
    stored = samples.with_arrays(samples.arrays())
    np.testing.assert_array_equal(stored.local_rotations_wxyz, samples.local_rotations_wxyz)
    assert len(generator.sample(checkpoint, np.zeros(0, np.int64), guidance=2.0, seed=0)) == 0


def test_a_stored_checkpoint_draws_the_same(make: Maker, real: MotionBatch) -> None:
    """The model kept from training and the one rebuilt from arrays are the same."""
    generator = make()
    checkpoint = generator.fit(real, start=None, scratch=False, steps=5, seed=0)
    loaded = Item({name: values.copy() for name, values in checkpoint.arrays.items()}, checkpoint.meta)
    a, b = (generator.sample(item, real.labels, guidance=2.5, seed=7) for item in (checkpoint, loaded))
    np.testing.assert_array_equal(a.local_rotations_wxyz, b.local_rotations_wxyz)
    tuned = [generator.fit(real, start=item, scratch=False, steps=3, seed=1) for item in (checkpoint, loaded)]
    assert equal(*tuned)


def test_noise_belongs_to_the_position(make: Maker, real: MotionBatch) -> None:
    """The panel shows the same noise in every generation, however many samples are drawn."""
    generator = make()
    checkpoint = generator.fit(real, start=None, scratch=False, steps=5, seed=0)
    few, many = (generator.sample(checkpoint, real.labels[:n], guidance=2.5, seed=7) for n in (4, 40))
    np.testing.assert_allclose(few.root_position_m, many.root_position_m[:4], atol=1e-3)


@pytest.mark.parametrize("solver", ["ddpm", "dpm-solver++"])
@pytest.mark.parametrize("kind", MODELS)
def test_every_solver_draws_by_seed_and_position(kind: str, solver: str, make: Maker, real: MotionBatch) -> None:
    checkpoint = make(kind).fit(real, start=None, scratch=False, steps=4, seed=0)
    generator, labels = make(kind, solver=solver), real.labels[:6]
    whole, again, few = (
        generator.sample(checkpoint, labels[:n], guidance=2.5, seed=7).root_position_m for n in (6, 6, 2)
    )
    np.testing.assert_array_equal(whole, again)
    np.testing.assert_allclose(few, whole[:2], atol=1e-3)
    assert np.abs(whole - make(kind).sample(checkpoint, labels, guidance=2.5, seed=7).root_position_m).max() > 1e-3


def test_a_model_of_a_thousand_levels_learns_and_draws(make: Maker, real: MotionBatch) -> None:
    generator = make(options={"levels": 1000})
    checkpoint = generator.fit(real, start=None, scratch=False, steps=4, seed=0)
    assert np.isfinite(generator.sample(checkpoint, real.labels, guidance=2.5, seed=0).root_position_m).all()
    assert not equal(checkpoint, make().fit(real, start=None, scratch=False, steps=4, seed=0))


def test_dropout_comes_from_the_seed(make: Maker, real: MotionBatch) -> None:
    def fitted(seed: int, dropout: float) -> Item:
        generator = make("transformer", options={"dropout": dropout})
        return generator.fit(real, start=None, scratch=False, steps=2, seed=seed)

    assert equal(fitted(3, 0.2), fitted(3, 0.2)) and not equal(fitted(3, 0.2), fitted(3, 0.0))


def test_the_clock_is_told_beside_the_checkpoint(make: Maker, real: MotionBatch) -> None:
    checkpoint = make().fit(real, start=None, scratch=False, steps=3, seed=0)
    assert checkpoint.pace["samples_per_s"] == pytest.approx(16 * checkpoint.pace["steps_per_s"])
    assert set(checkpoint.meta["training"]) == {"loss", "steps"}


def test_guidance_one_is_the_conditional_model_and_more_moves_on(make: Maker, real: MotionBatch) -> None:
    generator = make()
    checkpoint = generator.fit(real, start=None, scratch=False, steps=60, seed=0)
    at = {w: generator.sample(checkpoint, real.labels, guidance=w, seed=0) for w in (1.0, 1.0 + 1e-6, 2.5)}
    np.testing.assert_allclose(at[1.0].root_position_m, at[1.0 + 1e-6].root_position_m, atol=1e-3)
    assert np.abs(at[1.0].root_position_m - at[2.5].root_position_m).max() > 0.01


@pytest.mark.parametrize("kind", MODELS)
def test_training_lowers_the_loss_and_fine_tuning_goes_on(kind: str, make: Maker, real: MotionBatch) -> None:
    generator = make(kind)
    short = generator.fit(real, start=None, scratch=False, steps=10, seed=0)
    longer = generator.fit(real, start=None, scratch=False, steps=120, seed=0)
    assert longer.meta["training"]["loss"] < 0.8 * short.meta["training"]["loss"]
    tuned = generator.fit(real, start=longer, scratch=False, steps=60, seed=1)
    again = generator.fit(real, start=longer, scratch=True, steps=60, seed=1)
    assert tuned.meta["training"]["loss"] < 0.9 * again.meta["training"]["loss"]
    assert tuned.meta["training"]["steps"] == 60


def test_the_representation_is_fitted_once(make: Maker, real: MotionBatch) -> None:
    generator = make()
    first = generator.fit(real, start=None, scratch=False, steps=2, seed=0)
    for scratch in (False, True):
        later = generator.fit(real.take(slice(0, 10)), start=first, scratch=scratch, steps=2, seed=1)
        for name, values in first.arrays.items():
            if name.startswith("representation."):
                np.testing.assert_array_equal(values, later.arrays[name])


def test_no_steps_leave_the_weights_alone(make: Maker, real: MotionBatch) -> None:
    generator = make()
    first = generator.fit(real, start=None, scratch=False, steps=2, seed=0)
    assert equal(first, generator.fit(real, start=first, scratch=False, steps=0, seed=5))


def test_a_loss_that_is_no_number_ends_training(make: Maker, real: MotionBatch) -> None:
    root = real.root_position_m.copy()
    root[:, 5] = np.nan
    generator = make()
    first = generator.fit(real, start=None, scratch=False, steps=1, seed=0)
    with pytest.raises(TrainingDiverged, match="step 0"):
        generator.fit(replace(real, root_position_m=root), start=first, scratch=False, steps=5, seed=0)


def test_the_tick_can_stop_training_and_sampling(make: Maker, real: MotionBatch) -> None:
    def stop(fraction: float, sentence: str) -> None:
        assert 0 <= fraction <= 1 and sentence
        raise Cancelled

    generator = make()
    with pytest.raises(Cancelled):
        generator.fit(real, start=None, scratch=False, steps=100_000, seed=0, tick=stop)
    checkpoint = generator.fit(real, start=None, scratch=False, steps=1, seed=0)
    with pytest.raises(Cancelled):
        generator.sample(checkpoint, real.labels, guidance=1.0, seed=0, tick=stop)


def test_misfits_are_refused_in_words(make: Maker, real: MotionBatch) -> None:
    generator = make()
    checkpoint = generator.fit(real, start=None, scratch=False, steps=1, seed=0)
    with pytest.raises(InvalidConfig, match="0 to 14"):
        generator.sample(checkpoint, np.array([15]), guidance=1.0, seed=0)
    stored = Item({name: values.copy() for name, values in checkpoint.arrays.items()})
    with pytest.raises(DataMissing, match="does not fit"):
        make("transformer").sample(stored, np.array([0]), guidance=1.0, seed=0)


def test_devices() -> None:
    assert pick_device("cpu").type == "cpu"
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.gpu
def test_the_gpu_draws_what_the_cpu_draws(make: Maker, real: MotionBatch, deepmimic: Dataset) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    generator = make()
    checkpoint = generator.fit(real, start=None, scratch=False, steps=20, seed=0)
    part = MODELS["latent-mlp"]
    on_gpu = MotionGenerator(
        PartConfig(kind="latent-mlp", options=SMALL["latent-mlp"]),
        part.build(parse(part.options, SMALL["latent-mlp"])),
        deepmimic.skeleton, deepmimic.fps, 15, TrainingConfig(batch_size=16), SamplingConfig(steps=4), "cuda",
    )  # fmt: skip
    a, b = (each.sample(checkpoint, real.labels, guidance=2.5, seed=7) for each in (generator, on_gpu))
    np.testing.assert_allclose(a.root_position_m, b.root_position_m, atol=0.02)
    tuned = on_gpu.fit(real, start=checkpoint, scratch=False, steps=5, seed=1)
    reference = generator.fit(real, start=checkpoint, scratch=False, steps=5, seed=1)
    assert tuned.meta["training"]["loss"] == pytest.approx(reference.meta["training"]["loss"], rel=0.02)
