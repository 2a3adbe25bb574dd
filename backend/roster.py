"""Which loops there are, in few columns: for headers, choosers, and pages that show some of very many."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select

from backend.context import Backend
from backend.journal import sql_now
from backend.tables import Loop, Stage
from backend.views import LoopView, loop_views


@dataclass(frozen=True)
class Entry:
    """One loop by name. ``revision`` grows whenever anything about it changes."""

    id: str
    name: str
    group: str
    revision: int


def entries(backend: Backend, group: str | None = None) -> list[Entry]:
    """All loops that are not deleted, newest first; of one group where asked for."""
    table = Loop.__table__.c
    query = select(table.id, table.name, table.group, table.revision).where(table.deleted_at.is_(None))
    if group is not None:
        query = query.where(table.group == group)
    with backend.database.read() as session:
        rows = session.connection().execute(query.order_by(table.created_at.desc(), table.id))
        return [Entry(*row) for row in rows]


def groups(known: Sequence[Entry]) -> list[str]:
    """Names of groups, the one launched last first."""
    return list(dict.fromkeys(entry.group for entry in known if entry.group))


def latest(known: Sequence[Entry]) -> list[Entry]:
    """Loops of the group launched last (the last loop alone when it has no group), first launched first."""
    if not known:
        return []
    if not known[0].group:
        return [known[0]]
    return [entry for entry in known if entry.group == known[0].group][::-1]


def views_of(backend: Backend, loop_ids: Sequence[str]) -> list[LoopView]:
    """Those of the loops that there are, in the order asked for."""
    if not loop_ids:
        return []
    with backend.database.read() as session:
        found = session.scalars(select(Loop).where(Loop.id.in_(loop_ids), Loop.deleted_at.is_(None))).all()
        by_id = {view.id: view for view in loop_views(session, found, backend.settings.stale_after_s)}
    return [by_id[loop_id] for loop_id in dict.fromkeys(loop_ids) if loop_id in by_id]


def counts(backend: Backend) -> dict[str, int]:
    """How many loops are in each state; one whose workers have all fallen silent is interrupted, whatever SQL says."""
    with backend.database.read() as session:
        rows = session.execute(select(Loop.state, func.count()).where(Loop.deleted_at.is_(None)).group_by(Loop.state))
        found = {state: count for state, count in rows}
        if not found.get("running"):
            return found
        limit = sql_now(session) - timedelta(seconds=backend.settings.stale_after_s)
        silent = (
            select(Stage.loop_id)
            .join(Loop, Loop.id == Stage.loop_id)
            .where(Loop.state == "running", Loop.deleted_at.is_(None), Stage.state == "running")
            .group_by(Stage.loop_id)
            .having(func.max(Stage.heartbeat_at) < limit)
        )
        count = session.scalar(select(func.count()).select_from(silent.subquery())) or 0
    found["running"] -= count
    found["interrupted"] = found.get("interrupted", 0) + count
    return {state: number for state, number in found.items() if number}
