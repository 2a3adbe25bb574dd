"""The curves of a comparison as CSV: a row per loop and generation, or per seed too."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from backend import measures, roster
from backend.exports import safe_cell
from model.domains import all_metrics

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.views import LoopView

FACTS = ("loop_id", "name", "group", "arm", "seed")


def curves_csv(backend: "Backend", loop_ids: Sequence[str]) -> str:
    """One row per loop and generation, one column per metric; of several seeds at once their mean."""
    views = _views(backend, loop_ids)
    curves = measures.curves(backend, list(views))
    names = [name for name in all_metrics() if any(name in curve for curve in curves.values())]

    def rows() -> Iterable[list[object]]:
        for view in views.values():
            by_metric = {name: dict(points) for name, points in curves.get(view.id, {}).items()}
            for t in sorted({t for points in by_metric.values() for t in points}):
                yield [*_facts(view), t, *(by_metric.get(name, {}).get(t, "") for name in names)]

    return _written([*FACTS, "generation", *names], rows())


def seeds_csv(backend: "Backend", loop_ids: Sequence[str]) -> str:
    """One row per loop, generation and seed of those that ran at once (``replicate``, from 0)."""
    views = _views(backend, loop_ids)
    traces = {view.id: measures.traces(backend, [view.id]).get(view.id, {}) for view in views.values()}
    names = [name for name in all_metrics() if any(name in by_metric for by_metric in traces.values())]

    def rows() -> Iterable[list[object]]:
        for view in views.values():
            by_metric = {name: dict(points) for name, points in traces[view.id].items()}
            for t in sorted({t for points in by_metric.values() for t in points}):
                values = [by_metric.get(name, {}).get(t, []) for name in names]
                for k in range(max(map(len, values))):
                    yield [*_facts(view), k, t, *(_cell(one, k) for one in values)]

    return _written([*FACTS, "replicate", "generation", *names], rows())


def _views(backend: "Backend", loop_ids: Sequence[str]) -> "dict[str, LoopView]":
    """The loops that there are, in the order asked for."""
    known = {view.id: view for view in roster.views_of(backend, loop_ids)}
    return {loop_id: known[loop_id] for loop_id in loop_ids if loop_id in known}


def _facts(view: "LoopView") -> list[object]:
    return [view.id, view.name, view.group, view.arm, view.config["seed"]]


def _cell(values: Sequence[float | None], k: int) -> object:
    return values[k] if k < len(values) and values[k] is not None else ""


def _written(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([safe_cell(name) for name in head])
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    return out.getvalue()
