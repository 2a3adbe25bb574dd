"""What nobody needs goes; what somebody might need stays, and so does everything that is young."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from backend import loops, stages
from backend.context import Backend
from backend.keeping.gc import CACHES, Removed, gc
from backend.queue import ListQueue
from backend.s3blobs import S3Blobs
from backend.store import name_of
from backend.tables import Artifact, Loop, Stage, utc_now
from tests.backend.buckets import Service
from tests.backend.keeping.conftest import Install
from tests.backend.leases import start
from tests.backend.test_store import item
from tests.backend.toys import toy_config
from worker.stage import drain


def old(path: Path, days: float = 2.0, data: bytes = b"12345") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_bytes(data)
    then = utc_now().timestamp() - days * 86_400
    os.utime(path, (then, then))
    return path


def deleted_long_ago(backend: Backend, loop_id: str) -> None:
    loops.delete(backend, loop_id)
    with backend.database.write() as session:
        session.get_one(Loop, loop_id).deleted_at = utc_now() - timedelta(days=1000)


def digests(backend: Backend, loop_id: str) -> set[str]:
    with backend.database.read() as session:
        return set(session.scalars(select(Artifact.digest).where(Artifact.loop_id == loop_id)).all())


def file_of(backend: Backend, digest: str) -> Path:
    return backend.store.blobs.path(name_of(digest))


def test_everything_that_nobody_needs_goes_and_nothing_else(backend: Backend) -> None:
    kept, gone = (loops.launch(backend, toy_config(generations=1, seed=seed)) for seed in (1, 2))
    drain(backend)
    deleted_long_ago(backend, gone.id)
    deleted_now = loops.launch(backend, toy_config())
    loops.delete(backend, deleted_now.id)
    wanted, unwanted = digests(backend, kept.id), digests(backend, gone.id) - digests(backend, kept.id)
    for digest in wanted | unwanted:
        old(file_of(backend, digest))
    young = file_of(backend, backend.store.put(item()).digest)
    home = backend.settings.home
    half = old(file_of(backend, min(wanted)).parent / ".half.0123456789ab")
    memo = backend.memo.path("k")
    for path in (memo, memo.with_suffix(".lock")):
        old(path)
    drafts = [old(memo.with_suffix(".draft")), old(memo.with_name(f".{memo.name}.0123456789ab"))]
    caches = [old(home / cache / "aa" / "file") for cache in CACHES]
    lock = old(home / CACHES[-1] / ".lock")
    log, young_log = old(home / "logs" / "old.log", days=15), old(home / "logs" / "new.log", days=13)
    size = sum(file_of(backend, digest).stat().st_size for digest in unwanted)
    planned = gc(backend, dry_run=True)
    assert planned.artifacts == Removed(len(unwanted) + 1, size + 5)
    assert (planned.loops, planned.memo, planned.caches, planned.logs) == (
        1, Removed(2, 10), Removed(4, 20), Removed(1, 5)
    )  # fmt: skip
    assert all(path.exists() for path in (half, *drafts, *caches, log))
    assert loops.show_loop(backend, gone.id).id == gone.id
    done = gc(backend)
    assert (done.artifacts, done.memo, done.caches, done.logs, done.loops, done.size) == (
        planned.artifacts, planned.memo, planned.caches, planned.logs, 1, planned.size
    )  # fmt: skip
    assert not any(path.exists() for path in (half, *drafts, *caches, log))
    assert not any(file_of(backend, digest).exists() for digest in unwanted)
    assert all(path.exists() for path in (young, memo, memo.with_suffix(".lock"), lock, young_log))
    assert all(file_of(backend, digest).exists() for digest in wanted)
    assert {loop.id for loop in loops.list_loops(backend, deleted=True)} == {deleted_now.id}
    again = gc(backend)
    assert (again.loops, again.size) == (0, 0)


def test_what_is_stored_but_not_yet_published_is_safe_while_stages_run(backend: Backend) -> None:
    loop, message = start(backend)
    assert stages.claim(backend, loop.id, message.generation, message.stage, message.part, "w") is not None
    path = file_of(backend, backend.store.put(item()).digest)
    assert gc(backend, grace_hours=0).grace_hours == 1.0
    assert path.exists()
    loops.cancel(backend, loop.id)
    with backend.database.write() as session:
        for row in session.scalars(select(Stage)):
            row.state = "queued"
    assert gc(backend, grace_hours=0).artifacts.count == 1
    assert not path.exists()


def test_a_bucket_is_cleaned_too(install: Install, s3_service: Service, bucket: str) -> None:
    backend = install("home", artifacts_url=f"s3://{bucket}/x", s3_endpoint=s3_service.endpoint)
    assert isinstance(backend.queue, ListQueue)
    loop = loops.launch(backend, toy_config(generations=0))
    drain(backend)
    orphan = backend.store.put(item()).digest
    assert isinstance(backend.store.blobs, S3Blobs)
    done = gc(backend, grace_hours=-1)
    assert done.artifacts.count == 1
    assert orphan not in {blob.name for blob in backend.store.find()}
    assert {name_of(digest) for digest in digests(backend, loop.id)} == {blob.name for blob in backend.store.find()}


def test_a_file_that_is_touched_while_it_is_collected_is_spared(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = old(file_of(backend, backend.store.put(item()).digest))
    rename = Path.rename

    def stored_again(self: Path, target: Path) -> Path:
        backend.store.put(item())
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", stored_again)
    assert gc(backend).artifacts.count == 0
    assert path.exists()
