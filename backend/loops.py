"""The verbs and queries of loops. Verbs can be repeated without harm; the database decides, messages only wake."""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import delete as delete_rows
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend import parts, quotas
from backend.context import Backend
from backend.journal import REVISION, bump, get_loop, lock_loop, note, sql_now, touch
from backend.launching import default_name as default_name
from backend.launching import launch as launch
from backend.launching import launch_all as launch_all
from backend.measures import metric_rows
from backend.playing import BODY as BODY
from backend.playing import Kind as Kind
from backend.playing import PanelMotion as PanelMotion
from backend.playing import panel as panel
from backend.playing import panel_motion as panel_motion
from backend.queue import Message
from backend.stages import advance, message_of, running_parts, settle
from backend.tables import (
    Artifact,
    Counter,
    Event,
    Generation,
    Loop,
    Stage,
    utc_now,
)
from backend.views import (
    ACTIVE,
    EventView,
    GenerationView,
    LoopView,
    loop_views,
    numbers,
)
from core.config import LoopConfig, digest, with_changes
from core.errors import Conflict, InvalidConfig

LOWEST, HIGHEST = -10, 10  # priorities


def find_same(backend: Backend, config: LoopConfig) -> LoopView | None:
    """The newest finished loop with an equal config, if any."""
    wanted = digest(parts.check(config))
    with backend.database.read() as session:
        loop = session.scalar(
            select(Loop)
            .where(Loop.config_digest == wanted, Loop.state == "done", Loop.deleted_at.is_(None))
            .order_by(Loop.created_at.desc())
            .limit(1)
        )
        return None if loop is None else _view(backend, session, loop)


def list_loops(
    backend: Backend, *, group: str | None = None, deleted: bool = False, limit: int = 500
) -> list[LoopView]:
    """Loops, newest first; deleted ones instead where asked for."""
    query = select(Loop).where(Loop.deleted_at.is_not(None) if deleted else Loop.deleted_at.is_(None))
    if group is not None:
        query = query.where(Loop.group == group)
    with backend.database.read() as session:
        loops = session.scalars(query.order_by(Loop.created_at.desc(), Loop.id).limit(limit)).all()
        return loop_views(session, loops, backend.settings.stale_after_s)


def show_loop(backend: Backend, loop_id: str) -> LoopView:
    """One loop.

    Raises:
        NotFound: as every function here that takes an id.
    """
    with backend.database.read() as session:
        return _view(backend, session, get_loop(session, loop_id))


def generations(backend: Backend, loop_id: str) -> list[GenerationView]:
    """Recorded generations, first to last."""
    with backend.database.read() as session:
        get_loop(session, loop_id)
        rows = session.scalars(select(Generation).where(Generation.loop_id == loop_id).order_by(Generation.index)).all()
        metrics = metric_rows(session, [loop_id])
    by_generation: dict[int, dict[str, float]] = {}
    for _, generation, name, value in metrics:
        by_generation.setdefault(generation, {})[name] = value
    return [
        GenerationView(
            index=row.index, metrics=by_generation.get(row.index, {}), counts=row.counts,
            training=numbers(row.training), seconds=row.seconds, recorded_at=row.recorded_at,
        )
        for row in rows
    ]  # fmt: skip


def events(backend: Backend, loop_id: str, limit: int = 200) -> list[EventView]:
    """The last events, oldest first."""
    with backend.database.read() as session:
        get_loop(session, loop_id)
        rows = session.scalars(
            select(Event).where(Event.loop_id == loop_id).order_by(Event.id.desc()).limit(limit)
        ).all()
    return [
        EventView(at=row.at, kind=row.kind, generation=row.generation, stage=row.stage, sentence=row.sentence)
        for row in reversed(rows)
    ]


def revision(backend: Backend) -> int:
    """Grows with every visible change."""
    with backend.database.read() as session:
        return session.scalar(select(Counter.value).where(Counter.name == REVISION)) or 0


def cancel(backend: Backend, loop_id: str) -> LoopView:
    """Stop a loop; its running stage sees it within a second or two. What was published is kept.

    Raises:
        Conflict: when it has come to its end, or failed.
    """
    backend.gate.require("runner")
    with backend.database.write() as session:
        loop = lock_loop(session, loop_id)
        if loop.state in ("done", "failed"):
            raise Conflict(f"The loop {loop.name!r} is {loop.state} already.", "There is nothing to cancel.")
        if loop.state not in ("cancelling", "cancelled", "stopped"):
            _stop(session, loop)
            touch(session, loop)
    return show_loop(backend, loop_id)


def resume(backend: Backend, loop_id: str) -> LoopView:
    """Go on with a loop that was cancelled, stopped or interrupted, or that failed, from the first stage that was not
    published; a tripwire that stopped it is disarmed.

    Raises:
        Conflict: when it is done or deleted.
        OverQuota: when it would be one too many.
    """
    return _go_on(backend, loop_id, "resumed", "Resumed")


def retry(backend: Backend, loop_id: str) -> LoopView:
    """The same, said of a loop that failed: every stage that is not done has all its attempts again."""
    return _go_on(backend, loop_id, "retried", "Tried again")


def _go_on(backend: Backend, loop_id: str, kind: str, verb: str) -> LoopView:
    actor = backend.gate.require("runner")
    messages: list[Message] = []
    with backend.database.write() as session:
        loop = lock_loop(session, loop_id)
        if loop.deleted_at is not None:
            raise Conflict(f"The loop {loop.name!r} is deleted.", "Restore it first.")
        if loop.state == "done":
            raise Conflict(f"The loop {loop.name!r} is done.", "Extend it by more generations instead.")
        if loop.state not in ("queued", "running"):
            if loop.state not in ACTIVE:
                quotas.check_active(backend, session, actor, 1)
            disarmed = _disarm(loop)
            messages = _requeue(session, loop)
            note(session, loop, kind, f"{verb} from generation {loop.generation + 1}.{disarmed}")
            touch(session, loop)
    backend.queue.send(messages)
    return show_loop(backend, loop_id)


def _disarm(loop: Loop) -> str:
    """Let a person's word go before the rule that stopped a loop; what to say of it."""
    rule, loop.stop = (loop.stop or {}).get("rule", ""), None
    if not rule:
        return ""
    loop.disarmed = [*(loop.disarmed or []), rule]
    return f" The stop rule {rule!r} no longer applies."


def prioritize(backend: Backend, loop_id: str, priority: int) -> LoopView:
    """Let a loop go before those of lower priority, from its next stage on.

    Raises:
        InvalidConfig: when ``priority`` is not from -10 to 10.
        Conflict: when the loop is deleted.
    """
    backend.gate.require("runner")
    if not LOWEST <= priority <= HIGHEST:
        raise InvalidConfig(f"A priority is from {LOWEST} to {HIGHEST}; got {priority}.", "0 is usual.", "priority")
    with backend.database.write() as session:
        loop = lock_loop(session, loop_id)
        if loop.deleted_at is not None:
            raise Conflict(f"The loop {loop.name!r} is deleted.", "Restore it first.")
        if loop.priority != priority:
            note(session, loop, "prioritized", f"Priority {priority:+d}, after {loop.priority:+d}.")
            loop.priority = priority
            touch(session, loop)
    return show_loop(backend, loop_id)


def delete(backend: Backend, loop_id: str) -> LoopView:
    """Hide a loop (and stop it); for a few days it can be restored."""
    backend.gate.require("runner")
    with backend.database.write() as session:
        loop = lock_loop(session, loop_id)
        if loop.deleted_at is None:
            loop.deleted_at = utc_now()
            if loop.state in ACTIVE:
                _stop(session, loop)
            note(session, loop, "deleted", "Deleted; it can be restored for a while.")
            touch(session, loop)
    return show_loop(backend, loop_id)


def restore(backend: Backend, loop_id: str) -> LoopView:
    """Undo a deletion."""
    backend.gate.require("runner")
    with backend.database.write() as session:
        loop = lock_loop(session, loop_id)
        if loop.deleted_at is not None:
            loop.deleted_at = None
            note(session, loop, "restored", "Restored.")
            touch(session, loop)
    return show_loop(backend, loop_id)


def clone(backend: Backend, loop_id: str, changes: Mapping[str, Any], name: str = "") -> LoopView:
    """Launch a loop like this one but for ``changes`` (dotted paths), in the same group.

    Raises:
        InvalidConfig: when a change names nothing or cannot be.
    """
    with backend.database.read() as session:
        loop = get_loop(session, loop_id)
    config = with_changes(LoopConfig.model_validate(loop.config), changes)
    return launch(backend, config, name=name, group=loop.group)


def extend(backend: Backend, loop_id: str, generations: int, *, seen: int | None = None) -> LoopView:
    """Add generations to a loop; a finished one goes on, another keeps its state.

    Args:
        seen: how many generations the caller took it to have, where that matters: of two that extend it at once, one
            shall hear of the other.

    Raises:
        InvalidConfig: when ``generations`` is not positive, or too many.
        Conflict: when it is deleted, or has other generations than were seen.
        OverQuota: when it would be one loop too many.
    """
    actor = backend.gate.require("runner")
    if generations < 1:
        raise InvalidConfig(f"A loop can be extended by 1 generation or more; got {generations}.", "", "generations")
    messages: list[Message] = []
    with backend.database.write() as session:
        loop = lock_loop(session, loop_id)
        config = LoopConfig.model_validate(loop.config)
        if loop.deleted_at is not None:
            raise Conflict(f"The loop {loop.name!r} is deleted.", "Restore it first.")
        if seen is not None and seen != config.generations:
            raise Conflict(
                f"The loop {loop.name!r} has {config.generations} generations by now, not {seen}.",
                "Somebody else changed it. Look at it again, then extend it if that is still wanted.",
            )
        config = with_changes(config, {"generations": config.generations + generations})
        quotas.check_sizes(backend, [config])
        loop.config, loop.config_digest = config.model_dump(mode="json"), digest(config)
        note(session, loop, "extended", f"Extended by {generations}, to {config.generations} generations.")
        added = advance(session, loop, config, lambda _: 1)  # a generation's first stage has one part
        if loop.state == "done":
            quotas.check_active(backend, session, actor, 1)
            loop.state, loop.finished_at, loop.stop = "queued", None, None
        if loop.state in ACTIVE:
            messages = added
        touch(session, loop)
    backend.queue.send(messages)
    return show_loop(backend, loop_id)


def purge(backend: Backend) -> int:
    """Remove loops deleted longer ago than settings say, and files that nothing refers to; returns how many loops."""
    limit = utc_now() - timedelta(days=backend.settings.purge_after_days)
    at_work = select(Stage.part).where(Stage.loop_id == Loop.id, Stage.state == "running").exists()
    with backend.database.write() as session:
        gone = session.scalars(
            delete_rows(Loop)  # in one statement: a loop that is restored at this moment stays
            .where(Loop.deleted_at < limit, Loop.state.not_in(ACTIVE), ~at_work)
            .returning(Loop.id)
            .execution_options(synchronize_session=False)
        ).all()
        if gone:
            bump(session)
    with backend.database.read() as session:
        wanted = session.scalars(select(Artifact.digest).distinct()).all()
    backend.store.collect(wanted, before=time.time() - 24 * 3600)
    return len(gone)


def _view(backend: Backend, session: Session, loop: Loop) -> LoopView:
    return loop_views(session, [loop], backend.settings.stale_after_s)[0]


def _stop(session: Session, loop: Loop) -> None:
    if loop.state != "cancelling":
        loop.state = "cancelling"
        note(session, loop, "cancelling", "Asked to stop.")
    settle(session, loop)


def _requeue(session: Session, loop: Loop) -> list[Message]:
    """Give every stage that is not done a fresh start; the messages to send."""
    config = LoopConfig.model_validate(loop.config)
    advance(session, loop, config, lambda _: 1)  # after a roll-back: a generation's first stage, in one part
    session.flush()
    rows = session.scalars(select(Stage).where(Stage.loop_id == loop.id, Stage.state.in_(("queued", "failed")))).all()
    for row in rows:
        row.state, row.attempt, row.sent_at = "queued", 0, sql_now(session)
        row.heartbeat_at = row.retry_at = None
    loop.state, loop.error, loop.finished_at = "running" if running_parts(session, loop) else "queued", None, None
    loop.trouble = None
    return [message_of(row, config) for row in sorted(rows, key=lambda row: (row.generation, row.part))]
