"""A stop rule ends its loop at the generation that breaks it, leaves the earlier ones, and lets a person go on."""

import math
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from backend import loops
from backend.context import Backend
from backend.parts import check
from backend.queue import Message
from backend.shelf import SqlShelf
from backend.stages import Lease, publish
from backend.tables import Artifact, Loop, Stage, utc_now
from backend.views import LoopView
from core.errors import InvalidConfig, UnknownPart
from core.records import Item
from tests.backend.leases import FACTS, claimed, messages
from tests.backend.lightloops import light, numbers
from tests.backend.toys import toy_config
from tests.core.light import light_config
from worker.stage import drain

__all__ = ["light"]

RISING = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]


def launch(backend: Backend, *rules: str, generations: int = 5) -> LoopView:
    config = toy_config(generations=generations).model_copy(update={"tripwires": rules})
    return loops.launch(backend, config)


def publish_with(backend: Backend, lease: Lease, means: list[float]) -> None:
    """What a stage leaves; the metric ``mean`` of each generation as given."""
    shelf = SqlShelf(backend, lease.loop_id)
    facts = dict(FACTS.get(lease.stage, {lease.stage: {}}))
    if lease.stage == "evaluate":
        facts["metrics"] = {"metrics": {"mean": means[lease.generation]}, "floor": {"mean": [1.9, 2.3]}}
    for name, meta in facts.items():
        shelf.save(lease.generation, name, Item(meta=meta))
    publish(backend, lease, shelf.pending, lambda _: 1, seconds=1.0)


def drive(backend: Backend, means: list[float]) -> list[Message]:
    """Do all that is sent, in order; what was done."""
    done, waiting = [], messages(backend)
    while waiting:
        message = waiting.pop(0)
        publish_with(backend, claimed(backend, message), means)
        waiting += messages(backend)
        with backend.database.read() as session:
            states = session.scalars(select(Loop.state)).all()
        if not {"queued", "running", "interrupted"} & set(states):
            break
        done.append(message)
    return done


def kinds(backend: Backend, loop_id: str) -> list[str]:
    return [event.kind for event in loops.events(backend, loop_id)]


def test_a_loop_stops_at_the_generation_that_breaks_its_rule(either_backend: Backend) -> None:
    backend = either_backend
    loop = launch(backend, "mean > 3")
    drive(backend, RISING)
    view = loops.show_loop(backend, loop.id)
    assert (view.state, view.generation) == ("stopped", 2)
    assert view.sentence == "Stopped after generation 2 of 5: mean 4 > 3"
    assert view.stop is not None
    assert (view.stop.rule, view.stop.generation, view.stop.best) == ("mean > 3", 2, None)
    assert view.finished_at is not None
    assert kinds(backend, loop.id) == ["launched", "stopped"]
    assert loops.events(backend, loop.id)[-1].sentence == "Stopped at generation 2: mean 4 > 3."
    assert loops.cancel(backend, loop.id) == view


def test_resume_goes_past_the_rule_and_says_so(backend: Backend) -> None:
    loop = launch(backend, "mean > 3", "mean > 20")
    drive(backend, RISING)
    view = loops.resume(backend, loop.id)
    assert (view.state, view.stop, view.disarmed) == ("queued", None, ["mean > 3"])
    assert "'mean > 3' no longer applies" in loops.events(backend, loop.id)[-1].sentence
    drive(backend, RISING)
    view = loops.show_loop(backend, loop.id)
    assert (view.state, view.generation) == ("done", 5), "the second rule breaks at the last generation: done"
    assert view.stop is None


def test_the_second_rule_stops_it_again(backend: Backend) -> None:
    loop = launch(backend, "mean > 3", "mean > 10")
    drive(backend, RISING)
    loops.resume(backend, loop.id)
    drive(backend, RISING)
    view = loops.show_loop(backend, loop.id)
    assert (view.state, view.generation) == ("stopped", 4)
    assert view.stop is not None
    assert view.stop.rule == "mean > 10"


@pytest.mark.parametrize(
    ("rule", "means", "generation"),
    [
        ("mean > 3x generation 0", RISING, 2), ("mean < 0.5", [1.0, 0.6, 0.4, 0.3, 0.2, 0.1], 2),
        ("mean not finite", [1.0, 2.0, math.nan, 2.0, 2.0, 2.0], 2), ("mean flat for 2", [1.0, 9.0, 9.0, 9.0, 3, 4], 3),
        ("generations > 2", RISING, 3),
    ],
)  # fmt: skip
def test_every_kind_of_rule_about_generations(backend: Backend, rule: str, means: list[float], generation: int) -> None:
    loop = launch(backend, rule)
    drive(backend, means)
    view = loops.show_loop(backend, loop.id)
    assert (view.state, view.generation) == ("stopped", generation)


def test_a_budget_of_hours_counts_from_the_first_start(backend: Backend) -> None:
    loop = launch(backend, "hours > 2")
    with backend.database.write() as session:
        session.get_one(Loop, loop.id).started_at = utc_now() - timedelta(hours=2, minutes=3)
    drive(backend, RISING)
    view = loops.show_loop(backend, loop.id)
    assert (view.state, view.generation) == ("stopped", 0)
    assert "hours 2.05 > 2" in view.sentence


def test_a_budget_of_disk_counts_the_loops_files(backend: Backend) -> None:
    loop = launch(backend, "disk_gb > 1")
    with backend.database.write() as session:
        session.add(Artifact(loop_id=loop.id, generation=0, name="big", digest="0" * 64, size=2_000_000_000, facts={}))
    drive(backend, RISING)
    assert "disk_gb 2 > 1" in loops.show_loop(backend, loop.id).sentence


@pytest.mark.parametrize(
    ("rule", "best"),
    [("mean > 3, then roll back", 1), ("generations > 2, then roll back", 1)],  # mean: close to the real 2.1 is best
)
def test_then_roll_back_returns_to_the_best_generation(either_backend: Backend, rule: str, best: int) -> None:
    backend = either_backend
    loop = launch(backend, rule)
    drive(backend, RISING)
    view = loops.show_loop(backend, loop.id)
    assert (view.state, view.generation) == ("stopped", best)
    assert view.stop is not None
    assert view.stop.best == best
    assert "rolled back" in view.sentence
    assert kinds(backend, loop.id) == ["launched", "stopped", "rolled back"]
    assert [g.index for g in loops.generations(backend, loop.id)] == [0, 1]
    with backend.database.read() as session:
        assert max(session.scalars(select(Stage.generation)).all()) == best
    loops.resume(backend, loop.id)
    drive(backend, RISING)
    assert loops.show_loop(backend, loop.id).state == "done"


def test_a_rule_does_not_stop_a_loop_while_its_other_parts_run(backend: Backend) -> None:
    loop = launch(backend, "mean > 0.5")
    [first] = messages(backend)
    publish_with(backend, claimed(backend, first), RISING)
    waiting = {m.stage: m for m in messages(backend)}
    ahead = claimed(backend, waiting["synthesize"])
    for stage in ("panel", "evaluate"):
        publish_with(backend, claimed(backend, waiting[stage]), RISING)
    view = loops.show_loop(backend, loop.id)
    assert view.state == "cancelling"
    assert view.sentence == "Stopping, mean 1 > 0.5: the running stage stops in a moment"
    publish_with(backend, ahead, RISING)
    assert loops.show_loop(backend, loop.id).state == "stopped"
    assert messages(backend) == []


def test_who_cancels_first_is_heard_first(backend: Backend) -> None:
    loop = launch(backend, "mean > 0.5")
    [first] = messages(backend)
    publish_with(backend, claimed(backend, first), RISING)
    leases = [claimed(backend, m) for m in messages(backend)]
    loops.cancel(backend, loop.id)
    for lease in leases:
        publish_with(backend, lease, RISING)
    view = loops.show_loop(backend, loop.id)
    assert (view.state, view.stop) == ("cancelled", None)


def test_rules_are_of_metrics_that_the_domain_has(backend: Backend) -> None:
    config = toy_config().model_copy(update={"tripwires": ("hours > 1", "speed > 3")})
    with pytest.raises(UnknownPart, match="speed") as caught:
        check(config)
    assert caught.value.field == "tripwires.1"
    with pytest.raises(InvalidConfig) as wrong:
        loops.clone(backend, launch(backend).id, {"tripwires": ["mean >"]})
    assert wrong.value.field == "tripwires.0" and wrong.value.message.startswith("tripwires: ")
    clone = loops.clone(backend, launch(backend, "mean > 3").id, {"seed": 4})
    assert clone.config["tripwires"] == ["mean > 3"]


# ---- blocks ------------------------------------------------------------------------------------------------------


def cut_at(backend: Backend, generations: int = 12) -> tuple[float, int]:
    """A bound that the loop's ``std`` first falls below in the middle of its only block, and where."""
    whole = loops.launch(backend, light_config(generations=generations))
    drain(backend)
    curve = [found["std"] for _, found, _ in numbers(backend, whole.id)]
    where = next(t for t in range(3, generations - 3) if curve[t] < min(curve[:t]))
    return (curve[where] + min(curve[:where])) / 2, where


@pytest.mark.parametrize("then", ["", ", then roll back"])
def test_a_block_keeps_nothing_after_the_generation_that_stopped_it(either_backend: Backend, then: str) -> None:
    backend = either_backend
    bound, where = cut_at(backend)
    config = light_config(generations=12).model_copy(update={"tripwires": (f"std < {bound!r}{then}",)})
    loop = loops.launch(backend, check(config))
    drain(backend)
    view = loops.show_loop(backend, loop.id)
    assert view.state == "stopped"
    assert view.stop is not None
    assert view.stop.generation == where
    assert view.generation == (view.stop.best if then else where)
    assert [index for index, _, _ in numbers(backend, loop.id)] == list(range(view.generation + 1))
    with backend.database.read() as session:
        artifacts = session.execute(select(Artifact.facts).where(Artifact.loop_id == loop.id)).scalars().all()
    assert [facts["generations"] for facts in artifacts] == [[0, where]]


@pytest.mark.parametrize("policy", ["replace", "accumulate", "real"])
@pytest.mark.parametrize("rule", ["generations > 4", "generations > 4, then roll back"])
def test_a_loop_that_went_past_its_rule_has_the_numbers_of_one_without(
    backend: Backend, policy: str, rule: str
) -> None:
    plain = light_config(policy=policy, generations=9)
    loop = loops.launch(backend, plain.model_copy(update={"tripwires": (rule,)}))
    drain(backend)
    assert loops.show_loop(backend, loop.id).state == "stopped"
    loops.resume(backend, loop.id)
    drain(backend)
    alone = loops.launch(backend, plain)
    drain(backend)
    assert loops.show_loop(backend, loop.id).state == "done"
    assert numbers(backend, loop.id) == numbers(backend, alone.id)


def test_loops_of_other_rules_run_together_and_stop_apart(backend: Backend) -> None:
    configs: list[Any] = [light_config(seed=seed, generations=9) for seed in (1, 2)]
    configs[0] = configs[0].model_copy(update={"tripwires": ("generations > 3",)})
    views = loops.launch_all(backend, [("", config) for config in configs], group="g")
    drain(backend)
    assert [loops.show_loop(backend, view.id).state for view in views] == ["stopped", "done"]
    assert [loops.show_loop(backend, view.id).generation for view in views] == [4, 9]
