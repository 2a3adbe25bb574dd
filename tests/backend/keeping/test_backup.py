"""What was saved comes back equal on any database and any store; what was tampered with does not come back at all."""

import hashlib
import io
import json
import re
import shutil
import tarfile
import threading
from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from backend import loops, measures, stages
from backend.context import Backend
from backend.gate import Actor, Forbidden
from backend.keeping.archive import BadBackup
from backend.keeping.backup import BackupFailed, backup
from backend.keeping.integrity import integrity
from backend.keeping.restore import restore
from backend.keeping.rows import LEFT_OUT, tables
from backend.queue import ListQueue
from backend.shelf import RECENT, SqlShelf
from backend.store import name_of
from backend.tables import (
    ApiToken,
    Artifact,
    AuditJob,
    Base,
    Event,
    LoginSession,
    Loop,
    Stage,
    User,
    WorkerProcess,
    utc_now,
)
from core.config import LoopConfig
from core.errors import Conflict
from tests.backend.buckets import Service
from tests.backend.keeping.conftest import Install
from tests.backend.leases import start
from tests.backend.lightloops import in_process, light, numbers
from tests.backend.toys import toy_config
from tests.core.light import light_config
from worker.stage import drain

__all__ = ["light"]


@pytest.fixture(autouse=True)
def nothing_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RECENT, "get", lambda key: None)


@pytest.fixture
def source(install: Install) -> Backend:
    """Two finished loops, stage by stage and in a block; a deleted one; users, and processes of the moment."""
    backend = install("source")
    loops.launch(backend, toy_config(generations=2), name="stages ü")
    loops.launch(backend, light_config(generations=5), name="block")
    drain(backend)
    loops.delete(backend, loops.launch(backend, toy_config()).id)
    backend.memo.get("evaluator", lambda: SqlShelf(backend, first(backend)).load(1, "model"))
    now = utc_now()
    with backend.database.write() as session:
        session.add(User(name="ann", role="admin", password_hash="hash", created_at=now))
        session.add(User(name="bob", role="runner", password_hash="hash", created_at=now))
        session.flush()
        session.add(LoginSession(digest="0" * 64, user="ann", created_at=now, expires_at=now))
        for name in ("ann", "bob"):
            session.add(ApiToken(id=name, user=name, role="viewer", digest=name * 20, created_at=now))
        session.add(
            WorkerProcess(
                name="h:1", queues="", host="h", pid=1, device="", facts={}, started_at=now, seen_at=now
            )
        )  # fmt: skip
    return backend


def first(backend: Backend) -> str:
    return next(loop.id for loop in loops.list_loops(backend) if loop.name == "stages ü")


def rows(backend: Backend) -> dict[str, list[Any]]:
    with backend.database.read() as session:
        return {
            table.name: [tuple(row) for row in session.execute(select(table).order_by(*table.primary_key.columns))]
            for table in tables()
            if table.name != "counters"
        }


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


def refused(path: Path, backend: Backend) -> str:
    """The sentence with which a file is refused, leaving no row and no file."""
    with pytest.raises(BadBackup) as caught:
        restore(path, backend)
    assert all(not found for found in rows(backend).values())
    assert not (backend.settings.home / "artifacts").exists()
    assert not list((backend.settings.home / "memo").glob("*")) if (backend.settings.home / "memo").exists() else True
    return str(caught.value)


def test_any_flipped_byte_and_any_cut_is_refused(source: Backend, install: Install, tmp_path: Path) -> None:
    """Not one bit of what is restored can differ from what was saved, wherever the file is touched."""
    backup(source, tmp_path / "good.tar")
    data, back, bad = (tmp_path / "good.tar").read_bytes(), install("back"), tmp_path / "bad.tar"
    for place in range(0, content_end(data), max(1, content_end(data) // 60)):
        touched = bytearray(data)
        touched[place] ^= 0x10
        bad.write_bytes(touched)
        if matters(data, place):
            refused(bad, back)
    for end in (0, 1, 511, 512, 1000, len(data) // 2, content_end(data) - 600):
        bad.write_bytes(data[:end])
        assert "backup" in refused(bad, back)


def content_end(data: bytes) -> int:
    return len(data.rstrip(b"\0"))


def matters(data: bytes, place: int) -> bool:
    """Padding after a member holds nothing."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            start, end = member.offset, member.offset_data + member.size
            if start <= place < end:
                return True
    return False


def rewritten(path: Path, target: Path, change: Callable[[str, bytes], tuple[str, bytes]]) -> None:
    """A backup that somebody changed with care: sizes, digests and counts fit again."""
    with tarfile.open(path) as old, tarfile.open(target, "w:", format=tarfile.GNU_FORMAT) as new:
        entries: list[dict[str, Any]] = []
        for member in old:
            stream = old.extractfile(member)
            assert stream is not None
            name, data = change(re.sub("^manifest-.*", "manifest", member.name), stream.read())
            if name == "manifest":
                data = json.dumps(json.loads(data) | {"entries": entries}).encode()
                name = f"manifest-{hashlib.sha256(data).hexdigest()}.json"
            else:
                lines = data.count(b"\n") if name.startswith("tables/") else None
                entries.append(
                    {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "rows": lines}
                )
            info = tarfile.TarInfo(name)
            info.size = len(data)
            new.addfile(info, io.BytesIO(data))


CHANGES: list[tuple[str, str, bytes, bytes, str]] = [
    ("an id as a path", "tables/loops.jsonl", b'"id":"', b'"id":"../../', "as id"),
    ("a state", "tables/loops.jsonl", b'"state":"done"', b'"state":"eternal"', "unknown state"),
    ("a column", "tables/loops.jsonl", b'"name":', b'"rank":1,"name":', "no column 'rank'"),
    ("a number", "tables/loops.jsonl", b'"priority":0', b'"priority":99999999999', "priority cannot be"),
    ("a kind", "tables/loops.jsonl", b'"priority":0', b'"priority":true', "priority cannot be"),
    ("a config", "tables/loops.jsonl", b'"generations":2', b'"generations":-2', "config of loop"),
    ("a date", "tables/loops.jsonl", b'"created_at":"2', b'"created_at":"x', "no row"),
    ("no number", "tables/metrics.jsonl", b'"value":', b'"value":NaN,"value":', "NaN is no number"),
    ("no JSON", "tables/metrics.jsonl", b"{", b"{{", "no row"),
    ("deep JSON", "tables/loops.jsonl", b'"config":', b'"config":' + b"[" * 100_000, "no row"),
    ("a role", "tables/users.jsonl", b'"admin"', b'"god"', "unknown role"),
    ("an artifact's name", "tables/artifacts.jsonl", b'"digest":"', b'"digest":"/', "cannot be|is named"),
    ("an artifact that is not there", "tables/artifacts.jsonl", b"", b"", "lacks the artifact"),
    ("a row twice", "tables/users.jsonl", b'{"name":"ann"', b'{"name":"bob"', "contradict"),
    ("an owner of nothing", "tables/events.jsonl", b'"loop_id":"', b'"loop_id":"f', "contradict"),
    ("a later table", "tables/users.jsonl", b"", b"", "not known here"),
    ("a later version", "manifest", b'"migration":"', b'"migration":"9', "Update Loopscope"),
    ("another form", "manifest", b"loopscope-backup-1", b"loopscope-backup-9", "form that is not known"),
]


def test_what_loopscope_would_not_write_is_refused(source: Backend, install: Install, tmp_path: Path) -> None:
    backup(source, tmp_path / "good.tar")
    back = install("back")
    for title, member, old, new, sentence in CHANGES:

        def edit(name: str, data: bytes) -> tuple[str, bytes]:
            if name != member:  # noqa: B023
                return name, data
            if title == "a later table":  # noqa: B023
                return "tables/later.jsonl", data
            if title == "an artifact that is not there":  # noqa: B023
                return name, data.replace(json.loads(data.splitlines()[0])["digest"].encode(), b"f" * 64)
            assert old in data, title  # noqa: B023
            return name, data.replace(old, new, 1)  # noqa: B023

        rewritten(tmp_path / "good.tar", tmp_path / "bad.tar", edit)
        with pytest.raises(BadBackup) as caught:
            restore(tmp_path / "bad.tar", back)
        assert re.search(sentence, str(caught.value)), (title, str(caught.value))
        assert all(not found for found in rows(back).values()), title
    rewritten(tmp_path / "good.tar", tmp_path / "same.tar", lambda name, data: (name, data))
    assert restore(tmp_path / "same.tar", back).loops == 3


@pytest.mark.parametrize("kind", ["symlink", "outside", "folder", "device", "sparse"])
def test_members_that_no_backup_has(install: Install, tmp_path: Path, kind: str) -> None:
    path, back = tmp_path / "bad.tar", install("back")
    with tarfile.open(path, "w:", format=tarfile.GNU_FORMAT) as tar:
        info = tarfile.TarInfo("tables/loops.jsonl" if kind != "outside" else "../outside")
        info.type = {
            "symlink": tarfile.SYMTYPE, "folder": tarfile.DIRTYPE, "device": tarfile.CHRTYPE,
            "sparse": tarfile.GNUTYPE_SPARSE,
        }.get(kind, tarfile.REGTYPE)  # fmt: skip
        info.linkname = "/etc/passwd" if kind == "symlink" else ""
        tar.addfile(info)
    assert "no backup of Loopscope" in refused(path, back)
    assert not (tmp_path / "outside").exists()


def test_files_that_are_none(install: Install, tmp_path: Path) -> None:
    back = install("back")
    for name, data in (("zip", b"PK\x03\x04" + bytes(600)), ("text", b"hello " * 200), ("zeros", bytes(10_240))):
        path = tmp_path / name
        path.write_bytes(data)
        assert "backup" in refused(path, back)
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(BadBackup, match="no file|folder"):
            restore(path, back)


def test_a_header_that_promises_more_than_there_is(install: Install, tmp_path: Path) -> None:
    info = tarfile.TarInfo("tables/loops.jsonl")
    info.size = 1 << 40
    (tmp_path / "huge.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
    assert "cut off within tables/loops.jsonl" in refused(tmp_path / "huge.tar", install("back"))


def test_too_much_for_the_disk(
    source: Backend, install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(source, tmp_path / "b.tar")
    back = install("back")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 1000))
    assert "are free in" in refused(tmp_path / "b.tar", back)


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
