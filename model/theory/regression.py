"""Least squares on isotropic features: d dimensions, T samples, label noise s, the same X in every iteration."""

import numpy as np
from numpy.typing import NDArray

from core.config import LoopConfig
from model.theory.base import (
    Constants,
    Theory,
    fits,
    need,
    need_parts,
    need_policy,
    need_raw,
    number,
    reason,
)

GERSTGRASSER = (
    "Gerstgrasser et al. 2024, Is Model Collapse Inevitable?; consistent with our derivation and measurement, the "
    "paper's wording was not re-read"
)
SYMBOLS = {
    "n": "how many fits there have been: generation + 1",
    "s": "standard deviation of the label noise",
    "d": "dimensions",
    "T": "samples per fit",
}
ASSUMPTIONS = (
    "Features are independent standard normal, labels linear with normal noise, and test labels have no noise.",
    "T > d + 1, else the expectation of the inverse of X'X does not exist.",
    "Every iteration draws labels anew with the same noise s.",
)
SAME_X = "All iterations share one X, so that fits of several sets average their labels."


def one_fit(config: LoopConfig) -> float:
    """s² d / (T - d - 1): the expected test error of the first fit."""
    d, s = number(config, "data.d", 10), number(config, "data.sigma", 1.0)
    return s * s * d / (config.n - d - 1)


def _check(config: LoopConfig, *policies: str) -> None:
    need_parts(config, "regression", "least-squares")
    d = number(config, "data.d", 10)
    need(config.n > d + 1, f"Needs T > d + 1; here T = {config.n} and d = {d:g}.")
    need_policy(config, *policies)
    need_raw(config)


def _check_augment(config: LoopConfig) -> None:
    _check(config, "augment")
    lam = number(config, "policy.lam", 1.0)
    need(lam >= 1 and lam == int(lam), f"Derived for whole lambda >= 1 (every row of X equally often); here {lam:g}.")


def _replace(config: LoopConfig, generations: int, constants: Constants) -> NDArray[np.float64]:
    del constants
    return fits(generations) * one_fit(config)


def _accumulate(config: LoopConfig, generations: int, constants: Constants) -> NDArray[np.float64]:
    del constants
    return np.asarray(np.cumsum(1.0 / fits(generations) ** 2) * one_fit(config))


def _bound(config: LoopConfig, generations: int, constants: Constants) -> NDArray[np.float64]:
    del constants
    return np.full(generations + 1, np.pi**2 / 6 * one_fit(config))


def _constant(config: LoopConfig, generations: int, constants: Constants) -> NDArray[np.float64]:
    del constants
    return np.full(generations + 1, one_fit(config))


def _augment(config: LoopConfig, generations: int, constants: Constants) -> NDArray[np.float64]:
    del constants
    lam = number(config, "policy.lam", 1.0)
    share = lam / (1.0 + lam)
    noise = np.concatenate([[0.0], np.cumsum(share ** (2 * np.arange(generations)))]) * lam / (1.0 + lam) ** 2
    return np.asarray((1.0 + noise) * one_fit(config))


THEORIES = (
    Theory(
        "regression-replace", "Test error, replace", "test_error", "exact",
        "E_test(n) = n s² d / (T - d - 1)",
        SYMBOLS, ASSUMPTIONS, GERSTGRASSER, reason(lambda config: _check(config, "replace")), _replace,
        domain="regression",
    ),
    Theory(
        "regression-accumulate", "Test error, accumulate", "test_error", "exact",
        "E_test(n) = s² d / (T - d - 1) * sum_{i=1..n} 1 / i²",
        SYMBOLS, (*ASSUMPTIONS, SAME_X), GERSTGRASSER, reason(lambda config: _check(config, "accumulate")), _accumulate,
        domain="regression",
    ),
    Theory(
        "regression-accumulate-bound", "Bound, accumulate", "test_error", "bound",
        "E_test(n) <= s² d / (T - d - 1) * π² / 6",
        SYMBOLS, (*ASSUMPTIONS, SAME_X), GERSTGRASSER, reason(lambda config: _check(config, "accumulate")), _bound,
        domain="regression",
    ),
    Theory(
        "regression-augment", "Test error, augment", "test_error", "exact",
        "E_test(n) = s² d / (T - d - 1) * (1 + lambda / (1 + lambda)² * sum_{i=0..n-2} (lambda / (1 + lambda))^{2i})",
        SYMBOLS | {"lambda": "fresh synthetic samples per real one"}, (*ASSUMPTIONS, SAME_X),
        "Derived here: with a = lambda / (1 + lambda) the error of the weights is e_n = (1 - a) e_1 + a (e_{n-1} + "
        "noise); its limit is s² d / (T - d - 1) * (1 + lambda / (1 + 2 lambda))",
        reason(_check_augment), _augment,
        domain="regression",
    ),
    Theory(
        "regression-real", "Test error, real only", "test_error", "exact",
        "E_test(n) = s² d / (T - d - 1)",
        SYMBOLS, ASSUMPTIONS[:2], "Mean of an inverse Wishart matrix: E[tr (X'X)^-1] = d / (T - d - 1)",
        reason(lambda config: _check(config, "real")), _constant,
        domain="regression",
    ),
)  # fmt: skip
