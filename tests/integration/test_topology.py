"""The whole topology as separate programs: Redis, PostgreSQL, a bucket, a gpu worker, two cpu workers, the web server.

Each worker has a data folder of its own, as on a machine of its own; artifacts go through the bucket.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import pytest

from backend.queue import queue_of
from backend.tables import Stage
from tests.backend.conftest import postgres_database
from tests.backend.toys import registries
from tests.integration.fleet import BUCKET, Fleet, a_bucket, a_fleet
from tests.integration.programs import Programs, free_port, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

CPU_WORKERS = ("cpu-1", "cpu-2")
SPLIT: dict[str, Any] = {"corrector": "clip", "n": 160, "clip": {"pause_s": 0.15}}
"""A loop whose physics is done in several parts."""


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry, kind, entry in registries():
        monkeypatch.setitem(registry, kind, entry)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name in [name for name in os.environ if name.startswith("LOOPSCOPE_")]:
            patch.delenv(name)
        database = stack.enter_context(postgres_database())
        programs = stack.enter_context(Programs(folder))
        broker = programs.redis(free_port())
        store = stack.enter_context(a_bucket(patch))
        place = {"artifacts_url": f"s3://{BUCKET}/artifacts", "s3_endpoint": store.endpoint}
        found = stack.enter_context(
            a_fleet(programs, folder, database_url=database, redis_url=broker, device="cpu", **place)
        )
        found.store = store
        found.add_worker("gpu", "gpu")
        for name in CPU_WORKERS:
            found.add_worker(name, "cpu")
        yield found


def test_each_worker_does_its_own_kind_of_work_and_loops_overlap(fleet: Fleet) -> None:
    in_physics = {"corrector": "clip", "n": 384, "clip": {"pause_s": 0.5}}  # 12 parts: seconds for two workers
    first, config = fleet.launch("in physics", generations=1, seed=1, **in_physics)
    fleet.wait_for(first, lambda view: any(stage.stage == "correct" for stage in view.running))
    second, other = fleet.launch("in training", generations=0, seed=2, steps=60, pause_s=0.01, corrector="clip")
    fleet.check_done(first, config)
    fleet.check_done(second, other)
    families = {name: fleet.family(name) for name in ("gpu", *CPU_WORKERS)}
    physics, training = fleet.stages(first), fleet.stages(second)
    done_by: dict[str, set[str]] = {"gpu": set(), "cpu": set()}
    for stage in (*physics, *training):
        (name,) = (name for name, pids in families.items() if int(stage.worker.rpartition(":")[2]) in pids)
        done_by[queue_of(config, stage.stage)].add(name)
    assert done_by == {"gpu": {"gpu"}, "cpu": set(CPU_WORKERS)}
    (learning,) = (span(stage) for stage in training if stage.stage == "learn")
    correcting = [span(stage) for stage in physics if stage.stage == "correct"]
    assert any(began < learning[1] and learning[0] < ended for began, ended in correcting)


def span(stage: Stage) -> tuple[datetime, datetime]:
    assert stage.started_at is not None and stage.finished_at is not None
    return stage.started_at, stage.finished_at


def test_artifacts_lie_in_the_bucket_and_in_no_machines_folder(fleet: Fleet) -> None:
    loop_id, config = fleet.launch("bucket", generations=0)
    fleet.check_done(loop_id, config)
    for machine in ("gpu", *CPU_WORKERS, "web"):
        assert not [path for path in (fleet.settings(machine).home / "artifacts").rglob("*") if path.is_file()]


def test_a_bucket_that_is_away_is_told_and_waited_for(fleet: Fleet) -> None:
    assert fleet.store is not None
    loop_id, config = fleet.launch("away", generations=2, seed=5, steps=40, pause_s=0.01, corrector="clip")
    fleet.wait_for(loop_id, lambda view: any(stage.stage == "learn" for stage in view.running))
    fleet.store.stop()
    view = fleet.wait_for(loop_id, lambda view: view.trouble is not None)
    assert "artifact store" in view.sentence and "geheim" not in view.model_dump_json()
    fleet.store.start()
    fleet.check_done(loop_id, config)
    assert fleet.client.show_loop(loop_id).trouble is None


def test_a_cpu_worker_killed_in_the_middle_does_not_matter(fleet: Fleet) -> None:
    slow = {**SPLIT, "clip": {"pause_s": 0.6}}
    loop_id, config = fleet.launch("killed", generations=1, seed=3, **slow)
    family = fleet.family("cpu-1")
    wait_until(
        lambda: any(
            stage.state == "running" and int(stage.worker.rpartition(":")[2]) in family
            for stage in fleet.stages(loop_id)
        ),
        "cpu-1 takes nothing",
    )
    fleet.programs.kill("cpu-1")
    fleet.check_done(loop_id, config)
    kinds = {event.kind for event in fleet.client.events(loop_id)}
    assert "interrupted" in kinds and "failed" not in kinds
    fleet.add_worker("cpu-1", "cpu")


def test_cancel_and_resume_over_http(fleet: Fleet) -> None:
    loop_id, config = fleet.launch("cancelled", generations=1, seed=4, steps=200, pause_s=0.01)
    fleet.wait_for(loop_id, lambda view: any(stage.stage == "learn" for stage in view.running))
    fleet.client.cancel(loop_id)
    fleet.client.cancel(loop_id)  # from another tab
    assert fleet.wait_for(loop_id, lambda view: view.state == "cancelled").running == []
    fleet.client.resume(loop_id)
    fleet.check_done(loop_id, config)
