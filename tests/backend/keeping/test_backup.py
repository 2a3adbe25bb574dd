"""What was saved comes back equal, on any database and any store."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from backend import loops, measures, stages
from backend.context import Backend
from backend.gate import Actor, Forbidden
from backend.keeping.backup import BackupFailed, backup
from backend.keeping.integrity import integrity
from backend.keeping.restore import restore
from backend.keeping.rows import LEFT_OUT
from backend.queue import ListQueue
from backend.store import name_of
from backend.tables import (
    ApiToken,
    Artifact,
    AuditJob,
    Base,
    Event,
    Loop,
    Stage,
    User,
    utc_now,
)
from core.config import LoopConfig
from core.errors import Conflict
from tests.backend.buckets import Service
from tests.backend.keeping.conftest import Install
from tests.backend.keeping.sources import nothing_in_memory, rows, source
from tests.backend.leases import start
from tests.backend.lightloops import in_process, light, numbers
from tests.backend.toys import toy_config
from tests.core.light import light_config
from worker.stage import drain

__all__ = ["light", "nothing_in_memory", "source"]


def shown(backend: Backend) -> list[Any]:
    """What people see."""
    found = loops.list_loops(backend) + loops.list_loops(backend, deleted=True)
    ids = [loop.id for loop in found]
    return [
        found, measures.curves(backend, ids), measures.traces(backend, ids),
        [(loops.generations(backend, id_), loops.events(backend, id_)) for id_ in ids],
    ]  # fmt: skip


def test_there_and_back_between_databases_and_stores(
    source: Backend, install: Install, tmp_path: Path, postgres_url: str, s3_service: Service, bucket: str
) -> None:
    told: list[str] = []
    saved = backup(source, tmp_path / "one.tar", lambda what, done, total: told.append(what))
    assert (saved.loops, saved.missing, saved.memo >= 1) == (3, [], True)
    assert {"Reading loops", "Saving artifacts"} <= set(told)
    assert (tmp_path / "one.tar").stat().st_mode & 0o777 == 0o600
    there = install("there", database_url=postgres_url, artifacts_url=f"s3://{bucket}", s3_endpoint=s3_service.endpoint)
    report = restore(tmp_path / "one.tar", there)
    assert (report.loops, report.resuming, report.artifacts, report.memo) == (3, 0, saved.artifacts, saved.memo)
    assert rows(there) == rows(source)
    assert shown(there) == shown(source)
    backup(there, tmp_path / "two.tar")
    back = install("back")
    restore(tmp_path / "two.tar", back)
    assert rows(back) == rows(source)
    assert shown(back) == shown(source)
    assert back.memo.peek("evaluator") is not None
    for digest in {row.digest for row in artifacts(source)}:
        assert back.store.read(digest) == source.store.read(digest)
    drain_new_loop(there)  # ids of events go on behind those that were brought back


def artifacts(backend: Backend) -> list[Artifact]:
    with backend.database.read() as session:
        return list(session.scalars(select(Artifact)).all())


def drain_new_loop(backend: Backend) -> None:
    loop = loops.launch(backend, toy_config(generations=1))
    drain(backend)
    assert loops.show_loop(backend, loop.id).state == "done"


def test_what_belongs_to_the_moment_is_not_saved(source: Backend, install: Install, tmp_path: Path) -> None:
    backup(source, tmp_path / "b.tar")
    back = install("back")
    now = utc_now()
    with back.database.write() as session:
        session.add(User(name="ann", role="viewer", password_hash="mine", created_at=now))
    before = loops.revision(back)
    restore(tmp_path / "b.tar", back)
    assert loops.revision(back) > before
    with back.database.read() as session:
        for name in LEFT_OUT:
            assert session.scalar(select(func.count()).select_from(Base.metadata.tables[name])) == 0, name
        assert session.get_one(User, "ann").password_hash == "mine"  # who is here already keeps it
        assert session.scalars(select(ApiToken.user)).all() == ["bob"]


def test_a_loop_that_ran_goes_on_with_equal_numbers(install: Install, tmp_path: Path) -> None:
    backend = install("source")
    loop, message = start(backend, generations=3)
    backend.queue.send([message])
    drain(backend, limit=4)
    [*_, message] = backend.queue.messages  # type: ignore[attr-defined]
    assert stages.claim(backend, loop.id, message.generation, message.stage, message.part, "dead") is not None
    with backend.database.write() as session:
        stage = session.scalars(select(Stage).where(Stage.state == "running")).one()
        stage.retry_at = utc_now()
        now = utc_now()
        session.add(
            AuditJob(
                id="a", config={}, config_digest="", state="running", token="t", worker="w", attempt=1, created_at=now,
                sent_at=now, heartbeat_at=now,
            )
        )  # fmt: skip
    assert backup(backend, tmp_path / "b.tar").loops == 1
    back = install("back")
    assert restore(tmp_path / "b.tar", back).resuming == 1
    view = loops.show_loop(back, loop.id)
    assert view.state == "interrupted"
    assert "backup" in loops.events(back, loop.id)[-1].sentence
    with back.database.read() as session:
        assert session.scalars(select(Stage.token).where(Stage.state != "done")).all() in ([""], ["", ""])
        assert session.scalars(select(Stage.attempt).where(Stage.generation == message.generation)).all()
        job = session.get_one(AuditJob, "a")
        assert (job.state, job.token, job.heartbeat_at, job.attempt) == ("queued", "", None, 0)
        session.expunge(job)
    resume_waiting(back, loop.id)
    drain(back)
    alone = loops.launch(back, toy_config(generations=3))
    drain(back)
    assert loops.show_loop(back, loop.id).state == "done"
    assert metrics(back, loop.id) == metrics(back, alone.id)


def resume_waiting(backend: Backend, loop_id: str) -> None:
    """What the reconciler does: send for whatever waits."""
    assert isinstance(backend.queue, ListQueue)
    with backend.database.read() as session:
        config = LoopConfig.model_validate(session.get_one(Loop, loop_id).config)
        waiting = session.scalars(select(Stage).where(Stage.loop_id == loop_id, Stage.state == "queued")).all()
    backend.queue.send([stages.message_of(row, config) for row in waiting])


def metrics(backend: Backend, loop_id: str) -> list[dict[str, float]]:
    return [generation.metrics for generation in loops.generations(backend, loop_id)]


def test_a_backup_of_a_loop_that_runs_has_no_gaps(install: Install, tmp_path: Path) -> None:
    backend = install("source")
    loop = loops.launch(backend, toy_config(generations=6))
    worker = threading.Thread(target=drain, args=(backend,))
    worker.start()
    for number in range(2):
        backup(backend, tmp_path / f"{number}.tar")
    worker.join()
    for number in range(2):
        back = install(f"back{number}")
        assert restore(tmp_path / f"{number}.tar", back).missing == []
        assert integrity(back, deep=True) == []
        resume_waiting(back, loop.id)
        drain(back)
        assert loops.show_loop(back, loop.id).state == "done"
        assert metrics(back, loop.id) == metrics(backend, loop.id)


def test_a_loop_that_was_being_cancelled_is_cancelled(install: Install, tmp_path: Path) -> None:
    backend = install("source")
    loop, message = start(backend)
    assert stages.claim(backend, loop.id, message.generation, message.stage, message.part, "w") is not None
    assert loops.cancel(backend, loop.id).state == "cancelling"
    backup(backend, tmp_path / "b.tar")
    back = install("back")
    restore(tmp_path / "b.tar", back)
    assert loops.show_loop(back, loop.id).state == "cancelled"
    loops.resume(back, loop.id)
    drain(back)
    assert loops.show_loop(back, loop.id).state == "done"


def test_what_is_damaged_is_left_out_and_named(source: Backend, install: Install, tmp_path: Path) -> None:
    digest = artifacts(source)[0].digest
    source.store.blobs.path(name_of(digest)).write_bytes(b"damaged")
    assert backup(source, tmp_path / "b.tar").missing == [digest]
    assert restore(tmp_path / "b.tar", install("back")).missing == [digest]


def test_a_backup_is_written_whole_or_not_at_all(
    source: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()

    def full(digest: str) -> bytes:
        raise OSError(28, "No space left on device")

    with pytest.raises(BackupFailed, match="No space"):
        backup(replace(source, store=replace_read(source, full)), folder / "b.tar")
    assert list(folder.iterdir()) == []
    for path in (folder, tmp_path / "no" / "where.tar"):
        with pytest.raises(BackupFailed, match="folder|written"):
            backup(source, path)


def replace_read(backend: Backend, read: Callable[[str], bytes]) -> Any:
    class Store:
        def __init__(self) -> None:
            self.read = read

    return Store()


def test_only_an_empty_installation_is_filled(source: Backend, tmp_path: Path) -> None:
    backup(source, tmp_path / "b.tar")
    with pytest.raises(Conflict, match="3 loops here already"):
        restore(tmp_path / "b.tar", source)


def test_only_admins_save_and_restore(source: Backend, tmp_path: Path) -> None:
    class NoAdmin:
        def require(self, role: str) -> Actor:
            if role == "admin":
                raise Forbidden("No.")
            return Actor("bob", "runner")

    backend = replace(source, gate=NoAdmin())
    with pytest.raises(Forbidden):
        backup(backend, tmp_path / "b.tar")
    with pytest.raises(Forbidden):
        restore(tmp_path / "b.tar", backend)


# --- files that are not what was written ---


def test_light_loops_are_as_in_one_process(source: Backend, install: Install, tmp_path: Path) -> None:
    backup(source, tmp_path / "b.tar")
    back = install("back")
    restore(tmp_path / "b.tar", back)
    loop_id = next(loop.id for loop in loops.list_loops(back) if loop.name == "block")
    loops.extend(back, loop_id, 2)
    drain(back)
    assert numbers(back, loop_id) == in_process(light_config(generations=7))
    with back.database.read() as session:
        assert session.scalar(select(func.max(Event.id))) == session.scalar(select(func.count()).select_from(Event))
