"""The frozen judge's sanity table: what spoils motion must raise FID, in the right order and by enough."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from core.memory import MemoryMemo
from core.motion import MotionBatch
from model import evaluator as module
from model.datasets.base import Dataset
from model.evaluator import MotionEvaluator, points_of
from model.metrics import METRICS

COUNT = 510
Points = np.ndarray


@pytest.fixture(scope="module")
def real(deepmimic: Dataset) -> MotionBatch:
    return deepmimic.held_out(COUNT, draw=9)


def jitter(points: Points, std_m: float) -> Points:
    return points + np.random.default_rng(0).normal(0, std_m, points.shape)


def test_fid_of_real_data_is_small_and_falls_with_the_count(evaluator: MotionEvaluator, deepmimic: Dataset) -> None:
    few, many = (evaluator.measure(deepmimic.held_out(count, draw=9))["fid"] for count in (60, 510))
    assert many < 3 and many < few


@dataclass(frozen=True, eq=False)
class Case:
    """A data set, its judge and real windows that neither has seen."""

    dataset: Dataset
    evaluator: MotionEvaluator
    real: MotionBatch
    points: Points

    def fid(self, change: Callable[[Points], Points]) -> float:
        return self.evaluator.measure_points(change(self.points), self.real.labels)["fid"]


@pytest.fixture(scope="module", params=["deepmimic", pytest.param("cmu", marks=pytest.mark.slow)])
def case(request: pytest.FixtureRequest) -> Case:
    """CMU is slow, because its judge has to be trained: 38 CPU seconds."""
    dataset: Dataset = request.getfixturevalue(request.param)
    judge = request.getfixturevalue("evaluator" if request.param == "deepmimic" else "cmu_evaluator")
    real = dataset.held_out(COUNT, draw=9)
    return Case(dataset, judge, real, points_of(real))


def test_jitter_raises_fid_step_by_step(case: Case) -> None:
    clean, *jittered = (case.fid(lambda p, s=std: jitter(p, s)) for std in (0.0, 0.003, 0.01, 0.03))  # type: ignore[misc]
    assert 1.4 * clean < jittered[0] < jittered[1] < jittered[2]
    assert jittered[1] > 3 * clean and jittered[2] > 8 * clean


@pytest.mark.parametrize(("name", "factor"), [("shuffled", 40), ("frozen", 25), ("mean", 15), ("slide", 4), ("low", 4)])
def test_spoilt_motion_is_far_from_real(name: str, factor: float, case: Case) -> None:
    rng = np.random.default_rng(0)
    frames, labels = case.real.frames, case.real.labels
    slide = np.zeros((frames, 1, 3))
    slide[:, 0, 0] = 0.3 * np.arange(frames) / case.real.fps
    middle = frames // 2
    changes: dict[str, Callable[[Points], Points]] = {
        "shuffled": lambda p: np.stack([window[rng.permutation(frames)] for window in p]),
        "frozen": lambda p: np.repeat(p[:, middle : middle + 1], frames, axis=1),
        "mean": lambda p: np.stack([p[labels == label].mean(0) for label in labels]),
        "slide": lambda p: p + slide,
        "low": lambda p: p - np.array([0, 0.05, 0]),
    }
    assert case.fid(changes[name]) > factor * case.fid(lambda p: p)


def test_missing_mirror_images_are_seen(case: Case) -> None:
    plain = replace(case.dataset, mirror=False).held_out(COUNT, draw=9)
    assert case.evaluator.measure(plain)["fid"] > 2.5 * case.fid(lambda p: p)


def test_images_are_known_from_recordings(deepmimic: Dataset) -> None:
    windows, plain = (data.evaluator_train(64) for data in (deepmimic, replace(deepmimic, mirror=False)))
    same = np.abs(windows.local_rotations_wxyz - plain.local_rotations_wxyz).max((1, 2, 3)) < 1e-6
    assert np.array_equal(~same, deepmimic.evaluator_images(64)) and 16 < same.sum() < 48
    assert not replace(deepmimic, mirror=False).evaluator_images(64).any()


def test_kid_of_real_data_is_about_nothing_at_every_count(evaluator: MotionEvaluator, deepmimic: Dataset) -> None:
    """Balanced classes vary less than independent draws, so that it lies a little below."""
    few, many = (evaluator.measure(deepmimic.held_out(count, draw=9))["kid"] for count in (60, 510))
    assert abs(few) < 2 and abs(many) < 0.3
    frozen = np.repeat(points_of(deepmimic.held_out(60, draw=9))[:, 20:21], 40, axis=1)
    assert evaluator.measure_points(frozen, np.arange(60) % 15)["kid"] > 10


@pytest.mark.parametrize(("frames", "fps"), [(196, 20.0), (60, 30.0), (21, 10.0)])
def test_other_lengths_and_rates_have_features_too(frames: int, fps: float) -> None:
    points = torch.randn(3, frames, 7, 3, generator=torch.Generator().manual_seed(0))
    network = module.Network(points=7, frames=frames, classes=4)
    features = network.trunk(module.inputs(points, fps))
    assert features.shape == (3, module.FEATURES)
    assert network.motion(features).shape[1] == module.inputs(points, fps)[:, : network.poses, ::2].flatten(1).shape[1]


def test_channels_mean_the_same_at_every_rate() -> None:
    """A steady walk over the floor, seen at 20 and at 40 frames per second."""
    seconds = [torch.arange(count) / fps for count, fps in ((40, 20.0), (80, 40.0))]
    walks = [torch.stack([t, 0 * t + 0.02, 0 * t], dim=-1)[None, :, None] for t in seconds]
    slow, fast = (module.inputs(walk, fps) for walk, fps in zip(walks, (20.0, 40.0), strict=True))
    torch.testing.assert_close(slow[..., :-4], fast[..., : 2 * 36 : 2], atol=1e-3, rtol=1e-3)


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
