"""One leader, nobody taken for dead who lives, nobody for alive who is dead; and no error that ends it."""

import sqlite3
import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from backend import audits, jobwork, loops, reconciler, stages
from backend.audits import AuditConfig
from backend.context import Backend
from backend.jobs import AUDIT
from backend.reconciler import JOB, Calm, Reconciler, lead, reconcile, resign
from backend.tables import AuditJob, Leader, Stage, utc_now
from backend.turns import claim_next
from core.config import PartConfig
from tests.backend.leases import claimed, messages, publish, start
from tests.backend.test_stages import silence


def test_one_of_many_leads_until_it_falls_silent(make_backend: Any) -> None:
    one, other = make_backend(), make_backend()
    assert lead(one, "one")
    assert lead(one, "one")
    assert not lead(other, "other")
    with one.database.write() as session:
        session.get_one(Leader, JOB).until = utc_now() - timedelta(seconds=1)
    assert lead(other, "other")
    assert not lead(one, "one")


def test_a_round_takes_up_silent_stages_and_ends_cancelled_loops(backend: Backend) -> None:
    lost, message = start(backend)
    claimed(backend, message)
    stopped, message = start(backend)
    claimed(backend, message)
    loops.cancel(backend, stopped.id)
    silence(backend)
    reconcile(backend)
    assert loops.show_loop(backend, lost.id).state == "interrupted"
    assert loops.show_loop(backend, stopped.id).state == "cancelled"
    assert [m.loop_id for m in messages(backend)] == [lost.id]


def test_lost_messages_are_sent_again_when_the_queue_is_empty(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first = start(backend)
    reconcile(backend)
    assert messages(backend) == []  # it is young
    monkeypatch.setattr(reconciler, "RESEND_AFTER_S", -1.0)
    reconcile(backend)
    reconcile(backend)  # one waits now, which is enough
    assert messages(backend) == [first]


def test_audits_are_taken_up_again_too(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    config = AuditConfig(corrector=PartConfig(kind="kinematic"))
    view = audits.start(backend, config)
    assert jobwork.claim(backend, AUDIT, view.id, "gone") is not None
    with backend.database.write() as session:
        session.get_one(AuditJob, view.id).heartbeat_at = utc_now() - timedelta(hours=1)
    reconcile(backend)
    assert audits.show(backend, view.id).state == "queued"
    assert backend.queue.audits == [view.id, view.id]  # type: ignore[attr-defined]
    monkeypatch.setattr(reconciler, "RESEND_AFTER_S", -1.0)
    reconcile(backend)
    assert backend.queue.audits == [view.id] * 3  # type: ignore[attr-defined]


def test_a_broker_that_is_down_is_left_alone(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    start(backend)
    monkeypatch.setattr(reconciler, "RESEND_AFTER_S", -1.0)
    monkeypatch.setattr(type(backend.queue), "waiting", lambda *_: None)
    reconcile(backend)
    assert messages(backend) == []


def test_who_resigns_lets_another_lead_at_once(make_backend: Any) -> None:
    one, other = make_backend(), make_backend()
    assert lead(one, "one")
    resign(other, "other")
    assert not lead(other, "other")
    resign(one, "one")
    assert lead(other, "other")


def test_a_lease_from_the_future_has_ended(either_backend: Backend) -> None:
    """The clock was set back by an hour while somebody led, who then died."""
    backend = either_backend
    assert lead(backend, "gone")
    with backend.database.write() as session:
        session.get_one(Leader, JOB).until = utc_now() + timedelta(hours=1)
    assert lead(backend, "here")
    assert not lead(backend, "another")


def test_work_that_had_to_wait_is_sent_for_when_its_time_has_come(backend: Backend) -> None:
    _, first = start(backend)
    with backend.database.write() as session:
        row = session.scalars(select(Stage)).one()
        row.sent_at, row.retry_at = utc_now() - timedelta(seconds=60), utc_now() + timedelta(seconds=20)
    reconcile(backend)
    assert messages(backend) == []
    with backend.database.write() as session:
        session.scalars(select(Stage)).one().retry_at = utc_now() - timedelta(seconds=1)
    reconcile(backend)
    assert messages(backend) == [first]


def test_stages_of_older_versions_are_told_their_queue(backend: Backend) -> None:
    _, first = start(backend, corrector="clip")
    publish(backend, claimed(backend, first))
    with backend.database.write() as session:
        session.execute(update(Stage).values(queue=""))
    assert claim_next(backend, "gpu", "w") is None
    reconcile(backend)
    with backend.database.read() as session:
        found = dict(session.execute(select(Stage.stage, Stage.queue).where(Stage.state == "queued")).all())
    assert found == {"synthesize": "gpu", "panel": "cpu", "evaluate": "gpu"}
    assert claim_next(backend, "gpu", "w") is not None


class Clocks:
    """A clock on the wall, which people set, and one that only goes on."""

    def __init__(self) -> None:
        self.wall, self.steady_s = utc_now(), 1000.0

    def pass_by(self, seconds: float, set_by_s: float = 0.0) -> None:
        self.steady_s += seconds
        self.wall += timedelta(seconds=seconds + set_by_s)

    def steady(self) -> float:
        return self.steady_s


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0, 6.0])
def test_after_a_jump_of_the_clock_silence_means_nothing_for_a_while(jump_s: float) -> None:
    clocks = Clocks()
    calm = Calm(15.0, clocks.steady)
    assert calm.look(clocks.wall)
    clocks.pass_by(2.0)
    assert calm.look(clocks.wall)
    clocks.pass_by(2.0, set_by_s=jump_s)
    assert not calm.look(clocks.wall)
    clocks.pass_by(14.0)
    assert not calm.look(clocks.wall)
    clocks.pass_by(2.0)
    assert calm.look(clocks.wall)


def test_a_clock_that_runs_a_little_wrong_is_no_jump() -> None:
    clocks = Clocks()
    calm = Calm(15.0, clocks.steady)
    for drift_s in (0.5, -2.0, 4.0):
        clocks.pass_by(2.0, set_by_s=drift_s)
        assert calm.look(clocks.wall)


def test_a_living_worker_keeps_its_stage_when_the_clock_jumps(backend: Backend) -> None:
    """Forward by an hour: every heartbeat looks old until it has come again."""
    clocks = Clocks()
    loop, first = start(backend)
    lease = claimed(backend, first)
    reconciler = Reconciler(backend, "here", clock=lambda _: clocks.wall, steady=clocks.steady)
    reconciler.round()
    silence(backend, 3600.0)
    clocks.pass_by(2.0, set_by_s=3600.0)
    reconciler.round()
    assert loops.show_loop(backend, loop.id).running != []
    assert stages.heartbeat(backend, lease, 0.5, "") == "go"
    clocks.pass_by(16.0)
    reconciler.round()
    assert stages.look(backend, lease) == "go"
    silence(backend, 3600.0)  # and one that is really lost is found after the pause
    clocks.pass_by(2.0)
    reconciler.round()
    assert stages.look(backend, lease) == "lost"


def test_a_dead_worker_is_noticed_although_the_clock_was_set_back(backend: Backend) -> None:
    loop, first = start(backend)
    lease = claimed(backend, first)
    silence(backend, -3600.0)  # its heartbeat lies in the future
    reconcile(backend)
    assert stages.look(backend, lease) == "go"
    with backend.database.read() as session:
        heartbeat = session.scalars(select(Stage)).one().heartbeat_at
    assert heartbeat is not None
    assert abs((heartbeat - utc_now()).total_seconds()) < 60  # from now on it counts like any other
    silence(backend)
    reconcile(backend)
    assert loops.show_loop(backend, loop.id).state == "interrupted"


def test_a_round_that_fails_is_told_once_and_silence_means_nothing_afterwards(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clocks = Clocks()
    _, first = start(backend)
    lease = claimed(backend, first)
    silence(backend)
    locked = OperationalError("BEGIN", {}, sqlite3.OperationalError("database is locked"))

    def broken(*_: object) -> bool:
        raise locked

    it = Reconciler(backend, "here", clock=lambda _: clocks.wall, steady=clocks.steady)
    with monkeypatch.context() as patch:
        patch.setattr(reconciler, "lead", broken)
        for _ in range(3):
            it.round()
    assert [record.getMessage() for record in caplog.records if "reconcile" in record.getMessage()] == [
        "Could not reconcile: OperationalError: (sqlite3.OperationalError) database is locked"
    ]
    it.round()
    assert stages.look(backend, lease) == "go"  # heartbeats had no chance either
    clocks.pass_by(backend.settings.stale_after_s + 1)
    it.round()
    assert stages.look(backend, lease) == "lost"


def test_it_runs_until_it_is_stopped_and_survives_any_error(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rounds: list[int] = []

    def odd(*_: object, **__: object) -> None:
        rounds.append(1)
        raise ZeroDivisionError("odd")

    monkeypatch.setattr(reconciler, "reconcile", odd)
    it = Reconciler(backend, "here", period_s=0.01)
    it.start()
    limit = time.monotonic() + 20
    while len(rounds) < 3 and time.monotonic() < limit:
        time.sleep(0.01)
    it.stop()
    count = len(rounds)
    assert count >= 3
    assert sum("ZeroDivisionError: odd" in record.getMessage() for record in caplog.records) == 1
    assert lead(backend, "another")
    assert len(rounds) == count
