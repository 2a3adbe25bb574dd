"""A worker that hangs says so itself, and the third time its loop is parked."""

from datetime import timedelta

from sqlalchemy import select

from backend import loops, reclaiming
from backend.context import Backend
from backend.tables import Stage, utc_now
from tests.backend.leases import claimed, finish, messages, start


def test_work_that_hangs_goes_back_to_the_queue_and_counts(either_backend: Backend) -> None:
    backend = either_backend
    loop, first = start(backend)
    reclaiming.hung(backend, claimed(backend, first, "gpu@there"), 912.0)
    view = loops.show_loop(backend, loop.id)
    assert (view.state, view.running) == ("interrupted", [])
    assert loops.events(backend, loop.id)[-1].kind == "hung"
    assert loops.events(backend, loop.id)[-1].sentence == (
        "gpu@there made no progress for 912 s in learn of generation 0 and was ended; it will be picked up again."
    )
    waiting = messages(backend)
    assert waiting == [first]
    assert claimed(backend, first).attempt == 2


def test_work_that_hangs_three_times_parks_its_loop_with_the_reason(backend: Backend) -> None:
    loop, first = start(backend)
    for _ in range(3):
        reclaiming.hung(backend, claimed(backend, first), 900.0)
    view = loops.show_loop(backend, loop.id)
    assert view.state == "failed"
    assert view.error is not None
    assert (view.error.code, view.error.message) == (
        "hung", "Learn of generation 0 made no progress for 900 s, 3 times.",
    )  # fmt: skip
    assert "LOOPSCOPE_HANG_AFTER_S" in view.error.hint


def test_who_lost_its_lease_has_nothing_to_say(backend: Backend) -> None:
    loop, first = start(backend)
    old = claimed(backend, first)
    reclaiming.hung(backend, old, 900.0)
    new = claimed(backend, first)
    messages(backend)
    reclaiming.hung(backend, old, 901.0)
    assert messages(backend) == []
    assert [event.kind for event in loops.events(backend, loop.id)] == ["launched", "hung"]
    assert new.attempt == 2


def test_work_that_hangs_in_a_cancelled_loop_ends_it(backend: Backend) -> None:
    loop, first = start(backend)
    lease = claimed(backend, first)
    loops.cancel(backend, loop.id)
    reclaiming.hung(backend, lease, 900.0)
    assert loops.show_loop(backend, loop.id).state == "cancelled"
    assert messages(backend) == []


def test_times_in_the_future_become_now(either_backend: Backend) -> None:
    backend = either_backend
    loop, first = start(backend)
    later = utc_now() + timedelta(hours=1)
    with backend.database.write() as session:
        row = session.scalars(select(Stage)).one()
        row.sent_at = row.retry_at = later
    assert reclaiming.resend(backend, "gpu", after_s=0) == 0
    assert reclaiming.mend_times(backend) == 2
    assert reclaiming.mend_times(backend) == 0
    assert reclaiming.wake(backend) + reclaiming.resend(backend, "gpu", after_s=-1) >= 1
    finish(backend, messages(backend)[:1])
    assert loops.show_loop(backend, loop.id).state == "done"
