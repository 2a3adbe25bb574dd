"""Loops of one group run together: each gets its own numbers, lease and state, and what harms one harms no other."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

import worker.block
from backend import loops
from backend.context import Backend
from backend.tables import Stage
from core.draws import Draws
from core.errors import DataMissing
from core.stack import run_stack
from model.domains import DOMAINS
from tests.backend.lightloops import Numbers, in_process, light, numbers, short_blocks, waiting
from tests.core.light import LightDomain, light_config
from worker.stage import drain, run_stage

__all__ = ["light", "short_blocks"]

SEEDS = (1, 2, 3, 4)


@pytest.fixture
def alone(make_backend: Any) -> Backend:
    """A backend whose machine has one process for light loops, which takes all that waits."""
    backend: Backend = make_backend(cpu_workers=1)
    return backend


@pytest.fixture
def stacked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many loops ran together, each time."""
    sizes: list[int] = []

    def counted(runs: Any, *args: Any, **more: Any) -> Any:
        sizes.append(len(runs))
        return run_stack(runs, *args, **more)

    monkeypatch.setattr(worker.block, "run_stack", counted)
    return sizes


def launched(backend: Backend, group: str = "g", **changes: Any) -> list[str]:
    return [loops.launch(backend, light_config(seed=seed, **changes), group=group).id for seed in SEEDS]


def alike(found: Numbers, expected: Numbers) -> None:
    assert [(t, counts) for t, _, counts in found] == [(t, counts) for t, _, counts in expected]
    for (_, one, _), (_, other, _) in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-9)


def test_a_group_runs_together_and_each_loop_gets_its_own_numbers(alone: Backend, stacked: list[int]) -> None:
    ids = launched(alone, corrector="shrink", policy="accumulate")
    drain(alone)
    assert stacked == [4]
    for loop_id, seed in zip(ids, SEEDS, strict=True):
        assert loops.show_loop(alone, loop_id).state == "done"
        expected = in_process(light_config(seed=seed, corrector="shrink", policy="accumulate"))
        alike(numbers(alone, loop_id), expected)
        kinds = [event.kind for event in loops.events(alone, loop_id)]
        assert kinds == ["launched", "done"]


@pytest.mark.usefixtures("short_blocks")
def test_they_stay_together_over_blocks(alone: Backend, stacked: list[int]) -> None:
    ids = launched(alone, policy="augment", generations=3)
    drain(alone)
    assert stacked == [4, 4, 4, 4]
    for loop_id, seed in zip(ids, SEEDS, strict=True):
        alike(numbers(alone, loop_id), in_process(light_config(seed=seed, policy="augment", generations=3)))


def test_others_are_left_to_other_processes(make_backend: Any, stacked: list[int]) -> None:
    backend = make_backend(cpu_workers=2)
    ids = launched(backend)
    message = backend.queue.messages[0]
    assert run_stage(backend, message.loop_id, 0, "block", 0)
    assert stacked == [2]
    assert [loops.show_loop(backend, loop_id).state for loop_id in ids] == ["done", "done", "queued", "queued"]


@pytest.mark.parametrize("group", ["", "apart"])
def test_what_does_not_belong_together_runs_alone(alone: Backend, stacked: list[int], group: str) -> None:
    launched(alone, group="")
    if group:
        loops.launch(alone, light_config(seed=9), group=group)
        loops.launch(alone, light_config(seed=9, n=30), group=group)
    drain(alone)
    assert stacked == []
    assert {view.state for view in loops.list_loops(alone)} == {"done"}


class Broken(LightDomain):
    """The data of seed 3 are not there."""

    def real(self, count: int) -> Draws:
        if self.seed == 3:
            raise DataMissing("The numbers of seed 3 are gone.")
        return super().real(count)


def test_an_error_of_one_harms_no_other(alone: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    part = replace(DOMAINS["light"], build=lambda config, *_: Broken(config.seed, config.replicates))
    monkeypatch.setitem(DOMAINS, "light", part)
    ids = launched(alone, n=22)
    drain(alone)
    states = {seed: loops.show_loop(alone, loop_id) for seed, loop_id in zip(SEEDS, ids, strict=True)}
    assert [view.state for view in states.values()] == ["done", "done", "failed", "done"]
    assert states[3].error is not None
    assert states[3].error.message == "The numbers of seed 3 are gone."
    with alone.database.read() as session:
        assert set(session.scalars(select(Stage.attempt))) == {1}


class Slow(LightDomain):
    def evaluator(self, tick: Any = None) -> Any:
        time.sleep(0.05)
        return super().evaluator(tick or (lambda *_: None))


def wait_until(fits: Callable[[], bool]) -> None:
    limit = time.monotonic() + 20
    while not fits():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_a_cancel_of_one_lets_the_others_go_on(alone: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    part = replace(DOMAINS["light"], build=lambda config, *_: Slow(config.seed, config.replicates))
    monkeypatch.setitem(DOMAINS, "light", part)
    monkeypatch.setattr(worker.block, "BLOCK_S", 1e9)  # nothing but the cancel ends the block
    ids = launched(alone, generations=1000, n=23)
    first = waiting(alone)[0]
    thread = threading.Thread(target=run_stage, args=(alone, ids[0], *first, 0))
    thread.start()
    wait_until(lambda: loops.show_loop(alone, ids[2]).fraction > 0)
    assert loops.cancel(alone, ids[2]).state == "cancelling"
    thread.join(20)
    views = [loops.show_loop(alone, loop_id) for loop_id in ids]
    assert [view.state for view in views] == ["running", "running", "cancelled", "running"]
    [reached] = {view.generation for view in views}
    assert 0 <= reached < 1000
    assert waiting(alone) == [(reached + 1, "block")] * 3
