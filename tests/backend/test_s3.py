"""Loops whose artifacts lie in a bucket: the same numbers, computed once for all machines, and errors in words."""

import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend import loops
from backend.blobs import Blobs
from backend.context import Backend, open_backend
from backend.copies import Copies
from backend.memo import DiskMemo
from backend.queue import ListQueue
from backend.s3blobs import S3Blobs
from backend.settings import Settings
from backend.shelf import PACKS, RECENT, SqlShelf
from backend.store import ArtifactStore, StoreRefused, StoreUnreachable, name_of, to_bytes
from core.errors import DataMissing
from core.records import Item
from tests.backend.buckets import Service, bucket, keys, open_bucket, s3_service
from tests.backend.lightloops import in_process, light, numbers, short_blocks
from tests.backend.test_store import item
from tests.backend.toys import toy_config
from tests.core.light import light_config
from worker.stage import drain, run_stage

__all__ = ["bucket", "keys", "light", "open_bucket", "s3_service", "short_blocks"]


@pytest.fixture
def open_machine(
    tmp_path: Path, s3_service: Service, bucket: str, postgres_url: str
) -> Iterator[Callable[[str], Backend]]:
    """Backends with data folders of their own, which share PostgreSQL and the bucket; one process' memory is none's."""
    opened: list[Backend] = []

    def make(name: str) -> Backend:
        settings = Settings(
            home=tmp_path / name, artifacts_url=f"s3://{bucket}/lab", s3_endpoint=s3_service.endpoint,
            database_url=postgres_url,
        )  # fmt: skip
        opened.append(open_backend(settings, queue=ListQueue()))
        return opened[-1]

    yield make
    for backend in opened:
        backend.close()


@pytest.fixture
def nothing_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RECENT, "get", lambda key: None)
    monkeypatch.setattr(PACKS, "_count", 0)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_items_come_back_verified_and_are_fetched_once(open_bucket: Callable[[], S3Blobs], tmp_path: Path) -> None:
    here = ArtifactStore(open_bucket(), Copies(tmp_path / "here"))
    there = ArtifactStore(open_bucket(), Copies(tmp_path / "there"))
    stored = here.put(item())
    assert stored == here.put(item())
    np.testing.assert_array_equal(there.get(stored.digest).arrays["b"], item().arrays["b"])
    assert there.size() == stored.size
    there.blobs.remove(name_of(stored.digest), before=2e10)
    assert there.local(stored.digest).read_bytes() == to_bytes(item())  # its copy
    there.local(stored.digest).write_bytes(b"damaged")
    with pytest.raises(DataMissing, match="not in s3://"):
        there.get(stored.digest)
    there.blobs.write(name_of(stored.digest), b"damaged too")
    with pytest.raises(DataMissing, match="cannot be read"):
        there.local(stored.digest)
    here.put(item())
    assert there.get(stored.digest).meta["text"] == "ü"


def test_collect_removes_from_the_bucket(open_bucket: Callable[[], S3Blobs], tmp_path: Path) -> None:
    store = ArtifactStore(open_bucket(), Copies(tmp_path))
    kept, other = store.put(item(0)).digest, store.put(item(1)).digest
    store.blobs.write("artifacts/notes.txt", b"of somebody else")
    assert store.collect([kept], before=0.0) == 0
    assert store.collect([kept], before=2e10) == 1
    assert {blob.name for blob in store.find()} == {name_of(kept), "artifacts/notes.txt"}
    assert other not in {blob.name for blob in store.find()}


def test_copies_are_bounded(tmp_path: Path) -> None:
    copies = Copies(tmp_path, most_bytes=250)
    for i in range(4):
        os.utime(copies.keep(f"{i}" * 64, bytes(100)), (i + 1, i + 1))
    copies.trim()
    assert [copies.read(f"{i}" * 64) is not None for i in range(4)] == [False, False, True, True]


@pytest.mark.usefixtures("nothing_in_memory")
def test_a_loop_that_two_machines_share(open_machine: Callable[[str], Backend]) -> None:
    first, second = open_machine("one"), open_machine("two")
    loop = loops.launch(first, toy_config(generations=3))
    machines = [first, second]
    waiting = first.queue.messages  # type: ignore[attr-defined]
    for turn in range(100):
        if not waiting:
            break
        message = waiting.pop(0)
        backend = machines[turn % 2]
        assert run_stage(backend, message.loop_id, message.generation, message.stage, message.part)
        if backend is second:
            waiting += second.queue.messages  # type: ignore[attr-defined]
            second.queue.messages.clear()  # type: ignore[attr-defined]
    assert loops.show_loop(second, loop.id).state == "done"
    alone = loops.launch(first, toy_config(generations=3))
    drain(first)
    assert _metrics(first, loop.id) == _metrics(second, alone.id)
    for machine in machines:
        assert files(machine.settings.home / "artifacts") == []
        assert files(machine.settings.home / "cache" / "artifacts") != []


def _metrics(backend: Backend, loop_id: str) -> list[dict[str, float]]:
    return [generation.metrics for generation in loops.generations(backend, loop_id)]


@pytest.mark.usefixtures("light", "short_blocks", "nothing_in_memory")
def test_packs_are_read_on_a_machine_that_did_not_make_them(open_machine: Callable[[str], Backend]) -> None:
    first, second = open_machine("one"), open_machine("two")
    config = light_config(generations=2)
    loop = loops.launch(first, config)
    drain(first)
    assert numbers(second, loop.id) == in_process(config)
    assert SqlShelf(second, loop.id).load(1, "panel-raw").arrays["values"].shape == (1, 4)


def test_what_is_computed_once_is_computed_once_for_all_machines(
    open_bucket: Callable[[], S3Blobs], tmp_path: Path
) -> None:
    def never() -> Item:
        raise AssertionError("computed again")

    first, second = (DiskMemo(tmp_path / name, shared=open_bucket()) for name in ("one", "two"))
    found = first.get("key", lambda: Item({"x": np.array([1.0])}))
    assert second.get("key", never).arrays == found.arrays
    assert first.path("key").read_bytes() == second.path("key").read_bytes()


def test_of_two_that_compute_at_once_the_first_to_tell_wins(open_bucket: Callable[[], S3Blobs], tmp_path: Path) -> None:
    first, second = (DiskMemo(tmp_path / name, shared=open_bucket()) for name in ("one", "two"))

    def slow() -> Item:
        first.get("key", lambda: Item({"x": np.array([1.0])}))
        return Item({"x": np.array([2.0])})

    assert second.get("key", slow).arrays["x"] == 1.0
    assert DiskMemo(tmp_path / "two").get("key", slow).arrays["x"] == 1.0
    assert [path.suffix for path in files(tmp_path / "two") if path.suffix != ".lock"] == [".safetensors"]


def test_a_damaged_shared_result_is_replaced(open_bucket: Callable[[], S3Blobs], tmp_path: Path) -> None:
    memo, blobs = DiskMemo(tmp_path, shared=open_bucket()), open_bucket()
    blobs.write(f"memo/{memo.path('key').name}", b"damaged")
    memo.get("key", lambda: Item({"x": np.array([1.0])}))
    assert blobs.read(f"memo/{memo.path('key').name}") == memo.path("key").read_bytes()


def test_what_was_computed_while_nobody_could_be_told_is_not_computed_again(
    s3_service: Service, open_bucket: Callable[[], S3Blobs], tmp_path: Path
) -> None:
    memo = DiskMemo(tmp_path, shared=open_bucket())

    def compute() -> Item:
        s3_service.stop()
        return Item({"x": np.array([1.0])})

    with pytest.raises(StoreUnreachable, match="does not answer"):
        memo.get("key", compute)
    with pytest.raises(StoreUnreachable):
        memo.get("key", compute)
    s3_service.start()
    assert memo.get("key", lambda: Item({"x": np.array([2.0])})).arrays["x"] == 1.0


def test_a_store_that_goes_away_in_the_middle_of_a_loop(
    s3_service: Service, open_machine: Callable[[str], Backend]
) -> None:
    backend = open_machine("one")
    loop = loops.launch(backend, toy_config(generations=2))
    drain(backend, limit=2)
    shelf = SqlShelf(backend, loop.id)
    s3_service.stop()
    with pytest.raises(StoreUnreachable, match="s3://bucket-.*/lab does not answer"):
        shelf.save(1, "raw", item())
    assert shelf.pending == {}
    settings = backend.settings
    reopened = open_backend(settings, queue=ListQueue())  # pages can be looked at meanwhile
    assert loops.show_loop(reopened, loop.id).state == "running"
    reopened.close()
    s3_service.start()
    drain(backend)
    assert loops.show_loop(backend, loop.id).state == "done"


def test_a_bucket_that_is_not_there_is_told_at_once(
    s3_service: Service, keys: None, tmp_path: Path, postgres_url: str
) -> None:
    settings = Settings(home=tmp_path, artifacts_url="s3://nobodys/x", s3_endpoint=s3_service.endpoint)
    with pytest.raises(StoreRefused, match="'nobodys' of LOOPSCOPE_ARTIFACTS_URL does not exist"):
        open_backend(settings, queue=ListQueue())
    blobs = S3Blobs("nobodys", endpoint=s3_service.endpoint)
    requests: list[Callable[[], Any]] = [
        lambda: blobs.read("x"), lambda: blobs.write("x", b""), lambda: blobs.remove("x", 0.0)
    ]  # fmt: skip
    for request in requests:
        with pytest.raises(StoreRefused, match="does not exist"):
            request()
    blobs.close()


@pytest.fixture
def refusing() -> Iterator[str]:
    """A service that accepts no key."""

    class Refusal(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # writers ask whether to continue before they send

        def answer(self) -> None:
            body = b"<?xml version='1.0'?><Error><Code>InvalidAccessKeyId</Code><Message>geheim</Message></Error>"
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_HEAD = answer

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_wrong_keys_are_told_without_them(refusing: str, keys: None) -> None:
    blobs: Blobs = S3Blobs("bucket", endpoint=refusing)
    requests: list[Callable[[], Any]] = [blobs.check, lambda: blobs.write("x", b"1"), lambda: blobs.read("x")]
    for request in requests:
        with pytest.raises(StoreRefused, match="may not be used with these keys") as caught:
            request()
        assert "geheim" not in str(caught.value)
    blobs.close()


def test_no_keys_at_all(s3_service: Service, keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    blobs = S3Blobs("bucket", endpoint=s3_service.endpoint)
    with pytest.raises(StoreRefused, match=r"AWS_ACCESS_KEY_ID"):
        blobs.check()
    blobs.close()
