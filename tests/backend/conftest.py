"""Fresh databases (SQLite, and PostgreSQL where one runs here), and the toy parts while a test lasts."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from backend.context import Backend, open_backend
from backend.queue import ListQueue, Queue
from backend.settings import Settings, read_settings
from tests.backend.toys import registries

POSTGRES_USERS = ("postgres", "root")
REDIS_DATABASE = 14 - int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 14
"""One for each process that runs tests."""

BackendFactory = Callable[..., Backend]


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LOOPSCOPE_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry, kind, entry in registries():
        monkeypatch.setitem(registry, kind, entry)


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[..., Settings]:
    def make(**changes: Any) -> Settings:
        return read_settings(**{"home": tmp_path / "home", **changes})

    return make


@pytest.fixture
def make_backend(make_settings: Callable[..., Settings]) -> Iterator[BackendFactory]:
    """Backends whose messages wait in memory; several of one test share the data folder, as processes do."""
    opened: list[Backend] = []

    def make(queue: Queue | None = None, **changes: Any) -> Backend:
        backend = open_backend(make_settings(**changes), queue=queue or ListQueue())
        opened.append(backend)
        return backend

    yield make
    for backend in opened:
        backend.close()


@pytest.fixture
def backend(make_backend: BackendFactory) -> Backend:
    return make_backend()


@contextmanager
def postgres_database() -> Iterator[str]:
    """URL of a new database on the PostgreSQL of this machine, dropped afterwards; skips where there is none."""
    name = f"loopscope_test_{secrets.token_hex(4)}"
    for user in POSTGRES_USERS:
        server = create_engine(
            f"postgresql+psycopg://{user}@127.0.0.1:5432/postgres",
            isolation_level="AUTOCOMMIT",
            connect_args={"connect_timeout": 2},
        )
        try:
            with server.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
        except OperationalError:
            server.dispose()
            continue
        yield f"postgresql://{user}@127.0.0.1:5432/{name}"
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()
        return
    pytest.skip("no PostgreSQL answers at 127.0.0.1:5432")


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A database of its own on the PostgreSQL of this machine, dropped afterwards."""
    with postgres_database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def either_backend(request: pytest.FixtureRequest, make_backend: BackendFactory) -> Backend:
    """The same laws hold on both databases."""
    if request.param == "sqlite":
        return make_backend()
    return make_backend(database_url=request.getfixturevalue("postgres_url"))


@pytest.fixture
def redis_url() -> Iterator[str]:
    url = f"redis://127.0.0.1:6379/{REDIS_DATABASE}"
    client = redis.Redis.from_url(url, socket_connect_timeout=1)
    try:
        client.ping()
    except redis.RedisError:
        pytest.skip("no Redis answers at 127.0.0.1:6379")
    client.flushdb()
    yield url
    client.flushdb()
    client.close()
