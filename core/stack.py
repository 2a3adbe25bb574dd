"""Several light loops as one computation: their seeds side by side, as if they were seeds of one loop.

Loops are stacked that differ in nothing but seed, number of seeds, gamma of the idealized corrector, or lambda. The
stages are those of :mod:`core.loop`; each loop draws what it draws alone (:data:`core.seeds.Seed`), and finds on its
own shelf what it would have left there. Panels, which are of one seed each, are drawn by each loop.

Generator and judge of the first loop serve all: what they know of a loop's seeds beside the samples, they must take
from the checkpoint and from the seed that they are handed.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from core.blocks import BLOCK_S, Block, run_blocks
from core.config import LoopConfig, digest
from core.draws import Draws, stack
from core.loop import Run, perform, record_of, stages_of
from core.memory import MemoryMemo
from core.policies import POLICIES, Policy
from core.protocols import Corrections, Domain, Evaluator, Generator, Labels, Measured, Memo, Tails, Tick, silent
from core.records import GenerationRecord, Item, Outcome
from core.seeds import Seed
from core.stackshelf import NotStackable, Rows, StackShelf, own_samples, padded

__all__ = ["NotStackable", "can_be_stacked", "run_stack", "run_stacked", "stack_of"]


def can_be_stacked(one: LoopConfig, other: LoopConfig) -> bool:
    """Whether two loops of a light domain can run as one computation that gives each its own numbers."""
    if _common(one) != _common(other):
        return False
    if one.corrector.kind != "none" and (one.correction.where != "loop" or one.correction.rejected == "redraw"):
        return False  # what is counted at the output, or drawn anew, is each loop's own
    if one.seed != other.seed and (_draws(one) or _draws(other)):
        return False  # the policy draws, and the same for all rows
    if _policy(one).synthetic_count(one.n) == _policy(other).synthetic_count(other.n):
        return True
    return not any(_draws(config) or _keeps_past(config) for config in (one, other))


def run_stack(
    runs: Sequence[Run], first: int, *, seconds: float = BLOCK_S, clock: Callable[[], float] = time.monotonic
) -> list[Block]:
    """A block of generations of each of several loops; see :func:`core.blocks.run_block`.

    Raises:
        NotStackable: when what one loop did cannot be said of all.
        Exception: what stopped it, where no generation was finished.
    """
    return run_blocks(runs, first, lambda inner, start: run_stacked(inner, start=start), seconds=seconds, clock=clock)


def run_stacked(runs: Sequence[Run], *, start: int = 0) -> Iterator[tuple[GenerationRecord, ...]]:
    """Run loops together, yielding a record of each after every generation; what they made is on their shelves.

    Raises:
        NotStackable: when what one loop did cannot be said of all.
    """
    whole = stack_of(runs)
    for t in range(start, whole.config.generations + 1):
        seconds: dict[str, float] = {}
        for stage in stages_of(whole.config, t):
            began = time.perf_counter()
            for run in runs if stage == "panel" else (whole,):
                perform(run, t, stage)
            seconds[stage] = (time.perf_counter() - began) / len(runs)
        yield tuple(record_of(run.shelf, t, seconds) for run in runs)
        whole.shelf.forget(t)


@dataclass(frozen=True)
class StackedRun(Run):
    """Several runs as one.

    Attributes:
        runs: the loops.
        rows: where the seeds of each stand.
    """

    runs: tuple[Run, ...] = ()
    shelf: StackShelf
    memo: Memo = field(default_factory=MemoryMemo)

    def seed(self, t: int, stage: str, part: int = 0) -> Any:
        """What each loop would draw from, in order; of a synthetic set also how many samples each wants."""
        shares = tuple((run.seed(t, stage, part), run.config.replicates) for run in self.runs)
        counts = self.shelf.rows.counts
        return Wanted(shares, counts) if stage == "synthesize" and len(set(counts)) > 1 else shares


class Wanted(tuple[tuple[int, int], ...]):
    """A :data:`core.seeds.Seed` of stacked loops of which each wants another count of samples."""

    counts: tuple[int, ...]

    def __new__(cls, shares: Sequence[tuple[int, int]], counts: Sequence[int]) -> "Wanted":
        made = super().__new__(cls, shares)
        made.counts = tuple(counts)
        return made


def stack_of(runs: Sequence[Run]) -> StackedRun:
    """Runs as one.

    Raises:
        NotStackable: when their configs do not allow it.
    """
    first, *others = runs
    if not all(can_be_stacked(first.config, other.config) for other in others):
        raise NotStackable("loops are stacked that differ in seed, gamma or lambda only")
    rows = Rows(
        tuple(run.config.replicates for run in runs),
        tuple(run.policy.synthetic_count(run.config.n) for run in runs),
    )
    largest = runs[int(np.argmax(rows.counts))]

    def tick(fraction: float, sentence: str) -> None:
        for run in runs:
            run.tick(fraction, sentence)

    config = largest.config.model_copy(update={"seed": first.config.seed, "replicates": rows.total})
    return StackedRun(
        config=config,
        domain=StackedDomain(tuple(run.domain for run in runs), rows, config),
        policy=largest.policy,
        corrector=StackedCorrector(tuple(runs), rows) if first.corrector is not None else None,
        panel_corrector=first.panel_corrector,
        shelf=StackShelf(tuple(run.shelf for run in runs), rows, config, largest.policy),
        memo=MemoryMemo(),
        tick=tick,
        runs=tuple(runs),
    )


@dataclass(frozen=True)
class StackedDomain:
    """Implements what a stack's stages ask of :class:`core.protocols.Domain`."""

    domains: tuple[Domain, ...]
    rows: Rows
    config: LoopConfig
    _kept: dict[int, Draws] = field(default_factory=dict)

    @property
    def class_names(self) -> Sequence[str]:
        return self.domains[0].class_names

    @property
    def digest(self) -> str:
        return digest(["stack", *(domain.digest for domain in self.domains)])

    def real(self, count: int) -> Draws:
        if count not in self._kept:
            self._kept[count] = stack([domain.real(count) for domain in self.domains])
        return self._kept[count]

    def fresh_real(self, count: int, generation: int) -> Draws:
        return stack([domain.fresh_real(count, generation) for domain in self.domains])

    def distance(self, samples: Draws, others: Draws) -> Any:
        return self.domains[0].distance(samples, others)

    def body(self) -> dict[str, Any]:
        return self.domains[0].body()

    def generator(self) -> Generator:
        return StackedGenerator(self.domains[0].generator(), self.rows)

    def evaluator(self, tick: Tick = silent) -> Evaluator:
        return StackedEvaluator(self.domains[0].evaluator(tick), self.rows)


@dataclass(frozen=True)
class StackedGenerator:
    """The first loop's generator, which draws for each loop as many samples as that one wants."""

    one: Generator
    rows: Rows

    def fit(
        self, samples: Draws, *, start: Item | None, scratch: bool, steps: int, seed: Seed, tick: Tick = silent
    ) -> Item:
        return self.one.fit(samples, start=start, scratch=scratch, steps=steps, seed=seed, tick=tick)

    def sample(self, checkpoint: Item, labels: Labels, *, guidance: float, seed: Any, tick: Tick = silent) -> Draws:
        if not isinstance(seed, Wanted):
            drawn: Draws = self.one.sample(checkpoint, labels, guidance=guidance, seed=seed, tick=tick)
            return drawn
        parts = []
        for own, count, share in zip(self.rows.slices, seed.counts, seed, strict=True):
            part = replace(checkpoint, arrays={name: values[own] for name, values in checkpoint.arrays.items()})
            parts.append(self.one.sample(part, labels[:count], guidance=guidance, seed=(share,), tick=tick))
        return padded(parts, labels)


@dataclass(frozen=True)
class StackedEvaluator:
    """The first loop's judge, who measures the rows of all; the tails are told of each loop."""

    one: Evaluator
    rows: Rows

    def measure(self, samples: Draws, model: Item | None = None) -> Measured:
        measured = self.one.measure(samples, model)
        for name, values in measured.items():
            if np.shape(values) != (self.rows.total,):
                raise NotStackable(f"the metric {name!r} is not told of each seed")
        return measured

    def tails(self, samples: Draws, model: Item | None = None) -> Tails | None:
        each = []
        for own in self.rows.slices:
            part = None
            if model is not None:
                part = replace(model, arrays={name: values[own] for name, values in model.arrays.items()})
            each.append(self.one.tails(samples.of_seed(own), part))
        found = [tails for tails in each if tails is not None]
        if not found:
            return None
        first, shares = found[0], np.concatenate([tails.shares for tails in found])
        return StackedTails(first.levels, shares, first.score, first.edges, first.real, first.generated, tuple(found))

    def floor(self, count: int) -> dict[str, list[float]]:
        return self.one.floor(count)


@dataclass(frozen=True)
class StackedTails(Tails):
    """The tails of all rows, and those of each loop."""

    each: tuple[Tails, ...] = ()

    def as_item(self) -> Item:
        arrays = {f"{i}/{name}": values for i, tails in enumerate(self.each)
                  for name, values in tails.as_item().arrays.items()}  # fmt: skip
        return Item(arrays, self.each[0].as_item().meta)


@dataclass(frozen=True)
class StackedOutcome(Outcome):
    """What happened to the n-th sample of each loop; None where it has none."""

    each: tuple[Outcome | None, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return {"status": self.status, "each": [None if one is None else one.as_dict() for one in self.each]}


@dataclass(frozen=True)
class StackedCorrector:
    """Each loop's own corrector on its own rows."""

    runs: tuple[Run, ...]
    rows: Rows
    splittable: bool = False
    cost_s: float = 0.0

    def correct(self, samples: Draws, *, rows: slice = slice(None), seed: Any = (), tick: Tick = silent) -> Corrections:
        """See the protocol; always of the whole batch.

        Raises:
            NotStackable: when a sample is rejected, which would leave loops with different samples.
        """
        del rows
        parts, outcomes = [], []
        for i, (run, (own_seed, _)) in enumerate(zip(self.runs, seed, strict=True)):
            if run.corrector is None:
                raise NotStackable("one of the loops corrects nothing")
            own = own_samples(samples, self.rows, i)
            found = run.corrector.correct(own, seed=own_seed, tick=tick)
            if found.tracks or any(outcome.status == "rejected" for outcome in found.outcomes):
                raise NotStackable("a sample was rejected")
            parts.append(found.samples)
            outcomes.append(found.outcomes)
        slots = range(max(len(some) for some in outcomes))
        each = [tuple(some[n] if n < len(some) else None for some in outcomes) for n in slots]
        told = tuple(StackedOutcome(next(o.status for o in slot if o is not None), each=slot) for slot in each)
        return Corrections(padded(parts, samples.labels), told)


def _common(config: LoopConfig) -> Mapping[str, Any]:
    """What stacked loops agree on."""
    plain = config.model_dump(mode="json", exclude={"seed", "replicates", "tripwires"})
    if config.corrector.kind == "idealized":
        plain["corrector"]["options"].pop("gamma", None)
    if config.policy.kind == "augment":
        plain["policy"]["options"].pop("lam", None)
    return plain


def _policy(config: LoopConfig) -> Policy:
    part = POLICIES[config.policy.kind]
    policy: Policy = part.build(part.options.model_validate(config.policy.options))
    return policy


def _keeps_past(config: LoopConfig) -> bool:
    return len(_policy(config).past_generations(3)) > 1


def _draws(config: LoopConfig) -> bool:
    """Whether the policy leaves samples out at random, seen by what it does for two seeds."""
    policy, n = _policy(config), config.n
    origin = np.concatenate([np.zeros(n, np.int64), *(np.full(policy.synthetic_count(n), k) for k in (1, 2, 3))])
    one, other = (policy.keep(origin, n, seed) for seed in (0, 1))
    return one is not None and other is not None and not np.array_equal(one, other)
