"""Laws of turns: fair between loops, by priority, one holder per part, nothing before its time."""

import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from backend import loops, stages
from backend.context import Backend
from backend.queue import CPU, GPU
from backend.stages import Lease
from backend.tables import Loop, Stage, utc_now
from backend.turns import claim_next
from tests.backend.leases import claimed, messages, publish, start


def taken(backend: Backend, queue: str = CPU, worker: str = "w") -> Lease:
    lease = claim_next(backend, queue, worker)
    assert lease is not None
    return lease


def physics(backend: Backend, parts: int, **changes: Any) -> str:
    """A loop whose corrections wait, in so many parts (and nothing else for the cpu queue)."""
    loop, first = start(backend, corrector="clip", generations=1, **changes)
    publish(backend, claimed(backend, first))
    following = {message.stage: message for message in messages(backend)}
    publish(backend, claimed(backend, following["panel"]))
    publish(backend, claimed(backend, following["synthesize"]), parts=parts)
    assert len(messages(backend)) == parts
    with backend.database.write() as session:
        session.execute(update(Loop).where(Loop.id == loop.id).values(served_at=None))
    return loop.id


def test_a_small_loop_waits_for_one_part_of_a_large_one_at_most(either_backend: Backend) -> None:
    backend = either_backend
    large = physics(backend, 40)
    at_work = [taken(backend), taken(backend)]
    small = physics(backend, 1, seed=1)
    assert {lease.loop_id for lease in at_work} == {large}
    publish(backend, at_work[0])
    assert taken(backend).loop_id == small
    assert taken(backend).loop_id == large


def test_equal_loops_take_turns(either_backend: Backend) -> None:
    backend = either_backend
    ids = [physics(backend, 6, seed=seed) for seed in range(3)]
    order = []
    for _ in range(18):
        lease = taken(backend)
        order.append(lease.loop_id)
        publish(backend, lease)
        messages(backend)
    assert order[:9] == ids * 3
    assert Counter(order) == dict.fromkeys(ids, 6)


def test_workers_spread_over_loops(backend: Backend) -> None:
    ids = [physics(backend, 4, seed=seed) for seed in range(3)]
    assert Counter(taken(backend).loop_id for _ in range(6)) == dict.fromkeys(ids, 2)


def test_a_higher_priority_goes_first_and_a_lower_one_last(backend: Backend) -> None:
    low, usual, high = (physics(backend, 3, seed=seed) for seed in range(3))
    with backend.database.write() as session:
        session.get_one(Loop, low).priority, session.get_one(Loop, high).priority = -1, 5
    assert [taken(backend).loop_id for _ in range(9)] == [high] * 3 + [usual] * 3 + [low] * 3


def test_what_is_measured_waits_for_samples_but_not_for_training(backend: Backend) -> None:
    _, first = start(backend, generations=2)
    publish(backend, taken(backend, GPU))
    assert first.stage == "learn"
    order = []
    for _ in range(5):
        lease = taken(backend, GPU)
        order.append((lease.generation, lease.stage))
        publish(backend, lease)
    assert order == [(1, "synthesize"), (0, "evaluate"), (1, "learn"), (2, "synthesize"), (1, "evaluate")]


def test_a_worker_takes_only_what_its_queue_has(backend: Backend) -> None:
    physics(backend, 2)
    gpu = [lease for lease in (claim_next(backend, GPU, "w") for _ in range(3)) if lease]
    cpu = [lease for lease in (claim_next(backend, CPU, "w") for _ in range(3)) if lease]
    assert {lease.stage for lease in gpu} == {"evaluate"}
    assert [(lease.stage, lease.part) for lease in cpu] == [("correct", 0), ("correct", 1)]


def test_nothing_is_taken_before_its_time(either_backend: Backend) -> None:
    backend = either_backend
    loop, first = start(backend)
    with backend.database.write() as session:
        row = session.scalars(select(Stage)).one()
        row.retry_at = utc_now() + timedelta(hours=1)
    assert claim_next(backend, GPU, "w") is None
    assert stages.claim(backend, loop.id, 0, first.stage, 0, "w") is None
    with backend.database.write() as session:
        session.scalars(select(Stage)).one().retry_at = utc_now() - timedelta(seconds=1)
    assert taken(backend, GPU).loop_id == loop.id


@pytest.mark.parametrize("verb", [loops.cancel, loops.delete])
def test_nothing_is_taken_of_a_loop_that_shall_not_run(backend: Backend, verb: Any) -> None:
    loop, _ = start(backend)
    verb(backend, loop.id)
    assert claim_next(backend, GPU, "w") is None


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_of_many_workers_each_part_has_one(database: str, request: pytest.FixtureRequest, make_backend: Any) -> None:
    changes = {} if database == "sqlite" else {"database_url": request.getfixturevalue("postgres_url")}
    backends = [make_backend(**changes) for _ in range(5)]
    ids = [physics(backends[0], 10, seed=seed) for seed in range(2)]
    found: list[tuple[str, int]] = []

    def work(backend: Backend) -> None:
        while (lease := claim_next(backend, CPU, "w")) is not None:
            found.append((lease.loop_id, lease.part))

    threads = [threading.Thread(target=work, args=(backend,)) for backend in backends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted((loop_id, part) for loop_id in ids for part in range(10))
    assert abs(sum(loop_id == ids[0] for loop_id, _ in found[:10]) - 5) <= 1  # they took turns, too
