"""Loops that belong together: launched as one group, and one verb for all of them."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend import datasets, launching, loops, quotas
from backend.tables import Loop
from backend.views import LoopView
from core.errors import Conflict, LoopscopeError, NotFound

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.launching import Named

GroupVerb = Literal["cancel", "resume", "retry", "delete", "restore"]

VERBS: "Mapping[GroupVerb, Callable[[Backend, str], LoopView]]" = {
    "cancel": loops.cancel, "resume": loops.resume, "retry": loops.retry, "delete": loops.delete,
    "restore": loops.restore,
}  # fmt: skip
MEANT: "Mapping[GroupVerb, Callable[[LoopView], bool]]" = {
    "cancel": lambda view: view.state in ("queued", "running", "interrupted", "cancelling"),
    "resume": lambda view: view.state in ("cancelling", "cancelled", "stopped", "failed"),
    "retry": lambda view: view.state == "failed",
    "delete": lambda _: True,
    "restore": lambda _: True,
}
"""Which loops of a group a verb is for; the others are passed over without a word."""


class Refusal(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    message: str


class GroupOutcome(BaseModel):
    """What became of a verb for several loops.

    Attributes:
        done: the loops that it was done to.
        refused: those that it was meant for and that did not allow it, with the reason in words.
        passed_over: how many it does not concern (a finished loop is not cancelled).
    """

    model_config = ConfigDict(frozen=True)

    verb: GroupVerb
    done: list[LoopView]
    refused: list[Refusal]
    passed_over: int

    @property
    def sentence(self) -> str:
        """``Asked 3 loops to stop; 2 loops had nothing to cancel.``, and what was refused."""
        one, several = TOLD[self.verb]
        words = one if len(self.done) == 1 else several.format(len(self.done))
        if self.passed_over:
            words += f"; {_loops(self.passed_over)} had nothing to {self.verb}"
        first = f" {_loops(len(self.refused))} refused: {self.refused[0].message}" if self.refused else ""
        return f"{words}.{first}"


TOLD: "Mapping[GroupVerb, tuple[str, str]]" = {
    "cancel": ("Asked 1 loop to stop", "Asked {} loops to stop"),
    "resume": ("1 loop goes on", "{} loops go on"),
    "retry": ("1 loop is tried again", "{} loops are tried again"),
    "delete": ("Deleted 1 loop", "Deleted {} loops"),
    "restore": ("1 loop is back", "{} loops are back"),
}


def to_all(backend: "Backend", verb: GroupVerb, ids: Sequence[str]) -> GroupOutcome:
    """Do a verb to several loops. What cannot be begun for all is begun for none: of loops that go on, their number is
    looked at first. What one loop refuses is told, and the others are done.

    Raises:
        OverQuota: when so many loops may not go on.
        Forbidden: when who asks may look only.
    """
    backend.gate.require("runner")
    with backend.database.read() as session:
        known = set(session.scalars(select(Loop.id).where(Loop.id.in_(list(ids)))))
    views = launching.views_of(backend, [loop_id for loop_id in dict.fromkeys(ids) if loop_id in known])
    meant = [view for view in views if MEANT[verb](view)]
    if verb in ("resume", "retry"):
        quotas.check_room(backend, sum(view.state != "cancelling" for view in meant))
    done, refused, over = list[LoopView](), list[Refusal](), len(views) - len(meant)
    for view in meant:
        try:
            done.append(VERBS[verb](backend, view.id))
        except Conflict as error:  # it has ended meanwhile
            if verb == "cancel":
                over += 1
            else:
                refused.append(Refusal(id=view.id, name=view.name, message=str(error)))
        except LoopscopeError as error:
            refused.append(Refusal(id=view.id, name=view.name, message=str(error)))
    return GroupOutcome(verb=verb, done=done, refused=refused, passed_over=over)


def to_group(backend: "Backend", verb: GroupVerb, group: str) -> GroupOutcome:
    """The same for all loops of a group; restored are those of it that were deleted.

    Raises:
        NotFound: when no loop is in it.
        OverQuota, Forbidden: as :func:`to_all`.
    """
    gone = Loop.deleted_at.is_not(None) if verb == "restore" else Loop.deleted_at.is_(None)
    with backend.database.read() as session:
        query = select(Loop.id).where(Loop.group == group, gone).order_by(Loop.created_at, Loop.id)
        ids = session.scalars(query).all()
    if not ids or not group:
        what = "deleted loop" if verb == "restore" else "loop"
        raise NotFound(f"No {what} is in a group named {group!r}.", "`loopscope loops list` names the groups.")
    return to_all(backend, verb, ids)


def _loops(count: int) -> str:
    return "1 loop" if count == 1 else f"{count} loops"


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
    datasets.check_not_deleted(backend, [config for _, config in missing])
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
