import numpy as np
import pytest

from core.rotations import Array
from corrector.gauge import RAMP, Gauge, fixed_gauge, learn_gauge

RNG = np.random.default_rng(7)
ROW = np.zeros(1, dtype=np.int64)
MANY = np.array([60])


def learned(first_noise: float, second_noise: float, count: int = 60) -> Gauge:
    first, second = RNG.normal(0, first_noise, (count, 2)), RNG.normal(0, second_noise, (count, 2))
    return learn_gauge([(first, second)], MANY, 0.01)


def test_the_witness_that_strays_less_has_the_larger_say() -> None:
    assert learned(0.01, 1.0).share[0] == 1.0
    assert learned(1.0, 0.01).share[0] == 0.0
    assert 0.0 < learned(0.1, 0.1).share[0] < 1.0


def test_what_it_learned_from_is_inside() -> None:
    values = RNG.normal(0, 0.1, (12, 1))
    gauge = learn_gauge([(values, None)], MANY, 0.01)
    weight = gauge.excess(values, None, np.zeros(12, dtype=np.int64))[1]
    assert (weight == 0).all()


@pytest.mark.parametrize("beyond", [0.0, 0.5, 1.0])
def test_weights_grow_smoothly_beyond_the_radius(beyond: float) -> None:
    gauge = fixed_gauge(np.zeros(1), 0.2)
    value = np.array([[0.2 * (1 + RAMP * beyond)]])
    away, weight = gauge.excess(value, None, ROW)
    assert away[0, 0] == pytest.approx(value[0, 0])
    assert weight[0] == pytest.approx(beyond)


def test_what_nobody_can_tell_has_no_excess() -> None:
    gauge = fixed_gauge(np.zeros(2), 0.1)
    away, weight = gauge.excess(np.full((1, 2), np.nan), None, ROW)
    assert (away == 0).all()
    assert weight[0] == 0


def test_witnesses_that_disagree_are_trusted_less() -> None:
    gauge = learned(0.01, 0.1)
    off = np.array([[0.5, 0.0]])
    assert gauge.excess(off, off, ROW)[1][0] == 1.0
    assert gauge.excess(off, -4 * off, ROW)[1][0] == 0.0


def test_an_unsure_witness_widens_the_bounds() -> None:
    gauge, value = fixed_gauge(np.zeros(1), 0.2), np.array([[0.4]])
    assert gauge.excess(value, None, ROW, np.array([0.3]))[1][0] == 0.0


def test_a_witness_that_mostly_cannot_tell_is_not_asked() -> None:
    first: Array = np.full((20, 2), np.nan)
    first[:5] = 0.0
    gauge = learn_gauge([(first, RNG.normal(0, 0.1, (20, 2))), (first, None)], np.array([60, 60]), 0.01)
    assert gauge.share[0] == 0.0
    assert np.isfinite(gauge.radius[0])
    assert np.isinf(gauge.radius[1])


def test_only_what_is_too_high_is_above() -> None:
    gauge = fixed_gauge(np.array([1.0]), 0.2)
    assert gauge.above(np.array([0.0, 1.1, 2.0]), np.zeros(3, dtype=np.int64)).tolist() == [0.0, 0.0, 1.0]


def test_bounds_are_wider_where_windows_say_little() -> None:
    values = RNG.normal(0, 0.1, (30, 1))
    few, many = (learn_gauge([(values, None)], np.array([count]), 0.0).radius[0] for count in (4, 400))
    assert few > 2 * many
