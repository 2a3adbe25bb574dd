"""The Celery app of a worker, and how a worker is started: one process for networks, several for physics."""

import logging
import mmap
import os
import socket
import threading
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from typing import Any

from backend import logs
from backend.context import Backend, open_backend
from backend.diagnosis import in_one_line, is_database_trouble
from backend.presence import Presence
from backend.queue import CPU, GPU, celery_app
from backend.settings import Settings
from backend.troubles import insist
from core.errors import InvalidConfig

log = logging.getLogger(__name__)

START_WITHIN_S = 300.0  # of the database

WARM = {  # what the first task would wait for
    GPU: ("torch", "model.generator", "model.evaluator"),
    CPU: ("torch", "model.generator", "corrector.physics", "pybullet", "scipy.linalg"),
}


class Process:
    """What a worker process holds: its backend (opened after the fork), name and device.

    ``leave`` is shared with forked children: the parent hears the signal, they do the work.
    """

    def __init__(self, settings: Settings, device: str, queues: str = "") -> None:
        self.settings, self.device, self.queues = settings, device, queues
        self._leave = mmap.mmap(-1, 1)
        self._presence: Presence | None = None

    @cached_property
    def backend(self) -> Backend:
        return open_backend(self.settings, migrate=False)

    @property
    def name(self) -> str:
        return f"{socket.gethostname()}:{os.getpid()}"

    def begin(self) -> None:
        """Say that this process is there. For the one that works: after a fork, never before it."""
        self._presence = Presence(self.backend, self.name, self.queues, self.device)
        self._presence.start()

    def end(self) -> None:
        """Say goodbye."""
        if self._presence is not None:
            self._presence.stop()
            self._presence = None

    def leave(self) -> None:
        self._leave[0] = 1

    def leaving(self) -> bool:
        return self._leave[0] == 1


def create_app(settings: Settings, process: Process) -> Any:
    """The app with its tasks."""
    from worker.tasks import register

    app = celery_app(settings)
    app.set_current()
    register(app, process)
    return app


def run_worker(settings: Settings, queues: str, *, warm: bool = True) -> int:
    """Work until told to stop (SIGTERM gives leases back first); returns the exit status.

    Args:
        queues: ``gpu``, ``cpu`` or ``gpu,cpu``. Networks run in this very process (CUDA and fork do not mix), physics
            in as many children as settings say.
        warm: import beforehand what stages need.

    Raises:
        InvalidConfig: when ``queues`` names another.
    """
    names = [name.strip() for name in queues.split(",") if name.strip()]
    if not names or not set(names) <= {GPU, CPU}:
        raise InvalidConfig(f"There are no queues {queues!r}.", f"Choose {GPU}, {CPU} or {GPU},{CPU}.", "queues")
    solo = GPU in names
    physics = settings.processes_for_physics
    os.nice(2 if solo else 5)  # the server answers first, then the chain of generations, then what is plentiful
    os.environ["OMP_NUM_THREADS"] = "1"  # of children; how many threads stages use, their configs say
    logs.configure(settings, "worker")
    _migrate(settings)
    process = Process(settings, settings.device if solo else "cpu", ",".join(names))
    app = create_app(settings, process)
    _connect_signals(process, solo, (lambda: warm_up(names[0])) if warm else lambda: None)
    pool = ["--pool", "solo"] if solo else ["--pool", "prefork", "--concurrency", str(physics)]
    quiet = ["--quiet"] if settings.log_format == "json" else []
    app.worker_main(
        [
            *quiet, "worker", *pool, "--queues", ",".join(names), "--hostname", f"{names[0]}-{os.getpid()}@%h",
            "--loglevel", "INFO", "--without-gossip", "--without-mingle", "--without-heartbeat",
        ]
    )  # fmt: skip
    return 0


def _migrate(settings: Settings) -> None:
    """Bring the tables up to date before anybody works; where SQL does not answer yet, wait for it a while."""
    try:
        open_backend(settings).close()
    except Exception as error:
        if not is_database_trouble(error):
            raise
        log.warning("SQL does not answer yet; waiting for %.0f s at most: %s", START_WITHIN_S, in_one_line(error))
        insist(lambda: open_backend(settings).close(), START_WITHIN_S)


def _connect_signals(process: Process, solo: bool, warm_up: Callable[[], None]) -> None:
    from celery import signals

    from backend.reconciler import Reconciler

    started: list[Reconciler] = []

    def leave(**_: object) -> None:
        process.leave()

    def warm(**_: object) -> None:
        threading.Thread(target=warm_up, name="warm-up", daemon=True).start()

    def begin(**_: object) -> None:
        process.begin()

    def end(**_: object) -> None:
        process.end()

    def reconcile(**_: object) -> None:
        started.append(Reconciler(process.backend, process.name))
        started[-1].start()

    def stop_reconciling(**_: object) -> None:
        while started:
            started.pop().stop()

    def connect(signal: Any, *receivers: Callable[..., None]) -> None:
        for receiver in receivers:
            signal.connect(receiver, weak=False)

    connect(signals.worker_shutting_down, leave)
    if solo:
        warm()
        connect(signals.worker_ready, reconcile, begin)
        connect(signals.worker_shutdown, stop_reconciling, end)
    else:  # threads and connections begin after the fork: one that forks would hand locks on that nobody opens
        connect(signals.worker_process_init, warm, begin, reconcile)
        connect(signals.worker_process_shutdown, stop_reconciling, end)


def warm_up(queue: str) -> None:
    """Import what stages need, so that the first one does not wait for it."""
    for name in WARM[queue]:
        try:
            import_module(name)
        except ImportError as error:
            log.warning("Cannot import %s: %s", name, error)
