import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from backend.memo import WAITING, DiskMemo, Recent
from core.errors import Cancelled
from core.records import Item


def thing(value: float = 1.0) -> Item:
    return Item({"x": np.array([value])}, {"pair": (1, 2)})


def test_computed_once_and_kept_for_other_processes(tmp_path: Path) -> None:
    calls: list[int] = []

    def compute() -> Item:
        calls.append(1)
        return thing()

    memo = DiskMemo(tmp_path)
    first, second = memo.get("key", compute), memo.get("key", compute)
    other = DiskMemo(tmp_path).get("key", compute)
    assert len(calls) == 1
    assert first is second
    assert other.meta == first.meta == {"pair": [1, 2]}  # the first caller gets what later ones get
    assert memo.get("other", compute) is not first
    assert len(calls) == 2


def test_whoever_comes_second_waits_for_the_first(tmp_path: Path) -> None:
    begun, go = threading.Event(), threading.Event()
    calls: list[str] = []

    def slow() -> Item:
        calls.append("slow")
        begun.set()
        go.wait(10)
        return thing(5.0)

    first = threading.Thread(target=lambda: DiskMemo(tmp_path).get("key", slow))
    first.start()
    begun.wait(10)
    told: list[str] = []

    def tick(fraction: float, sentence: str) -> None:
        del fraction
        told.append(sentence)
        go.set()

    found = DiskMemo(tmp_path).get("key", thing, tick)
    first.join()
    assert (calls, told[0], float(found.arrays["x"][0])) == (["slow"], WAITING, 5.0)


def test_waiting_can_be_cancelled(tmp_path: Path) -> None:
    memo = DiskMemo(tmp_path)

    def tick(fraction: float, sentence: str) -> None:
        raise Cancelled

    with FileLock(memo.path("key").with_suffix(".lock")), pytest.raises(Cancelled):
        memo.get("key", thing, tick)


def test_a_failure_is_not_kept(tmp_path: Path) -> None:
    memo = DiskMemo(tmp_path)

    def broken() -> Item:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        memo.get("key", broken)
    assert memo.peek("key") is None
    assert memo.get("key", thing).arrays["x"] == 1.0


def test_a_damaged_file_is_computed_again(tmp_path: Path) -> None:
    DiskMemo(tmp_path).get("key", thing)
    path = DiskMemo(tmp_path).path("key")
    path.write_bytes(path.read_bytes()[:-3])
    assert DiskMemo(tmp_path).get("key", lambda: thing(2.0)).arrays["x"] == 2.0


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from backend.memo import DiskMemo\n"
        f"DiskMemo(Path({str(tmp_path)!r})).get('key', lambda: os._exit(9))"
    )
    status = subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode
    assert status == 9
    assert DiskMemo(tmp_path).get("key", thing).arrays["x"] == 1.0


def test_recent_forgets_what_was_not_asked_for_longest() -> None:
    recent = Recent(2)
    recent.put("a", thing(1))
    recent.put("b", thing(2))
    assert recent.get("a") is not None
    recent.put("c", thing(3))
    assert recent.get("b") is None
    assert recent.get("a") is not None
