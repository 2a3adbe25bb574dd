"""A group that several people start at the same instant is launched once, and whole."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backend import loops
from backend.context import Backend
from backend.gate import Actor, Forbidden, Role
from backend.grouped import launch_group
from backend.parts import check
from backend.quotas import OverQuota
from backend.views import LoopView
from tests.backend.leases import messages
from tests.backend.toys import toy_config


def wanted(count: int = 3) -> list[tuple[str, Any]]:
    return [(f"seed {seed}", check(toy_config(seed=seed))) for seed in range(count)]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_started_by_many_at_once_it_is_one_group(
    database: str, request: pytest.FixtureRequest, make_backend: Callable[..., Backend]
) -> None:
    changes = {} if database == "sqlite" else {"database_url": request.getfixturevalue("postgres_url")}
    backends = [make_backend(**changes) for _ in range(4)]
    ready, found = threading.Barrier(len(backends)), list[list[LoopView]]()

    def start(backend: Backend) -> None:
        ready.wait(20)
        found.append(launch_group(backend, "Three seeds", wanted()))

    threads = [threading.Thread(target=start, args=(backend,)) for backend in backends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == len(backends)
    assert len({tuple(view.id for view in views) for views in found}) == 1
    assert [view.name for view in found[0]] == ["seed 0", "seed 1", "seed 2"]
    assert len(loops.list_loops(backends[0])) == 3
    assert sum(len(messages(backend)) for backend in backends) == 3, "each loop is sent once"


def test_what_is_missing_is_added_and_what_is_there_is_kept(backend: Backend) -> None:
    first = launch_group(backend, "g", wanted(2))
    assert [view.id for view in launch_group(backend, "g", wanted(2))] == [view.id for view in first]
    more = launch_group(backend, "g", wanted(3))
    assert [view.id for view in more[:2]] == [view.id for view in first]
    assert {view.group for view in more} == {"g"}
    assert {view.group for view in launch_group(backend, "g", wanted(3), again=True)} == {"g 2"}
    other = [(name, config.model_copy(update={"n": 64})) for name, config in wanted(2)]
    assert {view.group for view in launch_group(backend, "g", other)} == {"g 3"}


def test_a_group_that_is_too_many_is_launched_not_at_all(make_backend: Callable[..., Backend]) -> None:
    backend = make_backend(max_active_loops=3)
    launch_group(backend, "g", wanted(2))
    messages(backend)
    with pytest.raises(OverQuota):
        launch_group(backend, "h", wanted(2))
    with pytest.raises(OverQuota):
        loops.launch_all(backend, wanted(2))
    assert len(loops.list_loops(backend)) == 2
    assert messages(backend) == []
    assert len(launch_group(backend, "g", wanted(3))) == 3, "one more is not too many"


def test_going_on_counts_as_one_more(make_backend: Callable[..., Backend]) -> None:
    backend = make_backend(max_active_loops=1)
    first = loops.launch(backend, toy_config())
    loops.cancel(backend, first.id)
    loops.launch(backend, toy_config(seed=1))
    with pytest.raises(OverQuota):
        loops.resume(backend, first.id)
    assert loops.show_loop(backend, first.id).state == "cancelled"


class Looking:
    """A gate for one who may look only."""

    def require(self, role: Role) -> Actor:
        if role != "viewer":
            raise Forbidden("You may look only.")
        return Actor("v", "viewer")


def test_who_may_look_only_launches_nothing(backend: Backend) -> None:
    watched = replace(backend, gate=Looking())
    loop = loops.launch(backend, toy_config())
    verbs: list[Callable[[], Any]] = [
        lambda: launch_group(watched, "g", wanted()), lambda: loops.launch_all(watched, wanted()),
        lambda: loops.retry(watched, loop.id), lambda: loops.prioritize(watched, loop.id, 1),
        lambda: loops.extend(watched, loop.id, 1), lambda: loops.delete(watched, loop.id),
    ]  # fmt: skip
    for verb in verbs:
        with pytest.raises(Forbidden):
            verb()
    assert loops.list_loops(watched) == [loop]
