"""Recursive Gaussian fits: what one draw, the fitted variance and the distance from the truth are on average.

Variances and spreads are in units of the true ones, as the domain's metrics are; W2 is in the data's units. Per
coordinate the fits of d dimensions behave as those of one, so that what is said of the diagonal holds for every d.
"""

import math

import numpy as np
from numpy.typing import NDArray

from core.config import LoopConfig
from model.theory.base import Constants, Theory, fits, need, need_parts, need_policy, need_raw, number, option, reason
from model.theory.special import digamma, mean_chi, tetragamma, trigamma

SHUMAILOV = "Shumailov et al. 2024, AI models collapse when trained on recursively generated data (Nature 631)"
FIT = "Mean and covariance are fitted to M samples, which are drawn from the Gaussian of the generation before."
SYMBOLS = {
    "n": "how many fits there have been: generation + 1",
    "M": "samples per fit",
    "s": "the true standard deviation, the unit of all metrics but W2",
}


def _biased(config: LoopConfig) -> bool:
    return str(option(config, "model.estimator", "unbiased")) == "biased"


def moments(
    policy: str, samples: int, generations: int, *, biased: bool = False, lam: float = 1.0, real: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Expected fitted variance v and squared error of the fitted mean m, per coordinate, in units of s².

    Both follow linear recursions, because given the last fit the scatter of K fresh samples has the mean (K - 1) v and
    their mean the variance v / K.

    Args:
        policy: real, replace, accumulate, augment (newest synthetic set), or fresh-real.
        samples: M, real samples, and synthetic ones per generation (augment: round(lambda M)).
        real: share of a training set that is new real data (fresh-real).

    Returns:
        (generations + 1,) each.
    """
    free = 0.0 if biased else 1.0
    size, scatter = float(samples), samples - 1.0
    v, m, apart = [scatter / (size - free)], [1.0 / size], 0.0
    fresh, new = float(round(lam * samples)), float(round(real * samples))
    made = size - new
    for t in range(1, generations + 1):
        last = v[-1]
        if policy == "fresh-real":
            between = 1.0 / new + m[-1] + last / made  # E (mean of the new real ones - mean of the synthetic ones)²
            v.append((new - 1 + (made - 1) * last + new * made / size * between) / (size - free))
            m.append(new / size**2 + (made / size) ** 2 * (m[-1] + last / made))
        elif policy == "replace":
            v.append(last * (size - 1) / (size - free))
            m.append(m[-1] + last / size)
        elif policy == "accumulate":
            scatter += (size - 1 + t / (t + 1)) * last
            v.append(scatter / ((t + 1) * size - free))
            m.append(m[-1] + last / (size * (t + 1) ** 2))
        elif policy == "augment" and fresh > 0:
            both = size + fresh
            from_real = apart + last / fresh  # E (mean of the fresh set - mean of the real one)²
            v.append((size - 1 + (fresh - 1) * last + size * fresh / both * from_real) / (both - free))
            apart = (fresh / both) ** 2 * from_real
            m.append(1.0 / size + apart)
        else:
            v.append(v[0])
            m.append(m[0])
    return np.array(v), np.array(m)


def _moments(config: LoopConfig, generations: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    lam = number(config, "policy.lam", 1.0)
    share = number(config, "policy.share", 0.5)
    return moments(config.policy.kind, config.n, generations, biased=_biased(config), lam=lam, real=share)


def _check(config: LoopConfig, *policies: str) -> None:
    need_parts(config, "gaussian", "gaussian-fit")
    need_policy(config, *policies)
    need_raw(config)


def _check_unbiased(config: LoopConfig) -> None:
    _check(config, "replace")
    need(not _biased(config), "Speaks of the unbiased estimator; this loop divides by M.")


def _check_biased(config: LoopConfig) -> None:
    _check(config, "replace")
    need(_biased(config), "Speaks of the biased estimator; this loop divides by M - 1.")


def _check_line(config: LoopConfig) -> None:
    """One dimension, unbiased."""
    _check_unbiased(config)
    d = number(config, "data.d", 1)
    need(d == 1, f"Holds in one dimension; here d = {d:g}.")


def _check_w2(config: LoopConfig) -> None:
    _check(config, "replace", "accumulate", "augment", "fresh-real", "real")
    need(not _biased(config), "Speaks of the unbiased estimator; this loop divides by M.")


def _check_mixed(config: LoopConfig) -> None:
    _check(config, "augment", "accumulate", "fresh-real", "real")


def _spread(config: LoopConfig, generations: int, constants: Constants) -> NDArray[np.float64]:
    del constants
    return 1.0 + fits(generations) / config.n


def _sum_of_moments(config: LoopConfig, generations: int, constants: Constants) -> NDArray[np.float64]:
    del constants
    v, m = _moments(config, generations)
    return v + m


def _variance(config: LoopConfig, generations: int, constants: Constants) -> NDArray[np.float64]:
    del constants
    return _moments(config, generations)[0]


def _shrinking(config: LoopConfig, generations: int, constants: Constants) -> NDArray[np.float64]:
    del constants
    return np.asarray((1.0 - 1.0 / config.n) ** fits(generations))


def errors(policy: str, samples: int, generations: int, *, lam: float = 1.0, real: float = 0.0) -> NDArray[np.float64]:
    """(generations + 1,) u: how much larger the variance of what is fitted is than that of one fit, to first order.

    A fit's error is the share-weighted mean of the errors of the parts of its training set; each synthetic part repeats
    its model's error and adds its own. Arguments as of :func:`moments`.
    """
    if policy == "replace":
        return fits(generations)
    if policy == "accumulate":
        return np.asarray(np.cumsum(1.0 / fits(generations) ** 2))
    u = np.ones(generations + 1)
    share = 1.0 - round(real * samples) / samples
    if policy == "augment":
        fresh = round(lam * samples)
        share = fresh / (samples + fresh)
        added = share**2 * samples / max(fresh, 1)
        u[1:] += added * np.cumsum(share ** (2 * np.arange(generations)))
    elif policy == "fresh-real":
        u = np.cumsum(share ** (2 * np.arange(generations + 1)))
    return u


def _w2_squared(config: LoopConfig, generations: int, constants: Constants) -> NDArray[np.float64]:
    """First order: s² u / M times d + d (d + 1) / 4, of the mean and of the covariance's square root."""
    del constants
    lam, share = number(config, "policy.lam", 1.0), number(config, "policy.share", 0.5)
    u = errors(config.policy.kind, config.n, generations, lam=lam, real=share)
    d, s = number(config, "data.d", 1), number(config, "data.std", 1.0)
    of_covariance = d / 2.0 if option(config, "model.form", "full") == "diagonal" else d * (d + 1.0) / 4.0
    return np.asarray(s * s * u / config.n * (d + of_covariance))


def _w2_squared_exact(config: LoopConfig, generations: int, constants: Constants) -> NDArray[np.float64]:
    del constants
    n, s = fits(generations), number(config, "data.std", 1.0)
    return np.asarray(s * s * (n / config.n + 2.0 * (1.0 - mean_chi(config.n - 1.0) ** n)))


def _std(config: LoopConfig, generations: int, constants: Constants) -> NDArray[np.float64]:
    del constants
    return np.asarray(mean_chi(config.n - 1.0) ** fits(generations))


def _median_std(config: LoopConfig, generations: int, constants: Constants) -> NDArray[np.float64]:
    """exp of the mean of log sigma_n, moved by the skewness of the sum (median - mean = - k3 / (6 k2))."""
    del constants
    half = (config.n - 1.0) / 2.0
    drift = 0.5 * (digamma(half) - math.log(half))
    skew = -tetragamma(half) / (12.0 * trigamma(half))
    return np.asarray(np.exp(drift * fits(generations) + skew))


REPLACED = (FIT, "The policy is replace: no real sample stays.")
UNBIASED = (*REPLACED, "The estimator is unbiased (divides by M - 1).")
REAL_STAYS = "Real samples are in every training set: augment with the newest synthetic set, accumulate, or fresh-real."
DERIVED = "Derived here from the moments of a normal sample, checked by simulation"

THEORIES = (
    Theory(
        "gaussian-spread", "Var(X_n)", "spread", "exact", "Var(X_n) = s² (1 + n / M)", SYMBOLS, UNBIASED,
        f"{SHUMAILOV}; derived here: each fit adds s² / M to the variance of the mean", reason(_check_unbiased),
        _spread,
        domain="gaussian",
    ),
    Theory(
        "gaussian-mean-variance", "E[fitted variance]", "variance", "exact", "E[sigma_n²] = s²", SYMBOLS, UNBIASED,
        "An unbiased fit keeps the mean of the variance while its median goes to 0: a few large values carry it. "
        f"{DERIVED}", reason(_check_unbiased), _variance,
        domain="gaussian",
    ),
    Theory(
        "gaussian-std", "E[fitted std]", "std", "exact", "E[sigma_n] = s c^n, c = sqrt(2 / (M - 1)) Gamma(M / 2) / "
        "Gamma((M - 1) / 2)", SYMBOLS | {"c": "E of one unbiased fit's standard deviation, about 1 - 1 / (4 M)"},
        (*UNBIASED, "One dimension."), DERIVED, reason(_check_line), _std,
        domain="gaussian",
    ),
    Theory(
        "gaussian-median-std", "Median of the fitted std", "std", "first order",
        "median(sigma_n) = s exp(n (psi(k) - ln k) / 2), k = (M - 1) / 2",
        SYMBOLS | {"psi": "the digamma function", "k": "half the degrees of freedom of a fit"},
        (*UNBIASED, "One dimension.", "The sum of n logarithms of chi-square variables is nearly normal; its skewness "
         "is taken into account to first order."),
        f"{DERIVED}. Sigma_n goes to 0 almost surely, as in {SHUMAILOV}", reason(_check_line), _median_std,
        domain="gaussian",
    ),
    Theory(
        "gaussian-w2-squared", "E[W2²], first order", "w2_squared", "first order",
        "E[W2²] = s² u_n / M (d + d (d + 1) / 4), 1.5 s² u_n / M in one dimension; u_n = n (replace), sum_{i=1..n} "
        "1 / i² (accumulate), 1 + lambda / (1 + lambda)² sum_{i=0..n-2} (lambda / (1 + lambda))^{2i} (augment), "
        "sum_{i=0..n-1} (1 - f)^{2i} (fresh-real), 1 (real)",
        SYMBOLS | {"d": "dimensions; a diagonal fit has d / 2 in place of d (d + 1) / 4",
                   "u": "variance of what is fitted, over that of one fit", "f": "share of new real data",
                   "lambda": "fresh synthetic samples per real one"},
        (FIT, "The estimator is unbiased (divides by M - 1).", "u_n is small against M.",
         "The true covariance is s² I."),
        f"{DERIVED}; under replace in one dimension 1.5 s² n / M, as in the study after {SHUMAILOV}",
        reason(_check_w2), _w2_squared,
        domain="gaussian",
    ),
    Theory(
        "gaussian-w2-squared-exact", "E[W2²]", "w2_squared", "exact",
        "E[W2²] = s² (n / M + 2 (1 - c^n)), c = sqrt(2 / (M - 1)) Gamma(M / 2) / Gamma((M - 1) / 2)",
        SYMBOLS | {"c": "E of one unbiased fit's standard deviation, about 1 - 1 / (4 M)"},
        (*UNBIASED, "One dimension."), DERIVED, reason(_check_line), _w2_squared_exact,
        domain="gaussian",
    ),
    Theory(
        "gaussian-biased-variance", "E[fitted variance], biased", "variance", "exact",
        "E[sigma_n²] = s² (1 - 1 / M)^n", SYMBOLS, (*REPLACED, "The estimator is biased (divides by M)."),
        DERIVED, reason(_check_biased), _shrinking,
        domain="gaussian",
    ),
    Theory(
        "gaussian-biased-spread", "Var(X_n), biased", "spread", "exact", "Var(X_n) = s²", SYMBOLS,
        (*REPLACED, "The estimator is biased (divides by M)."),
        f"What the variance loses the mean's error gains. {DERIVED}", reason(_check_biased), _sum_of_moments,
        domain="gaussian",
    ),
    Theory(
        "gaussian-mixed-variance", "E[fitted variance]", "variance", "exact",
        "accumulate, unbiased: v_t = v_{t-1} (1 - 1 / ((t + 1) ((t + 1) M - 1))); biased: v_t = v_{t-1} (1 - 1 / "
        "(M (t + 1)²)), v_0 = s² (1 - 1 / M). augment: v_t = (M - 1 + (K - 1) v_{t-1} + M K / (M + K) (q_{t-1} + "
        "v_{t-1} / K)) / (M + K - 1), q_t = (K / (M + K))² (q_{t-1} + v_{t-1} / K), v_0 = s², q_0 = 0. fresh-real "
        "follows the like with new real samples",
        SYMBOLS | {"t": "generation", "v": "expected fitted variance", "K": "lambda M, synthetic samples",
                   "q": "expected squared distance of the fitted mean from the mean of the real samples"},
        (FIT, REAL_STAYS),
        f"{DERIVED}. That accumulating keeps the variance from vanishing is also found by Kazdan et al. (wording not "
        "re-read)", reason(_check_mixed), _variance,
        domain="gaussian",
    ),
    Theory(
        "gaussian-mixed-spread", "Var(X_n)", "spread", "exact",
        "Var(X_n) = v_t + m_t; accumulate: m_t = m_{t-1} + v_{t-1} / (M (t + 1)²), augment: m_t = s² / M + q_t, "
        "with v_t and q_t of the fitted variance",
        SYMBOLS | {"t": "generation", "v": "expected fitted variance", "m": "expected squared error of the mean"},
        (FIT, REAL_STAYS),
        DERIVED, reason(_check_mixed), _sum_of_moments,
        domain="gaussian",
    ),
)  # fmt: skip
