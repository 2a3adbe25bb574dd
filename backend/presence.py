"""Processes tell SQL that they are there, what they are, and what they do; and who is there, for those who ask."""

import logging
import os
import platform
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from backend.context import Backend
from backend.jobs import AT_WORK, KINDS
from backend.journal import sql_now
from backend.tables import Loop, Stage, WorkerProcess

log = logging.getLogger(__name__)

PERIOD_S = 5.0
LONGEST_PAUSE_S = 60.0
ALIVE_S = 15.0  # silence after which a process counts as lost
FORGOTTEN_AFTER = timedelta(days=1)
SWEEP_EVERY = 720  # beats, an hour
GOODBYE_S = 2.0

ProcessState = Literal["alive", "silent", "ended"]


class Presence:
    """Keeps a row of :class:`backend.tables.WorkerProcess` fresh, from a thread of its own.

    Start it in the process that works (after a fork, not before). While SQL is away it asks less and less often, and
    nothing of it is ever raised.

    Args:
        name: ``host:pid``, as stages name their worker.
        queues: ``gpu``, ``cpu`` or ``gpu,cpu``; empty for a process that takes no stages.
        device: ``auto``, ``cuda`` or ``cpu`` of a worker; anything else (``server``) is shown as it is.
        period_s: seconds between two signs of life.
    """

    def __init__(self, backend: Backend, name: str, queues: str, device: str, *, period_s: float = PERIOD_S) -> None:
        self.backend, self.name, self.queues, self.device = backend, name, queues, device
        self._period_s = period_s
        self._doing = ""
        self._beats = 0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; never raises when SQL is away."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="presence", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Say goodbye. Waits for it a moment, not longer."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(GOODBYE_S)

    @contextmanager
    def doing(self, text: str) -> Iterator[None]:
        """What the process does, where no stage or job of its name says it."""
        before, self._doing = self._doing, text
        try:
            yield
        finally:
            self._doing = before

    def beat(self) -> None:
        """One sign of life.

        Raises:
            SQLAlchemyError: when SQL is away.
        """
        values = {"queues": self.queues, "device": self._device(), "facts": self._facts()}
        with self.backend.database.write() as session:
            now = sql_now(session)
            known = WorkerProcess.name == self.name
            if self._beats:
                found = session.execute(update(WorkerProcess).where(known).values(seen_at=now, **values))
                fresh = bool(found.rowcount)  # type: ignore[attr-defined]
            else:
                fresh = False
            if not fresh:
                session.merge(
                    WorkerProcess(
                        name=self.name, host=socket.gethostname(), pid=os.getpid(), started_at=now, seen_at=now,
                        stopped_at=None, **values,
                    )
                )  # fmt: skip
            if self._beats % SWEEP_EVERY == 0:
                session.execute(delete(WorkerProcess).where(WorkerProcess.seen_at < now - FORGOTTEN_AFTER))
        self._beats += 1

    def _run(self) -> None:
        pause_s, away = 0.0, False
        while not self._over.wait(pause_s):
            try:
                self.beat()
                pause_s, away = self._period_s, False
            except Exception as error:  # whatever it is: the work beside this thread goes on
                if not away:
                    log.warning("Cannot say that this process is here: %s", error)
                pause_s, away = min(max(2 * pause_s, self._period_s), LONGEST_PAUSE_S), True
        if not away:
            with suppress(Exception):
                self._goodbye()

    def _goodbye(self) -> None:
        with self.backend.database.write() as session:
            now = sql_now(session)
            session.execute(
                update(WorkerProcess).where(WorkerProcess.name == self.name).values(seen_at=now, stopped_at=now)
            )

    @cached_property
    def _process(self) -> Any:
        import psutil

        process = psutil.Process()
        process.cpu_percent(None)  # the next call tells of the time since this one
        return process

    def _facts(self) -> dict[str, Any]:
        """Versions, memory in MB, processor in percent of one core."""
        facts: dict[str, Any] = {
            "versions": {"loopscope": version("loopscope"), "python": platform.python_version()},
            "doing": self._doing,
        }
        with suppress(Exception):  # psutil's, where a system does not tell
            facts["rss_mb"] = round(self._process.memory_info().rss / 1e6, 1)
            facts["cpu_percent"] = round(self._process.cpu_percent(None), 1)
        torch = sys.modules.get("torch")
        if torch is not None and hasattr(torch, "__version__"):
            facts["versions"]["torch"] = str(torch.__version__)
        cuda = self._cuda()
        if cuda is not None:
            with suppress(Exception):
                free, total = cuda.mem_get_info()
                facts["gpu_used_mb"], facts["gpu_total_mb"] = round((total - free) / 1e6), round(total / 1e6)
                facts["gpu_own_mb"] = round(cuda.memory_reserved() / 1e6)
        return facts

    def _torch_cuda(self) -> Any:
        """``torch.cuda`` where this process may compute with it and has loaded it; None elsewhere."""
        if self.device not in ("auto", "cuda") or "torch.cuda" not in sys.modules:
            return None
        return getattr(sys.modules.get("torch"), "cuda", None)

    def _cuda(self) -> Any:
        """``torch.cuda`` once this process computes with it; nothing is begun here."""
        cuda = self._torch_cuda()
        with suppress(Exception):  # it may be half imported just now
            return cuda if cuda is not None and cuda.is_initialized() else None
        return None

    def _device(self) -> str:
        """Name of the device; empty before it is known."""
        if self.device not in ("auto", "cuda"):
            return self.device
        cuda = self._torch_cuda()
        with suppress(Exception):
            if cuda is not None and cuda.is_initialized():
                return str(cuda.get_device_name())
            if cuda is not None:
                return "CUDA" if cuda.is_available() else "cpu"
        return ""


class Task(BaseModel):
    """What a process works on. ``loop_id`` is empty for work outside of a loop."""

    model_config = ConfigDict(frozen=True)

    loop_id: str = ""
    loop_name: str = ""
    sentence: str
    since: datetime | None = None


class ProcessView(BaseModel):
    """A process of the installation.

    Attributes:
        name: ``host:pid``.
        kind: of what it takes stages; a server takes none.
        state: ``alive``: heard of in the last :data:`ALIVE_S` seconds; ``ended``: it said goodbye.
        sentence: that state in words.
        silent_s: seconds since it was last heard of.
        rss_mb, cpu_percent: memory, and processor in percent of one core; None where unknown.
        gpu_used_mb, gpu_total_mb: of its whole device.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Literal["worker", "server"]
    queues: list[str]
    host: str
    pid: int
    device: str
    state: ProcessState
    sentence: str
    silent_s: float
    tasks: list[Task]
    rss_mb: float | None = None
    cpu_percent: float | None = None
    gpu_used_mb: float | None = None
    gpu_total_mb: float | None = None
    versions: dict[str, str] = {}
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None = None


def workers(backend: Backend) -> list[ProcessView]:
    """Processes of the last day, those that are there first.

    Raises:
        SQLAlchemyError: when SQL is away.
    """
    with backend.database.read() as session:
        now = sql_now(session)
        rows = session.scalars(select(WorkerProcess).where(WorkerProcess.seen_at > now - FORGOTTEN_AFTER)).all()
        tasks = _tasks(session)
    order: Sequence[ProcessState] = ("alive", "silent", "ended")
    views = [_view(row, tasks.get(row.name, []), now) for row in rows]

    def place(view: ProcessView) -> tuple[int, float, bool, str, int]:
        """Those that are there stay where they are; of the others, the last that went comes first."""
        went = 0.0 if view.state == "alive" else -view.seen_at.timestamp()
        return order.index(view.state), went, view.kind == "server", ",".join(view.queues), view.pid

    return sorted(views, key=place)


def device_found(backend: Backend) -> Literal["cuda", "cpu"]:
    """What networks will run on: as the settings say; else as the workers that train say, or this machine's driver
    where none has said yet."""
    if backend.settings.device != "auto":
        return "cuda" if backend.settings.device == "cuda" else "cpu"
    said = {view.device for view in workers(backend) if "gpu" in view.queues and view.state == "alive"} - {"", "auto"}
    if said:
        return "cpu" if said == {"cpu"} else "cuda"
    return "cuda" if Path("/proc/driver/nvidia/version").exists() else "cpu"


def _view(row: WorkerProcess, tasks: list[Task], now: datetime) -> ProcessView:
    silent_s = max((now - row.seen_at).total_seconds(), 0.0)
    state: ProcessState = "ended" if row.stopped_at is not None else "alive" if silent_s <= ALIVE_S else "silent"
    queues = [name for name in row.queues.split(",") if name]
    facts = row.facts
    if not tasks and facts.get("doing"):
        tasks = [Task(sentence=str(facts["doing"]))]
    words = {"alive": "At work" if tasks else "Idle", "silent": f"Silent for {silent_s:.0f} s", "ended": "Ended"}
    return ProcessView(
        name=row.name, kind="worker" if queues else "server", queues=queues, host=row.host, pid=row.pid,
        device=row.device, state=state, sentence="Here" if state == "alive" and not queues else words[state],
        silent_s=silent_s, tasks=tasks if state != "ended" else [],
        rss_mb=facts.get("rss_mb"), cpu_percent=facts.get("cpu_percent"), gpu_used_mb=facts.get("gpu_used_mb"),
        gpu_total_mb=facts.get("gpu_total_mb"), versions=facts.get("versions", {}), started_at=row.started_at,
        seen_at=row.seen_at, stopped_at=row.stopped_at,
    )  # fmt: skip


def _tasks(session: Session) -> dict[str, list[Task]]:
    """What each worker does, by its name: rows of stages and jobs that it holds."""
    found: dict[str, list[Task]] = {}
    stages = session.execute(
        select(Stage.worker, Stage.loop_id, Loop.name, Stage.stage, Stage.generation, Stage.part, Stage.started_at)
        .join(Loop, Loop.id == Stage.loop_id)
        .where(Stage.state == "running")
        .order_by(Stage.started_at)
    )
    for worker, loop_id, name, stage, generation, part, since in stages:
        sentence = f"{stage} {generation}" + (f", part {part + 1}" if part else "")
        task = Task(loop_id=loop_id, loop_name=name, sentence=sentence, since=since)
        found.setdefault(worker, []).append(task)
    for kind in KINDS:
        table = kind.table
        for worker, since in session.execute(select(table.worker, table.started_at).where(table.state.in_(AT_WORK))):
            found.setdefault(worker, []).append(Task(sentence=kind.doing, since=since))
    return found
