from collections.abc import Sequence

import numpy as np
import pytest

from core.draws import Draws
from core.errors import InvalidConfig
from core.motion import MotionBatch
from core.protocols import Reference
from core.records import Outcome
from corrector.kinds import distances
from tests.corrector.conftest import CountingMemo, Make, jittered
from tests.corrector.draws import corrector_of, drawn, reference_of, values_of


def rejected(outcomes: Sequence[Outcome]) -> list[int]:
    return [i for i, outcome in enumerate(outcomes) if outcome.status == "rejected"]


@pytest.mark.parametrize("score", ["typicality", "density"])
def test_the_far_samples_are_rejected(score: str) -> None:
    samples = drawn(1, 1, 20)
    values = samples.values.copy()
    values[0, [3, 7]] += 50.0
    corrector = corrector_of("quality", reference_of(drawn(2, 1, 40)), share=0.9, score=score)
    done = corrector.correct(samples.with_values(values))
    assert rejected(done.outcomes) == [3, 7]
    assert all("not among the best 90%" in done.outcomes[i].reason for i in (3, 7))
    assert np.array_equal(values_of(done.samples), values), "nothing moves"


@pytest.mark.parametrize(("share", "kept"), [(0.01, [1, 1]), (0.5, [5, 5]), (0.75, [8, 8]), (1.0, [10, 10])])
@pytest.mark.parametrize("seeds", [1, 3])
def test_the_share_is_kept_of_each_class(share: float, kept: list[int], seeds: int) -> None:
    samples = drawn(1, seeds, 20, classes=2)
    done = corrector_of("quality", reference_of(drawn(2, seeds, 40, classes=2)), share=share).correct(samples)
    left = np.setdiff1d(np.arange(20), rejected(done.outcomes))
    assert np.bincount(samples.labels[left]).tolist() == kept


def test_every_seed_keeps_its_own_best_in_their_order() -> None:
    samples, real = drawn(1, 4, 24, classes=2), drawn(2, 4, 30, classes=2)
    done = corrector_of("quality", reference_of(real), share=0.5).correct(samples)
    left = np.setdiff1d(np.arange(24), rejected(done.outcomes))
    values, table = values_of(done.samples), distances(samples, real)
    table = np.where(samples.labels[:, None] == real.labels, table, np.inf).min(2)
    for seed in range(4):
        for label in (0, 1):
            mine = np.flatnonzero(samples.labels == label)
            best = np.sort(mine[np.argsort(table[seed, mine])[:6]])
            assert np.array_equal(values[seed, left[samples.labels[left] == label]], samples.values[seed, best])
        assert sorted(values[seed].ravel().tolist()) == sorted(samples.values[seed].ravel().tolist())


def test_one_seed_alone_keeps_what_it_keeps_among_others() -> None:
    samples, real = drawn(1, 3, 16), drawn(2, 3, 30)
    together = corrector_of("quality", reference_of(real), share=0.5).correct(samples)
    left = np.setdiff1d(np.arange(16), rejected(together.outcomes))
    for seed in range(3):
        alone = corrector_of("quality", reference_of(real.of_seed(seed)), share=0.5).correct(samples.of_seed(seed))
        mine = np.setdiff1d(np.arange(16), rejected(alone.outcomes))
        assert np.array_equal(values_of(together.samples)[seed, left], values_of(alone.samples)[0, mine])


def test_weights_go_with_their_samples() -> None:
    samples, real = drawn(1, 2, 10), drawn(2, 2, 30)
    weight = np.arange(20.0).reshape(2, 10)
    done = corrector_of("quality", reference_of(real), share=0.5).correct(Draws(samples.values, samples.labels, weight))
    assert isinstance(done.samples, Draws)
    for seed in range(2):
        place = [samples.values[seed].tolist().index(value) for value in done.samples.values[seed].tolist()]
        assert np.array_equal(done.samples.weights()[seed], weight[seed, place])


def test_a_density_counts_all_real_samples_and_not_the_nearest_alone() -> None:
    """A lone real sample beside many: the nearest one says nothing of how many there are."""
    crowd = np.concatenate([np.linspace(-0.5, 0.5, 30), [9.0]])[None, :, None]
    real = Draws(crowd, np.zeros(31, dtype=np.int64))
    samples = Draws(np.array([[[0.2], [9.0]]]), np.zeros(2, dtype=np.int64))
    kept = {
        score: rejected(corrector_of("quality", reference_of(real), share=0.5, score=score).correct(samples).outcomes)
        for score in ("typicality", "density")
    }
    assert kept == {"typicality": [0], "density": [1]}


def test_token_ids_can_be_filtered() -> None:
    labels = np.zeros(2, dtype=np.int64)
    real = Draws(np.array([[[1, 2, 3, 4], [5, 6, 7, 8]]]), labels)
    samples = Draws(np.array([[[1, 2, 3, 9], [9, 9, 9, 9]]]), labels)
    assert rejected(corrector_of("quality", reference_of(real), share=0.5).correct(samples).outcomes) == [1]


def test_motions_unlike_any_real_window_are_rejected(make: Make, clean: MotionBatch) -> None:
    noisy = clean.concat([jittered(clean, 0.5, 0.2)])
    done = make("quality", share=0.5).correct(noisy)
    assert rejected(done.outcomes) == list(range(15, 30))
    assert "best 50%" in done.outcomes[20].reason


def test_the_width_of_a_density_is_learned_once() -> None:
    memo, real = CountingMemo(), drawn(1, 1, 30, classes=2)
    for _ in range(2):
        corrector_of("quality", Reference(real, "x", memo), score="density").correct(drawn(2, 1, 10, classes=2))
    assert len(memo.computed) == 2, "one for each class"


def test_without_real_samples_there_is_nothing_to_compare_with(make: Make) -> None:
    with pytest.raises(InvalidConfig, match="real ones"):
        make("quality", learned=False)
    with pytest.raises(InvalidConfig, match="got 2"):
        corrector_of("quality", reference_of(drawn(1, 3, 30))).correct(drawn(2, 2, 5))
