"""Many generations of a loop in one go: for domains whose generations are too short to be handed over one by one.

The stages are those of :mod:`core.loop`; only the shelf is another one, in memory, above the one that lasts.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.config import LoopConfig
from core.errors import DataMissing
from core.loop import Run, corrects_in_loop, run_loop
from core.packs import pack
from core.policies import Policy
from core.protocols import Shelf
from core.records import GenerationRecord, Item

BLOCK = "block"
BLOCK_S = 2.0
"""Work of one block, seconds: what is lost at most when a worker dies; long beside what publishing it costs."""
SHOWN = ("panel-raw", "panel-real", "panel-corrected", "metrics")
"""Items kept of every generation."""


@dataclass
class BlockShelf:
    """Implements :class:`core.protocols.Shelf` in memory; what is not there comes from the shelf below, once.

    Attributes:
        shown: what the block saved and everybody may look at later.
        passing: what else it saved: for as long as the loop needs it.
        found: what came from below.
    """

    below: Shelf
    shown: dict[tuple[int, str], Item] = field(default_factory=dict)
    passing: dict[tuple[int, str], Item] = field(default_factory=dict)
    found: dict[tuple[int, str], Item] = field(default_factory=dict)

    def save(self, generation: int, name: str, item: Item) -> None:
        (self.shown if name in SHOWN else self.passing)[generation, name] = item

    def load(self, generation: int, name: str) -> Item:
        key = (generation, name)
        for items in (self.passing, self.shown, self.found):
            if key in items:
                return items[key]
        self.found[key] = self.below.load(generation, name)
        return self.found[key]

    def forget(self, config: LoopConfig, policy: Policy, last: int) -> None:
        """Drop what no generation after ``last`` asks for."""
        sets = set(policy.past_generations(last + 1))
        kind = "corrected-" if corrects_in_loop(config) else "raw"
        for items in (self.passing, self.found):
            for t, name in list(items):
                wanted = t in (0, last) if name == "model" else t in sets and name.startswith(kind)
                if not wanted:
                    del items[t, name]

    def kept(self, first: int, last: int) -> dict[tuple[int, str], Item]:
        """What lasts of the generations from ``first`` to ``last``; those that were not finished leave nothing."""
        return {key: item for key, item in (self.passing | self.shown).items() if first <= key[0] <= last}


@dataclass(frozen=True)
class Block:
    """Generations ``first``.. of a loop, finished.

    Attributes:
        kept: what lasts of them, by generation and name; the metrics with their ``traces``.
        stopped: what ended the block before its time or the loop's end, if anything.
    """

    first: int
    records: tuple[GenerationRecord, ...]
    kept: dict[tuple[int, str], Item]
    stopped: Exception | None = None

    @property
    def last(self) -> int:
        return self.records[-1].index

    def traces(self) -> dict[int, dict[str, list[float]]]:
        """By generation and metric the values of the seeds that run at once; empty where there is one seed."""
        metas = ((record.index, self.kept[record.index, "metrics"].meta) for record in self.records)
        return {t: meta["traces"] for t, meta in metas if "traces" in meta}

    def item(self) -> Item:
        """All that lasts, packed; without the traces, which have a table of their own."""
        plain = {key: _without_traces(item) if key[1] == "metrics" else item for key, item in self.kept.items()}
        return pack(plain)


Go = Callable[[Sequence[Run], int], Iterator[tuple[GenerationRecord, ...]]]
"""``go(runs, start)``: runs several loops from a generation on, yielding a record of each after every generation."""


def run_block(run: Run, first: int, *, seconds: float = BLOCK_S, clock: Callable[[], float] = time.monotonic) -> Block:
    """Run generations from ``first`` on until so much time has passed, the loop ends, or something stops it.

    An error, a cancel or a lost lease keeps the generations that were finished before it: they are as good as any.

    Raises:
        Exception: what stopped it, where no generation was finished.
    """
    return run_blocks([run], first, _one, seconds=seconds, clock=clock)[0]


def run_blocks(
    runs: Sequence[Run], first: int, go: Go, *, seconds: float = BLOCK_S, clock: Callable[[], float] = time.monotonic
) -> list[Block]:
    """The same of several loops that go on together; what stops one of them ends the block of all."""
    began, records, stopped = clock(), list[tuple[GenerationRecord, ...]](), None
    shelves = [BlockShelf(run.shelf) for run in runs]
    start = _start(runs, shelves, first)
    progress = [_Progress(run, first) for run in runs]
    inner = [replace(run, shelf=a, tick=b) for run, a, b in zip(runs, shelves, progress, strict=True)]
    try:
        for done in go(inner, start):
            if done[0].index >= first:
                records.append(done)
            for run, shelf, told in zip(runs, shelves, progress, strict=True):
                shelf.forget(run.config, run.policy, done[0].index)
                told.reached(done[0].index)
            if records and clock() - began > seconds:
                break
    except Exception as error:
        if not records:
            raise
        stopped = error
    last = records[-1][0].index
    for run, shelf in zip(runs, shelves, strict=True):
        shelf.forget(run.config, run.policy, last)
    return [
        Block(first, tuple(done[i] for done in records), shelf.kept(first, last), stopped)
        for i, shelf in enumerate(shelves)
    ]


def _start(runs: Sequence[Run], shelves: Sequence[BlockShelf], first: int) -> int:
    """Where to begin, to go on from ``first``: before it, where a loop was rolled back into the middle of a block, of
    which nothing lasts that a later generation could be made from. What was made before is made again, alike."""
    return next(
        (
            t
            for t in range(first, 0, -1)
            if all(_can_begin(run, shelf, t) for run, shelf in zip(runs, shelves, strict=True))
        ),
        0,
    )


def _can_begin(run: Run, shelf: BlockShelf, t: int) -> bool:
    """Whether the shelf holds what generation ``t`` is made from: the model before it, and the sets it learns from."""
    kind = "corrected-0" if corrects_in_loop(run.config) else "raw"
    wanted = [(t - 1, "model"), *((k, kind) for k in run.policy.past_generations(t) if 0 < k < t)]
    try:
        for k, name in wanted:
            shelf.load(k, name)
    except (DataMissing, KeyError):
        return False
    return True


def _one(runs: Sequence[Run], start: int) -> Iterator[tuple[GenerationRecord, ...]]:
    return ((record,) for record in run_loop(runs[0], start=start))


class _Progress:
    """The tick of a block: how much of what the loop still had to do is done."""

    def __init__(self, run: Run, first: int) -> None:
        self._tick, self._first, self._now = run.tick, first, first
        self._count = run.config.generations + 1 - first

    def reached(self, t: int) -> None:
        self._now = t + 1
        self((t + 1 - self._first) / self._count, "")

    def __call__(self, fraction: float, sentence: str) -> None:
        del fraction, sentence  # of one stage of a generation that takes milliseconds
        self._tick(max(self._now - self._first, 0) / self._count, f"at generation {self._now}")


def _without_traces(item: Item) -> Item:
    meta: dict[str, Any] = {key: value for key, value in item.meta.items() if key != "traces"}
    return Item(item.arrays, meta)
