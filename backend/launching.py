"""From configs to loops: one, or several that belong together, in one transaction or not at all."""

import secrets
from collections.abc import Sequence

from sqlalchemy.orm import Session

from backend import datasets, parts, quotas
from backend.context import Backend
from backend.gate import Actor
from backend.journal import note, touch
from backend.queue import Message
from backend.stages import advance, in_blocks
from backend.tables import Loop, utc_now
from backend.views import LoopView, loop_views, numbers
from core.config import LoopConfig, digest
from core.names import plain_name
from core.policies import POLICIES

Named = Sequence[tuple[str, LoopConfig]]
"""(name, config) of each loop; "" is named by what it is."""


def launch(backend: Backend, config: LoopConfig, *, name: str = "", group: str = "") -> LoopView:
    """Start a loop.

    Raises:
        InvalidConfig: naming the field that cannot be.
    """
    return launch_all(backend, [(name, config)], group=group)[0]


def launch_all(backend: Backend, wanted: Named, *, group: str = "") -> list[LoopView]:
    """Start loops in one group, all or none.

    Raises:
        InvalidConfig: naming the field that cannot be.
    """
    actor = backend.gate.require("runner")
    checked = [(name, parts.check(config)) for name, config in wanted]
    datasets.check_not_deleted(backend, [config for _, config in checked])
    quotas.check_sizes(backend, [config for _, config in checked])
    with backend.database.write() as session:
        loops, messages = add(backend, session, actor, checked, group)
    wake(backend, loops, messages)
    return views_of(backend, [loop.id for loop in loops])


def add(
    backend: Backend, session: Session, actor: Actor, wanted: Named, group: str
) -> tuple[list[Loop], list[Message]]:
    """The rows of checked loops, and the messages to send once they are committed (:func:`wake`)."""
    quotas.check_active(backend, session, actor, len(wanted))
    loops, messages = [], []
    for name, config in wanted:
        now = utc_now()
        loop = Loop(
            id=secrets.token_hex(6), name=plain_name(name) or default_name(config), group=plain_name(group),
            config=config.model_dump(mode="json"), config_digest=digest(config), state="queued", generation=-1,
            owner=actor.name, revision=0, created_at=now, updated_at=now,
        )  # fmt: skip
        session.add(loop)
        session.flush()
        messages += advance(session, loop, config, lambda _: 1)  # its first stage has one part
        note(session, loop, "launched", f"Launched: {config.generations} generations after generation 0.")
        loops.append(loop)
    for loop in loops:
        touch(session, loop)
    return loops, messages


def wake(backend: Backend, loops: Sequence[Loop], messages: Sequence[Message]) -> None:
    """Tell the workers of loops that were added."""
    backend.queue.send(messages)
    for loop in loops:
        if not in_blocks(LoopConfig.model_validate(loop.config)):  # what those need is had in no time
            backend.queue.prepare(loop.id)


def views_of(backend: Backend, ids: Sequence[str]) -> list[LoopView]:
    """Views in the order of the ids."""
    with backend.database.read() as session:
        loops = [session.get_one(Loop, loop_id) for loop_id in ids]
        return loop_views(session, loops, backend.settings.stale_after_s)


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
