import numpy as np
import pytest

from core.draws import Draws
from corrector.kinds import DRAWS, MOTIONS, distances, kind_of, moved
from tests.core.bodies import standing
from tests.corrector.draws import drawn


def test_the_type_of_the_samples_says_how_they_are_handled() -> None:
    assert kind_of(drawn(0, 1, 3)) is DRAWS
    assert kind_of(standing(1, 5)) is MOTIONS


@pytest.mark.parametrize("d", [1, 3, 7])
def test_distances_are_euclidean_for_each_seed(d: int) -> None:
    a, b = drawn(1, 2, 4, d), drawn(2, 2, 5, d)
    for seed in range(2):
        expected = np.linalg.norm(a.values[seed, :, None] - b.values[seed, None], axis=-1)
        assert distances(a, b)[seed] == pytest.approx(expected)


def test_token_ids_are_apart_by_the_share_of_unlike_places() -> None:
    labels = np.zeros(1, dtype=np.int64)
    a, b = Draws(np.array([[[1, 2, 3, 4]]]), labels), Draws(np.array([[[1, 2, 9, 9]]]), labels)
    assert distances(a, b).tolist() == [[[0.5]]]
    assert moved(a, b).tolist() == [0.5]


def test_what_moved_is_the_mean_over_the_seeds_in_which_the_sample_is_there() -> None:
    labels = np.zeros(2, dtype=np.int64)
    before = Draws(np.zeros((2, 2, 2)), labels)
    after = before.with_values(np.array([[[3.0, 4.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]]]))
    assert moved(before, after).tolist() == [3.0, 0.0]
    there = Draws(before.values, labels, np.array([[1.0, 1.0], [0.0, 1.0]]))
    assert moved(there, after).tolist() == [5.0, 0.0]


def test_strength_is_linear_in_numbers_and_all_or_nothing_in_tokens() -> None:
    before, after = drawn(1, 2, 3), drawn(2, 2, 3)
    assert DRAWS.between(before, after, 0.25).values == pytest.approx(0.75 * before.values + 0.25 * after.values)
    tokens = Draws(np.array([[1, 2]]), np.zeros(2, dtype=np.int64))
    others = tokens.with_values(np.array([[3, 4]]))
    assert DRAWS.between(tokens, others, 0.4).values.tolist() == [[1, 2]]
    assert DRAWS.between(tokens, others, 0.6).values.tolist() == [[3, 4]]


def test_bad_values_matter_only_where_the_sample_is_there() -> None:
    values = np.zeros((2, 2, 1))
    values[1, 0] = np.nan
    labels = np.zeros(2, dtype=np.int64)
    assert DRAWS.rejections(Draws(values, labels)) == ["NaN or infinite values, in 1 of 2 seeds.", ""]
    assert DRAWS.rejections(Draws(values, labels, np.array([[1.0, 1.0], [0.0, 1.0]]))) == ["", ""]
