"""Which loops there are, in few columns: the same as their views say."""

from collections import Counter
from datetime import timedelta

from sqlalchemy import select

from backend import loops, roster
from backend.context import Backend
from backend.tables import Loop, Stage, utc_now
from tests.backend.toys import toy_config


def launch(backend: Backend, *names: str, group: str = "") -> list[str]:
    return [loops.launch(backend, toy_config(), name=name, group=group).id for name in names]


def test_all_loops_newest_first_without_the_deleted(either_backend: Backend) -> None:
    a, b, c = launch(either_backend, "a", "b", group="g") + launch(either_backend, "c")
    loops.delete(either_backend, a)
    known = roster.entries(either_backend)
    assert [(entry.id, entry.name, entry.group) for entry in known] == [(c, "c", ""), (b, "b", "g")]
    assert [entry.id for entry in roster.entries(either_backend, "g")] == [b]
    assert {entry.id: entry.revision for entry in known} == {
        view.id: view.revision for view in loops.list_loops(either_backend)
    }


def test_the_latest_group_first_launched_first(backend: Backend) -> None:
    assert roster.latest([]) == []
    launch(backend, "alone")
    a, b = launch(backend, "a", "b", group="g")
    assert [entry.id for entry in roster.latest(roster.entries(backend))] == [a, b]
    (last,) = launch(backend, "last")
    assert [entry.id for entry in roster.latest(roster.entries(backend))] == [last]
    assert roster.groups(roster.entries(backend)) == ["g"]


def test_views_come_in_the_order_asked_for(backend: Backend) -> None:
    a, b = launch(backend, "a", "b")
    assert [view.id for view in roster.views_of(backend, [b, "nobody", a, b])] == [b, a]
    assert roster.views_of(backend, []) == []


def test_states_are_counted_as_the_views_tell_them(either_backend: Backend) -> None:
    ids = launch(either_backend, *"abcde")
    long_ago = utc_now() - timedelta(seconds=10 * either_backend.settings.stale_after_s)
    with either_backend.database.write() as session:
        for loop_id, beat in ((ids[0], utc_now()), (ids[1], long_ago), (ids[2], None)):
            session.get_one(Loop, loop_id).state = "running"
            for stage in session.scalars(select(Stage).where(Stage.loop_id == loop_id)):
                stage.state, stage.heartbeat_at = "running", beat
    loops.delete(either_backend, ids[4])
    told = Counter(view.state for view in loops.list_loops(either_backend))
    assert roster.counts(either_backend) == dict(told) == {"running": 2, "interrupted": 1, "queued": 1}
