"""Work that neither ticks nor ends: it is told of, and its process is ended."""

import logging
import threading
import time

import pytest

from backend.beating import LEAVE_WITHIN_S, Beating, LastResort, Leaving, Verdict


class Bench:
    """Everything that a heartbeat may do, noted instead of done; a clock that stands still until it is moved."""

    def __init__(self, broken: bool = False) -> None:
        self.now, self.away, self.broken = 0.0, False, broken
        self.done: list[str] = []
        last_resort = LastResort(900.0, self._hung, lambda: self._note("given back"), lambda: self._note("ended"))
        self.beating = Beating(self._beat, lambda: "go", "stage", lambda: self.away, last_resort, lambda: self.now)

    def _hung(self, silent_s: float) -> None:
        self._note(f"hung for {silent_s:.0f} s")
        if self.broken:
            raise OSError("SQL is away")

    def _beat(self, fraction: float, sentence: str) -> Verdict:
        return "go"

    def _note(self, what: str) -> None:
        self.done.append(what)


def test_work_that_ticks_does_not_hang_however_long_it_takes() -> None:
    bench = Bench()
    for _ in range(20):
        bench.now += 800.0
        bench.beating(0.5, "going on")
        bench.beating.beat()
    assert bench.done == []


@pytest.mark.parametrize("broken", [False, True])
def test_work_that_does_not_tick_is_told_of_and_its_process_ends(broken: bool) -> None:
    bench = Bench(broken)
    bench.now = 899.0
    bench.beating.beat()
    assert bench.done == []
    bench.now = 901.0
    bench.beating.beat()
    assert bench.done == ["hung for 901 s", "ended"]
    bench.beating.beat()
    assert bench.done == ["hung for 901 s", "ended"]


def test_who_leaves_waits_a_while_for_the_work_then_gives_it_back_and_ends() -> None:
    bench = Bench()
    bench.beating.beat()
    bench.away = True
    bench.beating.beat()
    with pytest.raises(Leaving):
        bench.beating(0.5, "")
    bench.now = LEAVE_WITHIN_S - 0.1
    bench.beating.beat()
    assert bench.done == []
    bench.now = LEAVE_WITHIN_S + 0.1
    bench.beating.beat()
    assert bench.done == ["given back", "ended"]


def test_work_that_has_ended_is_left_alone() -> None:
    bench = Bench()
    bench.beating.stop()
    bench.now = 10_000.0
    bench.beating.beat()
    assert bench.done == []


def test_a_heartbeat_that_fails_is_told_once_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[float] = []
    enough = threading.Event()

    def look() -> Verdict:
        calls.append(time.monotonic())
        if len(calls) >= 3:
            enough.set()
        raise OSError("SQL is away")

    with caplog.at_level(logging.WARNING), Beating(lambda *_: "go", look, "stage"):
        assert enough.wait(20)
    assert sum("No heartbeat for stage: OSError: SQL is away" in r.getMessage() for r in caplog.records) == 1
