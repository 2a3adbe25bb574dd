"""Metrics by generation: of one loop, of many, of each seed, and of real held-out samples.

Comparisons ask for a metric of a thousand loops at once. Rows come as the driver makes them, or (PostgreSQL) as one
array per loop, by an index that holds all that is asked for; nothing is sampled.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from backend.context import Backend
from backend.journal import get_loop
from backend.tables import Artifact, Loop, MetricValue, TraceValue, driver_rows
from core.blocks import BLOCK


@dataclass(frozen=True)
class Doubt:
    """How far a loop's numbers are to be trusted.

    Attributes:
        noise: metric -> the values of several draws from generation 0, the one that was recorded first.
        caveats: metric -> why too few samples were measured for it.
    """

    noise: dict[str, list[float]]
    caveats: dict[str, str]


def floor(backend: Backend, loop_id: str) -> dict[str, list[float]]:
    """The metrics of real held-out samples, a few draws each; empty before generation 0 has been measured."""
    with backend.database.read() as session:
        get_loop(session, loop_id)
        facts = session.scalar(
            select(Artifact.facts).where(
                Artifact.loop_id == loop_id, Artifact.generation == 0, Artifact.name.in_(("metrics", BLOCK))
            )
        )
    return dict((facts or {}).get("floor", {}))


def first_floor(backend: Backend, loop_ids: Sequence[str]) -> dict[str, list[float]]:
    """The floor of the first of the loops that has one (loops that can be compared share it); empty without."""
    table = Artifact.__table__.c
    with backend.database.read() as session:
        for at in range(0, len(loop_ids), FLOORS_AT_ONCE):
            some = loop_ids[at : at + FLOORS_AT_ONCE]
            rows = session.execute(
                select(table.loop_id, table.facts).where(
                    table.loop_id.in_(some), table.generation == 0, table.name.in_(("metrics", BLOCK))
                )
            )
            known = {loop_id: facts["floor"] for loop_id, facts in rows if facts.get("floor")}
            for loop_id in some:
                if loop_id in known:
                    return dict(known[loop_id])
    return {}


def doubts(backend: Backend, loop_ids: Sequence[str]) -> dict[str, Doubt]:
    """What is known of the numbers of those loops that say so: older loops, and domains without it, are left out."""
    table = Artifact.__table__.c
    with backend.database.read() as session:
        rows = session.execute(
            select(table.loop_id, table.facts).where(
                table.loop_id.in_(loop_ids), table.generation == 0, table.name == "metrics"
            )
        ).all()
    return {
        loop_id: Doubt(
            {name: [float(v) for v in values if v is not None] for name, values in facts["noise"].items()},
            dict(facts.get("caveats", {})),
        )
        for loop_id, facts in rows
        if facts.get("noise")
    }  # fmt: skip


FLOORS_AT_ONCE = 20

Points = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Generations (T,), ascending, and the values (T,) there; both read-only."""


def curves(
    backend: Backend, loop_ids: Sequence[str], names: Sequence[str] | None = None
) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Every metric (or those named) of several loops by generation; loops that do not exist are left out."""
    found: dict[str, dict[str, list[tuple[int, float]]]] = {}
    with backend.database.read() as session:
        for loop_id, generation, name, value in metric_rows(session, loop_ids, names):
            found.setdefault(loop_id, {}).setdefault(name, []).append((generation, value))
    return found


def points(backend: Backend, loop_ids: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, Points]]:
    """The same of the metrics ``names`` as arrays, for many loops: loop id -> metric -> points."""
    found: dict[str, dict[str, Points]] = {}
    with backend.database.read() as session:
        arrays = _arrays_of_postgresql if session.get_bind().dialect.name == "postgresql" else _arrays
        for name in dict.fromkeys(names):
            for loop_id, generations, values in arrays(session, loop_ids, name):
                known = (np.array(generations, np.int64), np.array(values, np.float64))
                for array in known:
                    array.flags.writeable = False
                found.setdefault(loop_id, {})[name] = known
    return found


def names_of(backend: Backend, loop_ids: Sequence[str]) -> dict[str, set[str]]:
    """The metrics that loops have: a value of them at the first or the last generation recorded."""
    table, loops = MetricValue.__table__.c, Loop.__table__.c
    found: dict[str, set[str]] = {}
    with backend.database.read() as session:
        for at in (0, loops.generation):
            rows = _rows(
                session,
                select(table.loop_id, table.name)
                .join(Loop.__table__, (loops.id == table.loop_id) & (table.generation == at))
                .where(loops.id.in_(loop_ids), table.value.is_not(None)),
            )
            for loop_id, name in rows:
                found.setdefault(loop_id, set()).add(name)
    return found


def traces(
    backend: Backend, loop_ids: Sequence[str], metric: str | None = None
) -> dict[str, dict[str, list[tuple[int, list[float | None]]]]]:
    """Every metric (or one) of several loops by generation, a value per seed: of all that run at once in a loop, or
    the one of a loop that runs alone. None where it could not be computed."""
    found: dict[str, dict[str, list[tuple[int, list[float | None]]]]] = {}
    with backend.database.read() as session:
        query = select(TraceValue).where(TraceValue.loop_id.in_(loop_ids))
        if metric is not None:
            query = query.where(TraceValue.name == metric)
        rows = session.execute(
            query.with_only_columns(TraceValue.loop_id, TraceValue.generation, TraceValue.name, TraceValue.values)
            .order_by(TraceValue.loop_id, TraceValue.name, TraceValue.generation)
        )  # fmt: skip
        for loop_id, generation, name, values in rows:
            found.setdefault(loop_id, {}).setdefault(name, []).append((generation, list(values)))
        for loop_id, generation, name, value in metric_rows(
            session, [one for one in loop_ids if one not in found], None if metric is None else [metric]
        ):
            found.setdefault(loop_id, {}).setdefault(name, []).append((generation, [value]))
    return found


def metric_rows(
    session: Session, loop_ids: Sequence[str], names: Sequence[str] | None = None
) -> list[tuple[str, int, str, float]]:
    """(loop id, generation, metric, value), by loop, metric and generation; without what could not be computed."""
    table = MetricValue.__table__.c
    query = select(table.loop_id, table.generation, table.name, table.value).where(
        table.loop_id.in_(loop_ids), table.value.is_not(None)
    )
    if names is not None:
        query = query.where(table.name.in_(names))
    return _rows(session, query.order_by(table.loop_id, table.name, table.generation))


def _rows(session: Session, query: Select[Any]) -> list[Any]:
    return driver_rows(session.connection().execute(query))


Columns = Iterable[tuple[str, Sequence[int], Sequence[float]]]


def _arrays(session: Session, loop_ids: Sequence[str], name: str) -> Columns:
    """(loop id, generations, values) of one metric."""
    table = MetricValue.__table__.c
    rows = _rows(
        session,
        select(table.loop_id, table.generation, table.value)
        .where(table.name == name, table.loop_id.in_(loop_ids), table.value.is_not(None))
        .order_by(table.loop_id, table.generation),
    )
    found: dict[str, tuple[list[int], list[float]]] = {}
    last, generations, values = "", list[int](), list[float]()
    for loop_id, generation, value in rows:
        if loop_id != last:
            generations, values = found[loop_id] = [], []
            last = loop_id
        generations.append(generation)
        values.append(value)
    return ((loop_id, *both) for loop_id, both in found.items())


def _arrays_of_postgresql(session: Session, loop_ids: Sequence[str], name: str) -> Columns:
    """The same, put together by the database and sent in binary: a third of the time."""
    connection: Any = session.connection().connection.driver_connection
    with connection.cursor(binary=True) as cursor:
        cursor.execute(_ARRAYS, {"name": name, "ids": list(loop_ids)})
        return list(cursor.fetchall())


_ARRAYS = """
SELECT loop_id, array_agg(generation ORDER BY generation), array_agg(value ORDER BY generation)
FROM metrics WHERE name = %(name)s AND loop_id = ANY(%(ids)s) AND value IS NOT NULL GROUP BY loop_id
"""
