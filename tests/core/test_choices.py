import numpy as np
import pytest

from core.choices import capped, drawn, sliced


@pytest.mark.parametrize(("t", "m"), [(1, 25), (3, 25), (7, 10), (50, 25)])
def test_slices_of_past_sets_grow_with_their_generation(t: int, m: int) -> None:
    origin = np.repeat(np.arange(t + 1), m)
    kept = sliced(origin)
    assert np.bincount(origin[kept]).tolist() == [m, *(m * k // t for k in range(1, t + 1))]
    rank = np.tile(np.arange(m), t + 1)
    assert all((rank[kept][origin[kept] == k] == np.arange(m * k // t)).all() for k in range(1, t + 1))


def test_slices_are_shares_of_what_was_left_of_a_set() -> None:
    origin = np.array([0, 0, 1, 1, 1, 2, 2, 2, 2])
    assert origin[sliced(origin)].tolist() == [0, 0, 1, 2, 2, 2, 2]
    assert sliced(np.zeros(3, dtype=np.int64)).tolist() == [0, 1, 2]


@pytest.mark.parametrize(("cap", "synthetic"), [(0.1, 7), (0.3, 30), (0.5, 70), (0.8, 200), (1.0, 200)])
def test_a_cap_bounds_the_synthetic_share(cap: float, synthetic: int) -> None:
    origin = np.repeat([0, 1, 2], [70, 100, 100])
    kept = capped(origin, None, cap, 3)
    learned = origin if kept is None else origin[kept]
    assert (learned == 0).sum() == 70
    assert (learned > 0).sum() == synthetic
    assert (learned > 0).mean() <= cap


def test_surplus_is_left_out_at_random_and_by_the_seed() -> None:
    index = np.arange(100)
    first = drawn(index, 20, 1)
    assert np.array_equal(first, drawn(index, 20, 1))
    assert not np.array_equal(first, drawn(index, 20, 2))
    assert (np.diff(first) > 0).all()
    often = np.bincount(np.concatenate([drawn(index, 20, seed) for seed in range(400)]), minlength=100)
    assert abs(often - 80).max() < 5 * np.sqrt(400 * 0.2 * 0.8)


def test_all_are_drawn_where_there_are_too_few() -> None:
    assert drawn(np.arange(3), 5, 0).tolist() == [0, 1, 2]
