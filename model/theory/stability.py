"""Stability of iterative retraining: contraction per generation, its bound, and the largest lambda it speaks of."""

import numpy as np
from numpy.typing import NDArray

from core.config import LoopConfig
from model.theory.base import Constants, Theory, need, number, option, reason

GILLMAN = (
    "Gillman et al. 2024, Self-Correcting Self-Consuming Loops (ICML), arXiv:2402.07087: consistent with their "
    "stability statement; its wording was not re-read, so take it as the shape of a bound, not as their theorem"
)
BERTRAND = (
    "Bertrand et al. 2024, Stability of Iterative Retraining (ICLR): consistent with their sufficient local "
    "condition; its wording was not re-read"
)
RATIO = "ratio"
NEEDS = {
    RATIO: "L eps / alpha: Lipschitz constant of the likelihood's curvature times the distance of the best model from "
    "the data, over the curvature at the best model (0 where the model family holds the truth)",
    "tau": "tau(n): how far one fit to n samples is from the best model, in units of the metric",
    "start": "|theta_0 - theta*|: how far generation 0 is from the best model, in units of the metric",
}
SYMBOLS = {
    "lambda": "fresh synthetic samples per real one",
    "gamma": "strength of the correction: (p + gamma p*) / (1 + gamma)",
    "rho": "lambda (alpha + eps L) / (alpha - lambda (alpha + eps L))",
    "alpha": "curvature of the expected log likelihood at the best model theta*",
    "L": "Lipschitz constant of that curvature",
    "eps": "distance of the best model from the data",
    "tau": "how far one fit to n samples is from theta*",
    "t": "generation",
}
ASSUMPTIONS = (
    "Each generation is the best fit near the one before, and generation 0 is near theta*.",
    "Where the model family holds the truth, L eps / alpha = 0; elsewhere it must be set. tau and |theta_0 - theta*| "
    "are set, or estimated from the run by its metric at generation 0.",
)


def contraction(lam: float, ratio: float) -> float:
    """rho(lambda); infinite where lambda (1 + L eps / alpha) >= 1."""
    c = lam * (1.0 + ratio)
    return c / (1.0 - c) if c < 1.0 else float("inf")


def largest_lambda(gamma: float, ratio: float) -> float:
    """Where rho(lambda) / (1 + gamma) = 1: lambda (1 + L eps / alpha) = (1 + gamma) / (2 + gamma)."""
    return (1.0 + gamma) / (2.0 + gamma) / (1.0 + ratio)


def gamma_of(config: LoopConfig) -> float:
    """Strength of the idealized correction inside the loop; 0 for none.

    Raises:
        NotApplicable: for a corrector of which no gamma is known.
    """
    if config.corrector.kind == "none" or config.correction.where == "output":
        return 0.0
    need(
        config.corrector.kind == "idealized",
        f"Speaks of the idealized correction of strength gamma; {config.corrector.kind!r} has no gamma.",
    )
    return number(config, "corrector.gamma", 1.0)


def _check_policy(config: LoopConfig) -> None:
    need(config.policy.kind == "augment", f"Assumes the policy 'augment'; this loop has {config.policy.kind!r}.")
    cap = number(config, "policy.synthetic_cap", 1.0)
    need(cap >= 1.0, "Assumes no cap on the synthetic share.")
    gamma_of(config)


def _check_bound(config: LoopConfig) -> None:
    need(config.domain == "gaussian", "Drawn for the Gaussian, whose distance from the truth is known exactly.")
    _check_policy(config)


def _check_bertrand(config: LoopConfig) -> None:
    _check_policy(config)
    need(gamma_of(config) == 0.0, "Bertrand's condition speaks of uncorrected samples.")


def _bound(config: LoopConfig, generations: int, constants: Constants) -> NDArray[np.float64]:
    ratio, tau, start = (constants[name] for name in ("ratio", "tau", "start"))
    r = contraction(number(config, "policy.lam", 1.0), ratio) / (1.0 + gamma_of(config))
    if not np.isfinite(r):
        return np.full(generations + 1, np.inf)
    powers = r ** np.arange(generations + 1, dtype=np.float64)
    return np.asarray(tau * np.cumsum(powers) + powers * start)


def _threshold(config: LoopConfig, generations: int, constants: Constants) -> NDArray[np.float64]:
    del generations
    return np.array([largest_lambda(gamma_of(config), constants["ratio"])])


def known_constants(config: LoopConfig) -> dict[str, float]:
    """Constants that a config settles: where the fitted family holds the truth, eps and so the ratio are 0."""
    exact = config.domain == "gaussian" and (
        option(config, "model.form", "full") == "full" or number(config, "data.d", 1) == 1
    )
    return {RATIO: 0.0} if exact else {}


THEORIES = (
    Theory(
        "stability-bound", "Stability bound", "w2", "bound",
        "|theta_t - theta*| <= tau sum_{i=0..t} (rho / (1 + gamma))^i + (rho / (1 + gamma))^t |theta_0 - theta*|",
        SYMBOLS, ASSUMPTIONS, GILLMAN, reason(_check_bound), _bound, needs=NEEDS,
        domain="gaussian",
    ),
    Theory(
        "stability-threshold", "Largest lambda that the bound covers", "", "threshold",
        "lambda (1 + L eps / alpha) < (1 + gamma) / (2 + gamma), which is rho(lambda) / (1 + gamma) < 1",
        SYMBOLS, (*ASSUMPTIONS, "Sufficient, not necessary: a loop beyond it may be stable."), GILLMAN,
        reason(_check_policy), _threshold, needs={RATIO: NEEDS[RATIO]}, option="policy.options.lam",
    ),
    Theory(
        "bertrand-threshold", "Largest lambda, no correction", "", "threshold",
        "lambda (1 + L eps / alpha) < 1 / 2",
        SYMBOLS, (*ASSUMPTIONS, "Sufficient, not necessary: a loop beyond it may be stable."), BERTRAND,
        reason(_check_bertrand), _threshold, needs={RATIO: NEEDS[RATIO]}, option="policy.options.lam",
    ),
)  # fmt: skip
