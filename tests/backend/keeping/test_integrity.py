"""Each kind of damage is found, and named with the loop or the file that it is in."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, text, update

from backend import loops
from backend.context import Backend
from backend.keeping.finding import Finding, some
from backend.keeping.integrity import integrity
from backend.store import name_of, to_bytes
from backend.tables import Artifact, AuditJob, Event, Generation, Loop, MetricValue, Stage, utc_now
from tests.backend.lightloops import light
from tests.backend.test_store import item
from tests.backend.toys import toy_config
from tests.core.light import light_config
from worker.stage import drain

__all__ = ["light"]


@pytest.fixture
def sound(make_backend: Callable[..., Backend]) -> Backend:
    return filled(make_backend())


def filled(backend: Backend) -> Backend:
    """With a finished loop of stages and one of a block, one that waits, one that is deleted; a memo."""
    loops.launch(backend, toy_config(generations=1), name="stages")
    loops.launch(backend, light_config(generations=4), name="block")
    drain(backend)
    loops.launch(backend, toy_config(seed=2))
    loops.delete(backend, loops.launch(backend, toy_config(seed=3)).id)
    backend.memo.get("key", item)
    assert integrity(backend, deep=True) == []
    return backend


def loop_of(backend: Backend, name: str = "stages") -> str:
    return next(loop.id for loop in loops.list_loops(backend) if loop.name == name)


def artifact_of(backend: Backend, name: str = "model") -> Artifact:
    with backend.database.read() as session:
        return session.get_one(Artifact, (loop_of(backend), 1, name))


def file_of(backend: Backend, artifact: Artifact) -> Path:
    return backend.store.blobs.path(name_of(artifact.digest))


def found(backend: Backend, deep: bool = False) -> dict[str, Finding]:
    findings = integrity(backend, deep=deep)
    assert all(finding.where and finding.what and finding.hint for finding in findings)
    return {finding.kind: finding for finding in findings}


def change(backend: Backend, *statements: Any) -> None:
    with backend.database.write() as session:
        for statement in statements:
            session.execute(statement)


def test_damaged_files(sound: Backend) -> None:
    model, path = artifact_of(sound), file_of(sound, artifact_of(sound))
    where = f"'model' of generation 1 of loop {model.loop_id}"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert found(sound) == {}
    [finding] = integrity(sound, deep=True)
    assert (finding.kind, finding.where) == ("digest_mismatch", name_of(model.digest))
    assert where in finding.what
    assert "backup" in finding.hint
    path.write_bytes(data[:-1])
    assert where in found(sound)["wrong_size"].what
    path.unlink()
    assert where in found(sound)["missing_artifact"].what
    junk = sound.store.write(b"no item").digest
    change(sound, update(Artifact).where(Artifact.digest == model.digest).values(digest=junk, size=7))
    assert set(found(sound, deep=True)) == {"undecodable"}


def test_files_that_should_not_be_there(sound: Backend) -> None:
    path = file_of(sound, artifact_of(sound))
    young = path.with_name(f".{path.name}.0123456789ab")
    young.write_bytes(b"half")
    orphan = sound.store.put(item(5)).digest
    assert found(sound) == {}, "what is young may be on its way"
    for stale in (young, sound.store.blobs.path(name_of(orphan))):
        os.utime(stale, (1, 1))
    path.with_name("notes.txt").write_bytes(b"mine")
    sound.memo.path("key").write_bytes(to_bytes(item())[:-3])
    findings = found(sound)
    assert set(findings) == {"unfinished_file", "unwanted_artifact", "foreign_file", "damaged_memo"}
    assert findings["foreign_file"].where.endswith("/notes.txt")
    assert "gc" in findings["unwanted_artifact"].hint


ROWS: dict[str, Callable[[str, str], Any]] = {
    "wrong_generation": lambda stages, block: update(Loop).where(Loop.id == stages).values(generation=7),
    "missing_generations": lambda stages, block: delete(Generation).where(
        Generation.loop_id == stages, Generation.index == 0
    ),
    "missing_metrics": lambda stages, block: delete(MetricValue).where(
        MetricValue.loop_id == stages, MetricValue.generation == 1
    ),
    "missing_artifacts": lambda stages, block: delete(Artifact).where(Artifact.loop_id == block),
    "unknown_state": lambda stages, block: (
        update(Stage).where(Stage.loop_id == stages, Stage.generation == 1).values(state="dreaming")
    ),
    "no_lease": lambda stages, block: (
        update(Stage)
        .where(Stage.loop_id == stages, Stage.generation == 1, Stage.stage == "learn")
        .values(state="running", token="")
    ),
    "bad_config": lambda stages, block: update(Loop).where(Loop.id == stages).values(config={"n": "many"}),
    "bad_digest": lambda stages, block: (
        update(Artifact)
        .where(Artifact.loop_id == stages, Artifact.generation == 1, Artifact.name == "model")
        .values(digest="../../etc/passwd")
    ),
}


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_rows_that_contradict_themselves(
    request: pytest.FixtureRequest, make_backend: Callable[..., Backend], database: str
) -> None:
    url = "" if database == "sqlite" else request.getfixturevalue("postgres_url")
    sound = filled(make_backend(database_url=url))
    for kind, damage in ROWS.items():
        loop_id, block = loop_of(sound), loop_of(sound, "block")
        with sound.database.engine.connect() as connection:
            connection.execute(damage(loop_id, block))
            seen = {finding.kind: finding for finding in _within(sound, connection)}
            assert kind in seen, (kind, seen)
            assert loop_id in seen[kind].where or block in seen[kind].where
            connection.rollback()
    assert found(sound) == {}


def _within(backend: Backend, connection: Any) -> list[Finding]:
    """Findings of rows as an open transaction sees them."""
    from backend.keeping import rowchecks

    checks = (
        rowchecks._references, rowchecks._states, rowchecks._configs, rowchecks._heights, rowchecks._records,
        rowchecks._leases, rowchecks._artifacts,
    )  # fmt: skip
    return [finding for check in checks for finding in check(connection)]


def test_an_audit_that_nobody_holds(sound: Backend) -> None:
    now = utc_now() - timedelta(hours=1)
    with sound.database.write() as session:
        session.add(
            AuditJob(id="a1", config={}, config_digest="", state="running", created_at=now, sent_at=now)
        )  # fmt: skip
    assert found(sound)["no_lease"].where == "audit a1"


def test_rows_of_nobody(make_backend: Callable[..., Backend]) -> None:
    """Only SQLite lets them in, where another program has switched its foreign keys off."""
    backend = make_backend()
    with backend.database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql("BEGIN")
        connection.execute(
            Event.__table__.insert(), {"loop_id": "o'ghost", "at": utc_now(), "kind": "x", "sentence": ""}  # type: ignore[attr-defined]
        )  # fmt: skip
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")
        connection.exec_driver_sql("BEGIN")
    [finding] = integrity(backend)
    assert (finding.kind, finding.where) == ("orphan_rows", "events of o'ghost")
    change(backend, text(finding.hint.partition(": ")[2].rstrip(".")))
    assert integrity(backend) == []


def test_a_damaged_database_file(make_backend: Callable[..., Backend]) -> None:
    backend = make_backend()
    loop = loops.launch(backend, toy_config())
    with backend.database.write() as session:
        session.add_all(Event(loop_id=loop.id, at=utc_now(), kind="x", sentence="x" * 1000) for _ in range(300))
    with backend.database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    backend.database.close()
    path = backend.settings.home / "loopscope.db"
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :: 7] = bytes(len(data[len(data) // 2 :: 7]))
    path.write_bytes(data)
    assert "database_damaged" in {finding.kind for finding in integrity(backend, deep=True)}


def test_many_are_told_by_a_few() -> None:
    assert some([1, 2]) == "1, 2"
    assert some(list(range(9))) == "0, 1, 2, 3, 4 and 4 more"
