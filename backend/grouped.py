"""Loops that belong together, launched as one group."""

import hashlib
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend import launching, quotas
from backend.tables import Loop

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.launching import Named
    from backend.views import LoopView


def launch_group(backend: "Backend", title: str, wanted: "Named", *, again: bool = False) -> "list[LoopView]":
    """Loops by (name, checked config), in this order, in one group; those that this data folder already has unless
    ``again``.

    A group of which some loops are missing is completed, never doubled, however many ask for it at once; with other
    configs it is one of its own, named by the title and a number. What is missing is launched whole or not at all.

    Raises:
        InvalidConfig: when the loops are more than the installation allows.
    """
    actor = backend.gate.require("runner")
    with backend.database.read() as session:
        group, kept = _look(session, title, wanted, again)
    missing = [(name, config) for name, config in wanted if name not in kept]
    if not missing:
        return launching.views_of(backend, [kept[name] for name, _ in wanted])
    quotas.check_sizes(backend, [config for _, config in missing])
    with backend.database.write() as session:
        _lock(session, title)
        group, kept = _look(session, title, wanted, again)
        missing = [(name, config) for name, config in wanted if name not in kept]
        loops, messages = launching.add(backend, session, actor, missing, group) if missing else ([], [])
        kept |= {name: loop.id for (name, _), loop in zip(missing, loops, strict=True)}
    launching.wake(backend, loops, messages)
    return launching.views_of(backend, [kept[name] for name, _ in wanted])


def _look(session: Session, title: str, wanted: "Named", again: bool) -> tuple[str, dict[str, str]]:
    """The group to launch in, and the ids of those of its loops that are there already, by name."""
    configs = {name: config.model_dump(mode="json") for name, config in wanted}
    number, group = 1, title
    while found := session.scalars(select(Loop).where(Loop.group == group).order_by(Loop.created_at)).all():
        mine = {loop.name: loop for loop in found if loop.deleted_at is None}
        kept = {name: loop.id for name, loop in mine.items() if configs.get(name) == loop.config}
        if not again and kept and len(kept) == len(mine):
            return group, kept
        number += 1
        group = f"{title} {number}"
    return group, {}


def _lock(session: Session, title: str) -> None:
    """Wait until nobody else launches this title: on PostgreSQL by a lock that the transaction's end releases. SQLite
    has one writer at a time anyway."""
    if session.get_bind().dialect.name == "postgresql":
        key = int.from_bytes(hashlib.sha256(f"launch:{title}".encode()).digest()[:8], "big", signed=True)
        session.execute(select(func.pg_advisory_xact_lock(key)))
