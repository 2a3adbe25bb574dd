"""Estimates of light loops: more work takes longer, what was measured replaces the table, other loops keep theirs."""

from typing import Any

import pytest

from backend import loops
from backend.context import Backend
from backend.estimate import EVALUATOR_S, estimate
from backend.pace import megabytes_of, paces_of, seconds_of
from tests.backend.lightloops import done, light
from tests.core.light import light_config

__all__ = ["light"]


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ({"generations": 100}, {}),
        ({"replicates": 3000}, {}),
        ({"n": 20_000}, {}),
        ({"n": 20_000, "policy": "augment", "options": {"lam": 3.0}}, {"n": 20_000}),
        ({"policy": "accumulate", "generations": 5000, "n": 500}, {"generations": 5000, "n": 500}),
    ],
)
def test_more_work_takes_longer(more: dict[str, Any], less: dict[str, Any]) -> None:
    assert seconds_of(light_config(**more), {}) > 1.2 * seconds_of(light_config(**less), {})


def test_sets_that_are_needed_again_take_space() -> None:
    accumulated = light_config(policy="accumulate", generations=100, n=1000)
    assert megabytes_of(accumulated) > 2 * megabytes_of(light_config(generations=100, n=1000))


def test_the_pace_of_the_most_alike_counts() -> None:
    config, other = light_config(seed=3), light_config(policy="accumulate")
    paces = paces_of([(config, 1.0), (other, 3.0)])
    assert seconds_of(light_config(seed=4), paces) == pytest.approx(6.0, rel=0.01)
    assert seconds_of(other, paces) == pytest.approx(18.0, rel=0.01)
    assert 6.0 < seconds_of(light_config(policy="real"), paces) < 18.0


def test_the_data_folders_past_is_used_and_no_evaluator_is_waited_for(backend: Backend) -> None:
    config = light_config(generations=200)
    first = estimate(backend, config)
    assert "another machine" in first.note
    assert "evaluator" not in first.note
    assert first.seconds < EVALUATOR_S
    done(backend, config)
    assert "this machine" in estimate(backend, config).note
    assert loops.list_loops(backend)[0].state == "done"
