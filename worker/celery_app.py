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
from backend.queue import CPU, GPU, celery_app
from backend.settings import Settings
from core.errors import InvalidConfig

log = logging.getLogger(__name__)

WARM = {  # what the first task would wait for
    GPU: ("torch", "model.generator", "model.evaluator"),
    CPU: ("torch", "model.generator", "corrector.physics", "pybullet", "scipy.linalg"),
}


class Process:
    """What a worker process holds: its backend (opened after the fork), name and device.

    ``leave`` is shared with forked children: the parent hears the signal, they do the work.
    """

    def __init__(self, settings: Settings, device: str) -> None:
        self.settings, self.device = settings, device
        self._leave = mmap.mmap(-1, 1)

    @cached_property
    def backend(self) -> Backend:
        return open_backend(self.settings, migrate=False)

    @property
    def name(self) -> str:
        return f"{socket.gethostname()}:{os.getpid()}"

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
    cores, physics = os.cpu_count() or 2, settings.processes_for_physics
    threads = min(4, max(1, cores // 2)) if solo else 1
    os.nice(2 if solo else 5)  # the server answers first, then the chain of generations, then what is plentiful
    os.environ["OMP_NUM_THREADS"] = str(threads)
    logs.configure(settings, "worker")
    open_backend(settings).close()  # migrated before anybody works
    process = Process(settings, settings.device if solo else "cpu")
    app = create_app(settings, process)
    _connect_signals(process, solo, (lambda: warm_up(names[0], threads)) if warm else lambda: None)
    pool = ["--pool", "solo"] if solo else ["--pool", "prefork", "--concurrency", str(physics)]
    app.worker_main(
        [
            "worker", *pool, "--queues", ",".join(names), "--hostname", f"{names[0]}-{os.getpid()}@%h",
            "--loglevel", "INFO", "--without-gossip", "--without-mingle", "--without-heartbeat",
        ]
    )  # fmt: skip
    return 0


def _connect_signals(process: Process, solo: bool, warm_up: Callable[[], None]) -> None:
    from celery import signals

    from worker.reconciler import Reconciler

    def leave(**_: object) -> None:
        process.leave()

    def warm(**_: object) -> None:
        threading.Thread(target=warm_up, name="warm-up", daemon=True).start()

    def reconcile(**_: object) -> None:
        Reconciler(process.backend, process.name).start()

    signals.worker_shutting_down.connect(leave, weak=False)
    if solo:
        warm()
        signals.worker_ready.connect(reconcile, weak=False)  # never in a parent that forks: threads hold locks
    else:
        signals.worker_process_init.connect(warm, weak=False)


def warm_up(queue: str, threads: int) -> None:
    """Import what stages need, so that the first one does not wait for it."""
    for name in WARM[queue]:
        try:
            module = import_module(name)
        except ImportError as error:
            log.warning("Cannot import %s: %s", name, error)
            continue
        if name == "torch":
            module.set_num_threads(threads)
