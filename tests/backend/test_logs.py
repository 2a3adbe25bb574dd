"""Logs: one JSON object a line with the ids of the work, secrets out, and lines that nobody can forge."""

import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend import logs
from backend.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def configured(make_settings: Callable[..., Settings]) -> Iterator[Callable[..., io.StringIO]]:
    """Configure logs to a text in memory; everything is put back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    hooks = sys.excepthook, threading.excepthook
    levels = {name: logging.getLogger(name).level for name in logs.QUIET}

    def configure(log_format: str = "json", role: str = "worker") -> io.StringIO:
        stream = io.StringIO()
        logs.configure(make_settings(log_format=log_format), role, stream)
        root.handlers[:] = root.handlers[-1:]  # pytest's own raise what cannot be formatted
        return stream

    yield configure
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, found in levels.items():
        logging.getLogger(name).setLevel(found)
    logging.captureWarnings(False)
    sys.excepthook, threading.excepthook = hooks


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object(configured: Callable[..., io.StringIO]) -> None:
    stream = configured()
    logging.getLogger("backend.x").warning("Loop %s waits\nfor disk", "abc")
    [line] = lines(stream)
    assert line["event"] == "Loop abc waits\nfor disk"
    assert (line["level"], line["logger"], line["role"]) == ("warning", "backend.x", "worker")
    assert line["worker"].endswith(f":{line['pid']}") and line["time"].endswith("Z")


def test_lines_carry_what_they_are_about(configured: Callable[..., io.StringIO]) -> None:
    stream = configured()
    log = logging.getLogger("some.library")
    with logs.about(loop="abc", generation=3, stage="learn"):
        with logs.about(part=1, attempt=2):
            log.info("inner")
        log.info("outer")
    log.info("outside")
    inner, outer, outside = lines(stream)
    assert (inner["loop"], inner["generation"], inner["stage"], inner["part"], inner["attempt"]) == (
        "abc", 3, "learn", 1, 2,
    )  # fmt: skip
    assert outer["stage"] == "learn" and "part" not in outer
    assert "loop" not in outside


def test_ids_reach_a_thread_that_carries_them(configured: Callable[..., io.StringIO]) -> None:
    stream = configured()
    with logs.about(loop="abc"):
        thread = threading.Thread(target=logs.carried(logging.getLogger("t").info), args=("%s beats", "it"))
    thread.start()
    thread.join(10)
    [line] = lines(stream)
    assert (line["event"], line["loop"]) == ("it beats", "abc")


def test_an_exception_is_text_inside_the_object(configured: Callable[..., io.StringIO]) -> None:
    stream = configured()
    try:
        raise ValueError("postgresql://me:hunter2hunter2@db/loops")
    except ValueError:
        logging.getLogger("x").exception("It failed")
    [line] = lines(stream)
    assert "Traceback" in line["exception"] and "ValueError" in line["exception"]
    assert "hunter2" not in stream.getvalue()


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_secret_is_written(configured: Callable[..., io.StringIO], log_format: str) -> None:
    stream = configured(log_format)
    secret = "abcdefghijklmnop1234"
    log = logging.getLogger("x")
    log.info("connect to %s", f"redis://:{secret}@h/0")
    log.info("headers", extra={"headers": {"cookie": f"Cookie: s={secret}", "authorization": f"Bearer {secret}"}})
    with logs.about(token=f"ls_{secret}"):
        log.info("about")
    assert secret not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 3


def test_text_cannot_be_forged_by_what_a_user_typed(configured: Callable[..., io.StringIO]) -> None:
    stream = configured("text")
    logging.getLogger("x").info("Loop %r\n%s", "a", "2026-01-01 00:00:00 ERROR x forged\x1b[31m")
    [line] = stream.getvalue().splitlines()
    assert "\\n2026-01-01" in line and "\x1b" not in line


def test_a_line_that_cannot_be_formatted_keeps_its_secrets(
    configured: Callable[..., io.StringIO], capsys: pytest.CaptureFixture[str]
) -> None:
    configured()
    logging.getLogger("x").info("%d of redis://:verysecretword@h", "not a number")
    told = capsys.readouterr().err
    assert "could not be logged" in told and "verysecretword" not in told


def test_configuring_again_replaces_the_first(configured: Callable[..., io.StringIO]) -> None:
    first, second = configured(), configured()
    logging.getLogger("x").info("once")
    assert first.getvalue() == "" and len(lines(second)) == 1


def test_an_error_that_ends_a_thread_is_a_line(configured: Callable[..., io.StringIO]) -> None:
    stream = configured()
    thread = threading.Thread(target=lambda: 1 / 0, name="worker-7")
    thread.start()
    thread.join(10)
    [line] = lines(stream)
    assert "worker-7" in line["event"] and "ZeroDivisionError" in line["exception"]


def test_celery_and_uvicorn_speak_through_the_same_handler() -> None:
    """In a process of its own, because both change what all loggers do."""
    program = (
        "import logging, sys\n"
        "from backend import logs\nfrom backend.queue import celery_app\nfrom backend.settings import Settings\n"
        "settings = Settings(home='/nowhere', log_format='json')\n"
        "logs.configure(settings, 'worker')\n"
        "app = celery_app(settings)\n"
        "app.log.setup(loglevel='INFO', redirect_stdouts=True)\n"
        "logging.getLogger('celery.worker').info('celery speaks')\n"
        "import uvicorn\nuvicorn.Config('x:y', log_config=None, log_level='warning')\n"
        "logging.getLogger('uvicorn.error').warning('uvicorn speaks')\n"
        "logging.getLogger('uvicorn.error').info('uvicorn chatters')\n"
        "raise RuntimeError('ended by redis://:verysecretword@h')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    found = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [line["event"] for line in found] == ["celery speaks", "uvicorn speaks", "Ended by an error"]
    assert "RuntimeError" in found[-1]["exception"] and "verysecretword" not in ended.stderr


def test_the_module_is_cheap_to_import() -> None:
    program = "import sys, backend.logs; print(*[m for m in ('structlog', 'celery', 'rich') if m in sys.modules])"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    assert ended.stdout.split() == []
