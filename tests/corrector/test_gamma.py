"""Laws of the effective gamma: the paper's gamma for the paper's correction, and said where it cannot be known."""

import numpy as np
import pytest

from core.discrepancy import Distance
from corrector.gamma import Embedding, Features, gamma_of

RNG_FEATURES = 8


def real(rng: np.random.Generator, count: int) -> Features:
    return rng.normal(size=(count, RNG_FEATURES))


def wrong(rng: np.random.Generator, count: int) -> Features:
    return 1.3 * rng.normal(size=(count, RNG_FEATURES)) + 0.8


def mixed(rng: np.random.Generator, count: int, gamma: float) -> Features:
    """(p + gamma p*) / (1 + gamma)."""
    from_real = rng.random(count) < gamma / (1 + gamma)
    return np.where(from_real[:, None], real(rng, count), wrong(rng, count))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 3.0])
def test_a_mixture_with_real_data_has_the_papers_gamma(gamma: float) -> None:
    rng = np.random.default_rng(3)
    embedding = Embedding.of(real(rng, 2000))
    found = gamma_of(embedding.distance(wrong(rng, 1500)), embedding.distance(mixed(rng, 1500, gamma)))
    assert found.value is not None and found.low is not None and found.high is not None
    assert found.low <= gamma + 0.05 and found.high >= gamma - 0.05
    assert found.value == pytest.approx(gamma, abs=0.12 * (1 + gamma))


def test_real_input_is_not_identifiable() -> None:
    rng = np.random.default_rng(0)
    embedding = Embedding.of(real(rng, 2000))
    found = gamma_of(embedding.distance(real(rng, 255)), embedding.distance(real(rng, 255)))
    assert found.value is None and found.low is None and "not identifiable" in found.words


def test_an_output_as_good_as_real_has_a_lower_bound_only() -> None:
    rng = np.random.default_rng(1)
    embedding = Embedding.of(real(rng, 2000))
    found = gamma_of(embedding.distance(wrong(rng, 255)), embedding.distance(real(rng, 255)))
    assert found.value is None and found.high is None
    assert found.low is not None and found.low > 3 and found.words.startswith("at least")


def test_an_output_further_away_is_negative() -> None:
    found = gamma_of(Distance(1.0, 0.01), Distance(4.0, 0.01))
    assert found.value == pytest.approx(-0.5)
    assert "further" in found.words


def test_the_distance_is_unbiased_and_its_error_honest() -> None:
    rng = np.random.default_rng(2)
    embedding = Embedding.of(real(rng, 4000))
    found = [embedding.distance(wrong(rng, 60)) for _ in range(60)]
    large = embedding.distance(wrong(rng, 6000)).value
    values = np.array([each.value for each in found])
    spread = values.std()
    assert abs(values.mean() - large) < 4 * spread / np.sqrt(len(values))
    assert np.mean([each.error for each in found]) == pytest.approx(spread, rel=0.35)
    null = np.array([embedding.distance(real(rng, 60)).value for _ in range(60)])
    assert abs(null.mean()) < 4 * null.std() / np.sqrt(60) + embedding.distance(real(rng, 4000)).error * 2
