"""Mixtures fitted by EM to samples of mixtures."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from core.draws import Draws
from core.errors import InvalidConfig, TrainingDiverged
from core.records import Item
from model.analytic.gmm import MixtureFit, MixtureJudge, Truth, features, log_sum, parameters
from model.domains import DOMAINS
from tests.model.lightloops import config_of, domain_of, fitted, ran


def draws(values: np.ndarray) -> Draws:
    return Draws(values, np.zeros(values.shape[1], np.int64))


def true_model(truth: Truth) -> Item:
    k, d = truth.components, truth.d
    return Item({
        "weight": np.full((1, k), 1 / k),
        "mean": truth.centres[None],
        "covariance": np.broadcast_to(np.eye(d) * truth.std**2, (1, k, d, d)).copy(),
    })  # fmt: skip


@pytest.mark.parametrize("d", [1, 2, 4])
def test_log_densities_are_linear_in_the_features(d: int) -> None:
    rng = np.random.default_rng(d)
    mean, root = rng.normal(size=(1, 3, d)), rng.normal(size=(1, 3, d, d))
    covariance = root @ root.transpose(0, 1, 3, 2) + np.eye(d)
    weight, points = np.array([[0.2, 0.5, 0.3]]), rng.normal(size=(1, 40, d)) * 3
    found = np.matmul(parameters(weight, mean, covariance), features(points))
    for k in range(3):
        law = multivariate_normal(mean[0, k], covariance[0, k])
        np.testing.assert_allclose(found[0, k], np.log(weight[0, k]) + law.logpdf(points[0]), rtol=1e-9)


def test_every_step_of_em_raises_the_likelihood() -> None:
    domain = domain_of(config_of("gmm", {"n": 200, "model.options": {"components": 3}}))
    losses = [fitted(domain, domain.real(200), steps=steps).meta["training"]["loss"] for steps in range(8)]
    assert (np.diff(losses) < 0).all()


def test_em_finds_the_true_mixture() -> None:
    truth = Truth(components=3, separation=6.0, d=2, std=0.5)
    samples = draws(truth.sample(5, (2, 6000)))
    model = MixtureFit(3, 1e-6).fit(samples, start=None, scratch=False, steps=60, seed=1)
    judge, drawn = MixtureJudge(truth), draws(truth.sample(6, (2, 400)))
    floor = np.asarray(judge.measure(drawn, true_model(truth))["nll"])
    assert judge.floor(100)["nll"] == pytest.approx(floor)
    assert (np.asarray(judge.measure(drawn, model)["nll"]) - floor < 0.01).all()
    for row in range(2):
        gap = np.linalg.norm(model.arrays["mean"][row][:, None] - truth.centres, axis=2)
        assert sorted(gap.argmin(1)) == [0, 1, 2] and gap.min(1).max() < 0.05


def test_fine_tuning_goes_on_from_where_it_was() -> None:
    domain = domain_of(config_of("gmm"))
    real = domain.real(40)
    whole, half = fitted(domain, real, steps=10), fitted(domain, real, steps=6)
    rest = fitted(domain, real, half, steps=4)
    np.testing.assert_allclose(rest.arrays["mean"], whole.arrays["mean"])
    anew = domain.generator().fit(real, start=half, scratch=True, steps=10, seed=1)
    np.testing.assert_allclose(anew.arrays["mean"], whole.arrays["mean"])


def test_what_is_worked_on_at_a_time_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    domain = domain_of(config_of("gmm", {"replicates": 5}))
    whole = fitted(domain, domain.real(40))
    monkeypatch.setattr("model.analytic.gmm.BLOCK", 1)
    for name, values in fitted(domain, domain.real(40)).arrays.items():
        np.testing.assert_allclose(values, whole.arrays[name], rtol=1e-12)


def test_samples_have_the_mixtures_shares_and_moments() -> None:
    model = Item({
        "weight": np.array([[0.8, 0.2]]), "mean": np.array([[[0.0, 0.0], [50.0, 0.0]]]),
        "covariance": np.array([[[[1.0, 0.6], [0.6, 2.0]], [[0.1, 0.0], [0.0, 0.1]]]]),
    })  # fmt: skip
    values = MixtureFit(2, 1e-6).sample(model, np.zeros(50_000, np.int64), guidance=1.0, seed=2).values[0]
    near = values[:, 0] < 25
    assert near.mean() == pytest.approx(0.8, abs=0.01)
    np.testing.assert_allclose(np.cov(values[near], rowvar=False), [[1.0, 0.6], [0.6, 2.0]], atol=0.05)
    np.testing.assert_allclose(values[~near].mean(0), [50.0, 0.0], atol=0.02)


def test_a_lost_cluster_is_seen() -> None:
    truth = Truth(components=4, separation=8.0, d=2, std=1.0)
    judge, values = MixtureJudge(truth), truth.sample(3, (3, 400))
    own = truth.by_component(values).argmax(1)
    values[1, own[1] == 2] = truth.centres[0]
    values[2] += 100.0
    measured = judge.measure(draws(values))
    assert np.asarray(measured["modes"]).tolist() == [1.0, 0.75, 0.0]
    distance = np.asarray(measured["sliced_w2"])
    assert distance[0] < distance[1] < distance[2]
    assert distance[2] == pytest.approx(100.0, rel=0.05)  # a shift by (100, 100): its root mean square projection


def test_clusters_are_as_far_apart_as_asked() -> None:
    for components, d in ((2, 1), (2, 2), (5, 1), (6, 3)):
        centres = Truth(components, 3.0, d, 0.5).centres
        gap = np.linalg.norm(centres[:, None] - centres, axis=2) + np.eye(components) * 9
        np.testing.assert_allclose(gap.min(1), 1.5)
        np.testing.assert_allclose(centres.mean(0), 0.0, atol=1e-12)


def test_log_sums_survive_small_densities() -> None:
    np.testing.assert_allclose(log_sum(np.array([[[-2000.0], [-2000.0]]])), -2000 + np.log(2))


def test_a_mixture_drifts_away_on_its_own_samples() -> None:
    loop = ran(config_of("gmm", {"n": 60, "generations": 15, "replicates": 20}))
    assert loop.trace("nll", 15).mean() > loop.trace("nll", 0).mean()


def test_a_likelihood_that_is_not_finite_is_an_error() -> None:
    values = np.zeros((1, 20, 2))
    values[0, 3] = np.nan
    with pytest.raises(TrainingDiverged, match="nan"):
        MixtureFit(2, 1e-6).fit(draws(values), start=None, scratch=False, steps=2, seed=0)


def test_more_components_than_samples_are_refused_in_words() -> None:
    changes: dict[str, Any] = {"n": 16, "model.options": {"components": 9}}
    with pytest.raises(InvalidConfig, match="9 components cannot be fitted to n = 16") as refused:
        DOMAINS["gmm"].check(config_of("gmm", changes))
    assert refused.value.field == "model.options.components"
    DOMAINS["gmm"].check(config_of("gmm", changes | {"n": 18}))
