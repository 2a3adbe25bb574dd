"""Many generations under one lease: the same numbers as in process, few rows, nothing lost but seconds."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

import worker.block
from backend import loops, measures, reclaiming, stages
from backend.context import Backend
from backend.parts import check
from backend.queue import CPU, ListQueue
from backend.shelf import SqlShelf
from backend.tables import Artifact, Loop, Stage, TraceValue, utc_now
from core.config import CorrectionConfig, TrainingConfig
from core.errors import DataMissing
from model.domains import DOMAINS
from tests.backend.lightloops import done, in_process, light, numbers, short_blocks, waiting
from tests.backend.test_stages import silence
from tests.core.light import LightDomain, light_config
from worker.stage import drain, run_stage

__all__ = ["light", "short_blocks"]

LOOPS: list[dict[str, Any]] = [
    {"policy": "real"},
    {"policy": "augment", "options": {"lam": 0.5}},
    {"policy": "replace", "replicates": 1},
    {"policy": "accumulate"},
    {"policy": "replace", "training": TrainingConfig(mode="from-scratch")},
    {"policy": "accumulate", "corrector": "shrink", "correction": CorrectionConfig(where="both")},
]


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: "-".join(str(v) for v in loop.values())[:40])
def test_the_queue_gives_the_numbers_of_one_process(backend: Backend, loop: dict[str, Any]) -> None:
    config = light_config(**loop)
    assert numbers(backend, done(backend, config)) == in_process(config)


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: "-".join(str(v) for v in loop.values())[:40])
def test_so_do_blocks_of_one_generation(backend: Backend, loop: dict[str, Any]) -> None:
    config = light_config(**loop)
    loop_id = done(backend, config)
    assert numbers(backend, loop_id) == in_process(config)
    with backend.database.read() as session:
        assert session.scalars(select(Stage.generation).order_by(Stage.generation)).all() == list(range(6))


def test_a_loop_of_one_block_leaves_one_lease_and_one_file(backend: Backend) -> None:
    loop = loops.launch(backend, light_config(generations=40))
    assert isinstance(backend.queue, ListQueue)
    assert [(m.stage, m.queue) for m in backend.queue.messages] == [("block", CPU)]
    assert backend.queue.prepared == []
    assert drain(backend) == 1
    with backend.database.read() as session:
        assert session.scalars(select(Artifact.name)).all() == ["block"]
    view = loops.show_loop(backend, loop.id)
    assert (view.state, view.generation, view.fraction) == ("done", 40, 1.0)
    assert [event.kind for event in loops.events(backend, loop.id)] == ["launched", "done"]


@pytest.mark.parametrize("policy", ["replace", "accumulate"])
def test_an_extended_loop_is_a_longer_one(backend: Backend, policy: str) -> None:
    short, long = light_config(policy=policy, generations=4), light_config(policy=policy, generations=9)
    loop_id = done(backend, short)
    loops.extend(backend, loop_id, 5)
    assert waiting(backend) == [(5, "block")]
    run_stage(backend, loop_id, 5, "block", 0)
    assert loops.show_loop(backend, loop_id).state == "done"
    assert numbers(backend, loop_id) == in_process(long)


def test_extending_a_loop_that_runs_adds_a_block_when_its_own_is_done(backend: Backend) -> None:
    loop = loops.launch(backend, light_config(generations=2))
    [message] = waiting(backend)
    lease = stages.claim(backend, loop.id, *message, 0, "w")
    assert lease is not None
    loops.extend(backend, loop.id, 3)
    assert waiting(backend) == []
    stages.release(backend, lease, resend=True)
    drain(backend)
    assert numbers(backend, loop.id) == in_process(light_config(generations=5))


@pytest.mark.usefixtures("short_blocks")
def test_every_kept_item_is_found_in_the_block_that_made_it(backend: Backend) -> None:
    loop_id = done(backend, light_config(policy="accumulate"))
    shelf = SqlShelf(backend, loop_id)
    for t in range(6):
        assert shelf.load(t, "panel-raw").arrays["values"].shape == (1, 4)
        assert shelf.load(t, "body").meta["view"] == "points"
        assert shelf.load(t, "metrics").meta["tails"] == {"score": "distance from 0"}
        assert shelf.load(t, "model").arrays["std"].shape == (3,)
        assert loops.panel(backend, loop_id, t).samples[1].label == "b"
    np.testing.assert_array_equal(shelf.load(5, "panel-raw").arrays["labels"], [0, 1, 0, 1])
    for t, name in ((0, "raw"), (3, "nothing"), (9, "panel-raw")):
        with pytest.raises(DataMissing):
            shelf.load(t, name)
    assert measures.floor(backend, loop_id) == {"mean": [0.0, 1 / 16]}


def test_traces_are_the_values_of_each_seed(backend: Backend) -> None:
    loop_id = done(backend, light_config(generations=3))
    traces = measures.traces(backend, [loop_id, "nobody"])[loop_id]
    curves = measures.curves(backend, [loop_id])[loop_id]
    assert traces.keys() == curves.keys() == {"mean", "std", "tail"}
    for name, curve in curves.items():
        assert [t for t, _ in traces[name]] == [0, 1, 2, 3]
        assert [np.mean(values) for _, values in traces[name]] == [value for _, value in curve]  # type: ignore[arg-type]
    assert measures.traces(backend, [loop_id], "std") == {loop_id: {"std": traces["std"]}}


def test_the_trace_of_one_seed_is_its_curve(backend: Backend) -> None:
    loop_id = done(backend, light_config(replicates=1))
    traces, curves = measures.traces(backend, [loop_id], "std"), measures.curves(backend, [loop_id])
    assert traces[loop_id]["std"] == [(t, [value]) for t, value in curves[loop_id]["std"]]


def test_purging_takes_traces_and_the_file_along(backend: Backend) -> None:
    loop_id = done(backend, light_config())
    loops.delete(backend, loop_id)
    with backend.database.write() as session:
        session.get_one(Loop, loop_id).deleted_at = utc_now() - timedelta(days=1000)
    assert loops.purge(backend) == 1
    with backend.database.read() as session:
        assert session.scalar(select(func.count()).select_from(TraceValue)) == 0
        assert session.scalar(select(func.count()).select_from(Artifact)) == 0
    assert backend.store.collect([], before=time.time() + 60) == 1


class Slow(LightDomain):
    """Tells when a generation is measured, and takes its time."""

    pause_s = 0.05
    seen: Callable[[], None] = staticmethod(lambda: None)

    def evaluator(self, tick: Any = None) -> Any:
        type(self).seen()
        time.sleep(self.pause_s)
        return super().evaluator(tick or (lambda *_: None))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    part = replace(DOMAINS["light"], build=lambda config, *_: Slow(config.seed, config.replicates))
    monkeypatch.setitem(DOMAINS, "light", part)
    monkeypatch.setattr(worker.block, "BLOCK_S", 1e9)  # nothing but what the test does ends a block


def wait_until(fits: Callable[[], bool]) -> None:
    limit = time.monotonic() + 20
    while not fits():
        assert time.monotonic() < limit
        time.sleep(0.02)


@pytest.mark.usefixtures("slow")
def test_a_cancel_keeps_what_the_block_has_finished_and_resume_goes_on(backend: Backend) -> None:
    config = light_config(generations=1000, seed=77)
    loop = loops.launch(backend, config)
    [message] = waiting(backend)
    thread = threading.Thread(target=run_stage, args=(backend, loop.id, *message, 0))
    thread.start()
    wait_until(lambda: loops.show_loop(backend, loop.id).fraction > 0)
    view = loops.show_loop(backend, loop.id)
    assert view.sentence.startswith("Running generations 0 to 1000, at generation ")
    assert view.eta_s is not None
    loops.cancel(backend, loop.id)
    thread.join(20)
    view = loops.show_loop(backend, loop.id)
    assert (view.state, waiting(backend)) == ("cancelled", [])
    assert 0 <= view.generation < 1000
    assert view.sentence == f"Cancelled after generation {view.generation} of 1000"
    loops.resume(backend, loop.id)
    assert waiting(backend) == [(view.generation + 1, "block")]
    short = config.model_copy(update={"generations": view.generation})
    assert numbers(backend, loop.id) == in_process(short)


@pytest.mark.usefixtures("slow")
def test_a_worker_that_leaves_keeps_what_it_has_finished(backend: Backend) -> None:
    loop = loops.launch(backend, light_config(generations=1000, seed=78))
    [message] = waiting(backend)
    leaving = threading.Event()
    thread = threading.Thread(
        target=run_stage, args=(backend, loop.id, *message, 0), kwargs={"leaving": leaving.is_set}
    )
    thread.start()
    wait_until(lambda: loops.show_loop(backend, loop.id).fraction > 0)
    leaving.set()
    thread.join(20)
    reached = loops.show_loop(backend, loop.id).generation
    assert reached >= 0
    assert waiting(backend) == [(reached + 1, "block")]


def test_an_error_is_that_of_its_generation(backend: Backend) -> None:
    loop = loops.launch(backend, light_config(training=TrainingConfig(initial_steps=1, steps=13)))
    drain(backend)
    view = loops.show_loop(backend, loop.id)
    assert (view.state, view.generation) == ("failed", 0)
    assert view.error is not None
    assert (view.error.code, view.error.generation) == ("training_diverged", 1)


def test_a_block_of_a_silent_worker_is_taken_up_again(backend: Backend) -> None:
    config = light_config(seed=5)
    loop = loops.launch(backend, config)
    [message] = waiting(backend)
    assert stages.claim(backend, loop.id, *message, 0, "dead") is not None
    silence(backend)
    assert reclaiming.reclaim(backend) == 1
    assert loops.show_loop(backend, loop.id).state == "interrupted"
    drain(backend)
    assert numbers(backend, loop.id) == in_process(config)


@pytest.mark.usefixtures("slow")
def test_work_after_the_lease_was_lost_is_thrown_away(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    def steal() -> None:
        silence(backend)
        reclaiming.reclaim(backend)

    loop = loops.launch(backend, light_config(generations=1, seed=79))
    [message] = waiting(backend)
    monkeypatch.setattr(Slow, "seen", staticmethod(steal))
    assert not run_stage(backend, loop.id, *message, 0)
    assert loops.generations(backend, loop.id) == []


def test_the_headline_is_the_first_metric_of_the_domain(backend: Backend) -> None:
    loop_id = done(backend, light_config(generations=200))
    view = loops.show_loop(backend, loop_id)
    curve = [value for _, value in measures.curves(backend, [loop_id])[loop_id]["std"]]
    assert view.headline == "std"
    assert 50 <= len(view.history) <= 70
    assert view.history[-1] == curve[-1]
    assert set(view.history) <= set(curve)
    assert check(light_config()).domain == "light"
