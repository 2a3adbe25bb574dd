"""The tick of work that holds a lease: progress out, cancel in, and a sign of life from a thread of its own."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from backend import logs
from backend.diagnosis import in_one_line
from core.errors import Cancelled, LeaseLost

log = logging.getLogger(__name__)

LOOK_S = 0.5  # how late a cancel is seen, at most
BEAT_S = 2.0  # a heartbeat at least this often, also while nothing ticks (imports, waiting for a lock)
LEAVE_WITHIN_S = 7.0  # of the 10 s that a worker has after SIGTERM

Verdict = Literal["go", "cancel", "lost"]


class Leaving(Exception):
    """This worker shuts down: the work goes back to the queue."""


def end_process() -> None:
    """End this process at once, whatever it hangs in; its parent or supervisor starts another one."""
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class LastResort:
    """What the heartbeat does when the work itself does not answer any more.

    Attributes:
        hang_after_s: without a tick for so long, work hangs.
        hung: tells SQL so, with the seconds.
        give_back: tells SQL that this process leaves without having finished.
        end: ends the process.
    """

    hang_after_s: float
    hung: Callable[[float], None]
    give_back: Callable[[], None]
    end: Callable[[], None] = end_process


class Beating:
    """Implements :data:`core.protocols.Tick` for one lease; a context manager around the work.

    The working thread only leaves its progress here and looks at the last verdict, so that ticking costs nothing; the
    thread beside it speaks to SQL.

    Args:
        heartbeat: tells SQL of progress and life.
        look: only asks whether to go on.
        what: the work, for logs and errors.
        leaving: whether this process shuts down.
        last_resort: for work that neither ticks nor ends; None lets it be.
    """

    def __init__(
        self,
        heartbeat: Callable[[float, str], Verdict],
        look: Callable[[], Verdict],
        what: str,
        leaving: Callable[[], bool] = lambda: False,
        last_resort: LastResort | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._heartbeat, self._look, self._what, self._leaving = heartbeat, look, what, leaving
        self._last_resort, self._steady = last_resort, steady
        self._progress: tuple[float, str] = (0.0, "")
        self._told: tuple[float, str] = (0.0, "")
        self._told_at = self._ticked_at = steady()
        self._leave_at: float | None = None
        self._verdict: Verdict | Literal["leave"] = "go"
        self._silent = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=logs.carried(self._keep_beating), name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __call__(self, fraction: float, sentence: str) -> None:
        """Report progress.

        Raises:
            Cancelled: when the work shall stop.
            LeaseLost: when another worker holds it by now.
            Leaving: when this worker shuts down.
        """
        self._ticked_at = self._steady()
        self._progress = (float(fraction), sentence)
        if self._verdict == "cancel":
            raise Cancelled
        if self._verdict == "lost":
            raise LeaseLost(f"Another worker holds this {self._what} now.")
        if self._verdict == "leave":
            raise Leaving

    def stop(self) -> None:
        """No more heartbeats; the outcome is about to be told."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def beat(self) -> None:
        """One look at the database; a heartbeat when there is news or the last one is too long ago."""
        if self._ends_in_last_resort():
            return
        progress, now = self._progress, self._steady()
        if progress != self._told or now - self._told_at >= BEAT_S:
            verdict = self._heartbeat(*progress)
            self._told, self._told_at = progress, now
        else:
            verdict = self._look()
        self._verdict = "leave" if verdict == "go" and self._leave_at is not None else verdict

    def _ends_in_last_resort(self) -> bool:
        """Whether the process was ended: it shuts down and the work did not hear it, or the work hangs."""
        now = self._steady()
        if self._leave_at is None and self._leaving():
            self._leave_at, self._verdict = now, "leave"
        last = self._last_resort
        if last is None or self._over.is_set():
            return False
        silent_s = now - self._ticked_at
        if self._leave_at is not None and now - self._leave_at > LEAVE_WITHIN_S:
            log.warning("The %s does not come to an end: it is given back and this process ends.", self._what)
            self._tell(last.give_back)
        elif self._leave_at is None and silent_s > last.hang_after_s:
            log.error("The %s has made no progress for %.0f s: this process ends.", self._what, silent_s)
            self._tell(lambda: last.hung(silent_s))
        else:
            return False
        self._over.set()
        last.end()
        return True

    def _tell(self, tell: Callable[[], None]) -> None:
        try:
            tell()
        except Exception as error:  # the process ends all the same; its silence is noticed
            log.warning("Could not say so: %s", in_one_line(error))

    def _keep_beating(self) -> None:
        while not self._over.wait(LOOK_S):
            try:
                self.beat()
                self._silent = False
            except Exception as error:  # the next beat may go through; publishing checks the token anyway
                if not self._silent:
                    log.warning("No heartbeat for %s: %s", self._what, in_one_line(error))
                self._silent = True
