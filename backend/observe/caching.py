"""A value that many ask for and that is computed seldom."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")
DUTY = 50  # what takes a second is done once a minute at most


class Cached(Generic[T]):
    """Computes at most once per ``keep_s``; who asks meanwhile waits for that one. Errors are raised and not kept."""

    def __init__(self, compute: Callable[[], T], keep_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._compute, self._keep_s, self._clock = compute, keep_s, clock
        self._lock = threading.Lock()
        self._kept: tuple[float, T] | None = None

    def get(self) -> T:
        with self._lock:
            if self._kept is None or self._clock() - self._kept[0] >= self._keep_s:
                self._kept = None
                value = self._compute()
                self._kept = (self._clock(), value)
            return self._kept[1]


class Measured(Generic[T]):
    """A value that takes long: measured in a thread of its own, the last one known meanwhile.

    Args:
        measure: what it raises is logged, and tried again later.
        keep_s: seconds between two measurements; longer where one takes long.
        patience_s: how long the first one who asks waits for it.
    """

    def __init__(self, measure: Callable[[], T], first: T, keep_s: float, *, patience_s: float = 0.3) -> None:
        self._measure, self._value, self._keep_s, self._patience_s = measure, first, keep_s, patience_s
        self._lock = threading.Lock()
        self._next_at = 0.0
        self._thread: threading.Thread | None = None

    def get(self) -> T:
        with self._lock:
            idle = self._thread is None or not self._thread.is_alive()
            if idle and time.monotonic() >= self._next_at:
                self._thread = threading.Thread(target=self._run, name="measuring", daemon=True)
                self._thread.start()
                self._thread.join(self._patience_s)
            return self._value

    def _run(self) -> None:
        began = time.monotonic()
        try:
            self._value = self._measure()
        except Exception as error:  # the database is away, a folder cannot be read: the last value stays
            log.info("Could not measure: %s", error)
        took_s = time.monotonic() - began
        self._next_at = began + max(self._keep_s, DUTY * took_s)
