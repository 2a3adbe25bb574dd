"""Stages as workers run them: same numbers as in process, errors as states, nothing done twice."""

import errno
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from backend import loops, reclaiming
from backend.context import Backend
from backend.database import open_database
from backend.memo import WAITING
from backend.parts import build_run, check
from backend.queue import CPU, GPU
from backend.shelf import SqlShelf
from backend.tables import Artifact, Stage
from core.config import CorrectionConfig, LoopConfig
from core.loop import run_loop
from core.memory import MemoryMemo, MemoryShelf
from core.protocols import Tick, silent
from core.records import Item
from model.domains import DOMAINS
from tests.backend.leases import messages, start
from tests.backend.test_stages import silence
from tests.backend.toys import SlowDomain, SlowGenerator, toy_config
from tests.core.toy import Judge, Numbers
from worker.stage import drain, prepare, run_next, run_stage


def through_the_queue(backend: Backend, config: LoopConfig) -> list[tuple[int, dict[str, float], dict[str, int]]]:
    loop = loops.launch(backend, config)
    drain(backend)
    view = loops.show_loop(backend, loop.id)
    assert view.state == "done", view.error
    return [(g.index, g.metrics, g.counts) for g in loops.generations(backend, loop.id)]


@pytest.mark.parametrize("policy", ["real", "augment", "replace", "accumulate"])
@pytest.mark.parametrize("corrector", ["none", "clip"])
@pytest.mark.parametrize("where", ["loop", "both"])
def test_the_queue_gives_the_numbers_of_one_process(backend: Backend, policy: str, corrector: str, where: Any) -> None:
    config = toy_config(policy=policy, corrector=corrector, generations=3)
    config = config.model_copy(update={"correction": CorrectionConfig(where=where)})
    run = build_run(check(config), shelf=MemoryShelf(), memo=MemoryMemo())
    alone = [(r.index, dict(r.metrics), dict(r.counts)) for r in run_loop(run)]
    assert through_the_queue(backend, config) == alone


def test_what_training_cost_is_told_and_is_no_part_of_its_file(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace = 1.0

    class Paced(SlowGenerator):
        def fit(self, samples: Numbers, **training: Any) -> Item:
            return replace(super().fit(samples, **training), pace={"steps_per_s": pace})

    class Domain(SlowDomain):
        def generator(self) -> SlowGenerator:
            return Paced(self.options)

    monkeypatch.setitem(DOMAINS, "toy", replace(DOMAINS["toy"], build=lambda *_: Domain()))
    told = []
    for pace in (1.0, 2.0):  # noqa: B007 (read by the generator)
        loop = loops.launch(backend, toy_config(generations=1))
        drain(backend)
        told.append([g.training.get("steps_per_s") for g in loops.generations(backend, loop.id)])
    assert told == [[1.0, 1.0], [None, 2.0]]  # the second loop finds generation 0 made
    with backend.database.read() as session:
        models = session.execute(select(Artifact.generation, Artifact.digest).where(Artifact.name == "model")).all()
    assert len(models) == 4 and len(set(map(tuple, models))) == 2


def test_redraws_through_the_queue_are_those_of_one_process_and_are_told(backend: Backend) -> None:
    config = toy_config(corrector="clip", generations=2, clip={"limit": 0.337})  # rejects half of what is drawn
    config = config.model_copy(update={"correction": CorrectionConfig(rejected="redraw")})
    run = build_run(check(config), shelf=MemoryShelf(), memo=MemoryMemo())
    alone = [(r.index, dict(r.metrics), dict(r.counts)) for r in run_loop(run)]
    assert through_the_queue(backend, config) == alone
    counts = alone[1][2]
    assert counts["redrawn"] > 30 > counts["rejected"] == counts["dropped"] > 0
    sentences = [e.sentence for e in loops.events(backend, loops.list_loops(backend)[0].id) if e.kind == "rejected"]
    assert sentences[0] == (
        f"Generation 1: {counts['redrawn']} samples were rejected and drawn anew; "
        f"{counts['rejected']} samples were still rejected and left out."
    )


def test_the_order_of_stages_does_not_matter(make_backend: Any) -> None:
    config = toy_config(corrector="clip", generations=3)
    one, other = make_backend(), make_backend(home=Path(make_backend().settings.home) / "other")
    first = through_the_queue(one, config)
    loop = loops.launch(other, config)
    while other.queue.messages:
        message = other.queue.messages.pop()  # newest first
        run_stage(other, message.loop_id, message.generation, message.stage, message.part)
    assert [(g.index, g.metrics, g.counts) for g in loops.generations(other, loop.id)] == first


def test_every_message_twice_is_the_same_as_once(make_backend: Any) -> None:
    config = toy_config(corrector="clip", generations=2)
    one, other = make_backend(), make_backend(home=Path(make_backend().settings.home) / "other")
    loop = loops.launch(other, config)
    ran = []
    while other.queue.messages:
        message = other.queue.messages.pop(0)
        for _ in range(2):
            ran.append(run_stage(other, message.loop_id, message.generation, message.stage, message.part))
    assert ran == [True, False] * (len(ran) // 2)
    found = [(g.index, g.metrics, g.counts) for g in loops.generations(other, loop.id)]
    assert found == through_the_queue(one, config)


def test_the_panel_is_kept_with_labels_and_outcomes(backend: Backend) -> None:
    loop = loops.launch(backend, toy_config(generations=1))
    drain(backend)
    panel = loops.panel(backend, loop.id, 1)
    assert [sample.label for sample in panel.samples] == ["a", "b", "a", "b"]
    assert {sample.outcome["status"] for sample in panel.samples} <= {"corrected", "unchanged", "rejected"}


def test_a_deterministic_error_ends_the_loop(backend: Backend) -> None:
    loop = loops.launch(backend, toy_config(trouble="diverges"))
    drain(backend)
    view = loops.show_loop(backend, loop.id)
    assert view.state == "failed"
    assert view.error is not None
    assert (view.error.code, view.error.stage, view.error.generation) == ("training_diverged", "learn", 1)
    assert "TrainingDiverged" in view.error.traceback
    assert view.generation == 0  # what was recorded is kept


def test_an_unexpected_error_is_tried_again(backend: Backend, tmp_path: Path) -> None:
    config = toy_config(trouble="once", mark=str(tmp_path / "mark"))
    loop = loops.launch(backend, config)
    drain(backend)
    assert loops.show_loop(backend, loop.id).state == "done"
    [retry] = [event for event in loops.events(backend, loop.id) if event.kind == "retry"]
    assert "ZeroDivisionError: the toy was broken" in retry.sentence
    always = loops.launch(backend, toy_config(trouble="odd"))
    drain(backend)
    view = loops.show_loop(backend, always.id)
    assert view.state == "failed"
    assert view.error is not None
    assert (view.error.code, view.error.message) == ("unexpected", "ZeroDivisionError: the toy is broken")


def test_a_running_stage_is_cancelled_and_resumed(backend: Backend) -> None:
    loop, first = start(backend, steps=2000, pause_s=0.005, generations=0)
    thread = threading.Thread(target=run_stage, args=(backend, first.loop_id, 0, "learn", 0))
    thread.start()
    limit = time.monotonic() + 30
    while not loops.show_loop(backend, loop.id).running and time.monotonic() < limit:
        time.sleep(0.02)
    assert loops.cancel(backend, loop.id).state == "cancelling"
    thread.join(30)
    assert not thread.is_alive()
    assert loops.show_loop(backend, loop.id).state == "cancelled"
    with backend.database.read() as session:
        assert session.scalar(select(Stage.attempt)) == 0
    loops.resume(backend, loop.id)
    assert messages(backend) == [first]


def test_a_worker_that_leaves_gives_its_stage_back(backend: Backend) -> None:
    loop, first = start(backend, steps=2000, pause_s=0.005)
    assert not run_stage(backend, first.loop_id, 0, "learn", 0, leaving=lambda: True)
    assert messages(backend) == [first]
    assert loops.show_loop(backend, loop.id).state == "queued"


def test_work_after_the_lease_was_lost_is_thrown_away(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    loop, first = start(backend)

    class Stolen(SlowDomain):
        def generator(self) -> SlowGenerator:
            silence(backend)
            reclaiming.reclaim(backend)
            return super().generator()

    monkeypatch.setitem(DOMAINS, "toy", replace(DOMAINS["toy"], build=lambda *_: Stolen()))
    assert not run_stage(backend, first.loop_id, 0, "learn", 0)
    assert loops.show_loop(backend, loop.id).state == "interrupted"
    assert loops.generations(backend, loop.id) == []


def test_prepare_computes_ahead_and_never_raises(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    loop, _ = start(backend, corrector="clip")
    asked: list[str] = []

    def evaluator(self: SlowDomain, tick: Tick = silent) -> Judge:
        asked.append("evaluator")
        tick(0.0, WAITING)  # another process is at it
        asked.append("waited")
        return Judge()

    monkeypatch.setattr(SlowDomain, "evaluator", evaluator)
    prepare(backend, loop.id, "evaluator")
    prepare(backend, loop.id, "correctors")
    prepare(backend, "nobody", "evaluator")
    assert asked == ["evaluator"]
    loops.cancel(backend, loop.id)
    prepare(backend, loop.id, "evaluator")
    assert asked == ["evaluator"]


def test_a_worker_does_what_has_its_turn(backend: Backend) -> None:
    loop, _ = start(backend, corrector="clip", generations=1)
    config = toy_config(corrector="clip", generations=1)
    while any(run_next(backend, queue) for queue in (GPU, CPU)):
        pass
    view = loops.show_loop(backend, loop.id)
    assert view.state == "done"
    run = build_run(check(config), shelf=MemoryShelf(), memo=MemoryMemo())
    found = [(g.index, g.metrics) for g in loops.generations(backend, loop.id)]
    assert found == [(r.index, dict(r.metrics)) for r in run_loop(run)]


def test_a_worker_that_leaves_takes_nothing(backend: Backend) -> None:
    loop, _ = start(backend)
    assert not run_next(backend, GPU, leaving=lambda: True)
    assert loops.show_loop(backend, loop.id).state == "queued"


def test_without_sql_a_task_ends_quietly(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    away = replace(backend, database=open_database("postgresql://nobody@127.0.0.1:1/nothing"))
    assert not run_next(away, GPU)
    prepare(away, "x", "evaluator")
    assert all("Traceback" not in caplog.handler.format(record) for record in caplog.records)
    away.database.close()


class Broken(SlowDomain):
    """Raises what it is told to, as often as it is told to."""

    errors: list[Exception] = []

    def generator(self) -> SlowGenerator:
        if self.errors:
            raise self.errors.pop(0)
        return super().generator()


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    errors: list[Exception] = []
    monkeypatch.setattr(Broken, "errors", errors)
    monkeypatch.setitem(DOMAINS, "toy", replace(DOMAINS["toy"], build=lambda *_: Broken()))
    return errors


def wait_is_over(backend: Backend) -> None:
    with backend.database.write() as session:
        for row in session.scalars(select(Stage).where(Stage.retry_at.is_not(None))):
            row.retry_at = row.sent_at


def test_a_full_disk_is_waited_for_however_often_it_is_full(backend: Backend, broken: list[Exception]) -> None:
    loop, _ = start(backend, generations=0)
    broken += [OSError(errno.ENOSPC, "No space left on device") for _ in range(5)]
    for _ in range(5):
        assert not run_next(backend, GPU)
        view = loops.show_loop(backend, loop.id)
        assert view.state == "interrupted"
        assert view.sentence.startswith("Waits: The disk was full")
        assert not run_next(backend, GPU)  # not yet
        wait_is_over(backend)
    while any(run_next(backend, queue) for queue in (GPU, CPU)):
        pass
    view = loops.show_loop(backend, loop.id)
    assert (view.state, view.trouble) == ("done", None)
    assert [event.kind for event in loops.events(backend, loop.id)] == ["launched", "waiting", "done"]


def test_nothing_begins_without_the_space_that_settings_want(backend: Backend) -> None:
    loop, _ = start(backend)
    wants_more = replace(backend, settings=backend.settings.model_copy(update={"min_free_mb": 1e12}))
    assert not run_next(wants_more, GPU)
    view = loops.show_loop(backend, loop.id)
    assert view.trouble is not None
    assert view.trouble.code == "disk_full"
    assert "1000000000000 MB are needed" in view.sentence
    wait_is_over(backend)
    assert run_next(backend, GPU)
    assert loops.show_loop(backend, loop.id).trouble is None


def test_memory_that_runs_out_twice_parks_the_loop_in_words(backend: Backend, broken: list[Exception]) -> None:
    loop = loops.launch(backend, toy_config(generations=0))
    broken += [RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB."), MemoryError()]
    drain(backend)
    view = loops.show_loop(backend, loop.id)
    assert view.state == "failed"
    assert view.error is not None
    assert (view.error.code, view.error.message) == ("out_of_memory", "Memory ran out.")
    [retry] = [event for event in loops.events(backend, loop.id) if event.kind == "retry"]
    assert retry.sentence == "Trouble in learn of generation 0 (attempt 1 of 2): The GPU's memory ran out."
    loops.resume(backend, loop.id)
    drain(backend)
    assert loops.show_loop(backend, loop.id).state == "done"


def test_weights_that_are_not_finite_are_never_published(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop fails in words with the step; the last good generation stays."""
    import torch

    from model.learning import learn

    class Diverging(SlowGenerator):
        def fit(self, samples: Numbers, *, start: Item | None, tick: Tick = silent, **training: Any) -> Item:
            network, step = torch.nn.Linear(1, 1), -1

            def loss(rows: torch.Tensor) -> torch.Tensor:
                nonlocal step
                step += 1
                slope = float("nan") if start is not None and step == 7 else 1.0
                found: torch.Tensor = (network(rows) * slope).mean()
                return found

            learn(network, lambda: (torch.ones(1, 1),), loss, steps=20, rate=0.01, fresh=False, tick=tick)
            return super().fit(samples, start=start, tick=tick, **training)

    class Domain(SlowDomain):
        def generator(self) -> SlowGenerator:
            return Diverging(self.options)

    monkeypatch.setitem(DOMAINS, "toy", replace(DOMAINS["toy"], build=lambda *_: Domain()))
    loop = loops.launch(backend, toy_config(generations=3))
    drain(backend)
    view = loops.show_loop(backend, loop.id)
    assert (view.state, view.generation) == ("failed", 0)
    assert view.error is not None
    assert view.error.message == "Training diverged: the loss was nan at step 7."
    assert (view.error.stage, view.error.generation) == ("learn", 1)
    with backend.database.read() as session:
        models = session.scalars(select(Artifact.generation).where(Artifact.name == "model")).all()
    assert models == [0]
    weights = SqlShelf(backend, loop.id).load(0, "model")
    assert all(np.isfinite(values).all() for values in weights.arrays.values())
