"""Kernel discrepancies: about nothing between equal distributions, whatever the count, and blind to order."""

import numpy as np
import pytest

from core.discrepancy import Discrepancy, Features


def dot(a: Features, b: Features) -> Features:
    return np.asarray((a @ b.T / a.shape[1] + 1.0) ** 3)


def normal(count: int, seed: int, mean: float = 0.0) -> Features:
    return np.random.default_rng(seed).normal(mean, 1.0, (count, 6))


@pytest.mark.parametrize("count", [8, 64])
def test_it_is_unbiased_at_every_count(count: int) -> None:
    """The mean over many small draws of the same distribution is nothing, within its own standard error."""
    reference = Discrepancy.of(normal(1500, 0), dot)
    found = np.array([reference.distance(normal(count, seed)).value for seed in range(1, 161)])
    bias = reference.distance(normal(4000, 999)).value  # the reference's own share: the same for every draw
    assert abs(found.mean() - bias) < 3 * found.std(ddof=1) / np.sqrt(len(found))
    assert found.min() < 0 < found.max()


def test_order_does_not_matter() -> None:
    reference, features = Discrepancy.of(normal(200, 0), dot), normal(50, 1, 0.3)
    again = reference.distance(features[np.random.default_rng(0).permutation(50)])
    first = reference.distance(features)
    assert (again.value, again.error) == pytest.approx((first.value, first.error))


def test_a_shift_counts_and_its_error_is_that_of_repeated_draws() -> None:
    reference = Discrepancy.of(normal(1000, 0), dot)
    found = [reference.distance(normal(60, seed, 0.5)) for seed in range(1, 81)]
    values = np.array([one.value for one in found])
    assert values.mean() > 3 * values.std()
    assert np.mean([one.error for one in found]) == pytest.approx(values.std(ddof=1), rel=0.3)


def test_two_samples_have_a_distance_but_no_known_error() -> None:
    found = Discrepancy.of(normal(50, 0), dot).distance(normal(2, 1))
    assert np.isfinite(found.value) and found.error == float("inf")
