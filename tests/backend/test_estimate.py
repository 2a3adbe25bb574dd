"""Estimates: more work costs more, what is there costs nothing, and measured rates replace the table."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend import loops
from backend.context import Backend
from backend.estimate import STAGE_OVERHEAD_S, Past, beginning, estimate, estimate_from, rates_of
from backend.presets import PRESETS
from core.config import CorrectionConfig, LoopConfig, PartConfig, SamplingConfig, TrainingConfig, digest
from core.loop import _parts_of_generation_zero
from tests.app.seeding import open_silent, record, small

PHYSICS = PartConfig(kind="physics")
CHAIN = PartConfig(kind="chain", options={"parts": [{"kind": "idealized", "options": {}}, {"kind": "physics"}]})
KNOWN = Past(judged=frozenset([digest(LoopConfig().data)]))


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    opened = open_silent(tmp_path)
    yield opened
    opened.close()


def seconds(*configs: LoopConfig, past: Past = KNOWN, cpu_workers: int = 1) -> float:
    return estimate_from(past, configs, cpu_workers, cores=8).seconds


@pytest.mark.parametrize(
    "more",
    [
        {"generations": 30},
        {"training": TrainingConfig(steps=600)},
        {"training": TrainingConfig(initial_steps=20_000)},
        {"training": TrainingConfig(mode="from-scratch")},
        {"sampling": SamplingConfig(steps=500)},
        {"corrector": PHYSICS},
        {"n": 20_000},
    ],
)
def test_more_work_takes_longer(more: dict[str, Any]) -> None:
    assert seconds(small(**more)) > seconds(small()) * 1.2


def test_no_guidance_is_cheaper() -> None:
    one = SamplingConfig(guidance_synthesis=1, guidance_evaluation=1, steps=500)
    two = SamplingConfig(guidance_synthesis=2, guidance_evaluation=2, steps=500)
    assert seconds(small(sampling=one)) < seconds(small(sampling=two))


def test_more_workers_help_physics() -> None:
    config = small(n=512, corrector=PHYSICS)
    assert seconds(config, cpu_workers=4) < seconds(config, cpu_workers=1)


def test_a_chain_costs_what_its_parts_cost() -> None:
    assert seconds(small(n=512, corrector=CHAIN)) > seconds(small(n=512, corrector=PHYSICS))


def test_correcting_the_output_counts() -> None:
    both = small(corrector=PHYSICS, correction=CorrectionConfig(where="both"))
    assert seconds(both) > seconds(small(corrector=PHYSICS)) + 100


def test_loops_that_begin_alike_train_once() -> None:
    alike, other = small(generations=20), small(seed=1)
    assert seconds(small(), alike) < seconds(small()) + seconds(other, alike)
    assert beginning(alike) == beginning(small()) != beginning(other)


def test_beginning_depends_on_what_the_loop_shares_generation_zero_by() -> None:
    """The same fields as core.loop's key: else a loop would be promised a cached start that it does not get."""
    changes: list[dict[str, Any]] = [
        {"training": TrainingConfig(steps=7)},
        {"training": TrainingConfig(initial_steps=7)},
        {"training": TrainingConfig(mode="from-scratch")},
        {"training": TrainingConfig(batch_size=7)},
        {"seed": 5},
        {"sampling": SamplingConfig(steps=7)},
        {"policy": PHYSICS},
        {"model": PartConfig(kind="transformer")},
    ]
    for change in changes:
        config = small(**change)
        shared = _parts_of_generation_zero(config) == _parts_of_generation_zero(small())
        assert (beginning(config) == beginning(small())) == shared, change


def test_what_is_there_costs_nothing() -> None:
    cached = Past(judged=KNOWN.judged, begun=frozenset([beginning(small())]))
    assert seconds(small(), past=cached) < seconds(small(), past=KNOWN)
    unjudged = Past(begun=cached.begun)
    assert seconds(small(generations=0), past=cached) < seconds(small(generations=0), past=unjudged)


def test_measured_rates_are_found_again() -> None:
    config = small(n=100, corrector=PHYSICS)
    took = {"learn": 12.3, "synthesize": 1.3, "correct": 20.3, "evaluate": 3.3, "panel": 9.0}
    rates = rates_of([(config, 1, took), (config, 0, {"learn": 1000.0, "evaluate": 1000.0})])
    assert rates["learn", "latent-mlp"] == pytest.approx((12.3 - STAGE_OVERHEAD_S) / 60)
    assert rates["correct", digest(PHYSICS)] == pytest.approx(0.2)
    assert set(rates) == {(s, "latent-mlp") for s in ("learn", "synthesize", "evaluate")} | {
        ("correct", digest(PHYSICS))
    }


def test_the_data_folders_past_is_used(backend: Backend) -> None:
    config = small(corrector=PHYSICS, generations=20)
    first = estimate(backend, config)
    assert "another machine" in first.note
    assert "evaluator" in first.note
    record(backend, loops.launch(backend, config), last=3)
    second = estimate(backend, config)
    assert "this machine" in second.note
    assert "evaluator" not in second.note
    assert second.seconds != first.seconds


def test_several_loops_take_more_than_one_and_less_than_all_after_another(backend: Backend) -> None:
    demo = [config for _, config in PRESETS["demo"].loops]
    apart = [estimate(backend, config).seconds for config in demo]
    together = estimate(backend, demo)
    assert max(apart) <= together.seconds < sum(apart)
    assert together.megabytes > 0
