"""One metric of the loops behind a line, seed by seed: their mean, and bands over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.groups import Group

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.views import LoopView

Floats = NDArray[np.float64]
Measured = Sequence[tuple[int, float]] | tuple[NDArray[np.int64], Floats]
"""One metric of a loop, ascending: pairs of generation and value, or generations (T,) and values (T,)."""
Pairs = Mapping[str, Mapping[str, Sequence[tuple[int, float]]]]
Curves = Mapping[str, Mapping[str, Measured]]
"""loop id -> metric -> what was measured."""
Traces = Mapping[str, Mapping[str, tuple[NDArray[np.int64], Floats]]]
"""loop id -> metric -> generations (T,) and values (T, S) of the seeds that ran at once."""

AUTO, FEW_SEEDS = "auto", 8
BANDS = {
    AUTO: "Automatic",
    "min-max": "Lowest to highest",
    "std": "Standard deviation",
    "se": "Standard error of the mean",
    "ci95": "95 % interval of the mean",
    "quartiles": "Median and quartiles",
    "none": "No band",
}
CI95 = 1.96  # standard errors; by the normal distribution, for few seeds a little narrow


@dataclass(frozen=True, eq=False)
class Series:
    """Values of one metric, NaN where a seed has none.

    Attributes:
        generations: (T,) ascending; each has a finite value.
        values: (T, S).
        owners: (S,) the loop that each column belongs to.
    """

    generations: NDArray[np.int64]
    values: Floats
    owners: tuple[str, ...]

    @cached_property
    def count(self) -> NDArray[np.int64]:
        """(T,) how many seeds have a value."""
        return np.asarray(np.isfinite(self.values).sum(1), np.int64)

    @cached_property
    def mean(self) -> Floats:
        """(T,)"""
        return np.asarray(np.nanmean(self.values, axis=1))

    @cached_property
    def std(self) -> Floats:
        """(T,) with n - 1; 0 where there is one value."""
        gap = np.where(np.isfinite(self.values), self.values - self.mean[:, None], 0.0)
        return np.asarray(np.sqrt((gap**2).sum(1) / np.maximum(self.count - 1, 1)))

    def resolved(self, band: str) -> str:
        """Which band ``auto`` means: all of a few seeds, or how well many know their mean."""
        if band != AUTO:
            return band
        return "min-max" if self.values.shape[1] <= FEW_SEEDS else "ci95"

    def centre(self, band: str) -> Floats:
        """(T,) what the line shows: the mean, or the median where quartiles are the band."""
        return np.asarray(np.nanmedian(self.values, axis=1)) if band == "quartiles" else self.mean

    def band(self, band: str) -> tuple[Floats, Floats] | None:
        """(T,) lower and upper end; None where there is no band to draw."""
        band = self.resolved(band)
        if band == "none" or self.values.shape[1] < 2:
            return None
        if band == "min-max":
            return np.asarray(np.nanmin(self.values, axis=1)), np.asarray(np.nanmax(self.values, axis=1))
        if band == "quartiles":
            low, high = np.nanquantile(self.values, [0.25, 0.75], axis=1)
            return low, high
        half = self.std
        if band in ("se", "ci95"):
            half = half / np.sqrt(self.count) * (CI95 if band == "ci95" else 1.0)
        return self.mean - half, self.mean + half

    def at(self, generation: int) -> "Series | None":
        """One generation alone."""
        rows = np.flatnonzero(self.generations == generation)
        return Series(self.generations[rows], self.values[rows], self.owners) if len(rows) else None

    def thinned(self, index: NDArray[np.intp]) -> "Series":
        """Some of the generations."""
        return Series(self.generations[index], self.values[index], self.owners)


def series_of(group: Group, curves: Curves, metric: str, traces: Traces | None = None) -> Series | None:
    """Every seed of a group's loops; None where none has the metric."""
    parts: list[tuple[str, NDArray[np.int64], Floats]] = []
    for view in group.loops:
        kept = (traces or {}).get(view.id, {}).get(metric)
        if kept is not None and len(kept[0]):
            parts.append((view.id, *kept))
        elif points := curves.get(view.id, {}).get(metric):
            generations, alone = arrays_of(points)
            parts.append((view.id, generations, alone[:, None]))
    if not parts:
        return None
    owners = tuple(loop_id for loop_id, _, rows in parts for _ in range(rows.shape[1]))
    generations, values = side_by_side([(ts, rows) for _, ts, rows in parts])
    values[~np.isfinite(values)] = np.nan
    known = np.isfinite(values).any(1)
    return Series(generations[known], values[known], owners) if known.any() else None


def arrays_of(points: Measured) -> tuple[NDArray[np.int64], Floats]:
    """Generations (T,) and values (T,)."""
    if len(points) == 2 and isinstance(points[0], np.ndarray) and isinstance(points[1], np.ndarray):
        return points[0], points[1]
    return np.array([t for t, _ in points], np.int64), np.array([v for _, v in points], np.float64)


def side_by_side(parts: Sequence[tuple[NDArray[np.int64], Floats]]) -> tuple[NDArray[np.int64], Floats]:
    """Values (T, S) of parts (T', S') at all of their generations, NaN where a part has none."""
    first = parts[0][0]
    if all(ts is first or np.array_equal(ts, first) for ts, _ in parts):
        return first, np.concatenate([rows for _, rows in parts], axis=1)
    generations = np.unique(np.concatenate([ts for ts, _ in parts]))
    values = np.full((len(generations), sum(rows.shape[1] for _, rows in parts)), np.nan)
    at = 0
    for ts, rows in parts:
        values[np.searchsorted(generations, ts), at : at + rows.shape[1]] = rows
        at += rows.shape[1]
    return generations, values


class TraceKeeper:
    """Traces of loops as arrays, kept by loop and generation: what was recorded does not change."""

    def __init__(self, most: int = 48) -> None:
        self._most = most
        self._kept: dict[tuple[str, int], dict[str, tuple[NDArray[np.int64], Floats]]] = {}

    def of(self, backend: "Backend", views: "Sequence[LoopView]") -> Traces:
        """Of those loops that run several seeds at once."""
        found = {}
        for view in views:
            if int(view.config.get("replicates", 1)) < 2 or view.generation < 0:
                continue
            key = (view.id, view.generation)
            if key not in self._kept:
                self._kept[key] = read_traces(backend, view.id)
                while len(self._kept) > self._most:
                    self._kept.pop(next(iter(self._kept)))
            found[view.id] = self._kept[key]
        return found


def read_traces(backend: "Backend", loop_id: str) -> dict[str, tuple[NDArray[np.int64], Floats]]:
    """A loop's traces from SQL."""
    from backend import measures

    by_metric: Mapping[str, Sequence[tuple[int, Sequence[Any]]]] = measures.traces(backend, [loop_id]).get(loop_id, {})
    found = {}
    for name, points in by_metric.items():
        width = max((len(values) for _, values in points), default=0)
        whole = [(t, values) for t, values in points if len(values) == width]
        if whole and width:
            found[name] = (np.array([t for t, _ in whole]), np.array([v for _, v in whole], dtype=np.float64))
    return found
