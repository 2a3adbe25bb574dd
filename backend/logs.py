"""Logs of every process: for people, or one JSON object a line, each with the ids of what was being worked on."""

import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from typing import Any, TextIO

from backend.redaction import redacted, redacted_values
from backend.settings import Settings

QUIET = ("alembic", "uvicorn", "httpx", "httpcore", "botocore", "s3transfer", "aiobotocore", "PIL")
"""Libraries whose everyday talk is left out."""

_ABOUT: ContextVar[Mapping[str, object]] = ContextVar("loopscope_about")
_NOTHING: Mapping[str, object] = {}

Fields = MutableMapping[str, Any]


def configure(settings: Settings, role: str, stream: TextIO | None = None) -> None:
    """Send this process' logs to standard error, secrets taken out.

    Libraries that bring handlers of their own (uvicorn, Celery) speak through the same one. Calling it again replaces
    what the last call installed.

    Args:
        role: server, worker or command.
        stream: another one than standard error.
    """
    handler = _Handler(stream)
    handler.setFormatter(_formatter(settings.log_format, role))
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    if role == "worker":
        _keep_celery_from_configuring()


@contextmanager
def about(**ids: object) -> Iterator[None]:
    """Every line logged inside carries these (loop, generation, stage, part, attempt), libraries' lines too."""
    token = _ABOUT.set({**_ABOUT.get(_NOTHING), **ids})
    try:
        yield
    finally:
        _ABOUT.reset(token)


def carried(target: Callable[..., Any]) -> Callable[..., Any]:
    """``target`` for another thread, whose lines are about what this thread's are about now."""
    context = copy_context()
    return lambda *args, **more: context.run(target, *args, **more)


class _Handler(logging.StreamHandler[TextIO]):
    """Ours among the root's handlers; without a stream, to what is standard error when a line is written."""

    def __init__(self, stream: TextIO | None) -> None:
        self._chosen = stream
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return self._chosen or sys.stderr

    @stream.setter
    def stream(self, stream: TextIO) -> None:
        self._chosen = stream

    def handleError(self, record: logging.LogRecord) -> None:
        """One line instead of a traceback that repeats what was to be logged, secrets included."""
        with suppress(Exception):
            sys.stderr.write(f"A line of {record.name} could not be logged: {redacted(repr(record.msg))}\n")


def _formatter(log_format: str, role: str) -> logging.Formatter:
    import structlog

    render = structlog.processors.JSONRenderer(default=str, ensure_ascii=False) if log_format == "json" else _as_text
    host = socket.gethostname()

    def add_ids(logger: object, method: str, fields: Fields) -> Fields:
        """Who says it, and what it is about."""
        del logger, method
        record = fields.get("_record")
        pid = record.process if record is not None and record.process else os.getpid()
        return {
            "time": fields.pop("timestamp", None),
            "level": fields.pop("level", None),
            "logger": fields.pop("logger", None),
            "event": fields.pop("event", ""),
            "role": role,
            "pid": pid,
            "worker": f"{host}:{pid}",
            **_ABOUT.get(_NOTHING),
            **fields,
        }

    def redact(logger: object, method: str, fields: Fields) -> Fields:
        del logger, method
        return {key: redacted_values(value if _plain(value) else str(value)) for key, value in fields.items()}

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True)
            if log_format == "json"
            else structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
        ],
        processors=[
            add_ids,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            redact,
            render,
        ],
    )


def _plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float | str | dict | list | tuple)


_OF_ALL_LINES = ("time", "level", "logger", "event", "role", "pid", "worker", "exception", "stack")


def _as_text(logger: object, method: str, fields: Fields) -> str:
    """One line to read; a traceback follows on lines of its own."""
    del logger, method
    ids = " ".join(f"{key}={_in_one_line(value)}" for key, value in fields.items() if key not in _OF_ALL_LINES)
    line = f"{fields['time']} {str(fields['level']).upper()} {fields['logger']} {_in_one_line(fields['event'])}"
    parts = [f"{line} [{ids}]" if ids else line, fields.get("stack"), fields.get("exception")]
    return "\n".join(str(part) for part in parts if part)


def _in_one_line(value: object) -> str:
    """Without line breaks and control characters: what a user typed cannot look like another line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(value))


def _uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger(__name__).critical("Ended by an error", exc_info=(kind, error, trace))


def _uncaught_in_thread(args: Any) -> None:
    if args.exc_type is SystemExit or args.exc_value is None:
        return
    name = args.thread.name if args.thread is not None else "?"
    trace = (args.exc_type, args.exc_value, args.exc_traceback)
    logging.getLogger(__name__).error("The thread %s ended by an error", redacted(name), exc_info=trace)


def _keep_celery_from_configuring() -> None:
    """A receiver of this signal is what Celery takes as: logging is configured already."""
    from celery import signals

    signals.setup_logging.connect(_configured_already, weak=False, dispatch_uid="loopscope-logs")


def _configured_already(**_: object) -> None:
    """What Celery calls instead of installing handlers."""
