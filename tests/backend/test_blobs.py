"""The same laws hold in a folder and in a bucket."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.blobs import Blobs, FolderBlobs, StoreRefused, make_folder
from tests.backend.buckets import bucket, keys, open_bucket, s3_service

__all__ = ["bucket", "keys", "open_bucket", "s3_service"]


@pytest.fixture(params=["folder", "bucket"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "folder":
        return FolderBlobs(tmp_path / "not" / "yet")
    opened: Blobs = request.getfixturevalue("open_bucket")()
    return opened


def names(blobs: Blobs, folder: str) -> dict[str, int]:
    return {blob.name: blob.size for blob in blobs.find(folder)}


def test_what_is_written_is_read_found_and_removed(blobs: Blobs) -> None:
    blobs.check()
    assert (blobs.read("a/b/c"), names(blobs, "a")) == (None, {})
    blobs.write("a/b/c", b"one")
    blobs.write("a/d", b"")
    blobs.write("b/x", b"other folder")
    assert (blobs.read("a/b/c"), blobs.read("a/d")) == (b"one", b"")
    assert names(blobs, "a") == {"a/b/c": 3, "a/d": 0}
    [found] = [blob for blob in blobs.find("a") if blob.size]
    assert abs(found.modified - time.time()) < 3600
    blobs.write("a/b/c", b"another")
    assert blobs.read("a/b/c") == b"another"
    assert not blobs.remove("a/b/c", before=time.time() - 3600)
    assert blobs.remove("a/b/c", before=time.time() + 3600)
    assert not blobs.remove("a/b/c", before=time.time() + 3600)
    assert names(blobs, "a") == {"a/d": 0}


def test_the_first_to_create_wins(blobs: Blobs) -> None:
    kept = []
    threads = [
        threading.Thread(target=lambda text=text: kept.append(text) if blobs.create("memo/k", text) else None)
        for text in (b"1", b"2", b"3", b"4")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept) == 1
    assert blobs.read("memo/k") == kept[0]
    assert not blobs.create("memo/k", b"5")
    assert names(blobs, "memo") == {"memo/k": 1}


def test_a_file_that_is_written_again_is_young(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)
    blobs.write("x", b"same")
    os.utime(tmp_path / "x", (1, 1))
    blobs.write("x", b"same")
    assert not blobs.remove("x", before=time.time() - 60)
    assert names(blobs, ".") == {"x": 4}


def test_folders_and_names_are_forced_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forced: list[str] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{descriptor}")).name
        forced.append("temporary" if name.startswith(".cd.") else name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    FolderBlobs(tmp_path).write("ab/cd", b"x")
    assert forced == [tmp_path.name, "temporary", "ab"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreRefused, match="cannot be made"):
        FolderBlobs(tmp_path / "file" / "x").check()


def test_two_may_make_the_same_folder(tmp_path: Path) -> None:
    for _ in range(2):
        make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_forked_child_uses_connections_of_its_own(open_bucket: Callable[[], Blobs], tmp_path: Path) -> None:
    blobs = open_bucket()
    blobs.write("x", b"parent")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if blobs.read("x") == b"parent" else 2
            blobs.write("y", b"child")
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert blobs.read("y") == b"child"
