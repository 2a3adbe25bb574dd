"""The verbs and queries of loops. Verbs can be repeated without harm; the database decides, messages only wake."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete as delete_rows
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend import parts, quotas
from backend.context import Backend
from backend.journal import REVISION, bump, finite, get_loop, lock_loop, note, touch
from backend.measures import metric_rows
from backend.queue import Message
from backend.shelf import SqlShelf
from backend.stages import advance, in_blocks, message_of, running_parts, settle
from backend.tables import (
    Artifact,
    Counter,
    Event,
    Generation,
    Loop,
    PanelSample,
    Stage,
    utc_now,
)
from backend.views import (
    ACTIVE,
    EventView,
    GenerationView,
    LoopView,
    PanelSampleView,
    PanelView,
    loop_views,
    numbers,
)
from core.config import LoopConfig, digest, with_changes
from core.errors import Conflict, DataMissing, InvalidConfig, NotFound
from core.motion import Motion
from core.policies import POLICIES
from core.skeleton import Skeleton

BODY = "body"
"""Artifact that says what a panel's arrays mean: skeleton, frame rate and class names."""

Kind = Literal["real", "raw", "corrected"]


@dataclass(frozen=True, eq=False)
class PanelMotion:
    """One motion of a panel; a corrected one with its outcome and the corrector's per-frame ``tracks`` (T,)."""

    motion: Motion
    outcome: dict[str, Any] | None
    tracks: dict[str, NDArray[Any]]


def launch(backend: Backend, config: LoopConfig, *, name: str = "", group: str = "") -> LoopView:
    """Start a loop.

    Raises:
        InvalidConfig: naming the field that cannot be.
    """
    actor = backend.gate.require("runner")
    config = parts.check(config)
    quotas.check_sizes(backend, [config])
    with backend.database.write() as session:
        quotas.check_active(backend, session, actor, 1)
        now = utc_now()
        loop = Loop(
            id=secrets.token_hex(6), name=name.strip() or default_name(config), group=group.strip(),
            config=config.model_dump(mode="json"), config_digest=digest(config), state="queued", generation=-1,
            owner=actor.name, revision=0, created_at=now, updated_at=now,
        )  # fmt: skip
        session.add(loop)
        session.flush()
        messages = advance(session, loop, config, lambda _: 1)  # its first stage has one part
        note(session, loop, "launched", f"Launched: {config.generations} generations after generation 0.")
        touch(session, loop)
    backend.queue.send(messages)
    if not in_blocks(config):  # what those need is had in no time
        backend.queue.prepare(loop.id)
    return show_loop(backend, loop.id)


def default_name(config: LoopConfig) -> str:
    """What a loop is called that nobody named: its policy with what is unusual about it, corrector and seed."""
    usual = numbers({name: field.default for name, field in POLICIES[config.policy.kind].options.model_fields.items()})
    found = numbers(config.policy.options)
    policy = " ".join([config.policy.kind, *(f"{found[name]:g}" for name in ("lam",) if name in found)])
    unusual = [
        f"{name.replace('_', ' ')} {value:g}"
        for name, value in found.items()
        if name != "lam" and value != usual.get(name)
    ]
    corrector = [] if config.corrector.kind == "none" else [config.corrector.kind]
    seed = f"seed {config.seed}" if config.replicates == 1 else f"{config.replicates} seeds from {config.seed}"
    return ", ".join([policy, *unusual, *corrector, seed])


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
        Conflict: when it has ended already.
    """
    backend.gate.require("runner")
    with backend.database.write() as session:
        loop = lock_loop(session, loop_id)
        if loop.state in ("done", "failed"):
            raise Conflict(f"The loop {loop.name!r} is {loop.state} already.", "There is nothing to cancel.")
        if loop.state != "cancelled":
            _stop(session, loop)
            touch(session, loop)
    return show_loop(backend, loop_id)


def resume(backend: Backend, loop_id: str) -> LoopView:
    """Go on with a cancelled, failed or interrupted loop from the first stage that was not published.

    Raises:
        Conflict: when it is done or deleted.
    """
    backend.gate.require("runner")
    messages: list[Message] = []
    with backend.database.write() as session:
        loop = lock_loop(session, loop_id)
        if loop.deleted_at is not None:
            raise Conflict(f"The loop {loop.name!r} is deleted.", "Restore it first.")
        if loop.state == "done":
            raise Conflict(f"The loop {loop.name!r} is done.", "Extend it by more generations instead.")
        if loop.state in ("cancelling", "cancelled", "failed", "interrupted"):
            messages = _requeue(session, loop)
            note(session, loop, "resumed", f"Resumed from generation {loop.generation + 1}.")
            touch(session, loop)
    backend.queue.send(messages)
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


def extend(backend: Backend, loop_id: str, generations: int) -> LoopView:
    """Add generations to a loop; a finished one goes on, another keeps its state.

    Raises:
        InvalidConfig: when ``generations`` is not positive, or too many.
    """
    backend.gate.require("runner")
    if generations < 1:
        raise InvalidConfig(f"A loop can be extended by 1 generation or more; got {generations}.", "", "generations")
    messages: list[Message] = []
    with backend.database.write() as session:
        loop = lock_loop(session, loop_id)
        config = LoopConfig.model_validate(loop.config)
        config = with_changes(config, {"generations": config.generations + generations})
        loop.config, loop.config_digest = config.model_dump(mode="json"), digest(config)
        note(session, loop, "extended", f"Extended by {generations}, to {config.generations} generations.")
        added = advance(session, loop, config, lambda _: 1)  # a generation's first stage has one part
        if loop.state == "done":
            loop.state, loop.finished_at = "queued", None
        if loop.state in ACTIVE and loop.deleted_at is None:
            messages = added
        touch(session, loop)
    backend.queue.send(messages)
    return show_loop(backend, loop_id)


def panel(backend: Backend, loop_id: str, generation: int) -> PanelView:
    """What became of each panel sample in a generation.

    Raises:
        NotFound: when the generation has no panel yet.
    """
    with backend.database.read() as session:
        get_loop(session, loop_id)
        rows = session.scalars(
            select(PanelSample)
            .where(PanelSample.loop_id == loop_id, PanelSample.generation == generation)
            .order_by(PanelSample.index)
        ).all()
    if rows:
        samples = [PanelSampleView(index=row.index, label=row.label, outcome=row.outcome) for row in rows]
    else:
        samples = _packed_panel(backend, loop_id, generation)
    return PanelView(loop_id=loop_id, generation=generation, samples=samples)


def _packed_panel(backend: Backend, loop_id: str, generation: int) -> list[PanelSampleView]:
    """The same of a generation that was made in a block: its file says it, SQL has no rows of it."""
    shelf = SqlShelf(backend, loop_id)
    try:
        corrected, names = shelf.load(generation, "panel-corrected"), shelf.load(generation, BODY).meta["class_names"]
    except DataMissing:
        raise NotFound(
            f"Generation {generation} of loop {loop_id} has no panel yet.", "Wait until it is drawn."
        ) from None
    labels = [int(label) for label in corrected.arrays["labels"]]
    return [
        PanelSampleView(index=i, label=names[label] if 0 <= label < len(names) else "", outcome=finite(outcome))
        for i, (label, outcome) in enumerate(zip(labels, corrected.meta["outcomes"], strict=True))
    ]


def panel_motion(backend: Backend, loop_id: str, generation: int, kind: Kind, index: int) -> PanelMotion:
    """One motion of a panel: the nearest real one, the raw sample, or its corrected form.

    Raises:
        NotFound: when there is no such panel, kind, sample, or the samples are no motions.
    """
    view = panel(backend, loop_id, generation)
    if not 0 <= index < len(view.samples):
        raise NotFound(f"The panel has samples 0 to {len(view.samples) - 1}; got {index}.")
    if kind not in ("real", "raw", "corrected"):
        raise NotFound(f"A panel shows no {kind!r}.", "Choose one of: real, raw, corrected.")
    shelf = SqlShelf(backend, loop_id)
    try:
        body = shelf.load(generation, BODY).meta
        arrays = shelf.load(generation, f"panel-{kind}").arrays
    except DataMissing as error:
        raise NotFound(error.message, "Only panels of motions can be played.") from None
    label = int(arrays["labels"][index])
    motion = Motion(
        Skeleton.from_dict(body["skeleton"]),
        np.asarray(arrays["root_position_m"][index], dtype=np.float64),
        np.asarray(arrays["local_rotations_wxyz"][index], dtype=np.float64),
        float(body["fps"]),
        body["class_names"][label] if 0 <= label < len(body["class_names"]) else "",
    )
    tracks = {k.removeprefix("track."): v[index] for k, v in arrays.items() if k.startswith("track.")}
    return PanelMotion(motion, view.samples[index].outcome if kind == "corrected" else None, tracks)


def purge(backend: Backend) -> int:
    """Remove loops deleted longer ago than settings say, and files that nothing refers to; returns how many loops."""
    limit = utc_now() - timedelta(days=backend.settings.purge_after_days)
    with backend.database.write() as session:
        gone = session.scalars(select(Loop.id).where(Loop.deleted_at < limit, Loop.state.not_in(ACTIVE))).all()
        session.execute(delete_rows(Loop).where(Loop.id.in_(gone)))
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
    rows = session.scalars(select(Stage).where(Stage.loop_id == loop.id, Stage.state.in_(("queued", "failed")))).all()
    for row in rows:
        row.state, row.attempt, row.sent_at, row.heartbeat_at = "queued", 0, utc_now(), None
    loop.state, loop.error, loop.finished_at = "running" if running_parts(session, loop) else "queued", None, None
    return [message_of(row, config) for row in sorted(rows, key=lambda row: (row.generation, row.part))]
