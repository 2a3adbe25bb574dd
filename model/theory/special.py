"""Functions of the gamma family, in plain Python: the theory needs no SciPy."""

from math import exp, lgamma, log, sqrt


def digamma(x: float) -> float:
    """The derivative of log Gamma at x > 0: recurrence up to 8, then the asymptotic series (Abramowitz & Stegun
    6.3.18); about 1e-12 relative."""
    found = 0.0
    while x < 8.0:
        found -= 1.0 / x
        x += 1.0
    inverse = 1.0 / (x * x)
    tail = inverse * (1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse * (1 / 240 - inverse / 132))))
    return found + log(x) - 0.5 / x - tail


def trigamma(x: float) -> float:
    """The second derivative of log Gamma at x > 0 (6.4.12)."""
    found = 0.0
    while x < 8.0:
        found += 1.0 / (x * x)
        x += 1.0
    inverse = 1.0 / (x * x)
    series = 1 / 6 - inverse * (1 / 30 - inverse * (1 / 42 - inverse / 30))
    return found + 1.0 / x + 0.5 * inverse + inverse / x * series


def tetragamma(x: float) -> float:
    """The third derivative of log Gamma at x > 0."""
    found = 0.0
    while x < 12.0:
        found -= 2.0 / x**3
        x += 1.0
    inverse = 1.0 / (x * x)
    return found - inverse - inverse / x - inverse * inverse * (0.5 - inverse * (1 / 6 - inverse / 6))


def mean_chi(degrees: float) -> float:
    """E[chi_k] / sqrt(k): what the unbiased standard deviation of a normal sample of k + 1 is too small by."""
    return sqrt(2.0 / degrees) * exp(lgamma((degrees + 1.0) / 2.0) - lgamma(degrees / 2.0))
