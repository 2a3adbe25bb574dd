"""A full disk: what was there stays whole, what did not fit leaves nothing, and the error is the system's own."""

import errno
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend import loops, stages
from backend.blobs import FolderBlobs
from backend.context import Backend
from backend.keeping.backup import BackupFailed, backup
from backend.memo import DiskMemo
from backend.shelf import SqlShelf
from backend.store import ArtifactStore, to_bytes
from core.records import Item
from tests.backend.conftest import BackendFactory
from tests.backend.leases import start


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    if (
        os.geteuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("no file system can be mounted here: that takes a right (CAP_SYS_ADMIN)")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def large(seed: int = 0) -> Item:
    return Item({"x": np.random.default_rng(seed).normal(size=90_000)})  # 0.7 MB


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")


def test_a_full_disk_leaves_no_part_of_a_file_and_no_row(make_backend: BackendFactory, tiny: Path) -> None:
    backend: Backend = make_backend()
    loop, message = start(backend)  # which asks for more room than there is, so it is taken away afterwards
    backend = replace(backend, store=ArtifactStore(FolderBlobs(tiny)))
    lease = stages.claim(backend, loop.id, message.generation, message.stage, message.part, "w")
    assert lease is not None
    shelf = SqlShelf(backend, loop.id)
    shelf.save(0, "first", large())
    before = files(tiny)
    with pytest.raises(OSError) as caught:
        shelf.save(0, "second", large(1))
    assert caught.value.errno == errno.ENOSPC
    assert files(tiny) == before
    assert set(shelf.pending) == {(0, "first")}
    assert backend.store.read(shelf.pending[0, "first"].stored.digest) == to_bytes(large())
    assert loops.generations(backend, loop.id) == []
    stages.release(backend, lease)
    for path in before:
        path.unlink()
    shelf.save(0, "second", large(1))  # as soon as there is room again


def test_a_full_disk_leaves_no_half_result_and_no_half_backup(make_backend: BackendFactory, tiny: Path) -> None:
    memo = DiskMemo(tiny / "memo")
    memo.get("first", large)
    before = files(tiny)
    with pytest.raises(OSError, match="No space"):
        memo.get("second", lambda: large(1))
    assert files(tiny) == before
    backend: Backend = make_backend()
    backend.store.put(large())
    backend.memo.get("key", large)
    with pytest.raises(BackupFailed, match="No space"):
        backup(backend, tiny / "b.tar")
    assert files(tiny) == before
