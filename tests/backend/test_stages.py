"""Laws of leases: one holder at a time, nothing without the token, nothing twice, nothing lost."""

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from backend import loops, measures, reclaiming, stages, tripping
from backend.context import Backend
from backend.shelf import Pending, SqlShelf
from backend.stages import Lease
from backend.tables import Artifact, Loop, Stage, utc_now
from core.errors import LeaseLost, TrainingDiverged
from core.loop import stages_of
from core.records import Item
from tests.backend.leases import FACTS, claim, claimed, finish, messages, publish, start
from tests.backend.toys import toy_config


def silence(backend: Backend, seconds: float = 31.0) -> None:
    """As if running stages had last been heard of so long ago."""
    with backend.database.write() as session:
        for row in session.scalars(select(Stage).where(Stage.state == "running")):
            row.heartbeat_at = utc_now() - timedelta(seconds=seconds)


def test_a_loop_goes_through_all_its_stages_once(either_backend: Backend) -> None:
    backend = either_backend
    loop, first = start(backend, corrector="clip", generations=2)
    done = finish(backend, [first], parts=3)
    keys = [(m.generation, m.stage, m.part) for m in done]
    assert len(keys) == len(set(keys))
    wanted = {(t, stage) for t in range(3) for stage in stages_of(toy_config(corrector="clip"), t)}
    assert {(t, stage) for t, stage, _ in keys} == wanted
    assert sorted(part for t, stage, part in keys if (t, stage) == (1, "correct")) == [0, 1, 2]
    view = loops.show_loop(backend, loop.id)
    assert (view.state, view.generation, view.fraction) == ("done", 2, 1.0)
    assert [g.index for g in loops.generations(backend, loop.id)] == [0, 1, 2]


def test_seconds_of_parts_are_summed_and_nan_is_left_out(backend: Backend) -> None:
    loop, first = start(backend, corrector="clip", generations=1)
    finish(backend, [first], parts=3)
    record = loops.generations(backend, loop.id)[1]
    assert record.seconds["correct"] == pytest.approx(4.5)
    assert record.metrics == {"fid": 4.0}
    assert measures.floor(backend, loop.id) == {"fid": [1.0, 2.0]}


def test_the_next_stage_waits_for_the_last_part(backend: Backend) -> None:
    _, first = start(backend, corrector="clip", generations=1)
    publish(backend, claimed(backend, first))
    synthesize = next(m for m in messages(backend) if m.stage == "synthesize")
    publish(backend, claimed(backend, synthesize), parts=3)
    chunks = messages(backend)
    assert [(m.stage, m.part, m.queue) for m in chunks] == [("correct", k, "cpu") for k in range(3)]
    for chunk in chunks[:-1]:
        publish(backend, claimed(backend, chunk))
        assert messages(backend) == []
    publish(backend, claimed(backend, chunks[-1]))
    assert [m.stage for m in messages(backend)] == ["learn"]


def test_measuring_goes_last_in_the_queue(backend: Backend) -> None:
    _, first = start(backend)
    publish(backend, claimed(backend, first))
    assert [m.stage for m in messages(backend)] == ["panel", "synthesize", "evaluate"]


def test_a_second_delivery_does_nothing(either_backend: Backend) -> None:
    backend = either_backend
    _, first = start(backend)
    lease = claimed(backend, first)
    assert claim(backend, first, "another") is None
    publish(backend, lease)
    assert claim(backend, first, "another") is None
    count = len(messages(backend))
    assert count == 3
    assert messages(backend) == []


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_of_many_that_claim_at_once_one_gets_it(
    database: str, request: pytest.FixtureRequest, make_backend: Any
) -> None:
    changes = {} if database == "sqlite" else {"database_url": request.getfixturevalue("postgres_url")}
    backends = [make_backend(**changes) for _ in range(6)]
    _, first = start(backends[0])
    found: list[Lease | None] = []
    threads = [threading.Thread(target=lambda b=b: found.append(claim(b, first))) for b in backends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert sum(lease is not None for lease in found) == 1


def test_publishing_without_the_token_changes_nothing(either_backend: Backend) -> None:
    backend = either_backend
    loop, first = start(backend)
    old = claimed(backend, first, "slow")
    silence(backend)
    reclaiming.reclaim(backend)
    messages(backend)
    new = claimed(backend, first, "quick")
    before = loops.revision(backend)
    with pytest.raises(LeaseLost):
        publish(backend, old)
    assert stages.look(backend, old) == stages.heartbeat(backend, old, 0.5, "") == "lost"
    stages.fail(backend, old, ValueError("x"), "")
    stages.release(backend, old)
    assert loops.revision(backend) == before
    assert messages(backend) == []
    with backend.database.read() as session:
        assert session.scalars(select(Artifact)).all() == []
    assert stages.look(backend, new) == "go"
    assert loops.show_loop(backend, loop.id).state == "running"
    publish(backend, new)


def test_publishing_is_all_or_nothing(backend: Backend) -> None:
    loop, first = start(backend)
    lease = claimed(backend, first)

    def broken(stage: str) -> int:
        raise RuntimeError(stage)

    shelf = SqlShelf(backend, loop.id)
    shelf.save(0, "model", Item(meta=FACTS["learn"]["model"]))
    with pytest.raises(RuntimeError):
        stages.publish(backend, lease, shelf.pending, broken, seconds=1.0)
    assert stages.look(backend, lease) == "go"
    with backend.database.read() as session:
        assert session.scalars(select(Artifact)).all() == []
    assert messages(backend) == []


def test_heartbeats_tell_progress(backend: Backend) -> None:
    loop, first = start(backend, generations=4)
    lease = claimed(backend, first, "gpu@here")
    before = loops.revision(backend)
    assert stages.heartbeat(backend, lease, 0.25, "Learning: step 38 of 60") == "go"
    assert loops.revision(backend) > before
    view = loops.show_loop(backend, loop.id)
    assert view.sentence == "Training generation 0 of 4, step 38 of 60"
    [running] = view.running
    assert (running.stage, running.part_fraction, running.worker) == ("learn", 0.25, "gpu@here")
    assert 0 < view.fraction < 0.1


def test_an_error_of_ours_ends_the_loop_at_once(backend: Backend) -> None:
    loop, first = start(backend)
    lease = claimed(backend, first)
    stages.fail(backend, lease, TrainingDiverged(31, float("nan")), "Traceback ...")
    view = loops.show_loop(backend, loop.id)
    assert view.state == "failed"
    assert view.error is not None
    assert (view.error.code, view.error.stage, view.error.generation) == ("training_diverged", "learn", 0)
    assert "step 31" in view.sentence
    assert "learning rate" in view.error.hint
    assert view.error.traceback == "Traceback ..."
    assert messages(backend) == []
    assert claim(backend, first) is None


def test_another_error_is_tried_three_times(backend: Backend) -> None:
    loop, first = start(backend)
    for attempt in (1, 2, 3):
        lease = claimed(backend, first)
        assert lease.attempt == attempt
        stages.fail(backend, lease, OSError("disk\nfull"), "")
        assert loops.show_loop(backend, loop.id).state == ("failed" if attempt == 3 else "running")
        assert len(messages(backend)) == (0 if attempt == 3 else 1)
    error = loops.show_loop(backend, loop.id).error
    assert error is not None
    assert error.message == "OSError: disk"


def test_cancel_before_anything_runs(backend: Backend) -> None:
    loop, first = start(backend)
    assert loops.cancel(backend, loop.id).state == "cancelled"
    assert claim(backend, first) is None


def test_cancel_is_seen_by_the_running_stage(either_backend: Backend) -> None:
    backend = either_backend
    loop, first = start(backend)
    lease = claimed(backend, first)
    assert loops.cancel(backend, loop.id).state == "cancelling"
    assert loops.cancel(backend, loop.id).state == "cancelling"
    assert stages.look(backend, lease) == stages.heartbeat(backend, lease, 0.1, "") == "cancel"
    stages.release(backend, lease)
    assert loops.show_loop(backend, loop.id).state == "cancelled"
    assert messages(backend) == []


def test_a_stage_that_finishes_while_cancelling_is_kept(backend: Backend) -> None:
    loop, first = start(backend)
    lease = claimed(backend, first)
    loops.cancel(backend, loop.id)
    publish(backend, lease)
    assert loops.show_loop(backend, loop.id).state == "cancelled"
    assert messages(backend) == []
    loops.resume(backend, loop.id)
    resumed = messages(backend)
    assert {m.stage for m in resumed} == {"panel", "synthesize", "evaluate"}
    finish(backend, resumed)
    assert loops.show_loop(backend, loop.id).state == "done"


def test_a_released_attempt_does_not_count(backend: Backend) -> None:
    loop, first = start(backend)
    for _ in range(5):
        stages.release(backend, claimed(backend, first), resend=True)
        assert len(messages(backend)) == 1
        assert loops.show_loop(backend, loop.id).state == "queued"
    assert claimed(backend, first).attempt == 1


def test_resumed_while_cancelling_the_stage_is_sent_again(backend: Backend) -> None:
    loop, first = start(backend)
    lease = claimed(backend, first)
    loops.cancel(backend, loop.id)
    loops.resume(backend, loop.id)
    stages.release(backend, lease)  # it had seen the cancel just before
    assert [m.stage for m in messages(backend)] == ["learn"]


def test_a_silent_worker_is_told_and_its_stage_taken_up(either_backend: Backend) -> None:
    backend = either_backend
    loop, first = start(backend)
    claimed(backend, first, "gpu@there")
    silence(backend, 31)
    view = loops.show_loop(backend, loop.id)  # before anybody has reconciled
    assert view.state == "interrupted"
    assert view.sentence == ("Interrupted: the worker has not been heard of for 31 s; it will be picked up again")
    assert reclaiming.reclaim(backend) == 1
    assert reclaiming.reclaim(backend) == 0
    view = loops.show_loop(backend, loop.id)
    assert view.state == "interrupted"
    assert "not been heard of for 31 s" in view.sentence
    assert "gpu@there has not been heard of" in loops.events(backend, loop.id)[-1].sentence
    finish(backend, messages(backend))
    assert loops.show_loop(backend, loop.id).state == "done"


def test_a_worker_lost_three_times_ends_the_loop(backend: Backend) -> None:
    loop, first = start(backend)
    for _ in range(3):
        claimed(backend, first)
        silence(backend)
        reclaiming.reclaim(backend)
    view = loops.show_loop(backend, loop.id)
    assert view.state == "failed"
    assert view.error is not None
    assert view.error.code == "worker_lost"


def test_a_silent_worker_of_a_cancelled_loop(backend: Backend) -> None:
    loop, first = start(backend)
    claimed(backend, first)
    loops.cancel(backend, loop.id)
    silence(backend)
    reclaiming.reclaim(backend)
    assert loops.show_loop(backend, loop.id).state == "cancelled"
    assert [m.stage for m in messages(backend)] == []


def test_lost_messages_are_sent_again_once_in_a_while(backend: Backend) -> None:
    _, first = start(backend)
    assert reclaiming.resend(backend, "gpu", after_s=60) == 0
    assert reclaiming.resend(backend, "cpu", after_s=-1) == 0
    assert reclaiming.resend(backend, "gpu", after_s=-1) == 1
    assert reclaiming.resend(backend, "gpu", after_s=60) == 0
    assert messages(backend) == [first]


def test_a_message_for_a_loop_that_is_gone_does_nothing(backend: Backend) -> None:
    assert stages.claim(backend, "nobody", 0, "learn", 0, "w") is None


def test_facts_are_kept_and_the_rest_is_not(backend: Backend) -> None:
    shelf = SqlShelf(backend, "x")
    shelf.save(0, "model", Item(meta={"counts": {"real": 1}, "weights": "many"}))
    pending: Pending = shelf.pending[0, "model"]
    assert pending.facts == {"counts": {"real": 1}}


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({"real": 9, "synthetic": 9}, ""),
        ({"corrected": 9, "rejected": 0, "dropped": 0}, ""),
        ({"rejected": 2, "dropped": 2}, "2 samples were rejected and left out of training."),
        ({"rejected": 1}, "1 sample was rejected and let in raw."),
        ({"redrawn": 3, "rejected": 0, "dropped": 0}, "3 samples were rejected and drawn anew; none was left out."),
        (
            {"redrawn": 3, "rejected": 1, "dropped": 1},
            "3 samples were rejected and drawn anew; 1 sample was still rejected and left out.",
        ),
    ],
)
def test_what_became_of_rejected_samples_is_told(counts: dict[str, int], sentence: str) -> None:
    assert stages.told_of_rejected(counts) == sentence


def test_a_stage_that_fails_while_its_loop_is_cancelled_ends_it_as_cancelled(either_backend: Backend) -> None:
    backend = either_backend
    loop, first = start(backend)
    lease = claimed(backend, first)
    loops.cancel(backend, loop.id)
    stages.fail(backend, lease, TrainingDiverged(31, float("nan")), "")
    view = loops.show_loop(backend, loop.id)
    assert (view.state, view.error) == ("cancelled", None)
    assert messages(backend) == []
    loops.resume(backend, loop.id)
    assert messages(backend) == [first]


def test_a_stage_that_fails_while_its_loop_is_deleted_runs_nowhere(backend: Backend) -> None:
    loop, first = start(backend)
    lease = claimed(backend, first)
    loops.delete(backend, loop.id)
    stages.fail(backend, lease, ValueError("x"), "")
    assert messages(backend) == []
    assert loops.show_loop(backend, loop.id).state == "cancelled"
    assert claim(backend, first) is None


def test_parts_of_a_loop_that_failed_are_given_back(backend: Backend) -> None:
    """One part fails for good while another one works: that one is told, and nothing is left running."""
    loop, first = start(backend)
    publish(backend, claimed(backend, first))
    one, other, _ = (claimed(backend, message) for message in messages(backend))
    stages.fail(backend, one, TrainingDiverged(31, float("nan")), "")
    assert stages.look(backend, other) == "cancel"
    stages.release(backend, other)
    view = loops.show_loop(backend, loop.id)
    assert (view.state, view.running) == ("failed", [])
    assert messages(backend) == []


def trips(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """A tripwire that fires at one generation."""

    def watch(session: Any, loop: Loop, config: object, recorded: Sequence[int]) -> int | None:
        if at not in recorded:
            return None
        loop.state = "cancelling"
        loop.stop = {"rule": "fid > 1", "sentence": f"Stopped at generation {at}: fid 4 > 1", "generation": at}
        return at

    monkeypatch.setattr(tripping, "watch", watch)


def test_a_tripwire_stops_a_loop_as_soon_as_nothing_of_it_runs(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips(monkeypatch, 0)
    loop, first = start(backend)
    publish(backend, claimed(backend, first))
    waiting = {message.stage: claimed(backend, message) for message in messages(backend)}
    publish(backend, waiting["panel"])
    publish(backend, waiting["evaluate"])
    assert loops.show_loop(backend, loop.id).state == "cancelling"
    publish(backend, waiting["synthesize"])
    view = loops.show_loop(backend, loop.id)
    assert (view.state, view.generation) == ("stopped", 0)
    assert messages(backend) == []


def test_a_loop_that_is_complete_when_a_tripwire_fires_is_done(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips(monkeypatch, 2)
    loop, first = start(backend, generations=2)
    finish(backend, [first])
    view = loops.show_loop(backend, loop.id)
    assert (view.state, view.stop) == ("done", None)
