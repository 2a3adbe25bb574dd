"""The loops that run under fire, what they must come to, and a person who launches and reads them over HTTP."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from backend.client import Client, Unreachable
from backend.context import Backend
from backend.parts import build_run, check, read_config
from backend.views import GenerationView, LoopView
from core.config import LoopConfig
from core.errors import LoopscopeError
from core.loop import run_loop
from core.memory import MemoryMemo, MemoryShelf
from core.protocols import Memo, Tick, silent
from core.records import Item

PREFIX = "chaos"
TOLERANCE = 1e-12  # of loops that are stacked: sums in another order
PAUSE_S = 0.3
ENDED = ("done", "failed", "cancelled", "stopped")

T = TypeVar("T")
Numbers = dict[int, dict[str, float]]


def motion(seed: int, corrector: str) -> LoopConfig:
    """Motions stage by stage, as small as they can be: many stages a minute."""
    return check(
        read_config(
            {
                "domain": "motion", "n": 16, "generations": 4, "seed": seed, "corrector": {"kind": corrector},
                "training": {"initial_steps": 8, "steps": 4, "batch_size": 16}, "sampling": {"steps": 3},
                "evaluation": {"samples": 16, "panel": 2, "panel_corrector": {"kind": "none"}},
            }
        )
    )  # fmt: skip


def gaussian(seed: int) -> LoopConfig:
    """Points in blocks of generations: a few blocks of two seconds."""
    return check(
        read_config(
            {
                "domain": "gaussian", "n": 1000, "generations": 60, "replicates": 100, "seed": seed,
                "corrector": {"kind": "idealized"},
            }
        )
    )  # fmt: skip


MOTIONS = tuple(motion(seed, corrector) for seed, corrector in enumerate(("none", "kinematic", "kinematic", "none")))
GAUSSIANS = tuple(gaussian(seed) for seed in range(4))
MORE_MOTION, MORE_GAUSSIAN = 1, 20
"""Generations that every loop is extended by once it is done."""


@dataclass
class ReferenceMemo:
    """Generation 0 computed here; what judges (evaluator, bounds, floors) as the workers have it."""

    judges: Memo
    own: MemoryMemo = field(default_factory=MemoryMemo)

    def get(self, key: str, compute: Callable[[], Item], tick: Tick = silent) -> Item:
        memo: Memo = self.own if key.startswith("generation-0") else self.judges
        return memo.get(key, compute, tick)


def warm(backend: Backend) -> None:
    """Compute what all motion loops ask the memo for, which takes longer than a worker lives here."""
    for config in (MOTIONS[0], MOTIONS[1]):
        run = build_run(config, shelf=MemoryShelf(), memo=backend.memo)
        run.domain.evaluator(silent).floor(config.evaluation.samples)
        if run.corrector is not None:
            run.corrector.correct(run.domain.real(config.n), rows=slice(0, 1))


def reference(config: LoopConfig, memo: Memo) -> Numbers:
    """Metrics by generation, computed in this process."""
    run = build_run(config, shelf=MemoryShelf(), memo=memo)
    return {record.index: _finite(record.metrics) for record in run_loop(run)}


def equal(one: Numbers, other: Numbers, light: bool) -> bool:
    """Whether two runs say the same: exactly, or of a light loop within TOLERANCE."""
    if one.keys() != other.keys():
        return False
    for t, metrics in one.items():
        if metrics.keys() != other[t].keys():
            return False
        for name, value in metrics.items():
            close = math.isclose(value, other[t][name], rel_tol=TOLERANCE, abs_tol=TOLERANCE)
            if value != other[t][name] and not (light and close):
                return False
    return True


def numbers_of(views: list[GenerationView]) -> Numbers:
    return {view.index: _finite(view.metrics) for view in views}


def _finite(metrics: Any) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if math.isfinite(value)}


@dataclass
class Person:
    """Launches loops so that some are always under way, reads them, resumes what was parked; asks again when no answer
    comes, and looks before launching again.

    Attributes:
        wanted: config by the name of each loop that was asked for, with its generations after the extension.
        seen: metrics of every generation that an answer has ever shown.
        changed: (name, generation) of those that a later answer denied.
        resumed: loops that were parked after three lost workers, and resumed.
        trouble: what nobody should have to see, in words.
    """

    client: Client
    patience_s: float
    wanted: dict[str, LoopConfig] = field(default_factory=dict)
    seen: dict[str, Numbers] = field(default_factory=dict)
    changed: set[tuple[str, int]] = field(default_factory=set)
    finished: set[str] = field(default_factory=set)
    resumed: int = 0
    unanswered: int = 0
    trouble: list[str] = field(default_factory=list)

    def keep_busy(self, at_once: int) -> None:
        """Launch motion and light loops until ``at_once`` of each are under way; light ones in groups of two."""
        names = [view.name for view in self.loops() if view.state not in ENDED]
        for kind, pool, step in (("motion", MOTIONS, 1), ("gaussian", GAUSSIANS, 2)):
            while sum(name.startswith(f"{PREFIX}-{kind}") for name in names) < at_once:
                count = sum(name.startswith(f"{PREFIX}-{kind}") for name in self.wanted)
                for i in range(count, count + step):
                    name = f"{PREFIX}-{kind}-{i}"
                    self.launch(name, pool[i % len(pool)], f"{PREFIX}-{kind}-{i // 2}")
                    names.append(name)

    def launch(self, name: str, config: LoopConfig, group: str) -> None:
        """Launch a loop exactly once, whatever becomes of the answers."""
        more = MORE_MOTION if config.domain == "motion" else MORE_GAUSSIAN
        self.wanted[name] = config.model_copy(update={"generations": config.generations + more})
        self._change(
            lambda client: client.launch(config, name=name, group=group),
            lambda: any(view.name == name for view in self.loops()),
        )

    def attend(self) -> None:
        """Read what is new; extend what is done for the first time, resume what was parked."""
        for view in self.loops():
            config = self.wanted.get(view.name)
            if config is None:
                self._complain(f"There is a loop {view.name!r} that nobody launched.")
                continue
            if view.state != "queued" or view.generation >= 0:
                self.read(view)
            if view.state == "failed":
                self._resume(view)
            elif view.state == "done" and view.config["generations"] < config.generations:
                self._extend(view, config)
            elif view.state == "done":
                self.finished.add(view.name)

    def read(self, view: LoopView) -> None:
        """Compare what a loop shows with what it has shown before."""
        if view.name in self.finished and len(self.seen.get(view.name, {})) > view.config["generations"]:
            return  # read once more at the end
        self.compare(view.name, numbers_of(self.ask(lambda client: client.generations(view.id))))

    def compare(self, name: str, now: Numbers) -> None:
        known = self.seen.setdefault(name, {})
        self.changed |= {(name, t) for t, metrics in known.items() if now.get(t) != metrics}
        known.update(now)

    def loops(self) -> list[LoopView]:
        return self.ask(lambda client: client.list_loops(limit=5000))

    def ask(self, question: Callable[[Client], T]) -> T:
        """An answer, however often the server has to be asked.

        Raises:
            LoopscopeError: what the server says, or that it has not answered for ``patience_s``.
        """
        limit = time.monotonic() + self.patience_s
        while True:
            try:
                return question(self.client)
            except Unreachable:
                self.unanswered += 1
                if time.monotonic() > limit:
                    raise
                time.sleep(PAUSE_S)

    def _change(self, change: Callable[[Client], object], happened: Callable[[], bool]) -> None:
        while not happened():
            try:
                change(self.client)
            except Unreachable:
                self.unanswered += 1
                time.sleep(PAUSE_S)

    def _extend(self, view: LoopView, config: LoopConfig) -> None:
        more = config.generations - int(view.config["generations"])
        self._change(
            lambda client: client.extend(view.id, more),
            lambda: self._generations(view.id) == config.generations,
        )

    def _resume(self, view: LoopView) -> None:
        if view.error is None or view.error.code != "worker_lost":
            self._complain(f"{view.name}: {view.sentence} {view.error and view.error.traceback}")
        self.resumed += 1
        self.ask(lambda client: client.resume(view.id))

    def _generations(self, loop_id: str) -> int:
        return int(self.ask(lambda client: client.show_loop(loop_id)).config["generations"])

    def _complain(self, sentence: str) -> None:
        if sentence not in self.trouble:
            self.trouble.append(sentence)


def tell(error: LoopscopeError) -> str:
    return f"{error.code}: {error.message}"
