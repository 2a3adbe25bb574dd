"""Verbs can be repeated without harm and refuse what makes no sense; queries tell what is there."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event, func, select

from backend import loops, measures, stages
from backend.context import Backend
from backend.queue import ListQueue
from backend.shelf import SqlShelf
from backend.tables import Artifact, Event, Loop, Stage
from core.config import PartConfig
from core.errors import Conflict, InvalidConfig, NotFound, UnknownPart
from core.motion import Motion
from core.records import Item
from core.skeleton import Skeleton
from tests.backend.leases import claimed, finish, messages, publish, start
from tests.backend.toys import toy_config


def done(backend: Backend, **changes: Any) -> str:
    loop, first = start(backend, **changes)
    finish(backend, [first])
    return loop.id


def test_launch_answers_with_a_queued_loop_and_wakes_a_worker(backend: Backend) -> None:
    view = loops.launch(backend, toy_config(corrector="clip", seed=3), name="  mine ", group="g")
    assert (view.name, view.group, view.state, view.generation, view.arm) == ("mine", "g", "queued", -1, "corrected")
    assert view.config["corrector"]["options"] == {"limit": 1.0, "pause_s": 0.0}
    assert [(m.stage, m.queue) for m in messages(backend)] == [("learn", "gpu")]
    assert isinstance(backend.queue, ListQueue)
    assert backend.queue.prepared == [view.id]
    assert view.created_at.utcoffset() is not None
    assert view.sentence == "Queued: waits for a free worker"


def test_a_loop_without_a_name_is_called_by_what_it_is(backend: Backend) -> None:
    view = loops.launch(backend, toy_config(policy="augment", corrector="clip", seed=3))
    assert view.name == "augment 1, clip, seed 3"
    config = toy_config(policy="replace").model_copy(update={"replicates": 5})
    kept = config.model_copy(update={"policy": PartConfig(kind="replace", options={"real_kept": 0.1})})
    assert loops.default_name(config) == "replace, 5 seeds from 0"
    assert loops.default_name(kept) == "replace, real kept 0.1, 5 seeds from 0"


def test_launch_refuses_what_cannot_run(backend: Backend) -> None:
    with pytest.raises(UnknownPart) as found:
        loops.launch(backend, toy_config(policy="forget"))
    assert found.value.field == "policy.kind"
    assert loops.list_loops(backend) == []


@pytest.mark.parametrize("verb", [loops.show_loop, loops.cancel, loops.resume, loops.delete, loops.restore,
                                  loops.generations, loops.events, measures.floor])  # fmt: skip
def test_an_unknown_id_is_named(backend: Backend, verb: Any) -> None:
    with pytest.raises(NotFound, match="nobody"):
        verb(backend, "nobody")


def test_every_change_grows_the_revision(backend: Backend) -> None:
    seen = [loops.revision(backend)]
    loop, first = start(backend)
    seen.append(loops.revision(backend))
    claimed(backend, first)
    seen.append(loops.revision(backend))
    for verb in (loops.cancel, loops.resume, loops.delete, loops.restore):
        verb(backend, loop.id)
        seen.append(loops.revision(backend))
    assert seen == sorted(set(seen))
    assert loops.revision(backend) == loops.revision(backend)


def test_verbs_repeated_change_nothing_more(backend: Backend) -> None:
    loop, _ = start(backend)
    for verb in (loops.cancel, loops.delete, loops.restore, loops.resume):
        once = verb(backend, loop.id)
        messages(backend)
        assert verb(backend, loop.id) == once
        assert messages(backend) == []


def test_a_done_loop_is_neither_cancelled_nor_resumed(backend: Backend) -> None:
    loop_id = done(backend)
    with pytest.raises(Conflict, match="done"):
        loops.cancel(backend, loop_id)
    with pytest.raises(Conflict) as found:
        loops.resume(backend, loop_id)
    assert "Extend" in found.value.hint


def test_resume_keeps_what_was_published(backend: Backend) -> None:
    loop, first = start(backend, generations=3)
    waiting = [first]
    while not any(m.generation == 2 for m in waiting):
        publish(backend, claimed(backend, waiting.pop(0)))
        waiting += messages(backend)
    loops.cancel(backend, loop.id)
    recorded = loops.generations(backend, loop.id)
    view = loops.resume(backend, loop.id)
    assert view.state == "queued"
    again = messages(backend)
    assert {(m.generation, m.stage) for m in again} == {(m.generation, m.stage) for m in waiting}
    finish(backend, again)
    assert loops.generations(backend, loop.id)[: len(recorded)] == recorded
    assert loops.show_loop(backend, loop.id).state == "done"


def test_resumed_before_the_running_stage_has_heard_of_the_cancel_it_just_goes_on(backend: Backend) -> None:
    loop, first = start(backend)
    lease = claimed(backend, first)
    loops.cancel(backend, loop.id)
    assert loops.resume(backend, loop.id).state == "running"
    assert stages.look(backend, lease) == "go"
    publish(backend, lease)
    finish(backend, messages(backend))
    assert loops.show_loop(backend, loop.id).state == "done"


def test_a_failed_loop_can_be_tried_again(backend: Backend) -> None:
    loop, first = start(backend)
    stages.fail(backend, claimed(backend, first), NotFound("data"), "")
    view = loops.resume(backend, loop.id)
    assert (view.state, view.error) == ("queued", None)
    finish(backend, messages(backend))
    assert loops.show_loop(backend, loop.id).state == "done"


def test_a_deleted_loop_stops_hides_and_comes_back(backend: Backend) -> None:
    loop, first = start(backend)
    view = loops.delete(backend, loop.id)
    assert (view.deleted, view.state) == (True, "cancelled")
    assert loops.list_loops(backend) == []
    assert [v.id for v in loops.list_loops(backend, deleted=True)] == [loop.id]
    with pytest.raises(Conflict, match="deleted"):
        loops.resume(backend, loop.id)
    loops.restore(backend, loop.id)
    assert [v.id for v in loops.list_loops(backend)] == [loop.id]
    loops.resume(backend, loop.id)
    assert messages(backend) == [first]
    finish(backend, [first])
    assert loops.show_loop(backend, loop.id).state == "done"


def test_extend_goes_on_where_the_loop_ended(backend: Backend) -> None:
    loop_id = done(backend, generations=1, corrector="clip")
    view = loops.extend(backend, loop_id, 2)
    assert (view.state, view.config["generations"]) == ("queued", 3)
    again = messages(backend)
    assert [(m.generation, m.stage) for m in again] == [(2, "synthesize")]
    finish(backend, again)
    assert [g.index for g in loops.generations(backend, loop_id)] == [0, 1, 2, 3]
    assert loops.show_loop(backend, loop_id).state == "done"
    with pytest.raises(InvalidConfig):
        loops.extend(backend, loop_id, 0)


def test_a_loop_extended_while_its_last_stage_runs_goes_on(backend: Backend) -> None:
    loop, first = start(backend, generations=0)
    publish(backend, claimed(backend, first))
    rest = messages(backend)
    leases = [claimed(backend, m) for m in rest]
    publish(backend, leases[0])
    loops.extend(backend, loop.id, 1)
    added = messages(backend)
    assert [(m.generation, m.stage) for m in added] == [(1, "synthesize")]
    publish(backend, leases[1])
    assert loops.show_loop(backend, loop.id).state == "running"
    finish(backend, added)
    assert loops.show_loop(backend, loop.id).state == "done"


def test_of_two_that_extend_at_once_one_hears_of_the_other(backend: Backend) -> None:
    loop_id = done(backend, generations=1)
    loops.extend(backend, loop_id, 2, seen=1)
    with pytest.raises(Conflict, match="has 3 generations by now, not 1") as found:
        loops.extend(backend, loop_id, 2, seen=1)
    assert found.value.hint
    assert loops.show_loop(backend, loop_id).config["generations"] == 3


def test_a_deleted_loop_is_changed_by_nobody(backend: Backend) -> None:
    loop_id = done(backend)
    loops.delete(backend, loop_id)
    verbs: list[Callable[[], Any]] = [
        lambda: loops.extend(backend, loop_id, 1), lambda: loops.prioritize(backend, loop_id, 1),
        lambda: loops.retry(backend, loop_id),
    ]  # fmt: skip
    for verb in verbs:
        with pytest.raises(Conflict, match="deleted"):
            verb()
    assert loops.show_loop(backend, loop_id).state == "done"


def test_deleting_a_loop_at_work_cancels_it_first_and_purging_waits_for_that(make_backend: Any) -> None:
    backend: Backend = make_backend(purge_after_days=0.0)
    loop, first = start(backend)
    lease = claimed(backend, first)
    loops.cancel(backend, loop.id)
    view = loops.delete(backend, loop.id)
    assert (view.deleted, view.state) == (True, "cancelling")
    assert stages.look(backend, lease) == "cancel"
    assert loops.purge(backend) == 0
    stages.release(backend, lease)
    assert loops.show_loop(backend, loop.id).state == "cancelled"
    assert loops.purge(backend) == 1


def test_retry_gives_all_attempts_again(backend: Backend) -> None:
    loop, first = start(backend)
    for attempt in range(3):
        stages.fail(backend, claimed(backend, first), ZeroDivisionError("x"), "")
        assert loops.show_loop(backend, loop.id).state == ("failed" if attempt == 2 else "running")
    view = loops.retry(backend, loop.id)
    assert (view.state, view.error) == ("queued", None)
    assert loops.retry(backend, loop.id) == view, "twice is as once"
    assert loops.events(backend, loop.id)[-1].sentence == "Tried again from generation 0."
    with backend.database.read() as session:
        assert [(row.state, row.attempt) for row in session.scalars(select(Stage)).all()] == [("queued", 0)]


def test_a_priority_is_kept_told_and_bounded(backend: Backend) -> None:
    loop, _ = start(backend)
    assert loops.prioritize(backend, loop.id, 3).priority == 3
    revision = loops.revision(backend)
    loops.prioritize(backend, loop.id, 3)
    assert loops.revision(backend) == revision
    assert loops.prioritize(backend, loop.id, -10).priority == -10
    assert [event.sentence for event in loops.events(backend, loop.id)][-2:] == [
        "Priority +3, after +0.", "Priority -10, after +3.",
    ]  # fmt: skip
    for wrong in (11, -11):
        with pytest.raises(InvalidConfig) as found:
            loops.prioritize(backend, loop.id, wrong)
        assert found.value.field == "priority"


def test_clone_changes_what_it_is_told_and_keeps_the_rest(backend: Backend) -> None:
    loop = loops.launch(backend, toy_config(corrector="clip", n=64), group="g")
    view = loops.clone(backend, loop.id, {"corrector": {"kind": "none"}, "sampling.guidance_synthesis": 1.0}, "copy")
    assert (view.name, view.group, view.arm, view.config["n"]) == ("copy", "g", "raw", 64)
    assert view.config["sampling"]["guidance_synthesis"] == 1.0
    with pytest.raises(InvalidConfig):
        loops.clone(backend, loop.id, {"sampling.speed": 1})


def test_find_same_finds_finished_equals_only(backend: Backend) -> None:
    config = toy_config(seed=5)
    loops.launch(backend, config)
    messages(backend)
    assert loops.find_same(backend, config) is None
    loop_id = done(backend, seed=5)
    found = loops.find_same(backend, config.model_copy(update={"model": PartConfig(kind="toy")}))
    assert found is not None
    assert found.id == loop_id
    assert loops.find_same(backend, toy_config(seed=6)) is None


def test_groups_and_curves(backend: Backend) -> None:
    a = done(backend)
    b = loops.launch(backend, toy_config(), group="g").id
    assert [v.id for v in loops.list_loops(backend, group="g")] == [b]
    assert [v.id for v in loops.list_loops(backend)] == [b, a]
    assert measures.curves(backend, [a, b, "nobody"]) == {a: {"fid": [(0, 4.0), (1, 4.0), (2, 4.0)]}}
    view = loops.show_loop(backend, a)
    assert view.latest == {"fid": 4.0}


def test_events_tell_the_story_in_order(backend: Backend) -> None:
    loop, _ = start(backend)
    loops.cancel(backend, loop.id)
    loops.resume(backend, loop.id)
    kinds = [event.kind for event in loops.events(backend, loop.id)]
    assert kinds == ["launched", "cancelling", "cancelled", "resumed"]
    assert [event.kind for event in loops.events(backend, loop.id, limit=1)] == ["resumed"]


def test_a_panel_can_be_played(backend: Backend) -> None:
    loop_id = done(backend, generations=0)
    skeleton = Skeleton("two", ("hip", "foot"), (-1, 0), np.array([[0, 0, 0], [0, -1, 0]]))
    motion = Motion(skeleton, np.ones((5, 3)), np.tile([1.0, 0, 0, 0], (5, 2, 1)), 20.0)
    arrays = {
        "root_position_m": motion.root_position_m[None], "local_rotations_wxyz": motion.local_rotations_wxyz[None],
        "labels": np.array([1]), "track.force": np.arange(5.0)[None],
    }  # fmt: skip
    shelf = SqlShelf(backend, loop_id)
    shelf.save(0, loops.BODY, Item(meta={"skeleton": skeleton.as_dict(), "fps": 20.0, "class_names": ["a", "b"]}))
    shelf.save(0, "panel-corrected", Item(arrays))
    with backend.database.write() as session:
        for (t, name), item in shelf.pending.items():
            session.merge(
                Artifact(loop_id=loop_id, generation=t, name=name, digest=item.stored.digest, size=1, facts={})
            )
    assert [s.label for s in loops.panel(backend, loop_id, 0).samples] == ["a"]
    played = loops.panel_motion(backend, loop_id, 0, "corrected", 0)
    assert (played.motion.label, len(played.motion), played.motion.fps) == ("b", 5, 20.0)
    assert played.motion.skeleton == skeleton
    assert played.outcome == {"status": "unchanged"}
    assert played.tracks["force"].tolist() == [0, 1, 2, 3, 4]
    for kind, index, generation in (("raw", 0, 0), ("corrected", 1, 0), ("corrected", -1, 0), ("corrected", 0, 1)):
        with pytest.raises(NotFound):
            loops.panel_motion(backend, loop_id, generation, kind, index)  # type: ignore[arg-type]
    with pytest.raises(NotFound, match="blurred"):
        loops.panel_motion(backend, loop_id, 0, "blurred", 0)  # type: ignore[arg-type]


def test_purge_removes_what_was_deleted_and_only_that(make_backend: Any) -> None:
    backend: Backend = make_backend(purge_after_days=0.0)
    kept, gone = done(backend), done(backend, seed=1)
    loops.delete(backend, gone)
    assert loops.purge(backend) == 1
    assert [v.id for v in loops.list_loops(backend)] == [kept]
    with backend.database.read() as session:
        for table in (Loop.id, Stage.loop_id, Event.loop_id, Artifact.loop_id):
            assert session.scalar(select(func.count()).where(table == gone)) == 0
    assert loops.purge(backend) == 0
    assert loops.generations(backend, kept)


def test_the_number_of_queries_does_not_grow_with_the_loops(backend: Backend) -> None:
    ids = [loops.launch(backend, toy_config(seed=seed)).id for seed in range(30)]
    statements: list[str] = []
    event.listen(backend.database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert len(loops.list_loops(backend)) == len(ids)
    many = len(statements)
    statements.clear()
    loops.list_loops(backend, limit=2)
    assert many == len(statements)  # however many loops there are
