"""Least squares on labels of its own, against the closed forms of Gerstgrasser et al. 2024."""

import numpy as np
import pytest

from core.draws import Draws
from core.errors import InvalidConfig
from core.seeds import seed_for
from model.analytic.regression import Truth, design_of, stream_of
from model.domains import DOMAINS
from tests.model.lightloops import agrees, config_of, domain_of, fitted, ran

D, ROWS, SIGMA = 3, 12, 2.0
CHANGES = {
    "n": ROWS, "generations": 4, "replicates": 4000, "evaluation.samples": 16,
    "data.options": {"d": D, "sigma": SIGMA},
}  # fmt: skip
FIRST = SIGMA**2 * D / (ROWS - D - 1)
TRUTH, STREAM = Truth(D, ROWS, SIGMA), stream_of(seed_for(0, 0, "learn"), 3)


def test_the_test_error_grows_linearly_when_labels_are_replaced() -> None:
    loop = ran(config_of("regression", CHANGES))
    for generation in range(5):
        assert agrees(loop.trace("test_error", generation), FIRST * (generation + 1))


def test_the_test_error_stays_bounded_when_labels_accumulate() -> None:
    loop = ran(config_of("regression", CHANGES | {"policy": {"kind": "accumulate", "options": {}}}))
    for generation in range(5):
        theory = FIRST * sum(1 / i**2 for i in range(1, generation + 2))
        assert agrees(loop.trace("test_error", generation), theory)


def weights_of(samples: Draws, replicates: int = 3) -> np.ndarray:
    domain = domain_of(config_of("regression", CHANGES | {"replicates": replicates}))
    found: np.ndarray = fitted(domain, samples).arrays["weights"]
    return found


@pytest.mark.parametrize("repeats", [1, 4])
def test_all_labels_of_all_rows_are_fitted_as_least_squares_does(repeats: int) -> None:
    labels = np.tile(np.arange(ROWS), repeats)
    values = np.random.default_rng(0).normal(size=(3, len(labels)))
    found, features = weights_of(Draws(values, labels)), design_of(TRUTH, STREAM).features
    for row in range(3):
        expected = np.linalg.lstsq(features[row][labels], values[row], rcond=None)[0]
        np.testing.assert_allclose(found[row], expected, rtol=1e-9)


def test_weighted_and_uneven_labels_are_fitted_as_least_squares_does() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, ROWS, 30)
    values, weight = rng.normal(size=(3, 30)), rng.random((3, 30))
    weight[1, ::2] = 0.0
    found, features = weights_of(Draws(values, labels, weight)), design_of(TRUTH, STREAM).features
    for row in range(3):
        root = np.sqrt(weight[row])
        expected = np.linalg.lstsq(features[row][labels] * root[:, None], values[row] * root, rcond=None)[0]
        np.testing.assert_allclose(found[row], expected, rtol=1e-8)


def test_fewer_rows_than_features_give_the_shortest_solution() -> None:
    labels, values = np.array([0, 0, 5]), np.random.default_rng(0).normal(size=(3, 3))
    found, features = weights_of(Draws(values, labels)), design_of(TRUTH, STREAM).features
    for row in range(3):
        expected = np.linalg.lstsq(features[row][labels], values[row], rcond=None)[0]
        np.testing.assert_allclose(found[row], expected, rtol=1e-6)


def test_the_training_error_is_the_mean_squared_residual() -> None:
    domain = domain_of(config_of("regression", CHANGES | {"replicates": 3}))
    real, features = domain.real(ROWS), design_of(TRUTH, STREAM).features
    for samples in (real, real.concat([domain.fresh_real(ROWS, 1).take(np.arange(ROWS))]), real.take([0, 1, 2, 3, 4])):
        model = fitted(domain, samples)
        for row in range(3):
            gap = samples.values[row] - features[row][samples.labels] @ model.arrays["weights"][row]
            assert model.arrays["residual"][row] == pytest.approx((gap**2).mean())


def test_features_stay_and_labels_are_made_anew() -> None:
    domain = domain_of(config_of("regression", CHANGES | {"replicates": 3}))
    model = fitted(domain, domain.real(ROWS))
    again = fitted(domain, domain.real(ROWS), model)
    np.testing.assert_array_equal(again.arrays["stream"], model.arrays["stream"])
    labels = np.array([4, 0, 4])
    drawn = [domain.generator().sample(model, labels, guidance=1.0, seed=seed).values for seed in range(2000)]
    noise = np.array(drawn) - model.arrays["fitted"][:, labels]
    np.testing.assert_allclose(noise.mean(0), 0.0, atol=0.25)
    np.testing.assert_allclose(noise.std(0), SIGMA, rtol=0.1)


def test_fresh_real_labels_are_those_of_the_last_rows() -> None:
    domain = domain_of(config_of("regression", CHANGES | {"replicates": 3}))
    assert sorted(domain.fresh_real(4, 1).labels) == [8, 9, 10, 11]  # synthetic labels go round from the first row
    assert sorted(domain.fresh_real(14, 1).labels) == sorted([*range(12), 10, 11])
    assert domain.real(ROWS).labels.tolist() == list(range(ROWS))


def test_the_abscissa_is_the_first_seeds_line() -> None:
    domain = domain_of(config_of("regression", CHANGES | {"replicates": 3}))
    features = design_of(TRUTH, STREAM).features[0]
    np.testing.assert_allclose(domain.body()["abscissa"], features @ TRUTH.weights)


def test_foreign_seeds_cannot_begin() -> None:
    with pytest.raises(ValueError, match="2 seeds for the features of 3"):
        weights_of(Draws(np.zeros((2, ROWS)), np.arange(ROWS)))


@pytest.mark.parametrize("rows", [8, 11])
def test_too_few_samples_are_refused_in_words(rows: int) -> None:
    config = config_of("regression", {"n": rows})
    for refuse in (DOMAINS["regression"].check, domain_of):
        with pytest.raises(InvalidConfig, match=f"n = {rows} samples per generation for d = 10") as refused:
            refuse(config)
        assert refused.value.field == "n"
    DOMAINS["regression"].check(config_of("regression", {"n": 12}))
