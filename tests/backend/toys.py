"""The toy domain of tests/core as registered parts, slow or broken on demand: for loops, leases and workers."""

import time
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from backend.parts import build_run, check
from core.config import EvaluationConfig, LoopConfig, Options, PartConfig, TrainingConfig, parse
from core.errors import TrainingDiverged
from core.loop import run_loop
from core.memory import MemoryMemo, MemoryShelf
from core.policies import NoOptions
from core.protocols import Corrections, DomainPart, Memo, Metric, Part, Tick, silent
from core.records import Item
from tests.core.toy import Clip, MeanGenerator, Numbers, ToyDomain


class ToyModelOptions(Options):
    """How the toy learns: seconds per step, and what goes wrong (``once``: while the file ``mark`` is not there)."""

    pause_s: float = 0.0
    trouble: Literal["none", "diverges", "odd", "once", "dies"] = "none"
    mark: str = ""


class ToyClipOptions(Options):
    limit: float = Field(1.0, gt=0)
    pause_s: float = 0.0


@dataclass(frozen=True)
class SlowGenerator(MeanGenerator):
    options: ToyModelOptions

    def fit(
        self, samples: Numbers, *, start: Item | None, scratch: bool, steps: int, seed: int, tick: Tick = silent
    ) -> Item:
        self._trouble(start is not None)
        for step in range(steps):
            tick(step / steps, f"Learning: step {step + 1} of {steps}")
            time.sleep(self.options.pause_s)
        return super().fit(samples, start=start, scratch=scratch, steps=steps, seed=seed, tick=tick)

    def _trouble(self, later: bool) -> None:
        if self.options.trouble == "diverges" and later:
            raise TrainingDiverged(31, float("nan"))
        if self.options.trouble == "odd" and later:
            raise ZeroDivisionError("the toy is broken")
        if self.options.trouble == "once" and later and not Path(self.options.mark).exists():
            Path(self.options.mark).touch()
            raise ZeroDivisionError("the toy was broken")


@dataclass(frozen=True)
class SlowDomain(ToyDomain):
    options: ToyModelOptions = ToyModelOptions()

    def generator(self) -> SlowGenerator:
        return SlowGenerator(self.options)


@dataclass(frozen=True)
class SlowClip(Clip):
    pause_s: float = 0.0

    def correct(
        self, samples: Numbers, *, rows: slice = slice(None), seed: int = 0, tick: Tick = silent
    ) -> Corrections:
        tick(0.1, "Clipping")
        time.sleep(self.pause_s)
        return super().correct(samples, rows=rows, seed=seed, tick=tick)


def _domain(config: LoopConfig, memo: Memo, device: str) -> SlowDomain:
    del memo, device
    return SlowDomain(options=parse(ToyModelOptions, config.model.options))


def _clip(options: ToyClipOptions, *needs: object) -> SlowClip:
    del needs
    return SlowClip(options.limit, pause_s=options.pause_s)


TOY = DomainPart(
    "Toy", "Numbers.", NoOptions, _domain,
    data={"numbers": Part("Numbers", "Normal ones.", NoOptions, lambda options: options)},
    models={"toy": Part("Toy", "A mean.", ToyModelOptions, lambda options: options)},
    metrics={"mean": Metric("mean", "Mean", "", "real", "fidelity", "Of the numbers.")},
    correctors=("clip",),
    start={"data.kind": "numbers"},
)  # fmt: skip


def registries() -> list[tuple[MutableMapping[str, Any], str, Any]]:
    """(registry, kind, entry) of every toy."""
    from corrector.registry import CORRECTORS
    from model.domains import DOMAINS

    return [(DOMAINS, "toy", TOY), (CORRECTORS, "clip", Part("Clip", "Clips.", ToyClipOptions, _clip))]


def toy_config(
    *, generations: int = 2, policy: str = "replace", corrector: str = "none", n: int = 96, seed: int = 0,
    steps: int = 2, clip: dict[str, Any] | None = None, **model: Any,
) -> LoopConfig:  # fmt: skip
    """A loop of the toy domain; ``model`` holds :class:`ToyModelOptions`, ``clip`` the corrector's."""
    return LoopConfig(
        domain="toy", data=PartConfig(kind="numbers"), n=n, generations=generations, seed=seed,
        policy=PartConfig(kind=policy),
        corrector=PartConfig(kind=corrector, options=clip or {}), model=PartConfig(kind="toy", options=model),
        training=TrainingConfig(initial_steps=steps, steps=steps),
        evaluation=EvaluationConfig(samples=16, panel=4, panel_corrector=PartConfig(kind="clip")),
    )  # fmt: skip


def in_process(config: LoopConfig) -> list[tuple[int, dict[str, float], dict[str, int]]]:
    """Index, metrics and counts of every generation of a loop of toys that one process runs, and nobody disturbs.

    It does not pause: that changes no number, and what is compared with it has paused already.
    """
    swift = config.model_copy(update={"model": _swift(config.model), "corrector": _swift(config.corrector)})
    run = build_run(check(swift), shelf=MemoryShelf(), memo=MemoryMemo())
    return [(r.index, dict(r.metrics), dict(r.counts)) for r in run_loop(run)]


def _swift(part: PartConfig) -> PartConfig:
    options = {name: value for name, value in part.options.items() if name != "pause_s"}
    return part.model_copy(update={"options": options})
