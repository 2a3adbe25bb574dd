"""Engine and sessions: SQLite in WAL by default, PostgreSQL through psycopg 3."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakSet

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, sessionmaker

from core.errors import InvalidConfig

BUSY_TIMEOUT_MS = 20_000
POSTGRES_CONNECTION = {  # a server that vanished without a word is noticed within half a minute
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
IDLE_IN_TRANSACTION_MS = 60_000  # a process that stands still must not hold up all others


@dataclass(frozen=True)
class Database:
    """Short transactions, read or write. Writers say so beforehand, because SQLite cannot upgrade a reader safely."""

    engine: Engine
    writing: Engine  # the same connections, BEGIN IMMEDIATE on SQLite
    readers: sessionmaker[Session]
    writers: sessionmaker[Session]

    @contextmanager
    def read(self) -> Iterator[Session]:
        with self.readers() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        with self.writers.begin() as session:
            yield session

    def close(self) -> None:
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Connect lazily to the database of an SQLAlchemy URL.

    Raises:
        InvalidConfig: when the URL is none, or names a database that is not supported.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise InvalidConfig("LOOPSCOPE_DATABASE_URL is no database URL.", _CHOICES) from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
        engine = create_engine(parsed, pool_pre_ping=True, connect_args=POSTGRES_CONNECTION)
        event.listen(engine, "connect", _prepare_postgres)
    elif backend == "sqlite":
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "after_cursor_execute", _remember_cursor)
        event.listen(engine, "reset", _close_cursors)
    else:
        raise InvalidConfig(f"The database {backend!r} is not supported.", _CHOICES)
    writing = engine.execution_options(loopscope_write=True)
    sessions = (sessionmaker(bind, expire_on_commit=False) for bind in (engine, writing))
    return Database(engine, writing, *sessions)


_CURSORS = "loopscope_cursors"  # of the statements since a connection left the pool, in its info
_CHOICES = "Give a postgresql:// or sqlite:/// URL, or leave it empty."


def _prepare_sqlite(connection: Any, record: object) -> None:
    del record
    connection.isolation_level = None  # BEGIN comes from _begin_sqlite, not from the driver
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_postgres(connection: Any, record: object) -> None:
    del record
    connection.execute(f"SET lock_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute(f"SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_MS}")
    connection.commit()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("loopscope_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _remember_cursor(connection: Connection, cursor: Any, *rest: object) -> None:
    del rest
    connection.info.setdefault(_CURSORS, WeakSet()).add(cursor)


def _close_cursors(connection: object, record: Any, state: object) -> None:
    """On the way back to the pool. A SELECT that is half read keeps its snapshot, even after ROLLBACK, for as long as
    anything refers to it (a traceback, a cycle); the next BEGIN IMMEDIATE of that connection then fails at once with
    SQLITE_BUSY_SNAPSHOT, whatever the timeout, if somebody else has written meanwhile."""
    del connection, state
    for cursor in record.info.pop(_CURSORS, ()) if record is not None else ():
        cursor.close()
