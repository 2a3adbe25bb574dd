"""One beat for all browsers: what changed is looked up once a second, however many of them look on, and what was drawn
in that second is drawn once."""

import time
from collections.abc import Callable, Hashable
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from backend import loops, roster

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.roster import Entry

BEAT_S = 1.0
MOST_DRAWN = 64

T = TypeVar("T")


class Pulse:
    """The revision of one installation as of the last beat, and what was made of it since."""

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._beaten_at = float("-inf")
        self._revision = -1
        self._drawn: dict[Hashable, Any] = {}
        self._lock = Lock()
        self._drawing: dict[Hashable, Lock] = {}

    def revision(self, backend: "Backend") -> int:
        """At most BEAT_S old."""
        with self._lock:
            if self._steady() - self._beaten_at >= BEAT_S:
                found = loops.revision(backend)
                self._beaten_at = self._steady()
                if found != self._revision:
                    self._revision = found
                    self._drawn.clear()
                    self._drawing.clear()
            return self._revision

    def shared(self, backend: "Backend", key: Hashable, draw: Callable[[], T]) -> T:
        """What ``draw`` makes of the present revision; of many who ask at once, one draws."""
        revision = self.revision(backend)
        with self._lock:
            if key in self._drawn:
                found: T = self._drawn[key]
                return found
            mine = self._drawing.setdefault(key, Lock())
        with mine:
            with self._lock:
                if key in self._drawn:
                    found = self._drawn[key]
                    return found
            found = draw()
            with self._lock:
                if self._revision == revision and len(self._drawn) < MOST_DRAWN:
                    self._drawn[key] = found
            return found


_pulses: "WeakKeyDictionary[Any, Pulse]" = WeakKeyDictionary()
_lock = Lock()


def pulse_of(backend: "Backend") -> Pulse:
    """The pulse that all pages of an installation share."""
    with _lock:
        return _pulses.setdefault(backend.database.engine, Pulse())


def entries(backend: "Backend") -> "list[Entry]":
    """All loops, as of the last beat."""
    return pulse_of(backend).shared(backend, "entries", lambda: roster.entries(backend))
