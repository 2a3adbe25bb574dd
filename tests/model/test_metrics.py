"""Metrics on features whose answers are known."""

import numpy as np
import pytest

from model import metrics


def gauss(count: int, mean: float = 0.0, std: float = 1.0, size: int = 8, seed: int = 0) -> metrics.Features:
    return np.random.default_rng(seed).normal(mean, std, (count, size))


def manifold(real: metrics.Features, fake: metrics.Features) -> dict[str, float]:
    return metrics.manifold_metrics(real, fake, metrics.nearest_radii(real))


def test_frechet_distance_of_known_gaussians() -> None:
    """Between N(0, 1) and N(m, s^2) in d dimensions it is d (m^2 + (1 - s)^2)."""
    a = (np.zeros(8), np.eye(8))
    b = (np.full(8, 0.5), 4 * np.eye(8))
    assert metrics.frechet_of_moments(a, b) == pytest.approx(8 * (0.25 + 1))
    assert metrics.frechet_of_moments(a, a) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_agrees_with_the_matrix_square_root() -> None:
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6)), rng.normal(size=(300, 6)) @ rng.normal(size=(6, 6)) + 1
    ca, cb = np.cov(a.T), np.cov(b.T)
    gap = a.mean(0) - b.mean(0)
    textbook = gap @ gap + np.trace(ca + cb - 2 * sqrtm(ca @ cb).real)
    of_a, of_b = metrics.moments(a), metrics.moments(b)
    assert metrics.frechet_of_moments(of_a, of_b) == pytest.approx(textbook, rel=1e-6)
    assert metrics.frechet_of_moments(of_b, of_a) == pytest.approx(textbook, rel=1e-6)


def test_frechet_distance_survives_collapse() -> None:
    """Identical samples have no covariance; the distance stays finite."""
    found = metrics.frechet_of_moments(metrics.moments(gauss(500)), metrics.moments(np.zeros((20, 8))))
    assert found == pytest.approx(np.trace(np.cov(gauss(500).T)), rel=0.05)


def test_the_same_distribution_scores_well_everywhere() -> None:
    found = manifold(gauss(500), gauss(500, seed=1))
    assert min(found["precision"], found["recall"], found["coverage"]) > 0.9
    assert found["density"] == pytest.approx(1, abs=0.15)


def test_collapse_costs_recall_and_coverage_but_not_precision() -> None:
    real = gauss(500)
    found = manifold(real, np.repeat(real[:5], 100, axis=0))
    assert found["precision"] == 1
    assert found["recall"] < 0.05 and found["coverage"] < 0.3


def test_foreign_samples_cost_precision() -> None:
    found = manifold(gauss(300), gauss(300, mean=10))
    assert found == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}


def test_an_outlier_does_not_buy_coverage() -> None:
    """One far real sample opens a wide ball: precision is fooled by it, coverage is not (Naeem et al., fig. 3)."""
    real = np.concatenate([gauss(300), np.full((1, 8), 30.0)])
    found = manifold(real, gauss(300, mean=10))
    assert found["precision"] > 0.9 and found["coverage"] < 0.01


def test_radii_skip_the_sample_itself() -> None:
    line = np.arange(10.0)[:, None]
    np.testing.assert_allclose(metrics.nearest_radii(line, 1), 1)
    np.testing.assert_allclose(metrics.nearest_radii(line, 2), [2, 1, 1, 1, 1, 1, 1, 1, 1, 2])
    assert metrics.nearest_radii(line[:3], 5).tolist() == [2, 1, 2]  # fewer than five others


def test_multimodality_is_within_classes_and_diversity_across() -> None:
    features = np.array([[0.0], [2.0], [100.0], [104.0]])
    labels = np.array([0, 0, 1, 1])
    assert metrics.multimodality(features, labels) == pytest.approx(3)
    assert metrics.mean_distance(features) == pytest.approx((2 + 100 + 104 + 98 + 102 + 4) / 6)
    assert metrics.multimodality(features, np.arange(4)) == 0


def test_few_samples_are_called_few_in_words() -> None:
    assert metrics.caveats(300, features=64, classes=15) == {}
    found = metrics.caveats(20, features=64, classes=15)
    assert found.keys() == {"fid", "multimodality", *metrics.SHARES}
    assert "64 features" in found["fid"] and "10 of 15 classes" in found["multimodality"]
    assert "0.11" in found["recall"] and "100 or more" in found["recall"]
    assert "fid" not in metrics.caveats(65, 64, 15) and "fid" in metrics.caveats(64, 64, 15)
    assert "recall" not in metrics.caveats(100, 64, 15) and "recall" in metrics.caveats(99, 64, 15)


def test_the_registry_is_complete() -> None:
    assert {m.group for m in metrics.METRICS.values()} == {"fidelity", "diversity", "physics"}
    for name, metric in metrics.METRICS.items():
        assert metric.name == name and metric.title and metric.description.endswith(".")
