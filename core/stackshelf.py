"""Where stacked loops find and leave things: together for the stages, apart on the shelf of each loop."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from core.blocks import SHOWN, BlockShelf
from core.config import LoopConfig
from core.draws import Draws
from core.policies import Policy
from core.protocols import Labels, Shelf
from core.records import Item, count_statuses


class NotStackable(Exception):
    """What one loop did cannot be said of all: they have to run one by one."""


@dataclass(frozen=True)
class Rows:
    """Whose rows are whose.

    Attributes:
        seeds: how many each loop has.
        counts: of the samples in a synthetic set of each loop.
    """

    seeds: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.seeds)

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        ends = np.cumsum(self.seeds)
        return tuple(slice(int(end) - count, int(end)) for end, count in zip(ends, self.seeds, strict=True))


def padded(parts: Sequence[Draws], labels: Labels) -> Draws:
    """Samples of several loops, of different count, as one batch for as many labels as the largest has; where a loop
    has none, its weight is 0."""
    longest = max(len(part) for part in parts)
    if all(len(part) == longest and part.weight is None for part in parts):
        return Draws(np.concatenate([part.values for part in parts]), labels[:longest])
    first = parts[0]
    total = sum(part.seeds for part in parts)
    values = np.zeros((total, longest, *first.values.shape[2:]), first.values.dtype)
    weight, row = np.zeros((total, longest)), 0
    for part in parts:
        own = slice(row, row + part.seeds)
        values[own, : len(part)], weight[own, : len(part)] = part.values, part.weights()
        row += part.seeds
    return Draws(values, labels[:longest], weight)


def own_samples(samples: Draws, rows: Rows, index: int) -> Draws:
    """A loop's own part of a synthetic set, without what was put in to make it as long as the longest."""
    own = samples.of_seed(rows.slices[index])
    if own.weight is None:
        return own
    own = own.take(slice(rows.counts[index]))
    return replace(own, weight=None) if own.weight is not None and (own.weight == 1.0).all() else own


@dataclass(frozen=True)
class StackShelf:
    """Implements :class:`core.protocols.Shelf` for a stack."""

    shelves: tuple[Shelf, ...]
    rows: Rows
    config: LoopConfig
    policy: Policy
    _whole: BlockShelf = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_whole", BlockShelf(_Assembled(self.shelves)))

    def save(self, generation: int, name: str, item: Item) -> None:
        if name not in SHOWN:
            self._whole.save(generation, name, item)
        for i, shelf in enumerate(self.shelves):
            shelf.save(generation, name, self._part(i, generation, name, item))

    def load(self, generation: int, name: str) -> Item:
        return self._whole.load(generation, name)

    def forget(self, last: int) -> None:
        """Drop what no generation after ``last`` asks for."""
        self._whole.forget(self.config, self.policy, last)

    def _part(self, index: int, generation: int, name: str, item: Item) -> Item:
        if name == "metrics":
            return self._metrics(index, item)
        if name == "model":
            return self._model(index, generation, item)
        samples = Draws(item.arrays["values"], item.arrays["labels"], item.arrays.get("weight"))
        meta = item.meta
        if "outcomes" in meta:
            told = ((one["each"][index], one.get("redrawn", 0)) for one in meta["outcomes"])
            meta = meta | {"outcomes": [one | {"redrawn": n} for one, n in told if one is not None]}
        return Item(own_samples(samples, self.rows, index).arrays(), meta)

    def _model(self, index: int, generation: int, item: Item) -> Item:
        own = self.rows.slices[index]
        counts = dict(item.meta["counts"])
        if counts["synthetic"]:
            counts["synthetic"] -= max(self.rows.counts) - self.rows.counts[index]
        if "corrected" in counts:
            counts |= count_statuses(self.shelves[index].load(generation, "corrected-0").meta["outcomes"])
        return Item({name: values[own] for name, values in item.arrays.items()}, item.meta | {"counts": counts})

    def _metrics(self, index: int, item: Item) -> Item:
        own, meta = self.rows.slices[index], dict(item.meta)
        traces = {name: values[own] for name, values in meta.pop("traces").items()}
        meta["metrics"] = {name: float(np.mean(values)) for name, values in traces.items()}
        if self.rows.seeds[index] > 1:
            meta["traces"] = traces
        mine = f"{index}/"
        arrays = {name.removeprefix(mine): v for name, v in item.arrays.items() if name.startswith(mine)}
        return Item(arrays, meta)


@dataclass(frozen=True)
class _Assembled:
    """What the loops left on their own shelves before they were stacked, put together."""

    shelves: tuple[Shelf, ...]

    def save(self, generation: int, name: str, item: Item) -> None:
        raise TypeError(f"{name!r} of generation {generation} ({len(item.arrays)} arrays) is saved apart")

    def load(self, generation: int, name: str) -> Item:
        items = [shelf.load(generation, name) for shelf in self.shelves]
        first = items[0]
        if name == "model":
            if any(item.arrays.keys() != first.arrays.keys() for item in items):
                raise NotStackable("checkpoints differ in kind")
            return Item({key: _side_by_side([item.arrays[key] for item in items]) for key in first.arrays}, first.meta)
        batches = [Draws(i.arrays["values"], i.arrays["labels"], i.arrays.get("weight")) for i in items]
        if any(item.meta.get("parts") != first.meta.get("parts") for item in items):
            raise NotStackable("sets were corrected in different parts")
        longest = max(items, key=lambda item: len(item.arrays["labels"]))
        return Item(padded(batches, longest.arrays["labels"]).arrays(), longest.meta)


def _side_by_side(arrays: Sequence[Any]) -> Any:
    if any(one.shape[1:] != arrays[0].shape[1:] for one in arrays):
        raise NotStackable(f"checkpoints differ in shape: {[one.shape for one in arrays]}")
    return np.concatenate(arrays)
