import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, StatementError

from backend.context import Backend
from backend.database import open_database
from backend.tables import Counter, Event, Leader
from core.errors import InvalidConfig


@pytest.mark.parametrize("url", ["nonsense", "mysql://there/db"])
def test_an_unusable_url_is_refused_in_words(url: str) -> None:
    with pytest.raises(InvalidConfig):
        open_database(url)


def test_times_come_back_as_they_were(either_backend: Backend) -> None:
    moment = datetime(2026, 3, 1, 12, 30, 15, 250000, tzinfo=timezone(timedelta(hours=5)))
    with either_backend.database.write() as session:
        session.add(Leader(name="a", holder="me", until=moment))
    with either_backend.database.read() as session:
        found = session.get_one(Leader, "a").until
        assert (found, found.tzinfo) == (moment, UTC)
        assert session.scalar(select(Leader.name).where(Leader.until < moment + timedelta(microseconds=1))) == "a"
        assert session.scalar(select(Leader.name).where(Leader.until < moment)) is None


def test_a_time_without_zone_is_refused(backend: Backend) -> None:
    with pytest.raises(StatementError, match="zone"), backend.database.write() as session:
        session.add(Leader(name="a", holder="me", until=datetime(2026, 1, 1)))


def test_what_raises_is_rolled_back(either_backend: Backend) -> None:
    with pytest.raises(RuntimeError), either_backend.database.write() as session:
        session.add(Counter(name="x", value=1))
        session.flush()
        raise RuntimeError
    with either_backend.database.read() as session:
        assert session.get(Counter, "x") is None


def test_rows_of_no_loop_are_refused(either_backend: Backend) -> None:
    now = datetime.now(UTC)
    with pytest.raises(IntegrityError), either_backend.database.write() as session:
        session.add(Event(loop_id="nobody", at=now, kind="x", sentence=""))


def test_sqlite_runs_in_wal_with_a_busy_timeout(backend: Backend) -> None:
    with backend.database.read() as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.scalar(text("PRAGMA foreign_keys")) == 1
        assert (session.scalar(text("PRAGMA busy_timeout")) or 0) >= 10_000


def test_writers_that_read_first_wait_for_one_another(make_backend: Any) -> None:
    """A reader that becomes a writer would get SQLITE_BUSY in spite of the timeout; and updates must not be lost."""
    backends = [make_backend() for _ in range(4)]
    with backends[0].database.write() as session:
        session.add(Counter(name="x", value=0))

    def count(backend: Backend) -> None:
        for _ in range(5):
            with backend.database.write() as session:
                row = session.get_one(Counter, "x")
                time.sleep(0.002)
                row.value += 1

    threads = [threading.Thread(target=count, args=(b,)) for b in backends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with backends[0].database.read() as session:
        assert session.get_one(Counter, "x").value == 20


def test_a_result_left_half_read_holds_up_no_writer(make_backend: Any) -> None:
    """SQLite keeps the snapshot of a half-read SELECT beyond ROLLBACK; the pool's next writer could not begin on it."""
    one, other = make_backend(), make_backend()
    with one.database.write() as session:
        session.add_all(Counter(name=str(number), value=number) for number in range(500))
    with one.database.read() as session:
        rows = iter(session.scalars(select(Counter)).yield_per(10))
        first = next(rows)  # and no more, while somebody still holds on to the rest
    for backend in (other, one):
        with backend.database.write() as session:
            session.get_one(Counter, "0").value += 1
    with one.database.read() as session:
        assert session.get_one(Counter, "0").value == first.value + 2
    del rows


def test_readers_do_not_wait_for_a_writer(make_backend: Any) -> None:
    one, other = make_backend(), make_backend()
    with one.database.write() as session:
        session.add(Counter(name="x", value=1))
        session.flush()
        with other.database.read() as reader:
            assert reader.get(Counter, "x") is None
