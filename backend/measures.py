"""Metrics by generation: of one loop, of many, of each seed, and of real held-out samples."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.context import Backend
from backend.journal import get_loop
from backend.tables import Artifact, MetricValue, TraceValue
from core.blocks import BLOCK


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


def curves(backend: Backend, loop_ids: Sequence[str]) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Every metric of several loops by generation; loops that do not exist are left out."""
    found: dict[str, dict[str, list[tuple[int, float]]]] = {}
    with backend.database.read() as session:
        for loop_id, generation, name, value in metric_rows(session, loop_ids):
            found.setdefault(loop_id, {}).setdefault(name, []).append((generation, value))
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
        for loop_id, generation, name, value in metric_rows(session, [one for one in loop_ids if one not in found]):
            if metric in (None, name):
                found.setdefault(loop_id, {}).setdefault(name, []).append((generation, [value]))
    return found


def metric_rows(session: Session, loop_ids: Sequence[str]) -> list[tuple[str, int, str, float]]:
    rows = session.execute(
        select(MetricValue.loop_id, MetricValue.generation, MetricValue.name, MetricValue.value)
        .where(MetricValue.loop_id.in_(loop_ids), MetricValue.value.is_not(None))
        .order_by(MetricValue.loop_id, MetricValue.name, MetricValue.generation)
    )
    return [(loop_id, generation, name, value) for loop_id, generation, name, value in rows if value is not None]
