"""Presets run as they stand, share what they promise to share, and are launched once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend import loops, parts
from backend.context import Backend
from backend.estimate import beginning
from backend.presets import PRESETS, launch_preset, preset, views
from core.config import LoopConfig
from core.errors import NotFound
from tests.app.seeding import open_silent


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    opened = open_silent(tmp_path)
    yield opened
    opened.close()


def arms(key: str) -> dict[str, LoopConfig]:
    return dict(PRESETS[key].loops)


@pytest.mark.parametrize("key", PRESETS)
def test_every_preset_can_run_and_says_what_it_is(key: str) -> None:
    wanted = PRESETS[key]
    names = [name for name, _ in wanted.loops]
    assert len(set(names)) == len(names)
    for _, config in wanted.loops:
        assert parts.check(config).arm == config.arm
    assert wanted.question.endswith("?")
    assert "not" in wanted.does_not_show
    assert wanted.shows in wanted.description
    assert wanted.minutes > 0
    assert any(config.policy.kind == "real" for _, config in wanted.loops), "no comparison without its control"


@pytest.mark.parametrize("key", PRESETS)
def test_loops_of_a_seed_share_generation_zero(key: str) -> None:
    shared: dict[int, set[str]] = {}
    for _, config in PRESETS[key].loops:
        shared.setdefault(config.seed, set()).add(beginning(config))
    assert all(len(keys) == 1 for keys in shared.values())
    panels = {config.evaluation.model_dump_json() for _, config in PRESETS[key].loops}
    assert len(panels) == 1


def test_the_demo_differs_in_one_thing_per_arm() -> None:
    raw, corrected, real = (arms("demo")[name] for name in ("Raw", "Corrected", "Real only"))
    assert (raw.arm, corrected.arm, real.arm) == ("raw", "corrected", "real")
    assert (raw.policy.kind, raw.sampling.guidance_synthesis, raw.generations) == ("replace", 2.5, 10)
    uncorrected = {"corrector": raw.corrector, "correction": raw.correction}
    assert corrected.model_copy(update=uncorrected) == raw
    assert real.model_copy(update={"policy": raw.policy}) == raw
    assert "physics" in corrected.corrector.model_dump_json()


def test_the_papers_regime() -> None:
    loops_of = PRESETS["paper-regime"].loops
    assert len(loops_of) == 12
    assert {config.seed for _, config in loops_of} == {0, 1, 2}
    assert {(c.n, c.generations, c.training.steps) for _, c in loops_of} == {(64, 16, 60)}
    assert {c.sampling.guidance_evaluation for _, c in loops_of} == {2.5}
    unguided = [name for name, c in loops_of if c.sampling.guidance_synthesis == 1]
    assert unguided == [f"Raw, guidance 1, seed {seed}" for seed in (0, 1, 2)]


@pytest.mark.parametrize("figure", ["16.9", "24.4", "19.7"])
def test_the_papers_regime_tells_what_was_measured(figure: str) -> None:
    assert figure in PRESETS["paper-regime"].does_not_show


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(NotFound, match="dmo") as error:
        preset("dmo")
    assert all(key in error.value.hint for key in PRESETS)


def test_views_are_in_the_order_of_the_cards() -> None:
    assert [view.key for view in views()] == list(PRESETS)
    assert [loop.name for loop in views()[0].loops] == ["Raw", "Corrected", "Real only"]


def test_a_preset_is_launched_once(backend: Backend) -> None:
    first = launch_preset(backend, "demo")
    assert [view.name for view in first] == ["Raw", "Corrected", "Real only"]
    assert {view.group for view in first} == {"Collapse and correction"}
    assert [view.id for view in launch_preset(backend, "demo")] == [view.id for view in first]


def test_a_preset_that_stopped_half_way_is_completed(backend: Backend) -> None:
    first = launch_preset(backend, "demo")
    loops.delete(backend, first[1].id)
    again = launch_preset(backend, "demo")
    assert [again[0].id, again[2].id] == [first[0].id, first[2].id]
    assert again[1].id != first[1].id
    assert len(loops.list_loops(backend, group=first[0].group)) == 3


def test_asked_for_again_it_is_a_group_of_its_own(backend: Backend) -> None:
    first, second, third = (launch_preset(backend, "demo", again=again) for again in (False, True, True))
    assert [view.group for view in (first[0], second[0], third[0])] == [
        "Collapse and correction",
        "Collapse and correction 2",
        "Collapse and correction 3",
    ]


def test_a_group_of_other_loops_is_left_alone(backend: Backend) -> None:
    config = PRESETS["demo"].loops[0][1].model_copy(update={"seed": 9})
    loops.launch(backend, config, name="Raw", group="Collapse and correction")
    assert {view.group for view in launch_preset(backend, "demo")} == {"Collapse and correction 2"}
