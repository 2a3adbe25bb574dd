"""What loops have recorded, kept between the looks of many browsers: only what changed is read anew."""

from collections.abc import Iterable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

from app.series import Curves, TraceKeeper, Traces
from backend import measures, roster
from backend.measures import Points

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.measures import Doubt
    from backend.roster import Entry
    from backend.views import LoopView

MOST_LOOPS, MOST_VALUES = 5000, 6_000_000
"""Kept at most; what was asked for longest ago goes first. A value takes 16 bytes."""


class Keeper:
    """Views, metrics and seeds of loops by loop and revision: a revision grows with every change of a loop.

    Many threads ask at once; the first reads, the others find it.
    """

    def __init__(self, most_loops: int = MOST_LOOPS, most_values: int = MOST_VALUES) -> None:
        self._most_loops, self._most_values = most_loops, most_values
        self._views: dict[str, LoopView] = {}
        self._curves: dict[str, tuple[int, dict[str, Points | None]]] = {}
        self._names: dict[str, tuple[int, frozenset[str]]] = {}
        self._doubts: dict[str, Doubt | None] = {}
        self._values = 0
        self._traces = TraceKeeper()
        self._lock = Lock()

    def views(self, backend: "Backend", entries: "Sequence[Entry]") -> "list[LoopView]":
        """Of loops, as they were at the latest when their revision was last seen (their age in words may be older)."""
        with self._lock:
            old = [e.id for e in entries if e.id not in self._views or self._views[e.id].revision != e.revision]
            for view in roster.views_of(backend, old):
                self._views[view.id] = view
            found = [self._views[e.id] for e in entries if e.id in self._views]
            for view in found:  # used last
                self._views[view.id] = self._views.pop(view.id)
            self._forget(self._views, self._most_loops)
        return found

    def names(self, backend: "Backend", views: "Sequence[LoopView]") -> set[str]:
        """The metrics that any of the loops has."""
        with self._lock:
            old = [v.id for v in views if self._names.get(v.id, (-1,))[0] != v.revision]
            read = measures.names_of(backend, old) if old else {}
            for view in views:
                if view.id in read or self._names.get(view.id, (-1,))[0] != view.revision:
                    self._names[view.id] = (view.revision, frozenset(read.get(view.id, ())))
            found = set().union(*(self._names[view.id][1] for view in views))
            self._forget(self._names, max(self._most_loops, len(views)))
        return found

    def curves(self, backend: "Backend", views: "Sequence[LoopView]", names: Iterable[str]) -> Curves:
        """The metrics ``names`` of the loops, every generation of every loop."""
        wanted = list(dict.fromkeys(names))
        with self._lock:
            for view in views:
                if self._curves.get(view.id, (-1,))[0] != view.revision:
                    self._drop(view.id)
                    self._curves[view.id] = (view.revision, {})
            for name in wanted:
                missing = [view.id for view in views if name not in self._curves[view.id][1]]
                read = measures.points(backend, missing, [name]) if missing else {}
                for loop_id in missing:
                    known = read.get(loop_id, {}).get(name)
                    self._curves[loop_id][1][name] = known
                    self._values += 0 if known is None else len(known[0])
            found = {}
            for view in views:
                kept = self._curves[view.id] = self._curves.pop(view.id)
                found[view.id] = {name: known for name in wanted if (known := kept[1][name]) is not None}
            while self._curves and (self._values > self._most_values or len(self._curves) > self._most_loops):
                self._drop(next(iter(self._curves)))
        return found

    def doubts(self, backend: "Backend", views: "Sequence[LoopView]") -> "dict[str, Doubt]":
        """Of the loops that say how far their numbers are to be trusted; said once, with generation 0."""
        with self._lock:
            old = [v.id for v in views if v.generation >= 0 and v.id not in self._doubts]
            read = measures.doubts(backend, old) if old else {}
            self._doubts |= {loop_id: read.get(loop_id) for loop_id in old}
            found = {v.id: known for v in views if (known := self._doubts.get(v.id)) is not None}
            self._forget(self._doubts, max(self._most_loops, len(views)))
        return found

    def traces(self, backend: "Backend", views: "Sequence[LoopView]") -> Traces:
        """Every seed of those loops that run several at once."""
        return self._traces.of(backend, views)

    def _drop(self, loop_id: str) -> None:
        _, by_name = self._curves.pop(loop_id, (0, {}))
        self._values -= sum(len(known[0]) for known in by_name.values() if known is not None)

    @staticmethod
    def _forget(kept: dict[str, Any], most: int) -> None:
        while len(kept) > most:
            kept.pop(next(iter(kept)))
