"""The tick of work that holds a lease: progress out, cancel in, and a sign of life from a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

from sqlalchemy.exc import SQLAlchemyError

from core.errors import Cancelled, LeaseLost

log = logging.getLogger(__name__)

LOOK_S = 0.5  # how late a cancel is seen, at most
BEAT_S = 2.0  # a heartbeat at least this often, also while nothing ticks (imports, waiting for a lock)

Verdict = Literal["go", "cancel", "lost"]


class Leaving(Exception):
    """This worker shuts down: the work goes back to the queue."""


class Beating:
    """Implements :data:`core.protocols.Tick` for one lease; a context manager around the work.

    The working thread only leaves its progress here and looks at the last verdict, so that ticking costs nothing; the
    thread beside it speaks to SQL.

    Args:
        heartbeat: tells SQL of progress and life.
        look: only asks whether to go on.
        what: the work, for logs and errors.
        leaving: whether this process shuts down.
    """

    def __init__(
        self,
        heartbeat: Callable[[float, str], Verdict],
        look: Callable[[], Verdict],
        what: str,
        leaving: Callable[[], bool] = lambda: False,
    ) -> None:
        self._heartbeat, self._look, self._what, self._leaving = heartbeat, look, what, leaving
        self._progress: tuple[float, str] = (0.0, "")
        self._told: tuple[float, str] = (0.0, "")
        self._told_at = time.monotonic()
        self._verdict: Verdict | Literal["leave"] = "go"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_beating, name="heartbeat", daemon=True)

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
        if self._leaving():
            self._verdict = "leave"
            return
        progress, now = self._progress, time.monotonic()
        if progress != self._told or now - self._told_at >= BEAT_S:
            self._verdict = self._heartbeat(*progress)
            self._told, self._told_at = progress, now
        else:
            self._verdict = self._look()

    def _keep_beating(self) -> None:
        while not self._over.wait(LOOK_S):
            try:
                self.beat()
            except SQLAlchemyError as error:  # the next beat may go through; publishing checks the token anyway
                log.warning("No heartbeat for %s: %s", self._what, error)
