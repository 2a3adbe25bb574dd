"""Laws of waiting: what time cures costs no attempt, is told once, and is over when work goes on."""

import sqlite3
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import OperationalError

from backend import loops, reclaiming, stages, troubles
from backend.context import Backend
from backend.diagnosis import Trouble
from backend.tables import Loop, Stage, utc_now
from backend.troubles import give_up, insist, insist_on_publishing, postpone
from core.errors import LeaseLost
from tests.backend.leases import claim, claimed, finish, messages, publish, start

FULL = Trouble("disk_full", "The disk is full: 1 MB are free, 300 MB are needed.", "Free some space.")
LOCKED = OperationalError("COMMIT", {}, sqlite3.OperationalError("database is locked"))


def ready_again(backend: Backend) -> None:
    """As if the time to wait were over."""
    with backend.database.write() as session:
        for row in session.scalars(select(Stage).where(Stage.retry_at.is_not(None))):
            row.sent_at = utc_now() - timedelta(seconds=120)
            row.retry_at = utc_now() - timedelta(seconds=1)


def test_a_loop_in_trouble_says_so_and_goes_on_by_itself(either_backend: Backend) -> None:
    backend = either_backend
    loop, first = start(backend)
    postpone(backend, claimed(backend, first), FULL)
    view = loops.show_loop(backend, loop.id)
    assert (view.state, view.running) == ("interrupted", [])
    assert view.trouble is not None
    assert (view.trouble.code, view.trouble.message, view.trouble.hint) == (FULL.code, FULL.message, FULL.hint)
    assert view.sentence == "Waits: The disk is full: 1 MB are free, 300 MB are needed."
    assert messages(backend) == []
    assert claim(backend, first) is None
    assert reclaiming.wake(backend) == 0
    ready_again(backend)
    assert reclaiming.wake(backend) == 1
    assert reclaiming.wake(backend) == 0
    finish(backend, messages(backend))
    view = loops.show_loop(backend, loop.id)
    assert (view.state, view.trouble) == ("done", None)
    assert [event.kind for event in loops.events(backend, loop.id)] == ["launched", "waiting", "done"]


def test_waiting_is_no_attempt_takes_longer_each_time_and_is_told_once(backend: Backend) -> None:
    loop, first = start(backend)
    waits = []
    for _ in range(6):
        lease = claimed(backend, first)
        assert lease.attempt == 1
        postpone(backend, lease, FULL)
        with backend.database.read() as session:
            row = session.scalars(select(Stage)).one()
            assert row.retry_at is not None
            waits.append(round((row.retry_at - row.sent_at).total_seconds()))
        ready_again(backend)
    assert waits == [5, 10, 20, 40, 60, 60]
    told = [event.sentence for event in loops.events(backend, loop.id) if event.kind == "waiting"]
    assert told == ["Waits: the disk is full; it goes on by itself."]


def test_a_heartbeat_says_that_the_trouble_is_over(backend: Backend) -> None:
    loop, first = start(backend)
    postpone(backend, claimed(backend, first), FULL)
    ready_again(backend)
    lease = claimed(backend, first)
    stages.heartbeat(backend, lease, 0.1, "")
    assert loops.show_loop(backend, loop.id).trouble is not None  # it may come again in a moment
    with backend.database.write() as session:
        session.scalars(select(Stage)).one().started_at = utc_now() - timedelta(seconds=stages.OVER_AFTER_S + 1)
    stages.heartbeat(backend, lease, 0.2, "")
    assert loops.show_loop(backend, loop.id).trouble is None


def test_a_loop_that_is_cancelled_while_it_waits_is_cancelled(backend: Backend) -> None:
    loop, first = start(backend)
    lease = claimed(backend, first)
    loops.cancel(backend, loop.id)
    postpone(backend, lease, FULL)
    assert loops.show_loop(backend, loop.id).state == "cancelled"


def test_the_other_parts_of_a_loop_go_on(backend: Backend) -> None:
    loop, first = start(backend)
    publish(backend, claimed(backend, first))
    one, other, _ = (claimed(backend, message) for message in messages(backend))
    postpone(backend, one, FULL)
    view = loops.show_loop(backend, loop.id)
    assert view.state == "running"
    assert view.trouble is not None
    publish(backend, other)


def test_only_what_time_cures_is_waited_for(backend: Backend) -> None:
    loop, first = start(backend)
    give_up(backend, claimed(backend, first), LOCKED, "")
    assert loops.show_loop(backend, loop.id).trouble is not None
    ready_again(backend)
    give_up(backend, claimed(backend, first), ValueError("x"), "")
    assert [event.kind for event in loops.events(backend, loop.id)] == ["launched", "waiting", "retry"]


def test_a_call_is_repeated_while_sql_is_away_and_not_for_ever() -> None:
    calls = []

    def call(times: int) -> str:
        calls.append(1)
        if len(calls) <= times:
            raise LOCKED
        return "done"

    assert insist(lambda: call(2)) == "done"
    assert len(calls) == 3
    with pytest.raises(OperationalError):
        insist(lambda: call(10**9), for_s=0.3)
    with pytest.raises(ZeroDivisionError):
        insist(lambda: 1 // 0)


def test_a_lost_answer_is_no_lost_lease(backend: Backend) -> None:
    loop, first = start(backend)
    lease = claimed(backend, first)
    calls = []

    def commits_but_does_not_hear() -> None:
        calls.append(1)
        publish(backend, lease)
        if len(calls) == 1:
            raise LOCKED

    insist_on_publishing(backend, lease, commits_but_does_not_hear)
    assert len(calls) == 2
    finish(backend, messages(backend))
    assert loops.show_loop(backend, loop.id).state == "done"


def test_a_lease_that_another_holds_is_lost(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    loop, first = start(backend)
    old = claimed(backend, first)
    stages.release(backend, old, resend=True)
    publish(backend, claimed(backend, first))
    with pytest.raises(LeaseLost):
        insist_on_publishing(backend, old, lambda: publish(backend, old))
    assert loops.show_loop(backend, loop.id).state == "running"
    assert troubles.LONGEST_WAIT_S >= troubles.FIRST_WAIT_S


def test_connections_that_postgresql_ends_are_replaced(make_backend: object, postgres_url: str) -> None:
    backend: Backend = make_backend(database_url=postgres_url)  # type: ignore[operator]
    loop, first = start(backend)
    lease = claimed(backend, first)

    def end_all_connections() -> None:
        url = postgres_url.replace("postgresql://", "postgresql+psycopg://")
        server = create_engine(url, isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                     " WHERE datname = current_database() AND pid <> pg_backend_pid()")
            )  # fmt: skip
        server.dispose()

    tried = []

    def publish_through_it() -> None:
        tried.append(1)
        with backend.database.read() as session:
            if len(tried) == 1:
                session.execute(text("SELECT 1"))
                end_all_connections()
            session.execute(text("SELECT 1"))
        publish(backend, lease)

    insist_on_publishing(backend, lease, publish_through_it)
    assert len(tried) == 2
    with backend.database.read() as session:
        assert session.get_one(Loop, loop.id).state == "running"
    finish(backend, messages(backend))
    assert loops.show_loop(backend, loop.id).state == "done"
