"""Laws that every policy keeps."""

import pytest

from core.policies import POLICIES, compose
from tests.core.test_policies import numbers


@pytest.mark.parametrize("kind", list(POLICIES))
def test_a_policy_says_what_it_will_compose(kind: str) -> None:
    part = POLICIES[kind]
    policy = part.build(part.options())
    assert part.title and part.description
    for t in (1, 2, 5):
        past = policy.past_generations(t)
        assert all(1 <= k <= t for k in past), "a generation learns from the past only"
        sets = [(k, numbers(policy.synthetic_count(10), float(k))) for k in past]
        composed = compose(policy, numbers(10, 0.0), sets)
        assert len(composed.samples) == len(composed.origin)
        assert bool((composed.origin == 0).any()) == (policy.keeps_real or not sets)
        assert set(composed.origin.tolist()) - {0} == set(past)
