"""Broker and workers as they run for a user, with the toy domain: one stack for all tests of this file."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from backend import loops
from backend.context import Backend, open_backend
from backend.processes import GRACE_S, AlreadyRunning, Supervisor, embedded
from backend.settings import Settings
from backend.tables import Stage
from backend.views import LoopView
from tests.backend.toys import in_process, toy_config

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

TOY_WORKER = (sys.executable, "-m", "tests.worker.toy_worker")
PATIENCE_S = 60.0

Stack = tuple[Supervisor, Backend]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home=home, stale_after_s=4.0, cpu_workers=2, database_url="", redis_url="")
    supervisor = Supervisor(settings, worker=TOY_WORKER)
    supervisor.start()
    backend = open_backend(settings, migrate=False)
    yield supervisor, backend
    backend.close()
    supervisor.stop()


def wait_for(
    backend: Backend, loop_id: str, fits: Callable[[LoopView], bool], patience_s: float = PATIENCE_S
) -> LoopView:
    limit = time.monotonic() + patience_s
    while True:
        view = loops.show_loop(backend, loop_id)
        if fits(view):
            return view
        if time.monotonic() > limit or view.state == "failed":
            pytest.fail(f"{view.state}: {view.sentence} {view.error} {loops.events(backend, loop_id)}")
        time.sleep(0.05)


def at_work(stage: str) -> Callable[[LoopView], bool]:
    return lambda view: any(running.stage == stage for running in view.running)


def ended(view: LoopView) -> bool:
    return view.state in ("done", "failed", "cancelled")


def numbers(backend: Backend, loop_id: str) -> list[tuple[int, dict[str, float], dict[str, int]]]:
    return [(g.index, g.metrics, g.counts) for g in loops.generations(backend, loop_id)]


def pid_of(supervisor: Supervisor, name: str) -> int:
    process = supervisor.child(name).process
    assert process is not None
    return process.pid


def test_workers_give_the_numbers_of_one_process(stack: Stack) -> None:
    _, backend = stack
    configs = [toy_config(corrector=c, generations=3, n=160, policy=p) for c, p in
               (("clip", "accumulate"), ("none", "replace"), ("clip", "augment"))]  # fmt: skip
    ids = [loops.launch(backend, config).id for config in configs]
    for loop_id, config in zip(ids, configs, strict=True):
        assert wait_for(backend, loop_id, ended).state == "done"
        assert numbers(backend, loop_id) == in_process(config)


@pytest.mark.parametrize("stage", ["learn", "correct"])
def test_cancel_is_heard_inside_a_stage_and_resume_goes_on(stack: Stack, stage: str) -> None:
    _, backend = stack
    slow: dict[str, Any] = {"steps": 4000, "pause_s": 0.005} if stage == "learn" else {"clip": {"pause_s": 0.7}}
    config = toy_config(corrector="clip", generations=1, n=192, **slow)
    loop = loops.launch(backend, config)
    wait_for(backend, loop.id, at_work(stage))
    loops.cancel(backend, loop.id)
    view = wait_for(backend, loop.id, ended, patience_s=8.0)  # undisturbed it would take longer
    assert (view.state, view.running) == ("cancelled", [])
    if stage == "correct":
        loops.resume(backend, loop.id)
        assert wait_for(backend, loop.id, ended).state == "done"
        assert numbers(backend, loop.id) == in_process(config)


def test_a_killed_worker_is_told_and_its_loop_finishes_with_the_same_numbers(stack: Stack) -> None:
    supervisor, backend = stack
    config = toy_config(corrector="clip", generations=1, steps=150, pause_s=0.01)
    loop = loops.launch(backend, config)
    wait_for(backend, loop.id, lambda view: at_work("learn")(view) and view.running[0].part_fraction > 0.1)
    os.kill(pid_of(supervisor, "gpu"), signal.SIGKILL)
    view = wait_for(backend, loop.id, lambda view: view.state == "interrupted")
    assert "has not been heard of for" in view.sentence
    assert wait_for(backend, loop.id, ended).state == "done"
    kinds = [event.kind for event in loops.events(backend, loop.id) if event.kind != "rejected"]
    assert kinds == ["launched", "interrupted", "done"]
    assert numbers(backend, loop.id) == in_process(config)


def test_a_killed_child_is_replaced_and_its_part_done_again(stack: Stack) -> None:
    """The parent of the physics processes goes on with a new one."""
    supervisor, backend = stack
    parent = pid_of(supervisor, "cpu")
    config = toy_config(corrector="clip", generations=1, clip={"pause_s": 0.5})
    loop = loops.launch(backend, config)
    view = wait_for(backend, loop.id, at_work("correct"))
    victim = next(stage.worker for stage in view.running if stage.stage == "correct").split(", ")[0]
    os.kill(int(victim.rpartition(":")[2]), signal.SIGKILL)
    assert wait_for(backend, loop.id, ended).state == "done"
    assert "interrupted" in [event.kind for event in loops.events(backend, loop.id)]
    assert numbers(backend, loop.id) == in_process(config)
    assert pid_of(supervisor, "cpu") == parent
    others = [loops.launch(backend, toy_config(corrector="clip", generations=0, seed=seed)).id for seed in range(3)]
    assert {wait_for(backend, loop_id, ended).state for loop_id in others} == {"done"}


def test_a_broker_that_loses_everything_is_survived(stack: Stack) -> None:
    supervisor, backend = stack
    config = toy_config(corrector="clip", generations=2, clip={"pause_s": 0.3})
    loop = loops.launch(backend, config)
    wait_for(backend, loop.id, at_work("correct"))
    os.kill(pid_of(supervisor, "broker"), signal.SIGKILL)
    assert wait_for(backend, loop.id, ended).state == "done"
    assert numbers(backend, loop.id) == in_process(config)


def test_a_second_supervisor_is_refused_and_an_embedded_one_shares(stack: Stack) -> None:
    supervisor, _ = stack
    with pytest.raises(AlreadyRunning):
        Supervisor(supervisor.settings, worker=TOY_WORKER).start()
    with embedded(supervisor.settings, worker=TOY_WORKER) as shared:
        loop = loops.launch(shared, toy_config(generations=0))
        assert wait_for(shared, loop.id, ended).state == "done"
    assert all(child.alive for child in supervisor.children)


def test_stopping_gives_leases_back_and_leaves_no_process(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, cpu_workers=1, database_url="", redis_url="")
    with embedded(settings, worker=TOY_WORKER) as backend:
        loop = loops.launch(backend, toy_config(steps=100_000, pause_s=0.002))
        view = wait_for(backend, loop.id, at_work("learn"))
        worker_pid = int(view.running[0].worker.rpartition(":")[2])
    with pytest.raises(ProcessLookupError):
        os.kill(worker_pid, 0)
    backend = open_backend(settings, migrate=False)
    view = loops.show_loop(backend, loop.id)
    backend.close()
    assert (view.state, view.running) == ("queued", [])


def test_work_that_never_ticks_is_ended_and_given_back_when_its_worker_leaves(tmp_path: Path) -> None:
    """First it hangs: its process is ended and another one tries. Then everything stops, within the ten seconds."""
    settings = Settings(
        home=tmp_path, cpu_workers=2, database_url="", redis_url="", hang_after_s=5.0, stale_after_s=60.0
    )
    with embedded(settings, worker=TOY_WORKER) as backend:
        loop = loops.launch(backend, toy_config(corrector="clip", generations=0, clip={"pause_s": 600.0}))
        first = wait_for(backend, loop.id, at_work("panel")).running[0].worker
        wait_for(backend, loop.id, lambda view: bool(view.running) and view.running[0].worker != first)
        hung = [event.sentence for event in loops.events(backend, loop.id) if event.kind == "hung"]
        assert f"{first} made no progress for 5 s in panel of generation 0 and was ended" in hung[0]
        began = time.monotonic()
    assert time.monotonic() - began < GRACE_S + 3.0  # the broker ends after the others
    backend = open_backend(settings, migrate=False)
    view = loops.show_loop(backend, loop.id)
    with backend.database.read() as session:
        attempts = session.scalars(select(Stage.attempt).where(Stage.stage == "panel")).all()
    backend.close()
    assert (view.state, view.running) == ("queued", [])
    assert attempts == [1]  # the hang counts, leaving does not


def test_redis_and_postgresql_serve_as_well(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    settings = Settings(home=tmp_path, cpu_workers=1, database_url=postgres_url, redis_url=redis_url)
    config = toy_config(corrector="clip", generations=2)
    with embedded(settings, worker=TOY_WORKER) as backend:
        loop = loops.launch(backend, config)
        assert wait_for(backend, loop.id, ended).state == "done"
        assert numbers(backend, loop.id) == in_process(config)
        assert not (tmp_path / "broker").exists()
