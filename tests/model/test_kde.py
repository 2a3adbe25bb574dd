"""Kernel density estimates of samples of kernel density estimates."""

import numpy as np
import pytest

from core.draws import Draws
from core.records import Item
from model.analytic.kde import KernelDensity, KernelJudge, pick
from model.domains.densities import SHAPES, Density
from tests.model.lightloops import config_of, domain_of, ran


def draws(values: np.ndarray, weight: np.ndarray | None = None) -> Draws:
    return Draws(values, np.zeros(values.shape[1], np.int64), weight)


def fit(samples: Draws, centres: int = 1000, start: Item | None = None) -> Item:
    return KernelDensity(0.2, centres).fit(samples, start=start, scratch=False, steps=1, seed=0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bandwidth", [0.1, 0.5])
def test_the_likelihood_is_that_of_held_out_points(shape: str, bandwidth: float) -> None:
    truth = Density(shape, 0.2)
    points, held_out = truth.sample(1, (2, 40)), truth.sample(2, (1, 4000))[0]
    points[1, :, 0] *= 0.7  # a worse fit
    found = np.asarray(KernelJudge(truth, bandwidth).measure(draws(points), Item({"points": points}))["nll"])
    for row in range(2):
        square = ((held_out[:, None] - points[row]) ** 2).sum(2)
        least = square.min(1, keepdims=True)
        logs = np.log(np.exp((least - square) / (2 * bandwidth**2)).mean(1)) - least[:, 0] / (2 * bandwidth**2)
        losses = np.log(2 * np.pi * bandwidth**2) - logs
        assert abs(found[row] - losses.mean()) < 4 * losses.std() / 4000**0.5


def test_the_likelihoods_floor_is_the_entropy() -> None:
    truth = Density("moons", 0.2)
    judge, points = KernelJudge(truth, 0.05), truth.sample(1, (1, 20_000))
    entropy = judge.floor(50)["nll"]
    assert entropy == pytest.approx([-truth.log_density(truth.sample(3, (1, 4000))).mean()], abs=0.05)
    found = np.asarray(judge.measure(draws(points), Item({"points": points}))["nll"])
    assert entropy[0] < found[0] < entropy[0] + 0.1


def test_a_sample_is_a_training_point_and_kernel_noise() -> None:
    points = np.array([[[0.0, 0.0], [10.0, 0.0], [20.0, 5.0]]])
    model = fit(draws(points))
    values = KernelDensity(0.2, 100).sample(model, np.zeros(30_000, np.int64), guidance=1.0, seed=1).values[0]
    nearest = np.linalg.norm(values[:, None] - points[0], axis=2).argmin(1)
    np.testing.assert_allclose(np.bincount(nearest) / len(values), 1 / 3, atol=0.015)
    np.testing.assert_allclose((values - points[0, nearest]).std(0), 0.2, rtol=0.03)


def test_points_are_picked_as_often_as_they_weigh() -> None:
    rng = np.random.default_rng(0)
    chance = rng.random((2, 40_000))
    weight = np.array([[1.0, 0.0, 3.0, 0.5, 0.0], [0.0, 0.0, 0.0, 0.0, 2.0]])
    index = pick(weight, chance)
    shares = [np.bincount(row, minlength=5) / 40_000 for row in index]
    np.testing.assert_allclose(shares[0], weight[0] / weight[0].sum(), atol=0.01)
    np.testing.assert_allclose(shares[1], weight[1] / 2.0)
    assert np.array_equal(pick(np.ones((2, 7)), chance), (chance * 7).astype(int))
    edges = np.nextafter(np.ones((2, 1)), 0.0)
    assert pick(weight, edges).ravel().tolist() == [3, 4]  # never one that weighs nothing


def test_of_many_samples_evenly_many_of_every_set_are_kept() -> None:
    values = np.arange(100.0).repeat(2).reshape(1, 100, 2)
    model = fit(draws(values), centres=25)
    assert model.arrays["points"].shape == (1, 25, 2)
    assert np.histogram(model.arrays["points"][0, :, 0], 5, (0, 100))[0].tolist() == [5] * 5


def test_a_seed_that_is_left_with_fewer_samples_than_before_keeps_those() -> None:
    before = fit(draws(np.arange(12.0).reshape(2, 3, 2)))
    after = fit(draws(np.full((2, 5, 2), 7.0), np.array([[1.0] * 5, [0.0] * 5])), start=before)
    assert after.arrays["weight"].tolist() == [[1.0] * 5, [1.0] * 3 + [0.0] * 2]
    np.testing.assert_array_equal(after.arrays["points"][1, :3], before.arrays["points"][1])


def test_replacing_real_data_blurs_and_accumulating_holds() -> None:
    changes = {"n": 100, "generations": 10, "replicates": 10}
    replace, accumulate = (
        ran(config_of("kde", {**changes, "policy": {"kind": policy, "options": {}}}))
        for policy in ("replace", "accumulate")
    )
    assert replace.trace("nll", 10).mean() > accumulate.trace("nll", 10).mean() > replace.trace("nll", 0).mean()


def test_missing_pieces_of_a_curve_are_seen() -> None:
    truth = Density("circles", 0.05)
    values = truth.sample(1, (2, 2000))
    values[1, np.hypot(values[1, :, 0], values[1, :, 1]) < 0.75] = [1.0, 0.0]  # the inner circle is lost
    measured = (
        domain_of(config_of("kde", {"data.options": {"shape": "circles", "noise": 0.05}}))
        .evaluator()
        .measure(draws(values))
    )
    assert np.asarray(measured["modes"]).tolist() == [1.0, 0.5]
    assert np.asarray(measured["sliced_w2"])[1] > 2 * np.asarray(measured["sliced_w2"])[0]
