from datetime import timedelta
from typing import Any

import pytest

from backend import audits, auditwork, loops
from backend.audits import AuditConfig
from backend.context import Backend
from backend.tables import AuditJob, Leader, utc_now
from core.config import PartConfig
from tests.backend.leases import claimed, messages, start
from tests.backend.test_stages import silence
from worker import reconciler
from worker.reconciler import JOB, lead, reconcile


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
    assert auditwork.claim(backend, view.id, "gone") is not None
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
