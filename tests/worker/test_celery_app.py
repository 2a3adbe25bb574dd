import logging
import os
import time
from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from backend.context import Backend, open_backend
from backend.presence import workers
from backend.queue import PREPARE, RUN_NEXT
from backend.settings import Settings
from core.errors import InvalidConfig
from worker import celery_app
from worker.celery_app import Process, create_app, run_worker, warm_up


@pytest.mark.parametrize("queues", ["", "tpu", "gpu,tpu"])
def test_unknown_queues_are_refused(make_settings: Callable[..., Settings], queues: str) -> None:
    with pytest.raises(InvalidConfig, match="queues"):
        run_worker(make_settings(), queues)


def test_a_worker_knows_both_tasks(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings()
    app = create_app(settings, Process(settings, "cpu"))
    assert {RUN_NEXT, PREPARE} <= set(app.tasks)
    app.close()


def test_children_hear_that_their_parent_leaves(make_settings: Callable[..., Settings]) -> None:
    process = Process(make_settings(), "cpu")
    assert not process.leaving()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.read(reader, 1)  # the parent has said it by then
        os._exit(7 if process.leaving() else 1)
    process.leave()
    os.write(writer, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_what_cannot_be_imported_is_no_error(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setitem(celery_app.WARM, "cpu", ("no_such_module", "json"))
    with caplog.at_level(logging.WARNING):
        warm_up("cpu")
    assert "no_such_module" in caplog.text


def test_a_process_says_that_it_is_there_and_goodbye(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings()
    open_backend(settings).close()
    process = Process(settings, "cpu", "cpu")
    process.begin()
    limit = time.monotonic() + 20
    while not (found := workers(process.backend)) and time.monotonic() < limit:
        time.sleep(0.02)
    assert [(worker.name, worker.state) for worker in found] == [(process.name, "alive")]
    process.end()
    process.end()
    assert [worker.state for worker in workers(process.backend)] == ["ended"]
    process.backend.close()


def test_a_worker_waits_for_a_database_that_comes_up_with_it(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings, tried = make_settings(), []

    def late(settings: Settings) -> Backend:
        tried.append(1)
        if len(tried) < 3:
            raise OperationalError("", {}, psycopg.OperationalError("connection refused"))
        return open_backend(settings)

    monkeypatch.setattr(celery_app, "open_backend", late)
    celery_app._migrate(settings)
    assert len(tried) == 3
    assert "SQL does not answer yet" in caplog.text
