import numpy as np
import pytest

from corrector.features import noise_of
from corrector.filters import covering, gaussian, running_maximum, smoothstep, weakest_smoother, whittaker


@pytest.mark.parametrize("penalty", [0.1, 10.0, 1e5])
def test_smoothing_keeps_straight_lines(penalty: float) -> None:
    t = np.arange(30.0)
    lines = np.stack([3 + t, 5 - 0.1 * t], axis=1)
    assert np.allclose(whittaker(lines, penalty), lines, atol=1e-6)


def test_columns_are_smoothed_apart_from_one_another() -> None:
    columns = np.random.default_rng(0).normal(size=(40, 7))
    assert np.array_equal(whittaker(columns, 5.0)[:, 2:3], whittaker(columns[:, 2:3], 5.0))


def test_very_short_motions_pass() -> None:
    assert np.array_equal(whittaker(np.ones((2, 3)), 1.0), np.ones((2, 3)))


def test_the_weakest_smoother_reaches_its_target_and_not_much_more() -> None:
    rng = np.random.default_rng(1)
    slow = np.sin(np.arange(60) / 12)[:, None, None] * np.ones((60, 5, 4))
    noisy = slow + rng.normal(0, 0.05, slow.shape)
    target = np.full(5, 0.01)
    smooth = weakest_smoother(noisy, noise_of, target)
    assert (noise_of(smooth) <= target).all()
    assert (noise_of(smooth) > 0.4 * target).all()
    assert np.abs(smooth - slow).mean() < 0.7 * np.abs(noisy - slow).mean()


def test_channels_below_their_target_stay_as_they_are() -> None:
    columns = np.random.default_rng(2).normal(0, 0.01, (40, 3, 4))
    assert np.array_equal(weakest_smoother(columns, noise_of, np.full(3, 1.0)), columns)


def test_noise_is_measured_in_its_own_unit() -> None:
    columns = np.zeros((4000, 1, 4))
    columns[..., :3] = np.random.default_rng(3).normal(0, 0.02, (4000, 1, 3))
    assert noise_of(columns)[0] == pytest.approx(0.02, rel=0.05)


def test_gaussian_keeps_constants_and_the_cover_covers() -> None:
    values = np.random.default_rng(4).random((3, 25))
    assert np.allclose(gaussian(np.full((2, 9, 3), 1.7), 1.0, 3), 1.7)
    assert (covering(values, 1.2, 3) >= values - 1e-12).all()
    assert (running_maximum(values, 2) >= values).all()
    spike = np.zeros((1, 25))
    spike[0, 12] = 1
    assert covering(spike, 1.2, 3)[0, 0] == 0


def test_smoothstep_has_its_ends() -> None:
    assert np.array_equal(smoothstep(np.array([-1.0, 0.0, 1.0, 2.0])), [0.0, 0.0, 1.0, 1.0])
