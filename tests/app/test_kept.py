"""Kept between looks: what did not change is not read again, what did is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from app.kept import Keeper
from backend import loops, roster
from backend.context import Backend
from backend.journal import touch
from backend.tables import Loop, MetricValue
from tests.app.seedloops import gaussian, keep_seeds


@contextmanager
def statements(backend: Backend) -> Iterator[list[str]]:
    """SQL of the block."""
    said: list[str] = []

    def listen(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        del connection, cursor, rest
        said.append(statement)

    event.listen(backend.database.engine, "before_cursor_execute", listen)
    try:
        yield said
    finally:
        event.remove(backend.database.engine, "before_cursor_execute", listen)


def looked(keeper: Keeper, backend: Backend) -> dict[str, float]:
    """The last w2 of every loop."""
    views = keeper.views(backend, roster.entries(backend))
    assert keeper.names(backend, views) == {"w2", "variance"}
    curves = keeper.curves(backend, views, ["w2"])
    return {loop_id: float(of["w2"][1][-1]) for loop_id, of in curves.items()}


def test_only_what_changed_is_read_anew(backend: Backend) -> None:
    a, b = (keep_seeds(backend, gaussian(seed=k, replicates=1), name) for k, name in enumerate("ab"))
    keeper = Keeper()
    first = looked(keeper, backend)
    assert set(first) == {a.id, b.id}
    entries = roster.entries(backend)
    with statements(backend) as said:
        views = keeper.views(backend, entries)
        keeper.names(backend, views)
        keeper.curves(backend, views, ["w2"])
    assert said == []
    with backend.database.write() as session:
        session.get_one(MetricValue, (b.id, b.generation, "w2")).value = 7.0
        touch(session, session.get_one(Loop, b.id))
    assert looked(keeper, backend) == first | {b.id: 7.0}


def test_a_metric_that_was_not_asked_for_yet_is_read_then(backend: Backend) -> None:
    keep_seeds(backend, gaussian(replicates=1), "a")
    keeper = Keeper()
    looked(keeper, backend)
    views = keeper.views(backend, roster.entries(backend))
    (found,) = keeper.curves(backend, views, ["w2", "variance", "magic"]).values()
    assert set(found) == {"w2", "variance"}


def test_little_is_kept_where_little_may_be(backend: Backend) -> None:
    for k in range(4):
        keep_seeds(backend, gaussian(seed=k, replicates=1), str(k))
    small, large = Keeper(most_loops=1, most_values=3), Keeper()
    assert looked(small, backend) == looked(large, backend)
    assert looked(small, backend) == looked(large, backend)


def test_a_deleted_loop_is_gone(backend: Backend) -> None:
    a = keep_seeds(backend, gaussian(replicates=1), "a")
    keeper, before = Keeper(), roster.entries(backend)
    assert [view.id for view in keeper.views(backend, before)] == [a.id]
    loops.delete(backend, a.id)
    assert keeper.views(backend, roster.entries(backend)) == []
