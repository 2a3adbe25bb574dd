"""What the installation says of itself: counts that agree with SQL, numbers that only grow, words for what is away."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update

from backend import loops
from backend.context import Backend
from backend.database import open_database
from backend.journal import note
from backend.observe import counting
from backend.observe.caching import Cached, Measured
from backend.observe.checks import Check, newest_revision
from backend.observe.ledger import BUCKETS_S, Durations, Ledger
from backend.observe.observer import Observer
from backend.presence import Presence
from backend.queue import ListQueue
from backend.settings import Settings
from backend.tables import Artifact, AuditJob, Loop, Stage, utc_now
from tests.backend.leases import claimed, finish, messages, publish, start
from tests.backend.toys import toy_config


class AwayQueue(ListQueue):
    """A broker that does not answer."""

    def waiting(self, queue: str) -> int | None:
        return None


def without_sql(backend: Backend) -> Backend:
    """The same installation while its database is away."""
    return replace(backend, database=open_database("postgresql://me:hunter2hunter2@127.0.0.1:1/none"))


# ---- cached


def test_a_value_is_kept_for_a_while_and_then_computed_anew() -> None:
    now, count = [0.0], [0]

    def compute() -> int:
        count[0] += 1
        return count[0]

    value = Cached(compute, 2.0, clock=lambda: now[0])
    assert [value.get(), value.get()] == [1, 1]
    now[0] = 1.9
    assert value.get() == 1
    now[0] = 2.0
    assert value.get() == 2


def test_many_that_ask_at_once_compute_once() -> None:
    count, go = [0], threading.Event()

    def compute() -> int:
        go.wait(10)
        count[0] += 1
        return count[0]

    value = Cached(compute, 60.0)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(value.get())) for _ in range(8)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert found == [1] * 8


def test_an_error_is_not_kept() -> None:
    outcomes: list[Exception | int] = [ValueError("once"), 7]

    def compute() -> int:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    value = Cached(compute, 60.0)
    with pytest.raises(ValueError):
        value.get()
    assert value.get() == 7


def test_what_takes_long_is_measured_beside_and_the_last_value_told_meanwhile() -> None:
    go, count = threading.Event(), [0]

    def measure() -> int:
        count[0] += 1
        go.wait(10)
        return 7

    value = Measured(measure, 0, 60.0, patience_s=0.01)
    assert [value.get(), value.get()] == [0, 0]
    go.set()
    limit = time.monotonic() + 10
    while value.get() != 7:
        assert time.monotonic() < limit
    assert count == [1]


def test_what_cannot_be_measured_leaves_the_last_value() -> None:
    def measure() -> int:
        raise OSError("away")

    assert Measured(measure, 3, 60.0, patience_s=10).get() == 3


# ---- checks


def test_everything_answers_in_a_fresh_installation(either_backend: Backend) -> None:
    found = {check.name: check for check in Observer(either_backend).checks()}
    assert list(found) == ["database", "tables", "broker", "data folder", "artifact store"]
    assert all(check.ok for check in found.values()), found
    assert newest_revision() in found["tables"].sentence


def test_old_tables_are_told(backend: Backend) -> None:
    with backend.database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    found = {check.name: check for check in Observer(backend).checks()}
    assert not found["tables"].ok and "are at 0001, this program needs" in found["tables"].sentence
    assert found["database"].ok


def test_what_is_away_is_told_without_secrets(make_backend: Callable[..., Backend]) -> None:
    backend = without_sql(make_backend(queue=AwayQueue()))
    found = {check.name: check for check in Observer(backend).checks()}
    assert not found["database"].ok and "does not answer" in found["database"].sentence
    assert not found["tables"].ok and not found["broker"].ok
    assert found["data folder"].ok and found["artifact store"].ok
    assert "hunter2" not in str(found)


def test_a_full_disk_is_told(make_backend: Callable[..., Backend]) -> None:
    backend = make_backend(min_free_mb=1e12)
    found = {check.name: check for check in Observer(backend).checks()}
    assert not found["data folder"].ok and "LOOPSCOPE_MIN_FREE_MB" in found["data folder"].sentence


def test_what_never_answers_holds_nobody_up_and_is_asked_once() -> None:
    count, go = [0], threading.Event()

    def ask() -> tuple[bool, str]:
        count[0] += 1
        go.wait(30)
        return True, "answers at last"

    check = Check("slow", ask, patience_s=0.05)
    for _ in range(3):
        check.begin()
        found = check.result()
        assert not found.ok and found.sentence.startswith("does not answer, for")
    assert count == [1]
    go.set()
    limit = time.monotonic() + 10
    while not check.result().ok:
        assert time.monotonic() < limit
    check.begin()
    while count != [2]:
        assert time.monotonic() < limit
        time.sleep(0.01)


# ---- the whole


def test_queues_count_what_a_worker_could_take(either_backend: Backend) -> None:
    backend = either_backend
    _, first = start(backend)
    start(backend, seed=1)
    stopped, _ = start(backend, seed=2)
    loops.cancel(backend, stopped.id)  # its stage waits for nobody
    claimed(backend, first, worker="here:1")
    now = utc_now()
    with backend.database.write() as session:
        session.execute(update(Stage).where(Stage.state == "queued").values(sent_at=now - timedelta(seconds=90)))
        session.add(AuditJob(id="a", config={}, config_digest="0" * 64, state="queued", created_at=now, sent_at=now))
    Presence(backend, "here:1", "gpu", "cpu").beat()
    system = Observer(backend).system()
    gpu, cpu = system.queues
    assert (gpu.name, gpu.waiting, gpu.at_work, gpu.workers) == ("gpu", 1, 1, 1)
    assert gpu.oldest_s is not None and 90 <= gpu.oldest_s < 120
    assert (cpu.name, cpu.waiting, cpu.at_work, cpu.workers) == ("cpu", 1, 0, 0)
    assert system.loops["running"] == 1 and system.loops["queued"] == 1 and system.loops["cancelled"] == 1
    assert system.loops["failed"] == 0
    assert system.database.answers and (system.database.size_bytes or 0) > 10_000
    assert [process.name for process in system.processes] == ["here:1"]


def test_a_deleted_loop_counts_nowhere(backend: Backend) -> None:
    view, _ = start(backend)
    loops.delete(backend, view.id)
    system = Observer(backend).system()
    assert sum(system.loops.values()) == 0 and system.queues[0].waiting == 0 and system.queues[1].waiting == 0


def test_artifacts_are_counted_once(backend: Backend) -> None:
    views = [loops.launch(backend, toy_config(seed=seed)) for seed in range(2)]
    with backend.database.write() as session:
        for view in views:
            for digest, size in (("a" * 64, 1000), ("b" * 64, 500)):
                session.add(Artifact(loop_id=view.id, generation=0, name=digest[0], digest=digest, size=size, facts={}))
    observer = Observer(backend)
    limit = time.monotonic() + 10
    while not (disk := observer._look().disk).artifacts:  # measured beside
        assert time.monotonic() < limit
    assert (disk.artifact_files, disk.artifacts, disk.artifacts_here) == (2, 1500, True)
    assert disk.total >= disk.free > 0 and disk.database > 0


def test_incidents_are_the_newest_troubles(either_backend: Backend) -> None:
    view, _ = start(either_backend)
    with either_backend.database.write() as session:
        loop = session.get_one(Loop, view.id)
        for t in range(20):
            note(session, loop, "retry", f"Trouble {t}", t, "learn")
            note(session, loop, "resumed", "no trouble")
    found = Observer(either_backend).system().incidents
    assert [one.sentence for one in found] == [f"Trouble {t}" for t in range(19, 19 - counting.INCIDENTS_SHOWN, -1)]
    assert (found[0].loop_id, found[0].loop_name, found[0].generation) == (view.id, view.name, 19)


def test_without_sql_what_it_knows_is_missing_and_said(make_backend: Callable[..., Backend]) -> None:
    system = Observer(without_sql(make_backend(queue=AwayQueue()))).system()
    assert not system.database.answers and "does not answer" in system.database.sentence
    assert not system.broker.answers
    assert (system.loops, system.queues, system.processes, system.leader) == ({}, [], [], None)
    assert system.disk.free > 0
    assert "hunter2" not in system.model_dump_json()


def test_places_and_settings_hold_no_secret(make_settings: Callable[..., Settings], backend: Backend) -> None:
    secret = "hunter2hunter2"
    settings = make_settings(
        redis_url=f"redis://:{secret}@broker:6379/0", database_url=f"postgresql://me:{secret}@db/x"
    )
    system = Observer(replace(without_sql(backend), settings=settings)).system()
    assert system.broker.place == "broker:6379/0" and system.database.place == "db/x"
    assert secret not in system.model_dump_json()


def test_a_folder_is_as_large_as_its_files(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "x").write_bytes(b"1" * 10)
    (tmp_path / "a" / "b" / "y").write_bytes(b"1" * 7)
    (tmp_path / "a" / "elsewhere").symlink_to("/")
    assert counting.size_of(str(tmp_path)) == 17
    assert counting.size_of(str(tmp_path / "none")) == 0


# ---- the ledger


def test_the_ledger_counts_what_happens_from_now_on(either_backend: Backend) -> None:
    backend = either_backend
    _, first = start(backend)
    publish(backend, claimed(backend, first))
    ledger = Ledger(backend)
    ledger.look()
    assert ledger.durations == {} and not ledger.events
    finish(backend, messages(backend))
    for _ in range(3):  # looking again adds nothing
        ledger.look()
    assert ledger.events["done"] == 1
    with backend.database.read() as session:
        rows = session.execute(text("SELECT stage, count(*) FROM stages GROUP BY stage")).all()
    total = {stage: count for stage, count in rows}
    total["learn"] -= 1  # done before the ledger began
    counted = {stage: sum(found.counts) for stage, found in ledger.durations.items()}
    assert counted == {stage: count for stage, count in total.items() if count}
    assert ledger.attempts["learn"] == total["learn"]
    assert ledger.durations["learn"].total_s == pytest.approx(1.5 * total["learn"])


def test_a_duration_falls_into_the_first_bucket_that_holds_it() -> None:
    found = Durations()
    for seconds in (0.05, BUCKETS_S[0], 0.2, 1e9):
        found.add(seconds)
    assert found.counts[:2] == [2, 1] and found.counts[-1] == 1 and sum(found.counts) == 4
