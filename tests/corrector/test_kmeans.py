import numpy as np
import pytest

from core.draws import Draws
from core.errors import InvalidConfig
from core.protocols import Reference
from corrector.kmeans import learn_centres
from tests.core.bodies import standing
from tests.corrector.conftest import CountingMemo
from tests.corrector.draws import corrector_of, drawn, reference_of, values_of


def three_spots(count: int) -> Draws:
    """Two classes, each around three spots."""
    labels = np.arange(count) % 2
    spot = np.arange(count) // 2 % 3
    noise = drawn(1, 1, count).values * 0.05
    return Draws(noise + np.stack([spot * 5.0, labels * 20.0], axis=1), labels)


def test_centres_are_learned_for_each_class() -> None:
    centres = learn_centres(three_spots(120), 3)
    assert centres.labels.tolist() == [0, 0, 0, 1, 1, 1]
    for label in (0, 1):
        mine = centres.values[0, centres.labels == label]
        spots = np.array([[0.0, 20.0 * label], [5.0, 20.0 * label], [10.0, 20.0 * label]])
        assert mine[np.argsort(mine[:, 0])] == pytest.approx(spots, abs=0.05)


def test_samples_snap_to_the_nearest_centre_of_their_own_class() -> None:
    real = three_spots(120)
    corrector = corrector_of("kmeans", reference_of(real), centres=3)
    samples = Draws(np.array([[[4.0, 19.0], [4.0, 19.0], [9.0, 1.0]]]), np.array([0, 1, 0]))
    done = corrector.correct(samples)
    assert values_of(done.samples)[0] == pytest.approx(np.array([[5.0, 0.0], [5.0, 20.0], [10.0, 0.0]]), abs=0.05)
    assert all("centre" in o.reason and o.status == "corrected" for o in done.outcomes)


def test_strength_goes_a_part_of_the_way() -> None:
    reference, samples = reference_of(three_spots(120)), drawn(2, 1, 10)
    full, half, none = (
        values_of(corrector_of("kmeans", reference, centres=3, strength=s).correct(samples).samples)
        for s in (1.0, 0.5, 0)
    )
    assert half == pytest.approx((full + samples.values) / 2)
    assert np.array_equal(none, samples.values)


def test_there_are_no_more_centres_than_different_samples() -> None:
    few = Draws(np.array([[[1.0], [1.0], [3.0]]]), np.zeros(3, dtype=np.int64))
    assert sorted(learn_centres(few, 16).values.ravel().tolist()) == [1.0, 3.0]


def test_centres_are_learned_once_and_kept() -> None:
    memo, real = CountingMemo(), three_spots(60)
    for centres, computed in ((3, 1), (3, 1), (2, 2)):
        corrector_of("kmeans", Reference(real, "spots", memo), centres=centres).correct(real)
        assert len(memo.computed) == computed


def test_images_snap_to_images() -> None:
    labels = np.arange(8) % 2
    real = Draws(np.linspace(0, 1, 8)[None, :, None, None] * np.ones((1, 8, 3, 3)), labels)
    done = corrector_of("kmeans", reference_of(real), centres=4).correct(real)
    assert values_of(done.samples) == pytest.approx(real.values)


def test_what_it_cannot_learn_from_is_refused() -> None:
    tokens = Draws(np.ones((1, 5, 8), dtype=np.int64), np.zeros(5, dtype=np.int64))
    for real in (tokens, standing(2, 5)):
        with pytest.raises(InvalidConfig, match="plain numbers"):
            corrector_of("kmeans", Reference(real, "x", CountingMemo()))
    with pytest.raises(InvalidConfig, match="3 at once"):
        corrector_of("kmeans", reference_of(drawn(1, 3, 30)))
    with pytest.raises(InvalidConfig, match="2 seeds"):
        corrector_of("kmeans", reference_of(drawn(1, 1, 30))).correct(drawn(2, 2, 5))
