"""Ends processes with SIGKILL at instants, and with victims, that a seed chooses."""

import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from backend.context import Backend
from backend.processes import Supervisor
from backend.tables import Stage

VICTIMS = {"gpu": 5, "cpu": 3, "cpu child": 5, "server": 3, "broker": 4}
"""How often each is chosen, relative to the others."""
GROWN_S = 4.0  # about as long as a process takes to be of use
PATIENCE_S = 5.0  # waiting for a victim to be as the plan wants it
STARTING_S = 60.0  # waiting, on a busy machine, for a victim to have started
TOGETHER = 0.15  # share of instants that end two processes


@dataclass(frozen=True)
class Kill:
    """One instant: so long after the last one, these; ``at_work``: while a worker among them holds a stage."""

    after_s: float
    victims: tuple[str, ...]
    grown: bool
    at_work: bool


def plan(kills: int, seed: int, shortest_s: float, longest_s: float) -> list[Kill]:
    """Instants with ``kills`` victims in all."""
    chance = random.Random(seed)
    names, weights = list(VICTIMS), list(VICTIMS.values())
    found: list[Kill] = []
    left = kills
    while left > 0:
        count = 2 if left > 1 and chance.random() < TOGETHER else 1
        victims: list[str] = []
        while len(victims) < count:
            victim = chance.choices(names, weights)[0]
            if victim not in victims:
                victims.append(victim)
        found.append(
            Kill(chance.uniform(shortest_s, longest_s), tuple(victims), chance.random() < 0.8, chance.random() < 0.5)
        )
        left -= count
    return found


@dataclass
class Killer(threading.Thread):
    """Carries a plan out.

    Attributes:
        killed: how many of each victim.
        at_work: how many processes held a stage when they were killed.
        orphans: (process id, start) of children whose parent was killed: they must end by themselves.
    """

    supervisor: Supervisor
    backend: Backend
    kills: Sequence[Kill]
    killed: Counter[str] = field(default_factory=Counter)
    at_work: int = 0
    orphans: list[psutil.Process] = field(default_factory=list)
    last_at: float = 0.0

    def __post_init__(self) -> None:
        super().__init__(name="killer", daemon=True)

    def __hash__(self) -> int:
        return id(self)

    @property
    def spent(self) -> int:
        return self.killed.total()

    def run(self) -> None:
        for kill in self.kills:
            time.sleep(kill.after_s)
            self._carry_out(kill)

    def _carry_out(self, kill: Kill) -> None:
        limit = time.monotonic() + PATIENCE_S
        waiting = list(kill.victims)
        while waiting:
            late = time.monotonic() > limit
            busy = self._busy()
            for name in list(waiting):
                victim = self._process(name, busy)
                if victim is None:
                    continue
                young = kill.grown and not self._grown(name, victim)
                idle = kill.at_work and name in ("gpu", "cpu child") and victim.pid not in busy
                if (young and time.monotonic() < limit + STARTING_S) or (idle and not late):
                    continue
                if self._kill(name, victim):
                    self.at_work += victim.pid in busy
                    waiting.remove(name)
            time.sleep(0.05)

    def _kill(self, name: str, victim: psutil.Process) -> bool:
        try:
            children = victim.children() if name == "cpu" else []
            os.kill(victim.pid, signal.SIGKILL)
        except (psutil.Error, ProcessLookupError):
            return False
        self.orphans += children
        self.killed[name] += 1
        self.last_at = time.monotonic()
        # The supervisor takes what falls again and again for broken, and waits longer and longer: not here.
        self.supervisor.child(_child_of(name)).pause_s = 0.5
        return True

    def _process(self, name: str, busy: set[int]) -> psutil.Process | None:
        """The process to kill, None where there is none now; of the children one that is at work, if any is."""
        child = self.supervisor.child(_child_of(name))
        if not child.alive or child.process is None:
            return None
        try:
            process = psutil.Process(child.process.pid)
            if name != "cpu child":
                return process
            children = sorted(process.children(), key=lambda one: (one.pid not in busy, one.pid))
            return children[0] if children else None
        except psutil.Error:
            return None

    def _grown(self, name: str, process: psutil.Process) -> bool:
        """Whether a process has had time to start; the server, whether it listens."""
        if name != "server":
            return bool(time.time() - process.create_time() >= GROWN_S)
        settings = self.supervisor.settings
        try:
            socket.create_connection((settings.host, settings.port), timeout=1).close()
        except OSError:
            return False
        return True

    def _busy(self) -> set[int]:
        """Processes that hold a stage."""
        try:
            with self.backend.database.read() as session:
                workers = session.scalars(select(Stage.worker).where(Stage.state == "running")).all()
        except SQLAlchemyError:
            return set()
        return {int(worker.rpartition(":")[2]) for worker in workers if worker.rpartition(":")[2].isdigit()}


def _child_of(victim: str) -> str:
    """The supervisor's name for the process that a victim is, or belongs to."""
    return "cpu" if victim == "cpu child" else victim


def survivors(orphans: Sequence[psutil.Process]) -> list[int]:
    """Those that live on, though their parent was killed."""
    return [process.pid for process in orphans if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
