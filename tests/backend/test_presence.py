"""Processes that say that they are there: fresh rows, farewells, silence, and nothing raised while SQL is away."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from backend import loops, presence
from backend.context import Backend
from backend.presence import ALIVE_S, Presence
from backend.tables import AuditJob, Stage, WorkerProcess, utc_now
from tests.backend.leases import claimed, start

LIMIT_S = 20.0


def wait_for(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < limit, "it did not come to pass"
        time.sleep(0.02)


def row(backend: Backend, name: str = "here:1") -> WorkerProcess | None:
    with backend.database.read() as session:
        return session.get(WorkerProcess, name)


def age(backend: Backend, name: str, seconds: float) -> None:
    """As if it had last been heard of so long ago."""
    with backend.database.write() as session:
        seen_at = utc_now() - timedelta(seconds=seconds)
        session.execute(update(WorkerProcess).where(WorkerProcess.name == name).values(seen_at=seen_at))


def test_a_process_says_what_it_is(either_backend: Backend) -> None:
    Presence(either_backend, "here:1", "gpu,cpu", "cpu").beat()
    [view] = presence.workers(either_backend)
    assert (view.name, view.queues, view.kind, view.device) == ("here:1", ["gpu", "cpu"], "worker", "cpu")
    assert (view.state, view.sentence) == ("alive", "Idle")
    assert view.rss_mb is not None and view.rss_mb > 1
    assert {"loopscope", "python"} <= set(view.versions)


def test_a_server_takes_nothing(backend: Backend) -> None:
    Presence(backend, "here:1", "", "server").beat()
    [view] = presence.workers(backend)
    assert (view.kind, view.queues, view.sentence) == ("server", [], "Here")


def test_a_later_beat_keeps_when_it_began(either_backend: Backend) -> None:
    process = Presence(either_backend, "here:1", "cpu", "cpu")
    process.beat()
    age(either_backend, "here:1", 60)
    before = row(either_backend)
    process.beat()
    after = row(either_backend)
    assert before is not None and after is not None
    assert after.started_at == before.started_at and after.seen_at > before.seen_at


def test_a_row_that_was_swept_comes_back(backend: Backend) -> None:
    process = Presence(backend, "here:1", "cpu", "cpu")
    process.beat()
    with backend.database.write() as session:
        session.delete(session.get_one(WorkerProcess, "here:1"))
    process.beat()
    assert row(backend) is not None


def test_rows_of_the_day_before_are_swept(either_backend: Backend) -> None:
    for name in ("old:1", "young:1"):
        Presence(either_backend, name, "cpu", "cpu").beat()
    age(either_backend, "old:1", 25 * 3600)
    age(either_backend, "young:1", 23 * 3600)
    Presence(either_backend, "here:1", "cpu", "cpu").beat()
    assert row(either_backend, "old:1") is None and row(either_backend, "young:1") is not None


def test_silence_is_told_and_an_end_is_no_silence(either_backend: Backend) -> None:
    for name in ("quiet:1", "late:1"):
        Presence(either_backend, name, "cpu", "cpu").beat()
    age(either_backend, "quiet:1", ALIVE_S + 25)
    age(either_backend, "late:1", ALIVE_S - 5)
    found = {view.name: view for view in presence.workers(either_backend)}
    assert found["quiet:1"].state == "silent" and found["quiet:1"].sentence == "Silent for 40 s"
    assert found["late:1"].state == "alive"


def test_the_thread_beats_and_says_goodbye(either_backend: Backend) -> None:
    process = Presence(either_backend, "here:1", "cpu", "cpu", period_s=0.02)
    process.start()
    wait_for(lambda: row(either_backend) is not None)
    first = row(either_backend)
    assert first is not None
    wait_for(lambda: (now := row(either_backend)) is not None and now.seen_at > first.seen_at)
    process.stop()
    [view] = presence.workers(either_backend)
    assert (view.state, view.sentence) == ("ended", "Ended")
    assert process._thread is not None and not process._thread.is_alive()


def test_it_can_be_stopped_before_it_began(backend: Backend) -> None:
    process = Presence(backend, "here:1", "cpu", "cpu")
    process.stop()
    assert presence.workers(backend) == []


def test_nothing_is_raised_while_sql_is_away(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    with backend.database.write() as session:
        session.execute(text("ALTER TABLE workers RENAME TO hidden"))
    process = Presence(backend, "here:1", "cpu", "cpu", period_s=0.01)
    process.start()
    wait_for(lambda: "Cannot say that this process is here" in caplog.text)
    with backend.database.write() as session:
        session.execute(text("ALTER TABLE hidden RENAME TO workers"))
    wait_for(lambda: row(backend) is not None)
    process.stop()
    assert caplog.text.count("Cannot say") == 1  # once per outage


def test_what_a_worker_does_is_read_from_the_stages_that_it_holds(either_backend: Backend) -> None:
    loop, message = start(either_backend)
    claimed(either_backend, message, worker="here:1")
    for name in ("here:1", "other:1"):
        Presence(either_backend, name, "gpu", "cpu").beat()
    found = {view.name: view for view in presence.workers(either_backend)}
    [task] = found["here:1"].tasks
    assert (task.loop_id, task.loop_name, task.sentence) == (loop.id, loop.name, "learn 0")
    assert found["here:1"].sentence == "At work" and found["other:1"].tasks == []


def test_an_audit_is_work_too(backend: Backend) -> None:
    now = utc_now()
    with backend.database.write() as session:
        session.add(
            AuditJob(
                id="a", config={}, config_digest="0" * 64, state="running", worker="here:1", created_at=now,
                sent_at=now, started_at=now,
            )
        )  # fmt: skip
    Presence(backend, "here:1", "cpu", "cpu").beat()
    [view] = presence.workers(backend)
    assert [task.sentence for task in view.tasks] == ["audit of a corrector"]


def test_other_work_can_be_told(backend: Backend) -> None:
    process = Presence(backend, "here:1", "cpu", "cpu")
    with process.doing("prepares an evaluator"):
        process.beat()
        [view] = presence.workers(backend)
        assert [task.sentence for task in view.tasks] == ["prepares an evaluator"]
    process.beat()
    [view] = presence.workers(backend)
    assert view.tasks == []


def test_a_lost_worker_is_not_said_to_work_on_after_its_end(backend: Backend) -> None:
    loop, message = start(backend)
    claimed(backend, message, worker="here:1")
    process = Presence(backend, "here:1", "gpu", "cpu", period_s=0.02)
    process.start()
    wait_for(lambda: row(backend) is not None)
    process.stop()
    [view] = presence.workers(backend)
    assert view.tasks == [] and loops.show_loop(backend, loop.id).state == "running"
    with backend.database.read() as session:
        assert session.scalar(select(Stage.worker)) == "here:1"
