"""Loops driven by hand: claim, publish, go on, without doing any stage's work."""

from typing import Any

from backend import loops, stages
from backend.context import Backend
from backend.queue import ListQueue, Message
from backend.shelf import SqlShelf
from backend.stages import Lease
from backend.views import LoopView
from core.records import Item
from tests.backend.toys import toy_config


def messages(backend: Backend) -> list[Message]:
    assert isinstance(backend.queue, ListQueue)
    taken, backend.queue.messages = backend.queue.messages, []
    return taken


def start(backend: Backend, **changes: Any) -> tuple[LoopView, Message]:
    loop = loops.launch(backend, toy_config(**changes))
    [message] = messages(backend)
    return loop, message


def claim(backend: Backend, message: Message, worker: str = "w") -> Lease | None:
    return stages.claim(backend, message.loop_id, message.generation, message.stage, message.part, worker)


def claimed(backend: Backend, message: Message, worker: str = "w") -> Lease:
    lease = claim(backend, message, worker)
    assert lease is not None
    return lease


FACTS: dict[str, dict[str, Any]] = {
    "learn": {"model": {"counts": {"real": 3}, "training": {"loss": 0.5, "steps": 2.0}}},
    "evaluate": {"metrics": {"metrics": {"fid": 4.0, "recall": float("nan")}, "floor": {"fid": [1.0, 2.0]}}},
}


def publish(backend: Backend, lease: Lease, parts: int = 1) -> None:
    """What a stage of that name leaves, without doing its work."""
    shelf = SqlShelf(backend, lease.loop_id)
    for name, meta in FACTS.get(lease.stage, {lease.stage: {}}).items():
        shelf.save(lease.generation, name, Item(meta=meta))
    samples = [("a", {"status": "unchanged"})] if lease.stage == "panel" else []
    stages.publish(backend, lease, shelf.pending, lambda _: parts, seconds=1.5, samples=samples)


def finish(backend: Backend, waiting: list[Message], parts: int = 1) -> list[Message]:
    """Do everything that waits and follows; returns all messages in the order done."""
    done = []
    while waiting:
        message = waiting.pop(0)
        publish(backend, claimed(backend, message), parts)
        waiting += messages(backend)
        done.append(message)
    return done
