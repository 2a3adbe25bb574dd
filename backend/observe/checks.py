"""Whether what the server needs is there: database, tables, broker, data folder, artifact store; each in words."""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from functools import lru_cache

from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from backend.context import Backend
from backend.queue import CPU
from backend.redaction import redacted

PATIENCE_S = 6.0
KEEP_S = 2.0


class CheckView(BaseModel):
    """One thing that is needed. ``seconds``: how long it took to answer."""

    model_config = ConfigDict(frozen=True)

    name: str
    ok: bool
    sentence: str
    seconds: float


Outcome = tuple[bool, str]


class Check:
    """Asks in a thread of its own, so that what never answers holds nobody up, and is not asked a second time.

    Args:
        ask: whether it is well, and in words how it is; what it raises counts as not well.
    """

    def __init__(self, name: str, ask: Callable[[], Outcome], *, patience_s: float = PATIENCE_S) -> None:
        self.name, self._ask, self._patience_s = name, ask, patience_s
        self._lock = threading.Lock()
        self._began = 0.0
        self._over = threading.Event()
        self._over.set()  # nothing is awaited yet
        self._found: CheckView | None = None

    def begin(self) -> None:
        """Ask, unless an answer is still awaited."""
        with self._lock:
            if not self._over.is_set():
                return
            self._began, self._over, self._found = time.monotonic(), threading.Event(), None
            threading.Thread(
                target=self._run, args=(self._began, self._over), name=f"check-{self.name}", daemon=True
            ).start()

    def result(self) -> CheckView:
        """The answer to what was asked, once it is there or patience ends."""
        waited = time.monotonic() - self._began
        self._over.wait(max(self._patience_s - waited, 0.0))
        found = self._found
        if found is not None:
            return found
        waited = time.monotonic() - self._began
        return CheckView(name=self.name, ok=False, sentence=f"does not answer, for {waited:.0f} s now", seconds=waited)

    def _run(self, began: float, over: threading.Event) -> None:
        try:
            ok, sentence = self._ask()
        except SQLAlchemyError as error:
            ok, sentence = False, f"does not answer: {first_line(getattr(error, 'orig', None) or error)}"
        except Exception as error:  # a part of any kind may be broken in any way; that is what is asked
            ok, sentence = False, f"does not answer: {first_line(error)}"
        self._found = CheckView(name=self.name, ok=ok, sentence=sentence, seconds=time.monotonic() - began)
        over.set()


def checks(backend: Backend) -> list[Check]:
    """Everything that the server needs, in the order in which it is told."""
    asked: Mapping[str, Callable[[], Outcome]] = {
        "database": lambda: _database(backend),
        "tables": lambda: _tables(backend),
        "broker": lambda: _broker(backend),
        "data folder": lambda: _folder(backend),
        "artifact store": lambda: _store(backend),
    }
    return [Check(name, ask) for name, ask in asked.items()]


def examine(asked: list[Check]) -> list[CheckView]:
    """All answers; as slow as the slowest."""
    for check in asked:
        check.begin()
    return [check.result() for check in asked]


def first_line(error: BaseException) -> str:
    """Of what an error says, without secrets."""
    lines = str(error).strip().splitlines()
    return redacted(lines[0][:200]) if lines else type(error).__name__


@lru_cache(maxsize=1)
def newest_revision() -> str:
    """Of the tables, as this program needs them."""
    from alembic.script import ScriptDirectory

    from backend.migrations import configuration

    return ScriptDirectory.from_config(configuration()).get_current_head() or ""


def _database(backend: Backend) -> Outcome:
    began = time.perf_counter()
    with backend.database.read() as session:
        session.execute(text("SELECT 1"))
    return True, f"answers in {1000 * (time.perf_counter() - began):.1f} ms"


def _tables(backend: Backend) -> Outcome:
    with backend.database.read() as session:
        found = str(session.scalar(text("SELECT version_num FROM alembic_version")) or "none")
    if found == newest_revision():
        return True, f"are up to date ({found})"
    return False, f"are at {found}, this program needs {newest_revision()}: start its server or a worker once"


def _broker(backend: Backend) -> Outcome:
    if backend.queue.waiting(CPU) is None:
        return False, "does not answer; loops wait until it does"
    return True, "answers"


def _folder(backend: Backend) -> Outcome:
    home = backend.settings.home
    with tempfile.NamedTemporaryFile(dir=home, prefix=".ready-") as file:
        file.write(b"ready")
        file.flush()
        os.fsync(file.fileno())
    free_mb = shutil.disk_usage(home).free / 1e6
    needed_mb = backend.settings.min_free_mb
    if free_mb < needed_mb:
        return False, f"has {free_mb:,.0f} MB left, less than the {needed_mb:,.0f} MB of LOOPSCOPE_MIN_FREE_MB"
    return True, f"can be written, {free_mb / 1000:,.1f} GB free"


def _store(backend: Backend) -> Outcome:
    backend.store.blobs.check()
    return True, f"{backend.store.blobs.where} answers"
