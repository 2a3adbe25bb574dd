"""The frozen judge's sanity table: what spoils motion must raise FID, in the right order and by enough."""

from collections.abc import Callable

import numpy as np
import pytest

from core.config import parse
from core.memory import MemoryMemo
from core.motion import MotionBatch
from model import evaluator as module
from model.datasets.base import Dataset
from model.datasets.registry import DATASETS
from model.evaluator import MotionEvaluator, points_of
from model.metrics import METRICS

COUNT = 510
Points = np.ndarray


@pytest.fixture(scope="module")
def real(deepmimic: Dataset) -> MotionBatch:
    return deepmimic.held_out(COUNT, draw=9)


@pytest.fixture(scope="module")
def fid(evaluator: MotionEvaluator, real: MotionBatch) -> Callable[[Callable[[Points], Points]], float]:
    points = points_of(real)
    return lambda change: evaluator.measure_points(change(points), real.labels)["fid"]


def jitter(points: Points, std_m: float) -> Points:
    return points + np.random.default_rng(0).normal(0, std_m, points.shape)


def test_fid_of_real_data_is_small_and_falls_with_the_count(evaluator: MotionEvaluator, deepmimic: Dataset) -> None:
    few, many = (evaluator.measure(deepmimic.held_out(count, draw=9))["fid"] for count in (60, 510))
    assert many < 3 and many < few


def test_jitter_raises_fid_step_by_step(fid: Callable[[Callable[[Points], Points]], float]) -> None:
    clean, *jittered = (fid(lambda p, s=std: jitter(p, s)) for std in (0.0, 0.003, 0.01, 0.03))  # type: ignore[misc]
    assert 1.4 * clean < jittered[0] < jittered[1] < jittered[2]
    assert jittered[1] > 3 * clean and jittered[2] > 8 * clean


@pytest.mark.parametrize(
    ("name", "factor"), [("shuffled", 40), ("frozen", 25), ("mean", 15), ("slide", 4), ("low", 4), ("no mirror", 1.8)]
)
def test_spoilt_motion_is_far_from_real(
    name: str,
    factor: float,
    real: MotionBatch,
    evaluator: MotionEvaluator,
    fid: Callable[[Callable[[Points], Points]], float],
) -> None:
    rng = np.random.default_rng(0)
    frames, labels = real.frames, real.labels
    slide = np.zeros((frames, 1, 3))
    slide[:, 0, 0] = 0.3 * np.arange(frames) / real.fps
    changes: dict[str, Callable[[Points], Points]] = {
        "shuffled": lambda p: np.stack([window[rng.permutation(frames)] for window in p]),
        "frozen": lambda p: np.repeat(p[:, 20:21], frames, axis=1),
        "mean": lambda p: np.stack([p[labels == label].mean(0) for label in labels]),
        "slide": lambda p: p + slide,
        "low": lambda p: p - np.array([0, 0.05, 0]),
    }
    clean = fid(lambda p: p)
    if name == "no mirror":
        part = DATASETS["deepmimic"]
        plain = part.build(parse(part.options, {"mirror": False})).held_out(COUNT, draw=9)
        assert evaluator.measure(plain)["fid"] > factor * clean
    else:
        assert fid(changes[name]) > factor * clean


def test_repeating_few_windows_costs_recall_and_coverage_only(evaluator: MotionEvaluator, real: MotionBatch) -> None:
    few = np.tile(np.arange(60), 9)[:COUNT]
    collapsed, whole = evaluator.measure(real.take(few)), evaluator.measure(real)
    assert collapsed["precision"] > 0.95 and collapsed["accuracy"] > 0.95
    assert collapsed["recall"] < 0.3 < 0.9 < whole["recall"]
    assert collapsed["coverage"] < 0.7 * whole["coverage"]
    assert collapsed["multimodality"] < 0.9 * whole["multimodality"]


def test_all_metrics_are_measured_the_same_each_time(evaluator: MotionEvaluator, real: MotionBatch) -> None:
    first, again = evaluator.measure(real), evaluator.measure(real)
    assert first == again and list(first) == list(METRICS)
    assert all(np.isfinite(value) for value in first.values())
    assert first["accuracy"] > 0.98


def test_the_floor_is_a_few_draws_of_real_data(evaluator: MotionEvaluator) -> None:
    floor = evaluator.floor(60)
    assert list(floor) == list(METRICS)
    assert len(floor["fid"]) == module.FLOOR_DRAWS == len(set(floor["fid"]))
    assert floor == evaluator.floor(60)


def test_one_sample_cannot_be_judged(evaluator: MotionEvaluator, real: MotionBatch) -> None:
    with pytest.raises(ValueError, match="two samples"):
        evaluator.measure(real.take([0]))


def test_training_is_deterministic_kept_and_told(deepmimic: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRAINING_WINDOWS", 128)
    monkeypatch.setattr(module, "REFERENCE_WINDOWS", 64)
    monkeypatch.setattr(module, "STEPS", 5)
    told: list[float] = []
    one, two = module.train(deepmimic, lambda fraction, _: told.append(fraction)), module.train(deepmimic)
    for name, values in one.arrays.items():
        np.testing.assert_array_equal(values, two.arrays[name])
    assert told and all(0 <= fraction <= 1 for fraction in told)
    memo = MemoryMemo()
    MotionEvaluator(deepmimic, memo)
    kept = dict(memo.items)
    MotionEvaluator(deepmimic, memo)
    assert memo.items == kept and len(kept) == 1


def test_any_skeleton_and_class_count(cmu: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRAINING_WINDOWS", 64)
    monkeypatch.setattr(module, "REFERENCE_WINDOWS", 64)
    monkeypatch.setattr(module, "STEPS", 2)
    assert list(MotionEvaluator(cmu, MemoryMemo()).measure(cmu.train(16))) == list(METRICS)
