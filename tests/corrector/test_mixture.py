"""Samplers draw from what they say: statistical tests with fixed seeds, at error rates of about 1e-4."""

import numpy as np
import pytest

from core.draws import Draws
from core.rotations import Array
from corrector import mixture
from corrector.mixture import BINS, Histogram, derived, peak_of, rejection_sample, replaced
from tests.corrector.draws import Normal, drawn

SEEDS, COUNT = 1500, 20


def repeated(samples: Draws) -> Draws:
    """The samples of one seed, as those of many."""
    return samples.with_values(np.repeat(samples.values, SEEDS, axis=0)) if samples.seeds == 1 else samples


def many(share: float, d: int, *, std: float = 1.6, weight: Array | None = None, seed: int = 5) -> tuple[Draws, Array]:
    """Twenty samples, and many draws of the rejection sampler from them."""
    one = drawn(3, 1, COUNT, d, std=std)
    all_of_them = Draws(repeated(one).values, one.labels, None if weight is None else np.repeat(weight, SEEDS, axis=0))
    truth = Normal(d)
    found = rejection_sample(all_of_them, truth, peak_of(truth), np.full(SEEDS, share), seed)
    return one, found.reshape(-1, d)


def density(one: Draws, share: float, points: Array) -> Array:
    """min(f, M q) at (K, d) points, up to a factor."""
    values, d = one.values[0], one.values.shape[2]
    counts, edges = np.histogramdd(values, BINS)
    volume = np.prod([e[1] - e[0] for e in edges])
    cell = np.stack([np.searchsorted(e, points[:, k], side="right") - 1 for k, e in enumerate(edges)], axis=1)
    inside = ((cell >= 0) & (cell < BINS)).all(1)
    height = counts / len(values) / volume
    histogram = np.where(inside, height[tuple(cell.clip(0, BINS - 1).T)], 0.0)
    q = np.exp(Normal(d).log_density(points))
    q_peak = (2 * np.pi) ** (-d / 2)
    bound = ((1 - share) * height.max() + share * q_peak) / q_peak
    return np.asarray(np.minimum((1 - share) * histogram + share * q, bound * q))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_rejection_follows_the_published_density_on_a_line(share: float) -> None:
    one, found = many(share, 1)
    grid = np.linspace(-7, 7, 200_001)
    cumulated = np.cumsum(density(one, share, grid[:, None]))
    expected = np.interp(np.sort(found[:, 0]), grid, cumulated / cumulated[-1])
    distance = np.abs(expected - (np.arange(len(found)) + 0.5) / len(found)).max()
    assert distance < 2.23 / np.sqrt(len(found)), "Kolmogorov-Smirnov"


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_rejection_follows_the_published_density_in_the_plane(share: float) -> None:
    one, found = many(share, 2)
    axis = np.linspace(-7, 7, 1401)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    odds = density(one, share, grid)
    odds /= odds.sum()
    for powers in ((1, 0), (0, 1), (2, 0), (0, 2), (1, 1)):
        feature = (grid**powers).prod(1)
        mean = (odds * feature).sum()
        spread = np.sqrt((odds * (feature - mean) ** 2).sum() / len(found))
        assert abs((found**powers).prod(1).mean() - mean) < 4 * spread + 0.005


def test_rejection_draws_what_the_published_code_draws() -> None:
    """Candidates from the truth, accepted with probability f / (M q): much slower, and the same."""
    one, found = many(0.3, 2)
    rng = np.random.default_rng(1)
    candidates = rng.normal(size=(150_000, 2))
    odds = density(one, 0.3, candidates) / np.exp(Normal(2).log_density(candidates))
    naive = candidates[rng.random(len(candidates)) < odds / odds.max()]
    assert len(naive) > 20_000
    for power in (1, 2):
        for k in range(2):
            a, b = found[:, k] ** power, naive[:, k] ** power
            assert abs(a.mean() - b.mean()) < 4 * np.sqrt(a.var() / len(a) + b.var() / len(b))


def test_rejection_loses_far_samples_even_without_correction() -> None:
    one, found = many(0.0, 2)
    assert (found**2).mean() < 0.8 * (one.values**2).mean()


def test_samples_of_weight_zero_are_not_drawn_from() -> None:
    weight = np.zeros((1, COUNT))
    weight[:, 10:] = 1.0
    one, found = many(0.0, 1, weight=weight)
    there, gone = one.values[0, 10:, 0], one.values[0, :10, 0]
    assert there.min() <= found.min() and found.max() <= there.max()
    assert gone.min() < there.min(), "or this test says nothing"


def test_samples_far_from_the_truth_are_drawn_by_their_odds() -> None:
    """No candidate is ever accepted 25 standard deviations away; the nearest cells are still the likeliest."""
    far = drawn(3, 4, COUNT, 1, std=0.5)
    far = far.with_values(far.values + np.array([0.0, 25.0])[np.arange(COUNT) % 2][:, None])
    truth = Normal(1)
    found = rejection_sample(far, truth, peak_of(truth), np.zeros(4), 1)
    assert np.isfinite(found).all()
    assert (found < 5).all()
    away = far.with_values(far.values * 0.01 + 40.0)
    found = rejection_sample(away, truth, peak_of(truth), np.zeros(4), 1)
    assert (np.abs(found - 40.0) < 0.1).all()


def test_a_collapsed_set_is_drawn_from_too() -> None:
    point = drawn(3, 2, COUNT, 2, std=0.0)
    truth = Normal(2)
    found = rejection_sample(point, truth, peak_of(truth), np.zeros(2), 1)
    assert (np.abs(found) <= 0.5).all(), "one bin of width 1, as numpy.histogram has"


def test_the_histogram_is_numpys() -> None:
    samples = drawn(4, 3, 50)
    histogram = Histogram.of(samples)
    for seed, values in enumerate(samples.values):
        expected, *_ = np.histogram2d(values[:, 0], values[:, 1], BINS, density=True)
        assert histogram.density[seed].reshape(BINS, BINS).T == pytest.approx(expected)
        rows = np.full(50, seed)
        assert (histogram.density_at(rows, values[:, None] * 0.999 + values.mean(0) * 0.001) >= 0).all()
        assert (histogram.density_at(rows, values[:, None] + 100.0) == 0).all()


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_mixture_has_its_share_of_real_ones(share: float) -> None:
    samples = drawn(1, 50, 200)
    found = replaced(samples, samples, Normal(2), np.full(50, share), 6)
    swapped = (found != samples.values).all(2)
    assert swapped.mean() == pytest.approx(share, abs=0.02)
    fresh = found[swapped]
    if len(fresh):
        assert np.cov(fresh.T) == pytest.approx(np.eye(2), abs=0.1)


def test_without_the_truth_real_samples_of_the_class_are_taken() -> None:
    samples, real = drawn(1, 3, 90, classes=3), drawn(2, 3, 30, classes=3)
    found = replaced(samples, real, None, np.full(3, 1.0), 6)
    for seed in range(3):
        known = {tuple(value): label for value, label in zip(real.values[seed].tolist(), real.labels, strict=True)}
        assert [known[tuple(value)] for value in found[seed].tolist()] == samples.labels.tolist()
        assert len({tuple(value) for value in found[seed].tolist()}) > 15


def test_every_seed_has_its_own_share() -> None:
    samples, shares = drawn(1, 3, 2000), np.array([0.0, 0.2, 0.9])
    found = replaced(samples, samples, Normal(2), shares, 6)
    assert (found != samples.values).all(2).mean(1) == pytest.approx(shares, abs=0.05)


def test_the_peak_is_found() -> None:
    for d in (1, 2, 3):
        error = 20 * mixture.PEAK_DRAWS ** (-2 / d)
        assert peak_of(Normal(d)) == pytest.approx(-0.5 * d * np.log(2 * np.pi), abs=error)


def test_parts_of_the_work_have_other_seeds() -> None:
    assert len({derived(1, 1), derived(1, 2), derived(2, 1), 1}) == 4
    assert derived(((1, 3), (2, 4)), 1) == ((derived(1, 1), 3), (derived(2, 1), 4))
