"""A corrector spread over processes of this machine: for files, examples, benchmarks and audits, where no workers run.

Every process is a fresh interpreter that keeps its physics world and computes with one thread. It asks for what a
corrector learned (bounds, dead zone) here, so that each such thing is computed once, in one process or another.
"""

import math
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NoReturn, Self

import numpy as np

from core.config import PartConfig
from core.errors import LoopscopeError, SimulationFailed
from core.motion import MotionBatch
from core.protocols import Corrections, Corrector, Memo, Reference, Tick, cost_of, silent
from core.records import Item
from corrector.pool_child import WAIT_S, built

TASK_S = (0.1, 0.5)
"""Work of one task by the corrector's own word, least and most: worth a message, and little to wait for at the end."""
TASKS = 4  # per process, where that makes them no smaller
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM")}


def correct_in_processes(
    part: PartConfig, samples: MotionBatch, *, processes: int, reference: Reference | None = None, seed: int = 0,
    tick: Tick = silent,
) -> Corrections:  # fmt: skip
    """Correct a batch with a corrector of the registry in several processes; the result is that of one.

    Args:
        processes: how many; with 1 nothing is started.
        reference: real motion that the corrector learns its bounds from.

    Raises:
        UnknownPart, InvalidConfig: for a corrector that cannot be.
        SimulationFailed: when a process ended unexpectedly.
    """
    with CorrectorPool(part, processes, reference) as pool:
        return pool.correct(samples, seed=seed, tick=tick)


@dataclass
class _Task:
    """Rows of one of the batches."""

    batch: int
    rows: slice
    weight: float


@dataclass
class _Process:
    """A child and what it is at."""

    process: "subprocess.Popen[bytes]"
    line: Connection
    known: set[int] = field(default_factory=set)  # batches that it has
    task: _Task | None = None
    fraction: float = 0.0


@dataclass
class CorrectorPool:
    """Implements :class:`core.protocols.Corrector`; processes start at its first use and end with :meth:`close`.

    Attributes:
        part: a corrector of the registry and its options.
        processes: how many.
        splittable: False: the pool itself splits what it is given.
    """

    part: PartConfig
    processes: int
    reference: Reference | None = None
    splittable: bool = False
    _corrector: Corrector = field(init=False, repr=False)
    _running: list[_Process] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self._corrector = built(self.part, self.reference)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pids(self) -> list[int]:
        """Process ids of the running children."""
        return [child.process.pid for child in self._running]

    def close(self) -> None:
        """End all processes, also in the midst of their work."""
        for child in self._running:
            child.line.close()
            child.process.kill()
        for child in self._running:
            child.process.wait()
        self._running.clear()

    def correct(
        self, samples: MotionBatch, *, rows: slice = slice(None), seed: int = 0, tick: Tick = silent
    ) -> Corrections:
        """See the protocol."""
        if self.processes <= 1 or not len(np.arange(len(samples))[rows]):
            return self._corrector.correct(samples, rows=rows, seed=seed, tick=tick)
        return self._run([(samples, rows)], seed, tick)[0]

    def correct_each(self, batches: Sequence[MotionBatch], *, seed: int = 0, tick: Tick = silent) -> list[Corrections]:
        """Correct several batches, of different bodies and lengths if need be; each as if it were alone."""
        if self.processes > 1:
            return self._run([(batch, slice(None)) for batch in batches], seed, tick)
        found = []
        for k, batch in enumerate(batches):

            def part_tick(fraction: float, sentence: str, k: int = k) -> None:
                tick((k + fraction) / len(batches), sentence)

            found.append(self._corrector.correct(batch, seed=seed, tick=part_tick))
        return found

    def _run(self, batches: list[tuple[MotionBatch, slice]], seed: int, tick: Tick) -> list[Corrections]:
        tasks = [task for k, (batch, rows) in enumerate(batches) for task in self._tasks(k, batch, rows)]
        try:
            self._start(min(self.processes, len(tasks)))
            for child in self._running:
                child.known.clear()
            done = _Round(self._running, [b for b, _ in batches], tasks, seed, self.reference, tick).run()
        except BaseException:
            self.close()  # a child in the midst of something cannot be used again
            raise
        return [_joined([c for task, c in done if task.batch == k]) for k in range(len(batches))]

    def _tasks(self, k: int, batch: MotionBatch, rows: slice) -> list[_Task]:
        start, stop, _ = rows.indices(len(batch))
        size = max(stop - start, 1)
        if self._corrector.splittable:
            least, most = (math.ceil(seconds / max(cost_of(self._corrector), 1e-6)) for seconds in TASK_S)
            size = min(max(-(-size // (TASKS * self.processes)), least), most)
        edges = [*range(start, stop, size), stop] if stop > start else [0, 0]
        return [
            _Task(k, slice(a, b), float((b - a) * batch.frames * batch.skeleton.joint_count))
            for a, b in zip(edges, edges[1:], strict=False)
        ]

    def _start(self, count: int) -> None:
        while len(self._running) < count:
            ours, theirs = Pipe()
            root = str(Path(__file__).resolve().parents[1])
            paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", f"from corrector.pool_child import serve; serve({theirs.fileno()})"],
                env={**os.environ, **ONE_THREAD, "PYTHONPATH": paths},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
            theirs.close()
            child = _Process(process, ours)
            self._running.append(child)
            real = None if self.reference is None else (self.reference.real, self.reference.digest)
            _tell(child, (self.part, real))


class _Absent(Exception):
    """Raised in place of computing, to learn whether a memo has a thing."""


@dataclass
class _Round:
    """One call of the pool: hands out tasks, answers what children ask, collects results."""

    children: list[_Process]
    batches: list[MotionBatch]
    tasks: list[_Task]
    seed: int
    reference: Reference | None
    tick: Tick
    done: list[tuple[_Task, Corrections]] = field(default_factory=list)
    asked: dict[str, list[_Process]] = field(default_factory=dict)  # who waits for what another one computes

    def run(self) -> list[tuple[_Task, Corrections]]:
        """All results, in the order of batches and rows."""
        waiting = sorted(
            self.tasks, key=lambda task: -task.weight
        )  # the longest first, so that none is left to wait for
        total, last = sum(task.weight for task in self.tasks) or 1.0, 0.0
        while len(self.done) < len(self.tasks):
            for child in self.children:
                if child.task is None and waiting:
                    self._give(child, waiting.pop(0))
            lines = {child.line: child for child in self.children if child.task is not None}
            for line in wait(list(lines), timeout=WAIT_S):
                assert isinstance(line, Connection)
                self._hear(lines[line])
            if time.monotonic() - last > WAIT_S or len(self.done) == len(self.tasks):
                last = time.monotonic()
                weight = sum(task.weight for task, _ in self.done)
                weight += sum(child.task.weight * child.fraction for child in self.children if child.task is not None)
                count = sum(task.rows.stop - task.rows.start for task, _ in self.done)
                of = sum(task.rows.stop - task.rows.start for task in self.tasks)
                self.tick(weight / total, f"Corrected {count} of {of} motions in {len(self.children)} processes")
        return sorted(self.done, key=lambda pair: (pair[0].batch, pair[0].rows.start))

    def _give(self, child: _Process, task: _Task) -> None:
        batch = None if task.batch in child.known else self.batches[task.batch]
        child.known, child.task, child.fraction = {task.batch}, task, 0.0
        _tell(child, (batch, task.rows, self.seed))

    def _hear(self, child: _Process) -> None:
        try:
            what, value = child.line.recv()
        except (EOFError, OSError):
            _lost(child)
        if what == "tick":
            child.fraction = value
        elif what == "done":
            assert child.task is not None
            self.done.append((child.task, value))
            child.task = None
        elif what == "want":
            self._answer(child, value)
        elif what == "made":
            key, item = value
            kept = self._memo().get(key, lambda: item)
            for other in self.asked.pop(key):
                _tell(other, kept)
        elif isinstance(value, LoopscopeError):
            raise value
        else:
            raise SimulationFailed(f"A process of the corrector failed: {value.strip().splitlines()[-1][:300]}", value)

    def _answer(self, child: _Process, key: str) -> None:
        """A thing that the memo has; else who asks first computes it, and the others wait for that."""
        try:
            _tell(child, self._memo().get(key, _absent))
        except _Absent:
            if key not in self.asked:
                _tell(child, None)
            self.asked.setdefault(key, []).append(child)

    def _memo(self) -> Memo:
        assert self.reference is not None
        return self.reference.memo


def _tell(child: _Process, message: Any) -> None:
    try:
        child.line.send(message)
    except (OSError, pickle.PicklingError) as error:
        if isinstance(error, OSError):
            _lost(child)
        raise


def _lost(child: _Process) -> NoReturn:
    """Say how a child ended."""
    child.process.kill()
    status = child.process.wait()
    how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
    raise SimulationFailed(
        f"A process of the corrector {how} in the midst of its work.",
        "It may have run out of memory: use fewer processes, or shorter motions.",
    )


def _absent() -> Item:
    raise _Absent


def _joined(parts: Sequence[Corrections]) -> Corrections:
    """Corrections of successive rows as one."""
    first, *others = parts
    if not others:
        return first
    return replace(
        first,
        samples=first.samples.concat([part.samples for part in others]),
        outcomes=tuple(outcome for part in parts for outcome in part.outcomes),
        tracks={name: np.concatenate([part.tracks[name] for part in parts]) for name in first.tracks},
    )
