import numpy as np
import pytest

from core.config import parse
from core.errors import InvalidConfig
from core.policies import POLICIES, Accumulate, Augment, RealOnly, Replace, compose
from tests.core.toy import Numbers


def numbers(count: int, value: float) -> Numbers:
    return Numbers(np.full(count, value), np.zeros(count, dtype=np.int64))


def test_counts_of_fresh_samples() -> None:
    assert RealOnly().synthetic_count(64) == 0
    assert Augment(0.25).synthetic_count(64) == 16
    assert Replace().synthetic_count(64) == 64
    assert Accumulate().synthetic_count(64) == 64


def test_what_each_generation_learns_from() -> None:
    assert list(RealOnly().past_generations(3)) == []
    assert list(Augment(1.0).past_generations(3)) == [3]
    assert list(Replace().past_generations(3)) == [3]
    assert list(Accumulate().past_generations(3)) == [1, 2, 3]


def test_composition_tags_every_sample_with_its_origin() -> None:
    mixed = compose(Accumulate(), numbers(3, 0.0), [(1, numbers(2, 1.0)), (2, numbers(1, 2.0))])
    assert mixed.origin.tolist() == [0, 0, 0, 1, 1, 2]
    assert mixed.samples.values.tolist() == [0, 0, 0, 1, 1, 2]


def test_replace_keeps_nothing_real() -> None:
    assert compose(Replace(), numbers(3, 0.0), [(4, numbers(2, 1.0))]).origin.tolist() == [4, 4]


def test_real_data_stands_in_when_every_synthetic_sample_was_rejected() -> None:
    assert compose(Replace(), numbers(3, 0.0), []).origin.tolist() == [0, 0, 0]


@pytest.mark.parametrize("lam", [-0.1, 1000.0, "much"])
def test_lambda_is_checked(lam: object) -> None:
    with pytest.raises(InvalidConfig, match="policy.options.lam"):
        parse(POLICIES["augment"].options, {"lam": lam}, "policy.options")
