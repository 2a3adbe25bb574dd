"""Publishes what one lease made of many generations: records, metrics and traces in SQL, one file for the rest."""

import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from backend import tripping
from backend.context import Backend
from backend.journal import finite, note, touch
from backend.loops import BODY
from backend.stages import RUNNABLE, Lease, advance, end_if_complete, leased, settle, told_of_rejected
from backend.store import Stored
from backend.tables import Artifact, Base, Generation, Loop, MetricValue, Stage, TraceValue, utc_now
from core.blocks import BLOCK, Block
from core.config import LoopConfig
from core.records import Item
from core.stack import can_be_stacked

MOST_TOGETHER = 32  # loops in one computation: their heartbeats and outcomes are told one by one

Rows = dict[type[Base], list[dict[str, Any]]]


def publish_block(backend: Backend, lease: Lease, block: Block, *, body: Mapping[str, Any], seconds: float) -> None:
    """Make a block's generations visible and queue the next block, all in one transaction.

    Args:
        body: what a viewer needs to show a panel, kept with every generation.

    Raises:
        LeaseLost: when another worker holds the block by now; nothing changes then.
    """
    bodies = {(record.index, BODY): Item(meta=dict(body)) for record in block.records}
    packed = Block(block.first, block.records, block.kept | bodies).item()
    stored = backend.store.put(packed)
    rows = _rows(lease.loop_id, block)
    with backend.database.write() as session:
        loop, row = leased(session, lease)
        config = LoopConfig.model_validate(loop.config)  # it may have been extended since the claim
        row.state, row.finished_at, row.fraction, row.seconds = "done", utc_now(), 1.0, seconds
        session.add(_artifact(lease, block, stored))
        session.flush()
        _insert(session, rows)
        loop.generation = max(loop.generation, block.last)
        fired = tripping.watch(session, loop, config, [record.index for record in block.records])
        if fired is not None:
            _keep_until(session, loop, row.generation, fired)
        if rejected := _rejected(block, loop.generation):
            note(session, loop, "rejected", rejected, loop.generation)
        messages = advance(session, loop, config, lambda _: 1)
        session.flush()
        end_if_complete(session, loop, config)
        if loop.state == "cancelling":
            settle(session, loop)
        touch(session, loop)
        runnable = loop.state in RUNNABLE
    if runnable:
        backend.queue.send(messages)


def _keep_until(session: Session, loop: Loop, first: int, last: int) -> None:
    """Leave out the generations of a block after one at which a tripwire fired; its file holds them, unseen."""
    loop.generation = last
    tripping.cut(session, loop, last)
    artifact = session.get_one(Artifact, (loop.id, first, BLOCK))
    artifact.facts = artifact.facts | {"generations": [first, last]}


def siblings_of(backend: Backend, lease: Lease) -> list[str]:
    """Loops that can run together with a claimed one: of its group, waiting for a block at the same generation; only
    this process' share of them, so that others have work too."""
    with backend.database.read() as session:
        group = session.scalar(select(Loop.group).where(Loop.id == lease.loop_id))
        if not group:
            return []
        rows = session.execute(
            select(Loop.id, Loop.config)
            .join(Stage, Stage.loop_id == Loop.id)
            .where(
                Loop.group == group, Loop.id != lease.loop_id, Loop.state.in_(RUNNABLE), Loop.deleted_at.is_(None),
                Stage.stage == BLOCK, Stage.generation == lease.generation, Stage.state == "queued",
            )
            .order_by(Loop.created_at, Loop.id)
        ).all()  # fmt: skip
    fitting = [loop for loop, plain in rows if can_be_stacked(lease.config, LoopConfig.model_validate(plain))]
    share = -(-(len(fitting) + 1) // backend.settings.processes_for_physics)
    return fitting[: min(share, MOST_TOGETHER) - 1]


def _artifact(lease: Lease, block: Block, stored: Stored) -> Artifact:
    facts: dict[str, Any] = {"generations": [block.first, block.last]}
    floor = block.kept[block.first, "metrics"].meta.get("floor")
    if floor is not None:
        facts["floor"] = floor
    return Artifact(
        loop_id=lease.loop_id, generation=lease.generation, name=BLOCK, digest=stored.digest, size=stored.size,
        facts=finite(facts),
    )  # fmt: skip


def _rows(loop_id: str, block: Block) -> Rows:
    """All rows of a block, made before the transaction begins, which keeps that short."""
    now = utc_now()
    rows: Rows = {Generation: [], MetricValue: [], TraceValue: []}
    for record in block.records:
        rows[Generation].append(
            {
                "loop_id": loop_id, "index": record.index, "counts": dict(record.counts),
                "training": finite({**record.training, **record.pace}), "seconds": dict(record.seconds),
                "recorded_at": now,
            }
        )  # fmt: skip
        of_generation = {"loop_id": loop_id, "generation": record.index}
        rows[MetricValue] += [
            of_generation | {"name": name, "value": finite(value)} for name, value in record.metrics.items()
        ]
    for t, traces in block.traces().items():
        rows[TraceValue] += [
            {"loop_id": loop_id, "generation": t, "name": name, "values": _finite(values)}
            for name, values in traces.items()
        ]
    return rows


def _finite(values: list[float]) -> list[float | None]:
    return values if math.isfinite(sum(values)) else [v if math.isfinite(v) else None for v in values]  # type: ignore[return-value]


def _insert(session: Session, rows: Rows) -> None:
    for table, many in rows.items():
        if many:
            session.execute(insert(table.__table__), many)  # type: ignore[arg-type]


def _rejected(block: Block, last: int) -> str:
    """What became of rejected samples of a block's generations up to ``last``, in words; "" where there were none."""
    counts: dict[str, int] = {}
    for record in (record for record in block.records if record.index <= last):
        for name, count in record.counts.items():
            counts[name] = counts.get(name, 0) + count
    told = told_of_rejected(counts)
    return f"Generations {block.first} to {last}: {told}" if told else ""
