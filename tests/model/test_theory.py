"""Closed forms against numbers drawn here by other means, and where they refuse to speak."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.config import LoopConfig, PartConfig
from model.theory import THEORIES
from model.theory.gaussian import moments
from model.theory.special import digamma, mean_chi, tetragamma, trigamma
from model.theory.stability import contraction, largest_lambda

Array = NDArray[np.float64]


def gaussian(policy: str = "replace", *, n: int = 8, d: int = 1, **more: Any) -> LoopConfig:
    options = more.pop("options", {})
    model = PartConfig(kind="gaussian-fit", options=more.pop("model", {}))
    data = PartConfig(kind="normal", options={"d": d, **more.pop("data", {})})
    policy_config = PartConfig(kind=policy, options=options)
    return LoopConfig(domain="gaussian", data=data, model=model, policy=policy_config, n=n, **more)


def regression(policy: str = "replace", *, n: int = 12, d: int = 3, sigma: float = 1.0, **more: Any) -> LoopConfig:
    return LoopConfig(
        domain="regression", data=PartConfig(kind="linear", options={"d": d, "sigma": sigma}), n=n,
        model=PartConfig(kind="least-squares"), policy=PartConfig(kind=policy, options=more.pop("options", {})), **more,
    )  # fmt: skip


def predicted(key: str, config: LoopConfig, generations: int) -> Array:
    assert THEORIES[key].applies(config) == ""
    return THEORIES[key].curve(config, generations, {})


def close(values: Array, expected: Array, errors: float = 5.0) -> None:
    """values (T, S) have these means (T,), to so many standard errors."""
    error = values.std(1, ddof=1) / np.sqrt(values.shape[1])
    assert (np.abs(values.mean(1) - expected) < errors * error + 1e-12).all(), (values.mean(1), expected, error)


def gaussian_chain(policy: str, n: int, generations: int, *, biased: bool = False, lam: float = 1.0, share: float = 0.0,
                   d: int = 1, seeds: int = 40_000) -> tuple[Array, Array]:  # fmt: skip
    """Means (T, S, d) and covariances (T, S, d, d) of fits, by numpy alone."""
    rng = np.random.default_rng(3)
    real = rng.standard_normal((seeds, n, d))
    every = training = real
    means: list[Array] = []
    covariances: list[Array] = []
    for t in range(generations + 1):
        if t:
            count = {"augment": round(lam * n), "fresh-real": n - round(share * n)}.get(policy, n)
            noise = rng.standard_normal((seeds, count, d))
            root = np.linalg.cholesky(covariances[-1])
            made = means[-1][:, None] + np.matmul(noise, root.transpose(0, 2, 1))
            every = np.concatenate([every, made], 1)
            fresh = rng.standard_normal((seeds, round(share * n), d))
            training = {
                "replace": made, "augment": np.concatenate([real, made], 1), "accumulate": every,
                "fresh-real": np.concatenate([fresh, made], 1),
            }[policy]  # fmt: skip
        centred = training - training.mean(1, keepdims=True)
        means.append(training.mean(1))
        divisor = training.shape[1] - (0 if biased else 1)
        covariances.append(np.matmul(centred.transpose(0, 2, 1), centred) / divisor)
    return np.array(means), np.array(covariances)


# --- special functions ---


@pytest.mark.parametrize("x", [0.5, 1.0, 3.3, 7.99, 20.0, 49.5])
def test_gamma_functions_are_scipys(x: float) -> None:
    from scipy import special

    assert digamma(x) == pytest.approx(float(special.digamma(x)), abs=1e-11)
    assert trigamma(x) == pytest.approx(float(special.polygamma(1, x)), abs=1e-10)
    assert tetragamma(x) == pytest.approx(float(special.polygamma(2, x)), abs=1e-10)


def test_one_fits_standard_deviation_is_too_small_on_average() -> None:
    drawn = np.random.default_rng(0).standard_normal((200_000, 4)).std(1, ddof=1)
    assert mean_chi(3) == pytest.approx(drawn.mean(), abs=5 * drawn.std() / np.sqrt(len(drawn)))


# --- Gaussians ---


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("policy", ["replace", "accumulate", "augment", "fresh-real"])
def test_moments_follow_their_recursion(policy: str, biased: bool) -> None:
    means, covariances = gaussian_chain(policy, 6, 4, biased=biased, lam=0.7, share=0.34)
    v, m = moments(policy, 6, 4, biased=biased, lam=0.7, real=0.34)
    close(covariances[..., 0, 0], v)
    close(means[..., 0] ** 2, m)


def test_unbiased_chains_spread_by_one_mth_per_fit() -> None:
    means, covariances = gaussian_chain("replace", 8, 4)
    close(means[..., 0] ** 2 + covariances[..., 0, 0], predicted("gaussian-spread", gaussian(), 4))
    close(np.sqrt(covariances[..., 0, 0]), predicted("gaussian-std", gaussian(), 4))
    assert predicted("gaussian-spread", gaussian(n=100), 99)[[9, 99]] == pytest.approx([1.1, 2.0])


def test_biased_chains_keep_their_spread_and_lose_their_variance() -> None:
    config = gaussian(n=100, model={"estimator": "biased"})
    assert predicted("gaussian-biased-variance", config, 99)[99] == pytest.approx(0.366, abs=5e-4)
    assert predicted("gaussian-biased-spread", config, 99) == pytest.approx(np.ones(100))


@pytest.mark.parametrize("d", [1, 2])
def test_squared_wasserstein_distance_grows_as_predicted(d: int) -> None:
    means, covariances = gaussian_chain("replace", 400, 3, d=d, seeds=3000)
    roots = np.sqrt(np.linalg.eigvalsh(covariances))
    measured = (means**2).sum(-1) + ((roots - 1.0) ** 2).sum(-1)
    first_order = predicted("gaussian-w2-squared", gaussian(n=400, d=d), 3)
    assert first_order[0] * 400 == pytest.approx({1: 1.5, 2: 3.5}[d])
    close(measured, first_order)
    if d == 1:
        close(measured, predicted("gaussian-w2-squared-exact", gaussian(n=400), 3))
        assert predicted("gaussian-w2-squared-exact", gaussian(n=400), 3) == pytest.approx(first_order, rel=0.01)


@pytest.mark.parametrize("policy", ["augment", "accumulate", "fresh-real"])
def test_squared_wasserstein_distance_stays_small_with_real_data(policy: str) -> None:
    means, covariances = gaussian_chain(policy, 400, 4, lam=2.0, share=0.25, seeds=2000)
    measured = means[..., 0] ** 2 + (np.sqrt(covariances[..., 0, 0]) - 1.0) ** 2
    options = {"augment": {"lam": 2.0}, "fresh-real": {"share": 0.25}}.get(policy, {})
    close(measured, predicted("gaussian-w2-squared", gaussian(policy, n=400, options=options), 4))


def test_first_order_and_exact_part_in_long_chains() -> None:
    config = gaussian(n=10)
    exact, leading = predicted("gaussian-w2-squared-exact", config, 99), predicted("gaussian-w2-squared", config, 99)
    assert exact[99] < 0.9 * leading[99]


def test_wasserstein_distance_has_the_datas_units() -> None:
    one, two = (gaussian(n=50, data={"std": std}) for std in (1.0, 2.0))
    for key in ("gaussian-w2-squared", "gaussian-w2-squared-exact"):
        assert predicted(key, two, 5) == pytest.approx(4 * predicted(key, one, 5))
    assert (predicted("gaussian-spread", one, 5) == predicted("gaussian-spread", two, 5)).all()


def test_the_median_falls_while_the_mean_of_the_variance_stays() -> None:
    rng = np.random.default_rng(1)
    factors = rng.chisquare(9, (30, 40_000)) / 9
    median = np.median(np.sqrt(factors.cumprod(0)), axis=1)
    config = gaussian(n=10)
    assert predicted("gaussian-median-std", config, 29) == pytest.approx(median, rel=0.02)
    assert predicted("gaussian-mean-variance", config, 29) == pytest.approx(np.ones(30))
    far = predicted("gaussian-median-std", gaussian(n=100), 999)
    assert far[99] == pytest.approx(0.603, abs=0.002) and far[999] == pytest.approx(0.0063, abs=2e-4)


# --- regression ---


def regression_chain(policy: str, n: int, d: int, sigma: float, lam: int, generations: int) -> Array:
    """Test errors (T, S) by numpy's own least squares, one seed after another."""
    found = np.empty((generations + 1, 1500))
    for s in range(found.shape[1]):
        rng = np.random.default_rng(s)
        x = rng.standard_normal((n, d))
        rows = [(x, sigma * rng.standard_normal(n))]
        for t in range(generations + 1):
            w = np.linalg.lstsq(np.concatenate([r for r, _ in rows]), np.concatenate([y for _, y in rows]), rcond=None)[
                0
            ]
            found[t, s] = (w**2).sum()
            made = (np.tile(x, (lam, 1)), np.tile(x @ w, lam) + sigma * rng.standard_normal(lam * n))
            rows = {"replace": [made], "accumulate": [*rows, made], "augment": [rows[0], made]}[policy]
    return found


@pytest.mark.parametrize(("policy", "lam"), [("replace", 1), ("accumulate", 1), ("augment", 1), ("augment", 3)])
def test_regression_errs_as_predicted(policy: str, lam: int) -> None:
    config = regression(policy, n=14, d=2, sigma=0.5, options={"lam": float(lam)} if policy == "augment" else {})
    measured = regression_chain(policy, 14, 2, 0.5, lam, 4)
    close(measured, predicted(f"regression-{policy}", config, 4))


def test_the_published_regression_figures() -> None:
    config = regression("accumulate", n=100, d=10)
    sums = predicted("regression-accumulate", config, 99)[[0, 9, 49, 99]]
    assert sums == pytest.approx([0.1124, 0.1741, 0.1826, 0.1837], abs=5e-5)
    bound = predicted("regression-accumulate-bound", config, 99)
    assert bound == pytest.approx(np.full(100, 0.1848), abs=1e-4) and (sums < bound[0]).all()
    assert predicted("regression-replace", regression(n=100, d=10), 99)[99] == pytest.approx(11.24, abs=5e-3)


def test_augmented_regression_has_a_limit() -> None:
    config = regression("augment", n=100, d=10, options={"lam": 4.0})
    curve = predicted("regression-augment", config, 200)
    assert curve[200] / curve[0] == pytest.approx(1 + 4 / 9)


# --- where they hold ---


@pytest.mark.parametrize(
    ("key", "config", "said"),
    [
        ("regression-replace", regression("accumulate"), "'replace'"),
        ("regression-replace", regression(n=8, d=7), "T > d + 1"),
        ("regression-replace", regression(corrector=PartConfig(kind="idealized")), "'idealized'"),
        ("regression-replace", regression("replace", options={"real_kept": 0.1}), "kept"),
        ("regression-replace", gaussian(), "'regression'"),
        ("regression-accumulate", regression("accumulate", options={"synthetic_cap": 0.5}), "cap"),
        ("regression-augment", regression("augment", options={"lam": 0.5}), "whole lambda"),
        ("gaussian-spread", gaussian(model={"estimator": "biased"}), "unbiased"),
        ("gaussian-std", gaussian(d=2), "one dimension"),
        ("gaussian-mixed-variance", gaussian("augment", options={"source": "all past"}), "'all past'"),
        ("stability-bound", gaussian("replace"), "'augment'"),
        ("stability-threshold", gaussian("augment", corrector=PartConfig(kind="quality")), "gamma"),
        ("bertrand-threshold", gaussian("augment", corrector=PartConfig(kind="idealized")), "uncorrected"),
    ],
)  # fmt: skip
def test_refused_with_the_reason(key: str, config: LoopConfig, said: str) -> None:
    assert said in THEORIES[key].applies(config)


def test_correcting_only_what_is_measured_leaves_the_loop_as_predicted() -> None:
    config = regression(corrector=PartConfig(kind="idealized"))
    at_output = config.model_copy(update={"correction": config.correction.model_copy(update={"where": "output"})})
    assert THEORIES["regression-replace"].applies(at_output) == ""


@pytest.mark.parametrize("key", THEORIES)
def test_every_theory_says_what_it_is(key: str) -> None:
    theory = THEORIES[key]
    assert theory.key == key and theory.formula and theory.source and theory.title
    assert theory.symbols and all(theory.symbols.values())
    assert all(sentence.endswith(".") for sentence in theory.assumptions)
    assert (theory.kind == "threshold") == bool(theory.option)


# --- stability ---


@pytest.mark.parametrize("ratio", [0.0, 0.4])
@pytest.mark.parametrize("gamma", [0.0, 0.3, 5.0])
def test_the_condition_is_that_the_contraction_contracts(gamma: float, ratio: float) -> None:
    limit = largest_lambda(gamma, ratio)
    assert contraction(limit, ratio) / (1 + gamma) == pytest.approx(1.0)
    assert contraction(0.99 * limit, ratio) / (1 + gamma) < 1.0
    assert largest_lambda(0.0, 0.0) == 0.5, "Bertrand's"


def bound(config: LoopConfig) -> Callable[[int], Array]:
    return lambda generations: THEORIES["stability-bound"].curve(
        config, generations, {"ratio": 0.0, "tau": 0.2, "start": 0.1}
    )


def test_the_bound_is_its_sum() -> None:
    config = gaussian("augment", options={"lam": 0.25})
    r = 1 / 3
    assert bound(config)(2) == pytest.approx([0.2 + 0.1, 0.2 * (1 + r) + 0.1 * r, 0.2 * (1 + r + r * r) + 0.1 * r * r])


def test_stronger_correction_tightens_the_bound() -> None:
    curves = [
        bound(
            gaussian("augment", options={"lam": 0.5}, corrector=PartConfig(kind="idealized", options={"gamma": gamma}))
        )(50)
        for gamma in (0.1, 1.0, 5.0)
    ]
    assert (curves[0][1:] > curves[1][1:]).all() and (curves[1][1:] > curves[2][1:]).all()


def test_without_contraction_there_is_no_bound() -> None:
    assert np.isinf(bound(gaussian("augment", options={"lam": 1.0}))(3)).all()
