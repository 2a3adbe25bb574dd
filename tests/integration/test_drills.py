"""Drills: a resource ends or a program falls, the loop says so in words, and goes on by itself with the same numbers.

Each runs the real broker and workers. With LOOPSCOPE_LONG=1 the outages last as long as they do in life.
"""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backend import loops
from backend.context import Backend, open_backend
from backend.processes import Supervisor
from backend.quotas import OverQuota
from backend.settings import Settings
from backend.views import LoopView
from core.config import LoopConfig
from core.errors import Conflict
from tests.backend.toys import in_process, registries, toy_config
from tests.integration.programs import TOY_WORKER, Programs, free_port, wait_until
from tests.integration.proxy import Proxy

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

LONG = os.environ.get("LOOPSCOPE_LONG") == "1"
PATIENCE_S = 90.0 if LONG else 45.0
STEADY: dict[str, Any] = {"corrector": "clip", "generations": 1, "steps": 80, "pause_s": 0.01, "clip": {"pause_s": 0.2}}
"""A loop of some seconds that is always at work on something."""
HANGS: dict[str, Any] = {"generations": 0, "steps": 1, "pause_s": 1000.0}
"""A loop whose first stage says something once and then nothing more."""


@dataclass
class Site:
    """Workers that know the toys, and a look at what they do."""

    backend: Backend
    supervisor: Supervisor
    programs: Programs

    def launch(self, **options: Any) -> tuple[str, LoopConfig]:
        config = toy_config(**options)
        return loops.launch(self.backend, config).id, config

    def wait_for(self, loop_id: str, fits: Callable[[LoopView], bool]) -> LoopView:
        def look() -> LoopView | None:
            view = loops.show_loop(self.backend, loop_id)
            return view if fits(view) else None

        found = wait_until(look, lambda: " / ".join(self.sentences(loop_id)), PATIENCE_S)
        assert found is not None
        return found

    def at_work(self, loop_id: str, stage: str) -> LoopView:
        return self.wait_for(loop_id, lambda view: any(one.stage == stage for one in view.running))

    def check_done(self, loop_id: str, config: LoopConfig) -> None:
        """Wait until a loop is done; it has the numbers of one process."""
        self.wait_for(loop_id, lambda view: view.state == "done")
        found = [(g.index, g.metrics, g.counts) for g in loops.generations(self.backend, loop_id)]
        assert found == in_process(config)

    def kinds(self, loop_id: str) -> set[str]:
        return {event.kind for event in loops.events(self.backend, loop_id)}

    def sentences(self, loop_id: str) -> list[str]:
        view = loops.show_loop(self.backend, loop_id)
        return [view.sentence, *(event.sentence for event in loops.events(self.backend, loop_id))]


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry, kind, entry in registries():
        monkeypatch.setitem(registry, kind, entry)


@contextmanager
def a_site(programs: Programs, home: Path, **changes: Any) -> Iterator[Site]:
    values: dict[str, Any] = {
        "cpu_workers": 1, "stale_after_s": 4.0, "hang_after_s": 5.0, "min_free_mb": 0, "device": "cpu", **changes,
    }  # fmt: skip
    settings = Settings(home=home, **values)
    supervisor = Supervisor(settings, worker=TOY_WORKER)
    supervisor.start()
    try:
        backend = open_backend(settings, migrate=False)
        try:
            yield Site(backend, supervisor, programs)
        finally:
            backend.close()
    finally:
        supervisor.stop()


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("programs")) as found:
        yield found


@pytest.fixture(scope="module")
def site(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """SQLite, and a Redis server that a test may end."""
    broker = programs.redis(free_port())
    with a_site(programs, tmp_path_factory.mktemp("site"), redis_url=broker) as found:
        yield found


def test_a_database_locked_for_a_while_is_waited_for(site: Site) -> None:
    loop_id, config = site.launch(**STEADY)
    site.at_work(loop_id, "learn")
    other = sqlite3.connect(site.backend.settings.home / "loopscope.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(30.0 if LONG else 3.0)  # how long the drill lasts: nothing to wait for happens meanwhile
        other.execute("ROLLBACK")
    finally:
        other.close()
    site.check_done(loop_id, config)
    assert "failed" not in site.kinds(loop_id)


def test_a_broker_that_was_away_finds_the_workers_again(site: Site) -> None:
    loop_id, config = site.launch(**STEADY)
    site.at_work(loop_id, "correct")
    port = int(site.backend.settings.redis_url.rpartition(":")[2].partition("/")[0])
    site.programs.kill("redis")
    later_id, later = site.launch(seed=7, **STEADY)  # launching needs no broker
    time.sleep(60.0 if LONG else 3.0)
    site.programs.redis(port)
    site.check_done(loop_id, config)
    site.check_done(later_id, later)
    assert "failed" not in site.kinds(loop_id) | site.kinds(later_id)


def test_a_worker_that_hangs_is_told_of_and_ended(site: Site) -> None:
    loop_id, _ = site.launch(**HANGS)
    first = site.at_work(loop_id, "learn").running[0].worker
    if LONG:
        view = site.wait_for(loop_id, lambda view: view.state == "failed")
        assert view.error is not None and view.error.message and view.error.hint
    else:
        site.wait_for(loop_id, lambda view: "hung" in site.kinds(loop_id))
        with suppress(Conflict):
            loops.cancel(site.backend, loop_id)
    told = [event.sentence for event in loops.events(site.backend, loop_id) if event.kind == "hung"]
    assert told and all(sentence.endswith(".") for sentence in told)
    wait_until(lambda: _gone(int(first.rpartition(":")[2])), "the worker that hangs is not ended")
    next_id, config = site.launch(generations=1)  # another worker is there
    site.check_done(next_id, config)


def test_a_full_disk_is_told_and_the_loop_goes_on_when_there_is_space(programs: Programs, tmp_path: Path) -> None:
    with a_small_disk(tmp_path / "disk", 192) as disk:
        with a_site(programs, disk / "home", min_free_mb=6, redis_url="") as site:
            loop_id, config = site.launch(**STEADY)
            site.at_work(loop_id, "learn")
            ballast, rest = disk / "ballast", disk / "rest"
            _fill(ballast, disk, leave_mb=4)
            waits = ("interrupted", "queued")  # once its other parts have ended too
            view = site.wait_for(loop_id, lambda view: view.trouble is not None and view.state in waits)
            assert view.trouble is not None and view.trouble.code == "disk_full"
            assert "disk is full" in view.sentence
            with pytest.raises(OverQuota):  # nothing new is begun
                site.launch(seed=1)
            _fill(rest, disk, leave_mb=0)  # now SQL cannot write either
            time.sleep(20.0 if LONG else 2.0)
            rest.unlink()
            ballast.unlink()
            site.check_done(loop_id, config)
            assert loops.show_loop(site.backend, loop_id).trouble is None
            assert "failed" not in site.kinds(loop_id)
            assert not list((disk / "home" / "artifacts").rglob(".*"))


def test_a_database_that_was_away_is_found_again(programs: Programs, tmp_path: Path, postgres_url: str) -> None:
    with Proxy(5432) as proxy:
        url = postgres_url.replace(":5432", f":{proxy.port}")
        with a_site(programs, tmp_path / "home", database_url=url, redis_url="") as site:
            loop_id, config = site.launch(**STEADY)
            site.at_work(loop_id, "learn")
            proxy.cut()
            time.sleep(60.0 if LONG else 3.0)
            proxy.mend()
            site.check_done(loop_id, config)
            assert "failed" not in site.kinds(loop_id)


@contextmanager
def a_small_disk(folder: Path, size_mb: int) -> Iterator[Path]:
    """A file system of so many MB of its own, where this user may mount one."""
    folder.mkdir()
    if not sys.platform.startswith("linux"):
        pytest.skip("a small disk can be made on Linux only")
    command = ("mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "loopscope", str(folder))
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no small disk can be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(("umount", str(folder)), check=True)


def _fill(path: Path, disk: Path, leave_mb: float) -> None:
    """A file that leaves only so much of its disk free."""
    stat = os.statvfs(disk)
    size = int(stat.f_bavail * stat.f_frsize - leave_mb * 1e6)
    with suppress(OSError), path.open("wb", buffering=0) as file:
        for _ in range(size // 65536):
            file.write(bytes(65536))
        if leave_mb == 0:
            while True:
                file.write(bytes(4096))


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
