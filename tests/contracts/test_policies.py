"""Laws that every policy keeps."""

import numpy as np
import pytest

from core.config import LoopConfig, PartConfig
from core.loop import run_loop
from core.policies import POLICIES, TrainingSet, compose
from tests.core.test_policies import numbers
from tests.core.toy import toy_run

KINDS = list(POLICIES)


def compose_at(kind: str, t: int, seed: int = 0) -> TrainingSet:
    policy = POLICIES[kind].build(POLICIES[kind].options())
    sets = [(k, numbers(policy.synthetic_count(10), float(k))) for k in policy.past_generations(t)]
    fresh = policy.fresh_count(10)
    return compose(policy, numbers(10, 0.0), sets, fresh=numbers(fresh, 0.0) if fresh else None, seed=seed)


@pytest.mark.parametrize("kind", KINDS)
def test_a_policy_says_what_it_will_compose(kind: str) -> None:
    part = POLICIES[kind]
    policy = part.build(part.options())
    assert part.title and part.description
    assert all(field.title and field.description for field in part.options.model_fields.values())
    for t in (1, 2, 5):
        past = policy.past_generations(t)
        assert all(1 <= k <= t for k in past), "a generation learns from the past only"
        found = compose_at(kind, t)
        assert len(found.samples) == len(found.origin)
        assert set(found.origin.tolist()) - {0} <= set(past)
        if kind != "accumulate-subsample":  # which draws from all, and may draw none of some
            assert set(found.origin.tolist()) - {0} == set(past)
            assert bool((found.origin == 0).any()) == (policy.keeps_real or policy.fresh_count(10) > 0 or not past)


@pytest.mark.parametrize("kind", KINDS)
def test_the_newest_synthetic_set_is_learned_from(kind: str) -> None:
    policy = POLICIES[kind].build(POLICIES[kind].options())
    for t in (1, 2, 7):
        assert (t in policy.past_generations(t)) == (policy.synthetic_count(10) > 0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_composes_the_same(kind: str) -> None:
    assert np.array_equal(compose_at(kind, 4, 7).origin, compose_at(kind, 4, 7).origin)


@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_runs_under_it_and_counts_what_it_learned_from(kind: str) -> None:
    part = POLICIES[kind]
    policy = part.build(part.options())
    config = LoopConfig(n=16, policy=PartConfig(kind=kind), generations=3)
    for record in run_loop(toy_run(config)):
        real, synthetic = record.counts["real"], record.counts["synthetic"]
        if record.index == 0:
            assert (real, synthetic) == (16, 0)
        else:
            assert (synthetic > 0) == (policy.synthetic_count(16) > 0)
            assert real + synthetic >= 16
