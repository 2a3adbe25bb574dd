"""Flows of points: S networks that learn side by side, and the laws of their densities."""

from typing import Any

import numpy as np
import pytest

from backend.parts import build_run, check, read_config
from core.config import LoopConfig, PartConfig, SamplingConfig, TrainingConfig, parse, with_changes
from core.draws import Draws, stack
from core.errors import Cancelled, DataMissing, InvalidConfig, TrainingDiverged
from core.loop import run_loop
from core.memory import MemoryMemo, MemoryShelf
from core.records import Item
from model.analytic.light import unlabelled
from model.domains.densities import Density
from model.flow.evaluator import FlowJudge
from model.flow.generator import FlowGenerator, log_density

LABELS = np.zeros(40, np.int64)
BLOBS = Density("blobs", 0.2)


def generator(width: int = 12, layers: int = 2, steps: int = 6, **training: Any) -> FlowGenerator:
    options = parse(TrainingConfig, {"batch_size": 32, "learning_rate": 0.01, **training})
    return FlowGenerator(PartConfig(kind="flow-diffusion"), width, layers, options, SamplingConfig(steps=steps))


def real(seeds: int = 1, count: int = 60, seed: int = 0) -> Draws:
    return unlabelled(BLOBS.sample(seed, (seeds, count)))


def fitted(samples: Draws, steps: int = 20, seed: Any = 1, start: Item | None = None, scratch: bool = False) -> Item:
    return generator().fit(samples, start=start, scratch=scratch, steps=steps, seed=seed)


def drawn(model: Item, seed: Any = 5) -> np.ndarray:
    return generator().sample(model, LABELS, guidance=1.0, seed=seed).values


def same(a: Item, b: Item) -> bool:
    return a.arrays.keys() == b.arrays.keys() and all(np.array_equal(a.arrays[k], b.arrays[k]) for k in a.arrays)


def test_training_and_drawing_repeat_by_seed() -> None:
    one, two, other = (fitted(real(2), seed=seed) for seed in (1, 1, 2))
    assert same(one, two) and one.meta == two.meta and not same(one, other)
    assert drawn(one).shape == (2, 40, 2)
    np.testing.assert_array_equal(drawn(one), drawn(one))
    assert not np.array_equal(drawn(one), drawn(one, seed=6))


def test_loops_side_by_side_learn_and_draw_what_each_does_alone() -> None:
    first, second = real(2, seed=3), real(1, seed=4)
    both = fitted(stack([first, second]), seed=((1, 2), (9, 1)))
    alone = [fitted(first, seed=1), fitted(second, seed=9)]
    for name, values in both.arrays.items():
        np.testing.assert_allclose(values, np.concatenate([item.arrays[name] for item in alone]), rtol=1e-9, atol=1e-12)
    together = drawn(both, seed=((5, 2), (6, 1)))
    apart = np.concatenate([drawn(alone[0], 5), drawn(alone[1], 6)])
    np.testing.assert_allclose(together, apart, rtol=1e-9, atol=1e-12)
    panel = Item({name: values[:1] for name, values in both.arrays.items()})
    np.testing.assert_allclose(drawn(panel, 5), drawn(Item({k: v[:1] for k, v in alone[0].arrays.items()}), 5))


def test_a_sample_of_weight_nothing_is_not_there() -> None:
    samples = real(2, 60)
    padded = Draws(
        np.concatenate([samples.values, np.full((2, 30, 2), 1e6)], axis=1), np.zeros(90, np.int64),
        np.concatenate([np.ones((2, 60)), np.zeros((2, 30))], axis=1),
    )  # fmt: skip
    short, long = fitted(samples), fitted(padded)
    for name, values in short.arrays.items():
        np.testing.assert_allclose(values, long.arrays[name], rtol=1e-9, atol=1e-12)
    gone = Draws(samples.values, samples.labels, np.stack([np.ones(60), np.zeros(60)]))
    after = fitted(gone, start=short, seed=2)
    assert not np.array_equal(after.arrays["ema.weight.0"][0], short.arrays["ema.weight.0"][0])
    np.testing.assert_array_equal(after.arrays["ema.weight.0"][1], short.arrays["ema.weight.0"][1])


def test_training_lowers_the_loss_and_fine_tuning_goes_on() -> None:
    short, longer = fitted(real(2), 5), fitted(real(2), 300)
    assert longer.meta["training"]["loss"] < 0.85 * short.meta["training"]["loss"]
    tuned, again = (fitted(real(2), 10, start=longer, scratch=scratch, seed=2) for scratch in (False, True))
    assert tuned.meta["training"]["loss"] < 0.9 * again.meta["training"]["loss"]
    for name in ("scale.mean", "scale.std"):  # what generation 0 was standardised by stays
        np.testing.assert_array_equal(again.arrays[name], longer.arrays[name])
    assert same(longer, fitted(real(2), 0, start=longer, seed=7))


def test_points_come_to_lie_where_the_data_is() -> None:
    judge, before, after = FlowJudge(BLOBS), fitted(real(2, 400), 1), fitted(real(2, 400), 400)
    worse, better = (judge.measure(unlabelled(drawn(model)), model) for model in (before, after))
    for name in ("sliced_w2", "nll"):
        assert np.asarray(worse[name]).shape == (2,)
        assert (np.asarray(better[name]) < np.asarray(worse[name])).all()


def test_the_density_is_that_of_the_points_drawn() -> None:
    """It adds up to one, and to the share of samples in each half of the plane."""
    model = fitted(real(2, 400), 300)
    axis = np.arange(-4, 4, 0.08)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(1, -1, 2)
    mass = np.exp(log_density(model, grid)) * 0.08**2
    np.testing.assert_allclose(mass.sum(1), 1.0, atol=0.03)
    points = generator(steps=30).sample(model, np.zeros(4000, np.int64), guidance=1.0, seed=3).values
    right = mass[:, grid[0, :, 0] > 0].sum(1) / mass.sum(1)
    np.testing.assert_allclose(right, (points[:, :, 0] > 0).mean(1), atol=0.04)


def test_the_judge_knows_real_points_from_others() -> None:
    judge, far = FlowJudge(BLOBS), unlabelled(BLOBS.sample(8, (2, 300)))
    floor = judge.floor(300)
    whole, two_modes = (
        judge.measure(far),
        judge.measure(far.with_values(np.where(far.values < 0, -far.values, far.values))),
    )
    assert np.asarray(whole["modes"]).tolist() == [1.0, 1.0] and (np.asarray(two_modes["modes"]) < 1).all()
    assert (np.asarray(two_modes["sliced_w2"]) > 3 * np.mean(floor["sliced_w2"])).all()
    assert "nll" not in whole and np.isfinite(floor["nll"]).all()
    shrunk = judge.tails(far.with_values(far.values.round(0)))
    assert 0.01 < judge.tails(far).beyond(0.05).mean() < 0.1 < shrunk.beyond(0.05).mean()


def test_bad_numbers_and_misfits_are_refused_in_words() -> None:
    model = fitted(real())
    with pytest.raises(DataMissing, match="linear maps"):
        generator(width=8).sample(model, LABELS, guidance=1.0, seed=0)
    spoilt = real(2)
    spoilt.values[1, :, 0] = np.nan
    with pytest.raises(TrainingDiverged, match="step 0"):
        fitted(spoilt)

    def stop(fraction: float, sentence: str) -> None:
        assert 0 <= fraction <= 1 and sentence
        raise Cancelled

    with pytest.raises(Cancelled):
        generator().fit(real(), start=None, scratch=False, steps=100_000, seed=0, tick=stop)
    with pytest.raises(Cancelled):
        generator().sample(model, LABELS, guidance=1.0, seed=0, tick=stop)


def config(**changes: Any) -> LoopConfig:
    return with_changes(read_config({"domain": "flow"}), changes)


def test_a_loop_of_several_seeds_repeats_and_leaves_their_traces() -> None:
    small = config(
        **{
            "n": 40, "generations": 1, "replicates": 2, "training.initial_steps": 6, "training.steps": 3,
            "sampling.steps": 2, "evaluation.samples": 50, "evaluation.panel": 4,
            "model.options": {"width": 8, "layers": 1},
        }
    )  # fmt: skip

    def ran() -> tuple[list[Any], Any]:
        shelf = MemoryShelf()
        run = build_run(check(small), shelf=shelf, memo=MemoryMemo())
        return [record.metrics for record in run_loop(run)], shelf.load(1, "metrics").meta["traces"]

    metrics, traces = ran()
    assert (metrics, traces) == ran() and next(iter(metrics[0])) == "sliced_w2"
    assert all(len(values) == 2 for values in traces.values()) and set(traces) == set(metrics[1])


def test_too_many_numbers_at_once_are_refused() -> None:
    with pytest.raises(InvalidConfig, match="numbers") as caught:
        check(config(replicates=10_000, n=100_000))
    assert caught.value.field == "replicates"
