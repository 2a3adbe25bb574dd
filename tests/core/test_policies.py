from typing import Any

import numpy as np
import pytest

from core.config import parse
from core.draws import Draws
from core.errors import InvalidConfig
from core.policies import (
    POLICIES,
    Accumulate,
    AccumulateSubsample,
    Augment,
    FreshReal,
    Policy,
    RealOnly,
    Replace,
    compose,
)
from tests.core.toy import Numbers


def numbers(count: int, value: float) -> Numbers:
    return Numbers(np.full(count, value), np.zeros(count, dtype=np.int64))


def composed(policy: Policy, t: int, n: int, seed: int = 0) -> np.ndarray:
    """Origins of generation t's training set; fresh real samples have the value -1."""
    sets = [(k, numbers(policy.synthetic_count(n), float(k))) for k in policy.past_generations(t)]
    fresh = policy.fresh_count(n)
    found = compose(policy, numbers(n, 0.0), sets, fresh=numbers(fresh, -1.0) if fresh else None, seed=seed)
    assert np.array_equal(np.maximum(found.samples.values, 0.0), found.origin), "samples and origins belong together"
    return np.asarray(found.samples.values)


def test_counts_of_fresh_samples() -> None:
    assert RealOnly().synthetic_count(64) == 0
    assert Augment(0.25).synthetic_count(64) == 16
    assert Replace().synthetic_count(64) == 64
    assert Replace(0.1).synthetic_count(64) == 58
    assert Accumulate().synthetic_count(64) == 64
    assert AccumulateSubsample().synthetic_count(64) == 64
    assert (FreshReal(0.25).synthetic_count(64), FreshReal(0.25).fresh_count(64)) == (48, 16)


def test_what_each_generation_learns_from() -> None:
    assert list(RealOnly().past_generations(3)) == []
    assert list(Augment(1.0).past_generations(3)) == [3]
    assert list(Augment(1.0, "all past").past_generations(3)) == [1, 2, 3]
    assert list(Replace().past_generations(3)) == [3]
    assert list(Accumulate().past_generations(3)) == [1, 2, 3]
    assert list(AccumulateSubsample().past_generations(3)) == [1, 2, 3]
    assert list(FreshReal(0.5).past_generations(3)) == [3]


def test_composition_tags_every_sample_with_its_origin() -> None:
    mixed = compose(Accumulate(), numbers(3, 0.0), [(1, numbers(2, 1.0)), (2, numbers(1, 2.0))])
    assert mixed.origin.tolist() == [0, 0, 0, 1, 1, 2]
    assert mixed.samples.values.tolist() == [0, 0, 0, 1, 1, 2]


def test_replace_keeps_nothing_real() -> None:
    assert compose(Replace(), numbers(3, 0.0), [(4, numbers(2, 1.0))]).origin.tolist() == [4, 4]


@pytest.mark.parametrize("policy", [Replace(), Replace(0.1), AccumulateSubsample(), Augment(0.5, "all past", 0.2)])
def test_real_data_stands_in_when_every_synthetic_sample_was_rejected(policy: Policy) -> None:
    assert compose(policy, numbers(30, 0.0), []).origin.tolist() == [0] * 30


def test_a_kept_share_of_real_data_leaves_the_size_as_it_is() -> None:
    values = composed(Replace(0.1), 4, 50)
    assert np.unique(values, return_counts=True)[1].tolist() == [5, 45]
    assert set(values.tolist()) == {0.0, 4.0}


def test_the_kept_real_data_are_drawn_anew_in_each_generation() -> None:
    real = Numbers(np.arange(100.0), np.zeros(100, dtype=np.int64))
    synthetic = [(1, numbers(90, -1.0))]
    kept = [compose(Replace(0.1), real, synthetic, seed=seed).samples.values[:10] for seed in (1, 2)]
    assert all(len(set(values.tolist())) == 10 and (values >= 0).all() for values in kept)
    assert not np.array_equal(*kept)


def test_all_past_sets_are_taken_in_slices_that_grow() -> None:
    values = composed(Augment(0.5, "all past"), 5, 50)
    assert np.bincount(values.astype(int)).tolist() == [50, 5, 10, 15, 20, 25]


def test_a_subsample_of_everything_keeps_the_budget() -> None:
    values = np.concatenate([composed(AccumulateSubsample(), 3, 40, seed) for seed in range(100)])
    assert len(values) == 4000
    shares = np.bincount(values.astype(int)) / len(values)
    assert shares == pytest.approx([0.25] * 4, abs=0.03), "all samples so far are drawn alike"


def test_new_real_data_take_the_place_of_the_first() -> None:
    values = composed(FreshReal(0.3), 6, 50)
    assert np.unique(values, return_counts=True)[1].tolist() == [15, 35]
    assert set(values.tolist()) == {-1.0, 6.0}


@pytest.mark.parametrize(
    ("policy", "cap"),
    [(Augment(2.0, "newest", 0.4), 0.4), (Augment(1.0, "all past", 0.5), 0.5), (Accumulate(0.25), 0.25)],
)
def test_the_synthetic_share_stays_below_its_cap(policy: Policy, cap: float) -> None:
    values = composed(policy, 5, 40)
    assert (values == 0).sum() == 40, "real data are never left out"
    assert (values > 0).sum() == {0.4: 26, 0.5: 40, 0.25: 13}[cap]


def test_all_seeds_keep_the_same_columns() -> None:
    real = Draws(np.arange(60.0).reshape(2, 30), np.arange(30))
    synthetic = real.with_values(real.values + 100.0)
    mixed = compose(AccumulateSubsample(), real, [(1, synthetic)], seed=5).samples
    assert len(mixed) == 30
    assert np.array_equal(mixed.values[1], mixed.values[0] + 30.0)
    assert np.array_equal(mixed.values[0] % 100, mixed.labels)


REFUSED: list[tuple[str, str, Any]] = [
    *[("augment", "lam", value) for value in (-0.1, 1000.0, "much", float("inf"), float("nan"))],
    *[(kind, "synthetic_cap", value) for kind in ("augment", "accumulate") for value in (0.0, 1.5)],
    ("augment", "source", "older"),
    *[("replace", "real_kept", value) for value in (-0.1, 1.0)],
    *[("fresh-real", "share", value) for value in (0.0, 1.0)],
]


@pytest.mark.parametrize(("kind", "option", "value"), REFUSED)
def test_options_are_checked(kind: str, option: str, value: object) -> None:
    with pytest.raises(InvalidConfig, match=f"policy.options.{option}"):
        parse(POLICIES[kind].options, {option: value}, "policy.options")


@pytest.mark.parametrize(
    ("kind", "options", "policy"),
    [
        ("augment", {"lam": 0.5, "source": "all past", "synthetic_cap": 0.5}, Augment(0.5, "all past", 0.5)),
        ("replace", {"real_kept": 0.1}, Replace(0.1)),
        ("accumulate", {"synthetic_cap": 0.75}, Accumulate(0.75)),
        ("fresh-real", {"share": 0.2}, FreshReal(0.2)),
    ],
)
def test_options_reach_the_policy(kind: str, options: dict[str, Any], policy: Policy) -> None:
    assert POLICIES[kind].build(parse(POLICIES[kind].options, options)) == policy
