"""Gaussians fitted to samples of Gaussians, against their closed forms."""

import numpy as np
import pytest

from core.draws import Draws
from core.errors import InvalidConfig
from core.records import Item
from model.analytic.gaussian import GaussianFit, GaussianJudge, Truth
from model.domains.gaussian import GAUSSIAN, build_gaussian
from model.metrics import frechet_of_moments
from tests.model.lightloops import agrees, config_of, domain_of, fitted, ran

MANY = {"n": 10, "generations": 4, "replicates": 4000, "evaluation.samples": 16}


def draws(values: np.ndarray) -> Draws:
    return Draws(values, np.zeros(values.shape[1], np.int64))


def of_full_rank(rng: np.random.Generator, d: int) -> Item:
    return GaussianFit(biased=False, diagonal=False).fit(
        draws(rng.normal(0.3, 1.0, (2, 20, d)) @ rng.normal(size=(d, d))), start=None, scratch=False, steps=1, seed=0
    )


def test_the_variance_of_a_sample_grows_by_one_nth_per_fit() -> None:
    loop = ran(config_of("gaussian", MANY))
    for generation in range(5):
        assert agrees(loop.trace("spread", generation), 1 + (generation + 1) / 10)  # Shumailov et al. 2024


def test_a_biased_fit_loses_one_nth_of_its_variance_each_time() -> None:
    loop = ran(config_of("gaussian", MANY | {"model.options": {"estimator": "biased"}}))
    for generation in range(5):
        assert agrees(loop.trace("variance", generation), 0.9 ** (generation + 1))


def test_the_squared_distance_grows_by_three_halves_per_n_at_first() -> None:
    loop = ran(config_of("gaussian", MANY | {"n": 200, "generations": 1, "data.options": {"std": 2.0, "mean": -1.0}}))
    for generation in range(2):
        theory = 1.5 * 4.0 * (generation + 1) / 200
        assert loop.trace("w2_squared", generation).mean() == pytest.approx(theory, rel=0.05)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_distance_is_that_of_any_two_gaussians(d: int) -> None:
    model = of_full_rank(np.random.default_rng(d), d)
    measured = GaussianJudge(Truth(d, 1.5, 0.25)).measure(draws(np.zeros((2, 1, d))), model)
    truth = (np.full(d, 0.25), np.eye(d) * 1.5**2)
    for row in range(2):
        root = model.arrays["root"][row] if d > 1 else np.diag(model.arrays["scale"][row])
        expected = frechet_of_moments((model.arrays["mean"][row], root @ root), truth)
        assert np.asarray(measured["w2_squared"])[row] == pytest.approx(expected)
        assert np.asarray(measured["w2"])[row] == pytest.approx(expected**0.5)


@pytest.mark.parametrize("biased", [True, False])
def test_a_full_fit_is_the_mean_and_the_covariance(biased: bool) -> None:
    values = np.random.default_rng(0).normal(size=(2, 30, 3)) * [1.0, 2.0, 0.1] + 5
    model = GaussianFit(biased, diagonal=False).fit(draws(values), start=None, scratch=False, steps=1, seed=0)
    for row in range(2):
        np.testing.assert_allclose(model.arrays["mean"][row], values[row].mean(0))
        root = model.arrays["root"][row]
        np.testing.assert_allclose(root @ root, np.cov(values[row], rowvar=False, bias=biased), atol=1e-12)
    plain = GaussianFit(biased, diagonal=True).fit(draws(values), start=None, scratch=False, steps=1, seed=0)
    np.testing.assert_allclose(plain.arrays["scale"], values.std(1, ddof=0 if biased else 1))


def test_samples_have_the_fits_moments() -> None:
    model = of_full_rank(np.random.default_rng(4), 2)
    samples = GaussianFit(False, False).sample(model, np.zeros(200_000, np.int64), guidance=1.0, seed=1)
    for row in range(2):
        root = model.arrays["root"][row]
        np.testing.assert_allclose(samples.values[row].mean(0), model.arrays["mean"][row], atol=0.02)
        np.testing.assert_allclose(np.cov(samples.values[row], rowvar=False), root @ root, rtol=0.03, atol=0.02)


def test_a_singular_fit_draws_in_the_span_of_its_samples() -> None:
    domain = domain_of(config_of("gaussian", {"n": 8, "replicates": 2, "data.options": {"d": 20}}))
    real = domain.real(8)
    samples = domain.generator().sample(fitted(domain, real), np.zeros(50, np.int64), guidance=1.0, seed=1)
    for row in range(2):
        span = real.values[row] - real.values[row].mean(0)
        both = np.concatenate([span, samples.values[row] - real.values[row].mean(0)])
        assert np.linalg.matrix_rank(both, tol=1e-6) == np.linalg.matrix_rank(span) == 7


def test_one_sample_has_no_spread() -> None:
    values = np.random.default_rng(0).normal(size=(1, 5, 2))
    weight = np.array([[0.0, 1.0, 0.0, 0.0, 0.0]])
    for biased in (True, False):
        fit = GaussianFit(biased, diagonal=False)
        model = fit.fit(Draws(values, np.zeros(5, np.int64), weight), start=None, scratch=False, steps=1, seed=0)
        np.testing.assert_allclose(model.arrays["mean"][0], values[0, 1])
        np.testing.assert_allclose(model.arrays["scale"], 0.0)


def test_the_tail_of_a_shrunken_fit_is_thin() -> None:
    domain = domain_of(config_of("gaussian", {"data.options": {"d": 3}}))
    real = domain.truth.sample(1, (3, 4000))
    judge = domain.evaluator()
    for scale, low, high in ((1.0, 0.04, 0.06), (0.7, 0.0, 0.02), (2.0, 0.3, 1.0)):
        tails = judge.tails(draws(real * scale))
        assert tails is not None
        assert (tails.beyond(0.05) >= low).all() and (tails.beyond(0.05) <= high).all()


def test_the_true_density_is_a_density() -> None:
    truth = Truth(1, 0.5, 1.0)
    grid = np.linspace(-5, 7, 2001)
    assert np.exp(truth.log_density(grid[None, :, None])).sum() * (grid[1] - grid[0]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data.options": {"d": 0}}, "data.options.d"),
        ({"data.options": {"std": 0.0}}, "data.options.std"),
        ({"model.options": {"estimator": "none"}}, "model.options.estimator"),
        ({"model.kind": "gmm-em"}, "no model named 'gmm-em'"),
    ],
)
def test_bad_options_are_refused_in_words(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidConfig, match=words):
        domain_of(config_of("gaussian", changes))


def test_the_registry_builds_this_domain() -> None:
    assert GAUSSIAN.build is build_gaussian
    assert next(iter(GAUSSIAN.metrics)) == "w2"
