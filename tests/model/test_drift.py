"""Artefacts and lost modes are told apart, by figures whose values are known."""

from dataclasses import replace

import numpy as np
import pytest

from core.memory import MemoryMemo
from core.motion import MotionBatch, nearest_of_class
from model.datasets.base import Dataset
from model.drift import DRIFT, DriftGauge, effective_modes, nearer_than_unseen, validity_share
from model.metrics import Features, frechet_of_moments, moments

N, COUNT = 60, 120


def see(samples: MotionBatch) -> Features:
    """Where a window's joints are, and how they shake: few features that know classes, modes and jitter."""
    joints = samples.world()[0]
    places = joints[:, ::13].reshape(len(samples), -1) @ np.random.default_rng(0).normal(0, 0.1, (4 * 15 * 3, 12))
    shake = np.linalg.norm(np.diff(samples.root_position_m, n=3, axis=1), axis=-1).mean(1)
    return np.concatenate([places, 50 * shake[:, None]], axis=1)


@pytest.fixture(scope="module")
def real(deepmimic: Dataset) -> MotionBatch:
    return deepmimic.train(N)


@pytest.fixture(scope="module")
def reference(deepmimic: Dataset) -> tuple[Features, Features]:
    return moments(see(deepmimic.held_out(600)))


@pytest.fixture(scope="module")
def gauge(deepmimic: Dataset, real: MotionBatch, reference: tuple[Features, Features]) -> DriftGauge:
    return DriftGauge(deepmimic, real, see, reference, MemoryMemo(), "test")


def drift(gauge: DriftGauge, samples: MotionBatch, reference: tuple[Features, Features]) -> dict[str, float]:
    found = gauge.measure(samples, frechet_of_moments(reference, moments(see(samples))), floor=0.5)
    assert list(found) == list(DRIFT)
    return found


def test_real_training_windows_snap_to_themselves(real: MotionBatch) -> None:
    shuffled = real.take(np.random.default_rng(0).permutation(N))
    nearest, distance_m = nearest_of_class(shuffled, real)  # not its own row where two windows are alike
    np.testing.assert_allclose(distance_m, 0, atol=1e-6)
    np.testing.assert_allclose(real.take(nearest).world()[0], shuffled.world()[0], atol=1e-5)


def test_a_class_without_real_windows_snaps_to_any(real: MotionBatch) -> None:
    foreign = replace(real.take([3]), labels=np.array([99]))
    assert nearest_of_class(foreign, real)[0].tolist() == [3]
    assert nearest_of_class(real.take([3]), real.take(real.labels == real.labels[3]))[0].tolist() == [0]


@pytest.mark.parametrize("k", [1, 4, 25])
def test_k_modes_used_equally_are_k_effective_ones(k: int) -> None:
    assert effective_modes(np.repeat(np.arange(k) * 7, 6)) == pytest.approx(k)


def test_unequal_use_counts_for_less() -> None:
    assert 1 < effective_modes(np.array([0] * 9 + [1])) < 2


def test_new_real_windows_use_all_modes_and_have_no_artefacts(
    deepmimic: Dataset, gauge: DriftGauge, reference: tuple[Features, Features]
) -> None:
    found = drift(gauge, deepmimic.held_out(COUNT, draw=3), reference)
    assert found["mode_share"] == pytest.approx(1, abs=0.15)
    assert found["memorization"] == pytest.approx(0.5, abs=0.1)
    assert found["validity_share"] < 0.2


def test_jitter_is_a_matter_of_validity_alone(
    deepmimic: Dataset, gauge: DriftGauge, reference: tuple[Features, Features]
) -> None:
    clean = deepmimic.held_out(COUNT, draw=3)
    noise = np.random.default_rng(0).normal(0, 0.02, clean.root_position_m.shape)
    found = drift(gauge, replace(clean, root_position_m=clean.root_position_m + noise), reference)
    assert found["validity_share"] > 0.8
    assert found["mode_share"] > 0.85


def test_collapse_is_a_matter_of_modes_alone(
    deepmimic: Dataset, gauge: DriftGauge, real: MotionBatch, reference: tuple[Features, Features]
) -> None:
    """Real windows, one per class, again and again: nothing to correct, and one mode of each class's four."""
    one_each = np.arange(COUNT) % len(deepmimic.class_names)
    found = drift(gauge, real.take(one_each), reference)
    assert found["validity_share"] == pytest.approx(0, abs=1e-6)
    assert 0.2 < found["mode_share"] < 0.5
    assert found["memorization"] == 1


def test_the_order_of_samples_does_not_matter(
    deepmimic: Dataset, gauge: DriftGauge, reference: tuple[Features, Features]
) -> None:
    samples = deepmimic.held_out(COUNT, draw=2)
    order = np.random.default_rng(0).permutation(COUNT)
    assert drift(gauge, samples.take(order), reference) == pytest.approx(drift(gauge, samples, reference))


def test_the_validity_share_stays_between_nothing_and_all() -> None:
    assert validity_share(fid=12, snapped=7, floor=2) == pytest.approx(0.5)
    assert validity_share(fid=12, snapped=1, floor=2) == 1
    assert validity_share(fid=12, snapped=14, floor=2) == 0
    assert validity_share(fid=2, snapped=1, floor=2) == 0


def test_nearer_than_unseen_compares_within_classes() -> None:
    """Class 1 lies a hundred times further out: pooled, its samples would look like those of no copy at all."""
    labels = np.repeat([0, 1], 50)
    unseen = np.linspace(1, 2, 50) * np.array([[1.0], [100.0]])
    assert nearer_than_unseen(unseen.ravel(), labels, unseen.ravel(), labels) == pytest.approx(0.5)
    assert nearer_than_unseen(0.1 * unseen.ravel(), labels, unseen.ravel(), labels) == 1
    assert nearer_than_unseen(9.0 * unseen.ravel(), labels, unseen.ravel(), labels) == 0
    assert nearer_than_unseen(np.ones(3), np.full(3, 7), unseen.ravel(), labels) == 0.5  # nothing to compare with
