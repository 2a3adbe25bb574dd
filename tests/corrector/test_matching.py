import numpy as np
import pytest

from core.draws import Draws
from corrector.kinds import distances
from corrector.matching import balanced_matching, in_order_of, monotone_matching, partners
from tests.corrector.draws import drawn


@pytest.mark.parametrize(("count", "choices"), [(3, 5), (5, 5), (7, 5), (10, 5), (13, 4)])
def test_matching_uses_all_choices_alike(count: int, choices: int) -> None:
    distance = np.random.default_rng(count).random((count, choices))
    used = np.bincount(balanced_matching(distance), minlength=choices)
    assert used.min() >= count // choices
    assert used.max() <= -(-count // choices)


def test_matching_prefers_what_is_near() -> None:
    points, targets = np.array([0.0, 10.0, 20.0]), np.array([19.0, 1.0, 11.0])
    assert balanced_matching(np.abs(points[:, None] - targets[None])).tolist() == [1, 2, 0]


@pytest.mark.parametrize(("count", "choices"), [(3, 5), (5, 5), (7, 5), (13, 4)])
def test_on_a_line_the_order_is_kept_and_all_are_used_alike(count: int, choices: int) -> None:
    rng = np.random.default_rng(count)
    values, others = rng.normal(size=(3, count)), rng.normal(size=(3, choices))
    partner = monotone_matching(values, others)
    for seed in range(3):
        assert (np.diff(others[seed, partner[seed]][np.argsort(values[seed])]) >= 0).all()
        used = np.bincount(partner[seed], minlength=choices)
        assert used.min() >= count // choices
        assert used.max() <= -(-count // choices)


def test_on_a_line_the_matching_is_the_best_one() -> None:
    a, b = drawn(1, 5, 8, d=1), drawn(2, 5, 8, d=1)
    monotone = monotone_matching(a.values[..., 0], b.values[..., 0])
    for seed, table in enumerate(distances(a, b)):
        best = table[np.arange(8), balanced_matching(table)].sum()
        assert table[np.arange(8), monotone[seed]].sum() == pytest.approx(best)


@pytest.mark.parametrize("d", [1, 2])
def test_partners_are_of_the_class_and_used_alike_in_every_seed(d: int) -> None:
    samples, real = drawn(1, 4, 20, d, classes=2), drawn(2, 4, 12, d, classes=2)
    found = partners(samples, real)
    assert np.array_equal(real.labels[found], np.tile(samples.labels, (4, 1)))
    used = [np.bincount(found[seed], minlength=12) for seed in range(4)]
    assert np.min(used) >= 1 and np.max(used) <= 2


def test_a_class_without_real_samples_is_matched_with_all() -> None:
    samples = drawn(1, 2, 6)
    real = Draws(samples.values, np.ones(6, dtype=np.int64))
    assert np.array_equal(partners(samples, real), np.tile(np.arange(6), (2, 1)))


@pytest.mark.parametrize("d", [1, 2])
def test_samples_that_are_not_there_take_no_partner(d: int) -> None:
    samples, real = drawn(1, 3, 10, d), drawn(2, 3, 6, d)
    weight = np.ones((3, 10))
    weight[:, 6:] = 0.0
    found = partners(Draws(samples.values, samples.labels, weight), real)
    assert all(sorted(row[:6]) == list(range(6)) for row in found.tolist())


@pytest.mark.parametrize("d", [1, 2])
def test_an_assignment_moves_samples_as_little_as_can_be(d: int) -> None:
    samples, targets = drawn(1, 3, 7, d), drawn(2, 3, 7, d).values
    moved = in_order_of(samples, targets)
    for seed in range(3):
        assert sorted(map(tuple, moved[seed].tolist())) == sorted(map(tuple, targets[seed].tolist()))
        table = ((samples.values[seed, :, None] - targets[seed]) ** 2).sum(-1)
        best = table[np.arange(7), balanced_matching(table)].sum()
        assert ((samples.values[seed] - moved[seed]) ** 2).sum() == pytest.approx(best)
