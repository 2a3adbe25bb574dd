"""Loops of the light domains, in process, for tests of several of them."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.config import LoopConfig, parse, with_changes
from core.draws import Draws
from core.loop import Run, run_loop
from core.memory import MemoryMemo, MemoryShelf
from core.policies import POLICIES
from core.protocols import Corrections, Tick, silent
from core.records import GenerationRecord, Item, Outcome
from model.analytic.light import LightDomain
from model.domains import DOMAINS

LIGHT = ("gaussian", "gmm", "kde", "regression")


@dataclass
class Nothing:
    """A corrector that leaves everything alone."""

    splittable: bool = True

    def correct(self, samples: Any, *, rows: slice = slice(None), seed: int = 0, tick: Tick = silent) -> Corrections:
        return Corrections(samples, tuple(Outcome("unchanged") for _ in range(len(samples))))


def config_of(domain: str, changes: dict[str, Any] | None = None) -> LoopConfig:
    """The domain's own start, made small."""
    small = {"n": 40, "generations": 2, "replicates": 3, "evaluation.samples": 32, "evaluation.panel": 4}
    start = deepcopy(dict(DOMAINS[domain].start))  # with_changes writes into what it is given
    return with_changes(LoopConfig(), {"domain": domain, **start, **small, **(changes or {})})


def domain_of(config: LoopConfig) -> LightDomain:
    found: LightDomain = DOMAINS[config.domain].build(config, MemoryMemo(), "cpu")
    return found


@dataclass(frozen=True)
class Ran:
    """A loop that has run: its records and what it left on the shelf."""

    records: list[GenerationRecord]
    shelf: MemoryShelf

    def trace(self, name: str, generation: int) -> NDArray[np.float64]:
        """(S,) a metric of each seed."""
        return np.array(self.shelf.load(generation, "metrics").meta["traces"][name])


def ran(config: LoopConfig) -> Ran:
    DOMAINS[config.domain].check(config)
    policy, shelf = POLICIES[config.policy.kind], MemoryShelf()
    chosen = policy.build(parse(policy.options, config.policy.options))
    run = Run(config, domain_of(config), chosen, None, Nothing(), shelf, MemoryMemo())
    return Ran(list(run_loop(run)), shelf)


def fitted(domain: LightDomain, samples: Draws, start: Item | None = None, seed: Any = 1, steps: int = 5) -> Item:
    return domain.generator().fit(samples, start=start, scratch=False, steps=steps, seed=seed)


def agrees(values: NDArray[np.float64], theory: float, errors: float = 4.0) -> bool:
    """Whether the mean over seeds is within so many standard errors of what theory says."""
    return bool(abs(values.mean() - theory) < errors * values.std(ddof=1) / len(values) ** 0.5)
