"""States do not lie, and say themselves in words."""

from datetime import timedelta

import pytest

from backend import loops, stages
from backend.context import Backend
from backend.queue import Message
from backend.tables import Generation, utc_now
from backend.views import LoopView, in_words, numbers
from tests.backend.leases import claimed, finish, messages, publish, start


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (12.4, "12 s"), (59.6, "1 min"), (185, "3 min 5 s"), (720, "12 min"), (7800, "2 h 10 min")],
)
def test_durations_read_well(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_numbers_are_numbers() -> None:
    assert numbers({"a": 1, "b": 2.5, "c": "x", "d": True, "e": None}) == {"a": 1.0, "b": 2.5}


def test_a_view_tells_the_stage_that_matters_most(backend: Backend) -> None:
    loop, first = start(backend, corrector="clip", generations=10)
    publish(backend, claimed(backend, first))
    leases = {m.stage: claimed(backend, m) for m in messages(backend)}
    stages.heartbeat(backend, leases["evaluate"], 0.5, "Drawing 16 samples")
    stages.heartbeat(backend, leases["synthesize"], 0.1, "Drawing 96 samples")
    view = loops.show_loop(backend, loop.id)
    assert {running.stage for running in view.running} == {"panel", "evaluate", "synthesize"}
    assert view.sentence == "Sampling the training set of generation 1 of 10, drawing 96 samples"
    assert view.eta_s is None  # nothing is recorded that a pace could be told from


def test_chunks_are_one_running_stage(backend: Backend) -> None:
    loop, first = start(backend, corrector="clip", generations=1)
    publish(backend, claimed(backend, first))
    waiting = {m.stage: m for m in messages(backend)}
    publish(backend, claimed(backend, waiting["synthesize"]), parts=4)
    chunks = messages(backend)
    publish(backend, claimed(backend, chunks[0]))
    for worker, chunk in zip("ab", chunks[1:], strict=False):
        stages.heartbeat(backend, claimed(backend, chunk, worker), 0.5, "Clipping")
    [running] = loops.show_loop(backend, loop.id).running
    assert (running.stage, running.part_fraction, running.worker) == ("correct", 0.5, "a, b")
    assert running.sentence == "part 2 of 4"


def at_generation_three(backend: Backend) -> tuple[LoopView, list[Message]]:
    """A loop of ten generations, and the messages that wait."""
    loop, first = start(backend, generations=10)
    waiting = [first]
    while loops.show_loop(backend, loop.id).generation < 3:
        publish(backend, claimed(backend, waiting.pop(0)))
        waiting += messages(backend)
    return loop, waiting


def test_the_time_left_follows_the_pace(backend: Backend) -> None:
    loop, waiting = at_generation_three(backend)
    with backend.database.write() as session:
        for t in range(4):  # one generation in ten seconds, the last one just now
            session.get_one(Generation, (loop.id, t)).recorded_at = utc_now() - timedelta(seconds=10 * (3 - t))
    claimed(backend, waiting[-1])
    view = loops.show_loop(backend, loop.id)
    assert view.eta_s is not None
    assert 50 < view.eta_s <= 70.5
    assert view.sentence.endswith(f"about {in_words(view.eta_s)} left")


def test_the_time_for_which_a_loop_was_stopped_is_no_pace(backend: Backend) -> None:
    loop, waiting = at_generation_three(backend)
    loops.cancel(backend, loop.id)
    with backend.database.write() as session:
        for t in range(4):  # one generation in ten seconds, the last one an hour ago
            at = utc_now() - timedelta(seconds=3600 + 10 * (3 - t))
            session.get_one(Generation, (loop.id, t)).recorded_at = at
    loops.resume(backend, loop.id)
    claimed(backend, messages(backend)[-1])
    view = loops.show_loop(backend, loop.id)
    assert view.eta_s is not None and 50 < view.eta_s <= 70.5


def test_progress_never_falls_and_ends_at_one(backend: Backend) -> None:
    loop, first = start(backend, corrector="clip", generations=3)
    seen = [0.0]
    waiting = [first]
    while waiting:
        lease = claimed(backend, waiting.pop(0))
        seen.append(loops.show_loop(backend, loop.id).fraction)
        publish(backend, lease, parts=2)
        waiting += messages(backend)
        seen.append(loops.show_loop(backend, loop.id).fraction)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_every_state_has_a_sentence(backend: Backend) -> None:
    loop, first = start(backend, generations=2)
    assert loops.show_loop(backend, loop.id).sentence == "Queued: waits for a free worker"
    publish(backend, claimed(backend, first))
    rest = messages(backend)
    assert loops.show_loop(backend, loop.id).sentence == "Waiting for a free worker, generation 0 of 2"
    claimed(backend, rest[0])
    assert loops.cancel(backend, loop.id).sentence == "Cancelling: the running stage stops in a moment"
    other, first = start(backend, generations=1)
    finish(backend, [first])
    assert loops.show_loop(backend, other.id).sentence.startswith("Done: 1 generation in ")
    third, _ = start(backend)
    assert loops.cancel(backend, third.id).sentence == "Cancelled before generation 0"
