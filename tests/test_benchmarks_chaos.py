"""The chaos drill finds what it looks for; what it says of the product is measured by running it, not here."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from backend import loops
from backend.client import Unreachable
from backend.context import Backend, open_backend
from backend.local import Local
from backend.queue import ListQueue
from backend.settings import Settings
from backend.tables import Artifact, Generation
from benchmarks import _chaoswatch as watching
from benchmarks._chaoskills import VICTIMS, plan
from benchmarks._chaosloops import Person, equal
from core.config import LoopConfig
from tests.backend.toys import registries, toy_config
from worker.stage import drain

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry, kind, entry in registries():
        monkeypatch.setitem(registry, kind, entry)


@pytest.fixture
def backend(tmp_path: Path) -> Any:
    opened = open_backend(Settings(home=tmp_path, min_free_mb=0), queue=ListQueue())
    yield opened
    opened.close()


class DeafClient(Local):
    """Does what it is asked, but its answers are lost, except to every second question."""

    asked = 0

    def launch(self, config: LoopConfig, **words: Any) -> Any:
        return self._lose(lambda: super(DeafClient, self).launch(config, **words))

    def _lose(self, ask: Callable[[], Any]) -> Any:
        found, self.asked = ask(), self.asked + 1
        if self.asked % 2:
            raise Unreachable("No answer.")
        return found


def test_a_seed_decides_the_plan() -> None:
    kills = plan(50, 3, 0.5, 4.0)
    assert kills == plan(50, 3, 0.5, 4.0) != plan(50, 4, 0.5, 4.0)
    assert sum(len(kill.victims) for kill in kills) == 50
    assert {victim for kill in kills for victim in kill.victims} <= set(VICTIMS)
    assert all(0.5 <= kill.after_s <= 4.0 and len(set(kill.victims)) == len(kill.victims) for kill in kills)


def test_equal_means_equal_but_for_the_last_bits_of_stacked_sums() -> None:
    one, other = {0: {"fid": 1.0}}, {0: {"fid": 1.0 + 1e-14}}
    assert equal(one, one, light=False) and equal(one, other, light=True) and not equal(one, other, light=False)
    assert not equal(one, {0: {"fid": 1.0 + 1e-6}}, light=True)
    assert not equal(one, {}, light=True) and not equal(one, {0: {}}, light=True)


def test_a_lost_answer_doubles_no_loop(backend: Backend) -> None:
    person = Person(DeafClient(backend), patience_s=1.0)  # type: ignore[arg-type]
    for name in ("a", "b"):
        person.launch(name, toy_config(generations=0), "")
    assert sorted(view.name for view in person.loops()) == ["a", "b"] and person.unanswered == 1
    assert watching.doubled_loops(backend) == []
    loops.launch(backend, toy_config(generations=0), name="a")
    assert watching.doubled_loops(backend) == ["a"]


def test_what_changes_after_it_was_published_is_seen(backend: Backend) -> None:
    loop_id = loops.launch(backend, toy_config(generations=1)).id
    drain(backend)
    watch = watching.Watch(backend)
    watch.look()
    watch.look()
    assert watch.known and not watch.gone and not watch.replaced
    assert watching.damaged_files(backend) == [] and watching.damaged_database(backend) == []
    assert watching.doubled_ends(backend) == [] and watching.doubled_blocks(backend) == []
    with backend.database.write() as session:
        row = session.get(Generation, (loop_id, 1))
        assert row is not None
        session.delete(row)
        session.execute(update(Artifact).where(Artifact.generation == 1, Artifact.name == "model").values(digest="0"))
    watch.look()
    assert watch.gone == {("generation", loop_id, 1)}
    assert watch.replaced == {("artifact", loop_id, 1, "model")}
    assert watching.damaged_files(backend) == ["0"]


def test_a_generation_that_an_answer_denies_is_lost() -> None:
    person = Person(None, patience_s=1.0)  # type: ignore[arg-type]
    person.compare("a", {0: {"fid": 1.0}, 1: {"fid": 2.0}})
    person.compare("a", {0: {"fid": 1.0}})
    assert person.changed == {("a", 1)}


@pytest.mark.parametrize(("words", "said"), [(("--kills", "0"), "1 or more"), (("--between", "x"), "0.5,4")])
def test_nonsense_is_refused(words: tuple[str, ...], said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.chaos", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2 and said in ended.stderr and "Traceback" not in ended.stderr
