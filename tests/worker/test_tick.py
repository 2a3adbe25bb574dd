import time

import pytest

from backend import loops, reclaiming
from backend.context import Backend
from core.errors import Cancelled, LeaseLost
from tests.backend.leases import claimed, start
from tests.backend.test_stages import silence
from worker.tick import LOOK_S, Leaving, StageTick


def test_progress_goes_out_with_the_beat(backend: Backend) -> None:
    loop, first = start(backend)
    tick = StageTick(backend, claimed(backend, first))
    tick(0.5, "Half way")
    assert loops.show_loop(backend, loop.id).running[0].part_fraction == 0.0
    tick.beat()
    [running] = loops.show_loop(backend, loop.id).running
    assert (running.part_fraction, running.sentence) == (0.5, "Half way")
    before = loops.revision(backend)
    tick.beat()  # no news, and the last heartbeat is young
    assert loops.revision(backend) == before


def test_a_cancelled_loop_is_told_at_the_next_tick(backend: Backend) -> None:
    loop, first = start(backend)
    tick = StageTick(backend, claimed(backend, first))
    tick.beat()
    tick(0.1, "")
    loops.cancel(backend, loop.id)
    tick.beat()
    with pytest.raises(Cancelled):
        tick(0.2, "")


def test_a_lost_lease_is_told_at_the_next_tick(backend: Backend) -> None:
    _, first = start(backend)
    tick = StageTick(backend, claimed(backend, first))
    silence(backend)
    reclaiming.reclaim(backend)
    tick.beat()
    with pytest.raises(LeaseLost):
        tick(0.2, "")


def test_a_worker_that_leaves_is_told_at_the_next_tick(backend: Backend) -> None:
    _, first = start(backend)
    tick = StageTick(backend, claimed(backend, first), leaving=lambda: True)
    tick.beat()
    with pytest.raises(Leaving):
        tick(0.2, "")


def test_the_thread_beats_while_nothing_ticks(backend: Backend) -> None:
    loop, first = start(backend)
    with StageTick(backend, claimed(backend, first)) as tick:
        loops.cancel(backend, loop.id)
        limit = time.monotonic() + 20 * LOOK_S
        while time.monotonic() < limit:
            time.sleep(0.05)
            try:
                tick(0.0, "")
            except Cancelled:
                return
    pytest.fail("the cancel was never seen")
