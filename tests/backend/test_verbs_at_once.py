"""Verbs from several threads amid a worker's own steps: whatever the order, what SQL says of a loop stays true.

With LOOPSCOPE_LONG=1 in the environment it tries for minutes instead of seconds.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import func, select

from backend import loops, stages
from backend.context import Backend
from backend.reclaiming import reclaim, settle_all
from backend.rollback import rollback
from backend.stages import Lease
from backend.tables import Generation, Loop, MetricValue, Stage
from core.blocks import BLOCK
from core.config import LoopConfig
from core.errors import InvalidConfig, LoopscopeError
from core.loop import stages_of
from tests.backend.leases import messages, publish
from tests.backend.lightloops import light
from tests.backend.test_stages import silence
from tests.backend.toys import toy_config
from tests.core.light import light_config
from worker.stage import run_stage

__all__ = ["light"]

LONG = bool(os.environ.get("LOOPSCOPE_LONG"))
"""Read when tests are collected: a fixture takes the variables of the product away."""

ENDED = ("done", "cancelled", "stopped", "failed")
RUNS = ("queued", "running", "interrupted")
Step = tuple[str, int]

VERBS: dict[str, Callable[[Backend, str, int], Any]] = {
    "cancel": lambda backend, loop, _: loops.cancel(backend, loop),
    "resume": lambda backend, loop, _: loops.resume(backend, loop),
    "retry": lambda backend, loop, _: loops.retry(backend, loop),
    "delete": lambda backend, loop, _: loops.delete(backend, loop),
    "restore": lambda backend, loop, _: loops.restore(backend, loop),
    "extend": lambda backend, loop, n: loops.extend(backend, loop, 1 + n % 2, seen=None if n % 3 else 3),
    "rollback": lambda backend, loop, n: rollback(backend, loop, n % 4 if n % 5 else "best"),
    "prioritize": lambda backend, loop, n: loops.prioritize(backend, loop, n % 21 - 10),
    "show": lambda backend, loop, _: loops.show_loop(backend, loop),
}
WORK = ("claim",) * 3 + ("publish",) * 3 + ("fail", "refuse", "release", "hand back", "fall silent")


class AtOnce(RuleBasedStateMachine):
    """Two loops, one of stages and one of blocks, that people and workers pull at."""

    backend: Backend

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Lease] = []
        self.ids: list[str] = []
        self.unexpected: list[BaseException] = []
        self.lock = threading.Lock()

    @initialize(rules=st.sampled_from([(), ("generations > 1",), ("generations > 1, then roll back",)]))
    def launch(self, rules: tuple[str, ...]) -> None:
        configs = [toy_config(generations=3, corrector="clip"), light_config(generations=3)]
        ruled = [config.model_copy(update={"tripwires": rules}) for config in configs]
        self.ids = [view.id for view in loops.launch_all(self.backend, [("", config) for config in ruled])]

    @rule(steps=st.lists(st.tuples(st.sampled_from((*VERBS, *WORK)), st.integers(0, 1000)), min_size=1, max_size=4))
    def at_once(self, steps: list[Step]) -> None:
        threads = [threading.Thread(target=self._quietly, args=step) for step in steps]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads), steps
        messages(self.backend)
        if self.unexpected:
            raise self.unexpected[0]

    @rule(steps=st.lists(st.tuples(st.sampled_from(WORK[:6]), st.integers(0, 1000)), min_size=2, max_size=10))
    def work(self, steps: list[Step]) -> None:
        """One after the other, so that loops get somewhere."""
        for step in steps:
            self._quietly(*step)
        if self.unexpected:
            raise self.unexpected[0]

    def _quietly(self, what: str, n: int) -> None:
        try:
            if what in VERBS:
                VERBS[what](self.backend, self.ids[n % len(self.ids)], n // 2)
            else:
                self._work(what, n)
        except LoopscopeError:
            pass  # said in words: that is an answer
        except BaseException as error:
            self.unexpected.append(error)

    def _work(self, what: str, n: int) -> None:
        if what == "claim":
            self._claim(n)
            return
        if what == "fall silent":
            silence(self.backend, 3600.0)
            reclaim(self.backend)
            return
        with self.lock:
            if not self.held:
                return
            lease = self.held[n % len(self.held)]
            if n % 4 == 0 or what != "publish":
                self.held.remove(lease)  # else it publishes twice
        if what == "publish":
            publish(self.backend, lease, parts=2)
        elif what == "fail":
            stages.fail(self.backend, lease, ZeroDivisionError("the toy is broken"), "")
        elif what == "refuse":
            stages.fail(self.backend, lease, InvalidConfig("no"), "")
        else:
            stages.release(self.backend, lease, resend=what == "hand back")

    def _claim(self, n: int) -> None:
        with self.backend.database.read() as session:
            rows = session.execute(
                select(Stage.loop_id, Stage.generation, Stage.stage, Stage.part)
                .where(Stage.loop_id.in_(self.ids), Stage.state == "queued")
                .order_by(Stage.loop_id, Stage.generation, Stage.stage, Stage.part)
            ).all()
        if not rows:
            return
        loop_id, generation, stage, part = rows[n % len(rows)]
        if stage == BLOCK:
            run_stage(self.backend, loop_id, generation, stage, part)
        elif lease := stages.claim(self.backend, loop_id, generation, stage, part, f"w{n % 3}"):
            with self.lock:
                self.held.append(lease)

    @invariant()
    def what_sql_says_is_true(self) -> None:
        with self.backend.database.read() as session:
            for loop in session.scalars(select(Loop).where(Loop.id.in_(self.ids))).all():
                parts = session.scalars(select(Stage).where(Stage.loop_id == loop.id)).all()
                indices = session.scalars(select(Generation.index).where(Generation.loop_id == loop.id)).all()
                _check(loop, parts, list(indices))
                measured = select(MetricValue.generation).where(MetricValue.loop_id == loop.id).distinct()
                assert set(session.scalars(measured)) == set(indices), "metrics of recorded generations, and no others"

    def teardown(self) -> None:
        """The verbs stop and the worker goes on: nothing that was queued is lost."""
        if not self.ids or self.unexpected:
            return
        silence(self.backend, 3600.0)
        reclaim(self.backend)
        settle_all(self.backend)
        for _ in range(200):
            with self.backend.database.read() as session:
                runs = session.scalars(select(Loop.id).where(Loop.id.in_(self.ids), Loop.state.in_(RUNS))).all()
            if not runs:
                break
            self.held.clear()
            before, self.ids = self.ids, list(runs)
            self._claim(0)
            self.ids = before
            for lease in self.held:
                publish(self.backend, lease, parts=2)
        self.what_sql_says_is_true()
        with self.backend.database.read() as session:
            left = session.scalars(select(Loop.state).where(Loop.id.in_(self.ids))).all()
        assert set(left) <= set(ENDED)
        messages(self.backend)


def _check(loop: Loop, parts: Any, indices: list[int]) -> None:
    config = LoopConfig.model_validate(loop.config)
    by_state = Counter(part.state for part in parts)
    told = (loop.state, loop.generation, dict(by_state))
    assert loop.state in (*RUNS, "cancelling", *ENDED)
    assert loop.generation == max(indices, default=-1), told
    assert set(by_state) <= {"queued", "running", "done", "failed"}
    tokens = [part.token for part in parts if part.state == "running"]
    assert all(tokens) and len(set(tokens)) == len(tokens), "every part at work has one holder"
    assert all(part.worker and part.heartbeat_at for part in parts if part.state == "running")
    if loop.state in ("done", "cancelled", "stopped"):
        assert not tokens, told
    if loop.state == "done":
        assert sorted(indices) == list(range(config.generations + 1)), told
    if loop.state == "cancelling":
        assert tokens, told
    if loop.state in RUNS:
        assert by_state["queued"] + by_state["running"], f"nothing left to do, but {told}"
        assert loop.deleted_at is None
        assert loop.error is None
    assert (loop.state == "failed") == (loop.error is not None), told
    assert (loop.finished_at is not None) == (loop.state in ENDED), told
    assert loop.stop is not None or loop.state != "stopped"
    if config.domain == "toy":
        for t in indices:
            done = {part.stage for part in parts if part.generation == t and part.state == "done"}
            assert done == set(stages_of(config, t)), f"generation {t} is recorded, but only {done} are done"


@pytest.mark.timeout(3600 if LONG else 300)
def test_whatever_people_do_at_once_loops_stay_in_order(either_backend: Backend) -> None:
    machine = type("Machine", (AtOnce,), {"backend": either_backend})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=120 if LONG else 6, stateful_step_count=30 if LONG else 10, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    with either_backend.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Loop)), "loops were launched"
