"""Stages as workers run them: same numbers as in process, errors as states, nothing done twice."""

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from backend import loops, stages
from backend.context import Backend
from backend.memo import WAITING
from backend.parts import build_run, check
from backend.tables import Stage
from core.config import CorrectionConfig, LoopConfig
from core.loop import run_loop
from core.memory import MemoryMemo, MemoryShelf
from core.protocols import Tick, silent
from model.domains import DOMAINS
from tests.backend.leases import messages, start
from tests.backend.test_stages import silence
from tests.backend.toys import SlowDomain, SlowGenerator, toy_config
from tests.core.toy import Judge
from worker.stage import drain, prepare, run_stage


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
            stages.reclaim(backend)
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
