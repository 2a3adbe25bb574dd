"""Loops of the light domain of tests/core through SQL and a queue in memory."""

from collections.abc import MutableMapping
from typing import Any

import pytest

from backend import loops
from backend.context import Backend
from backend.parts import build_run, check
from backend.queue import ListQueue
from core.config import LoopConfig
from core.loop import run_loop
from core.memory import MemoryMemo, MemoryShelf
from tests.core.light import LIGHT, SHRINK
from worker.stage import drain

Numbers = list[tuple[int, dict[str, float], dict[str, int]]]


@pytest.fixture(autouse=True)
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """The light domain and its corrector, registered while a test lasts."""
    from corrector.registry import CORRECTORS
    from model.domains import DOMAINS

    entries: list[tuple[MutableMapping[str, Any], str, Any]] = [
        (DOMAINS, "light", LIGHT),
        (CORRECTORS, "shrink", SHRINK),
    ]
    for registry, kind, entry in entries:
        monkeypatch.setitem(registry, kind, entry)


@pytest.fixture
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of one generation each."""
    import worker.block

    monkeypatch.setattr(worker.block, "BLOCK_S", 0.0)


def numbers(backend: Backend, loop_id: str) -> Numbers:
    return [(g.index, g.metrics, g.counts) for g in loops.generations(backend, loop_id)]


def in_process(config: LoopConfig) -> Numbers:
    run = build_run(check(config), shelf=MemoryShelf(), memo=MemoryMemo())
    return [(r.index, dict(r.metrics), dict(r.counts)) for r in run_loop(run)]


def done(backend: Backend, config: LoopConfig) -> str:
    """A loop that ran through the queue; its identifier."""
    loop = loops.launch(backend, config)
    drain(backend)
    view = loops.show_loop(backend, loop.id)
    assert view.state == "done", view.error
    return loop.id


def waiting(backend: Backend) -> list[tuple[int, str]]:
    """(generation, stage) of the messages that nobody has taken; they are taken."""
    assert isinstance(backend.queue, ListQueue)
    found = [(message.generation, message.stage) for message in backend.queue.messages]
    backend.queue.messages.clear()
    return found
