"""A loop rolled back forgets its later generations, and makes the same ones again; a longer loop is an extended one."""

from typing import Any

import pytest
from sqlalchemy import func, select

from backend import loops
from backend.context import Backend
from backend.queue import ListQueue
from backend.reclaiming import reclaim
from backend.rollback import rollback
from backend.stages import claim
from backend.tables import Artifact, Generation, MetricValue, PanelSample, Stage, TraceValue
from core.config import LoopConfig, PartConfig
from core.errors import Conflict, InvalidConfig, NotFound, UnknownPart
from tests.backend.lightloops import done, light, numbers, short_blocks
from tests.backend.test_stages import silence
from tests.backend.toys import toy_config
from tests.core.light import light_config
from worker.stage import drain

__all__ = ["light", "short_blocks"]

TABLES: list[Any] = [MetricValue, TraceValue, PanelSample, Artifact, Stage]
CONFIGS: dict[str, LoopConfig] = {
    "stages": toy_config(generations=5, corrector="clip"),
    "stages, accumulating": toy_config(generations=5, policy="accumulate"),
    "blocks": light_config(generations=9),
    "blocks, accumulating": light_config(generations=9, policy="accumulate", corrector="shrink"),
    "blocks, older samples": light_config(generations=9, policy="augment").model_copy(
        update={"policy": PartConfig(kind="augment", options={"source": "all past"})}
    ),
}


@pytest.mark.parametrize("to", [0, 3])
@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_made_again_is_the_same(backend: Backend, name: str, to: int) -> None:
    loop_id = done(backend, CONFIGS[name])
    before = numbers(backend, loop_id)
    view = rollback(backend, loop_id, to)
    assert (view.state, view.generation) == ("stopped", to)
    assert view.sentence == f"Stopped after generation {to} of {len(before) - 1}: rolled back"
    assert numbers(backend, loop_id) == before[: to + 1]
    assert rollback(backend, loop_id, to) == view, "twice is as once"
    with backend.database.read() as session:
        for table in TABLES:
            assert (session.scalar(select(func.max(table.generation))) or 0) <= to
    loops.resume(backend, loop_id)
    drain(backend)
    assert loops.show_loop(backend, loop_id).state == "done"
    assert numbers(backend, loop_id) == before


@pytest.mark.usefixtures("short_blocks")
def test_back_and_forth_over_short_blocks(either_backend: Backend) -> None:
    backend = either_backend
    loop_id = done(backend, CONFIGS["blocks, accumulating"])
    before = numbers(backend, loop_id)
    for to in (6, 4, 5, 0):
        rollback(backend, loop_id, min(to, loops.show_loop(backend, loop_id).generation))
        loops.resume(backend, loop_id)
        assert isinstance(backend.queue, ListQueue)
        drain(backend, limit=2)
        loops.cancel(backend, loop_id)
        backend.queue.messages.clear()
    loops.resume(backend, loop_id)
    drain(backend)
    assert numbers(backend, loop_id) == before


def test_the_event_keeps_what_was_removed(backend: Backend) -> None:
    loop_id = done(backend, CONFIGS["blocks"])
    stds = [found["std"] for _, found, _ in numbers(backend, loop_id)]
    rollback(backend, loop_id, 7)
    event = loops.events(backend, loop_id)[-1]
    assert event.kind == "rolled back"
    assert event.sentence == (
        f"Rolled back from generation 9 to 7. What was removed had std (by generation) 8: {stds[8]:.4g}, "
        f"9: {stds[9]:.4g}."
    )


def test_a_panel_of_what_was_removed_is_gone(backend: Backend) -> None:
    loop_id = done(backend, CONFIGS["blocks"])
    assert loops.panel(backend, loop_id, 8).samples
    rollback(backend, loop_id, 4)
    assert loops.panel(backend, loop_id, 4).samples
    with pytest.raises(NotFound):
        loops.panel(backend, loop_id, 8)


def test_the_best_generation_is_by_the_metric(backend: Backend) -> None:
    loop_id = done(backend, CONFIGS["blocks"])
    with backend.database.write() as session:
        for t in range(10):
            row = session.get_one(MetricValue, (loop_id, t, "std"))
            row.value = abs(t - 6) + 1.0
        session.get_one(MetricValue, (loop_id, 0, "std")).value = 1.05  # real: closest to generation 0 is itself
    assert rollback(backend, loop_id, "best").generation == 0
    with pytest.raises(UnknownPart, match="speed"):
        rollback(backend, loop_id, "best", "speed")
    empty = loops.launch(backend, CONFIGS["blocks"])
    loops.cancel(backend, empty.id)
    with pytest.raises(InvalidConfig, match="No generation"):
        rollback(backend, empty.id, "best")


def test_only_an_ended_loop_with_that_generation_is_rolled_back(backend: Backend) -> None:
    loop = loops.launch(backend, CONFIGS["stages"])
    with pytest.raises(Conflict, match="queued"):
        rollback(backend, loop.id, 0)
    drain(backend)
    with pytest.raises(NotFound, match="Generation 6"):
        rollback(backend, loop.id, 6)
    with pytest.raises(NotFound):
        rollback(backend, loop.id, -1)
    assert rollback(backend, loop.id, 5).state == "done", "nothing to remove"
    loops.delete(backend, loop.id)
    with pytest.raises(Conflict, match="deleted"):
        rollback(backend, loop.id, 0)


def test_a_cancelled_loop_stays_cancelled_and_a_failed_one_loses_its_error(backend: Backend) -> None:
    loop = loops.launch(backend, toy_config(generations=5))
    drain(backend, limit=9)
    loops.cancel(backend, loop.id)
    assert rollback(backend, loop.id, 0).state == "cancelled"
    broken = loops.launch(backend, toy_config(generations=3, trouble="diverges"))
    drain(backend)
    assert loops.show_loop(backend, broken.id).state == "failed"
    view = rollback(backend, broken.id, 0)
    assert (view.state, view.error) == ("stopped", None)


@pytest.mark.parametrize("name", CONFIGS)
def test_extended_is_as_long_from_the_start(backend: Backend, name: str) -> None:
    """Also where it was cancelled, resumed, and lost its worker on the way."""
    config = CONFIGS[name]
    short = config.model_copy(update={"generations": 2})
    whole, parts = done(backend, config), loops.launch(backend, short)
    assert isinstance(backend.queue, ListQueue)
    drain(backend, limit=1 if name.startswith("blocks") else 6)
    if loops.show_loop(backend, parts.id).state != "done":
        loops.cancel(backend, parts.id)
        loops.resume(backend, parts.id)
        message = backend.queue.messages.pop(0)
        assert claim(backend, parts.id, message.generation, message.stage, message.part, "dead") is not None
        silence(backend, 3600.0)
        reclaim(backend)
        assert loops.show_loop(backend, parts.id).state == "interrupted"
    loops.extend(backend, parts.id, config.generations - 2, seen=2)
    drain(backend)
    assert loops.show_loop(backend, parts.id).state == "done"
    assert numbers(backend, parts.id) == numbers(backend, whole)
    with backend.database.read() as session:
        counts = session.execute(select(Generation.loop_id, func.count()).group_by(Generation.loop_id)).all()
    assert {count for _, count in counts} == {config.generations + 1}
