"""One item that packs the items of many generations: arrays of one shape side by side, equal ones once."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.records import Item

Read = Callable[[str, int], NDArray[Any]]
"""``read(key, row)``: one row of one of the pack's arrays, so that a file need not be read whole."""


def pack(items: Mapping[tuple[int, str], Item]) -> Item:
    """Items by (generation, name) as one; :func:`unpack` is the inverse.

    Every packed array has a first axis of rows: a row per generation where all are of one shape, a single row where
    all are equal, and an array per generation where shapes differ.
    """
    arrays: dict[str, NDArray[Any]] = {}
    packed: dict[str, Any] = {}
    for name in dict.fromkeys(name for _, name in items):
        generations = sorted(t for t, other in items if other == name)
        chosen = [items[t, name] for t in generations]
        metas, which = _distinct([item.meta for item in chosen])
        layout: dict[str, str | list[int]] = {}
        for key in dict.fromkeys(key for item in chosen for key in item.arrays):
            found = {t: np.asarray(item.arrays[key]) for t, item in zip(generations, chosen, strict=True)
                     if key in item.arrays}  # fmt: skip
            layout[key], more = _lay_out(f"{name}/{key}", found, len(generations))
            arrays |= more
        packed[name] = {"generations": generations, "metas": metas, "which": which, "arrays": layout}
    return Item(arrays, {"items": packed})


def unpack(meta: Mapping[str, Any], generation: int, name: str, read: Read) -> Item | None:
    """One item of a pack; None where it was not packed.

    Args:
        meta: of the pack.
    """
    packed = meta["items"].get(name)
    if packed is None or generation not in packed["generations"]:
        return None
    row = packed["generations"].index(generation)
    arrays: dict[str, NDArray[Any]] = {}
    for key, layout in packed["arrays"].items():
        if isinstance(layout, str):
            arrays[key] = read(f"{name}/{key}", row if layout == "rows" else 0)
        elif generation in layout:
            arrays[key] = read(f"{name}/{key}/{generation}", 0)
    return Item(arrays, packed["metas"][packed["which"][row]])


def reading(item: Item) -> Read:
    """How a pack in memory is read."""
    return lambda key, row: item.arrays[key][row]


def _lay_out(
    key: str, found: Mapping[int, NDArray[Any]], count: int
) -> tuple[str | list[int], dict[str, NDArray[Any]]]:
    """How an array of several generations is kept (where each has its own, which have one), and what keeps it."""
    first, *others = found.values()
    alike = len(found) == count and all(one.shape == first.shape and one.dtype == first.dtype for one in others)
    if alike and all(np.array_equal(one, first) for one in others):
        return "same", {key: first[None]}
    if alike:
        return "rows", {key: np.stack([first, *others])}
    return list(found), {f"{key}/{t}": values[None] for t, values in found.items()}


def _distinct(metas: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[int]]:
    """Metas without repetition one after another, and which of them each generation has."""
    kept: list[dict[str, Any]] = []
    which = []
    for meta in metas:
        if not kept or meta != kept[-1]:
            kept.append(meta)
        which.append(len(kept) - 1)
    return kept, which
