"""An installation worth saving, and what its tables hold."""

from typing import Any

import pytest
from sqlalchemy import select

from backend import loops
from backend.context import Backend
from backend.keeping.rows import tables
from backend.shelf import RECENT, SqlShelf
from backend.tables import (
    ApiToken,
    LoginSession,
    User,
    WorkerProcess,
    utc_now,
)
from tests.backend.keeping.conftest import Install
from tests.backend.toys import toy_config
from tests.core.light import light_config
from worker.stage import drain


@pytest.fixture(autouse=True)
def nothing_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RECENT, "get", lambda key: None)


@pytest.fixture
def source(install: Install) -> Backend:
    """Two finished loops, stage by stage and in a block; a deleted one; users, and processes of the moment."""
    backend = install("source")
    loops.launch(backend, toy_config(generations=2), name="stages ü")
    loops.launch(backend, light_config(generations=5), name="block")
    drain(backend)
    loops.delete(backend, loops.launch(backend, toy_config()).id)
    backend.memo.get("evaluator", lambda: SqlShelf(backend, first(backend)).load(1, "model"))
    now = utc_now()
    with backend.database.write() as session:
        session.add(User(name="ann", role="admin", password_hash="hash", created_at=now))
        session.add(User(name="bob", role="runner", password_hash="hash", created_at=now))
        session.flush()
        session.add(LoginSession(digest="0" * 64, user="ann", created_at=now, expires_at=now))
        for name in ("ann", "bob"):
            session.add(ApiToken(id=name, user=name, role="viewer", digest=name * 20, created_at=now))
        session.add(
            WorkerProcess(
                name="h:1", queues="", host="h", pid=1, device="", facts={}, started_at=now, seen_at=now
            )
        )  # fmt: skip
    return backend


def first(backend: Backend) -> str:
    return next(loop.id for loop in loops.list_loops(backend) if loop.name == "stages ü")


def rows(backend: Backend) -> dict[str, list[Any]]:
    with backend.database.read() as session:
        return {
            table.name: [tuple(row) for row in session.execute(select(table).order_by(*table.primary_key.columns))]
            for table in tables()
            if table.name != "counters"
        }
