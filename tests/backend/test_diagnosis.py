import errno
import sqlite3
from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from backend.diagnosis import DiskFull, check_space, describe, is_database_trouble, ran_out_of_memory, trouble_of
from backend.settings import Settings
from core.errors import DataMissing, TrainingDiverged


class OutOfMemoryError(RuntimeError):
    """As torch calls it."""


def chained(outer: Exception, inner: BaseException) -> Exception:
    outer.__cause__ = inner
    return outer


def sqlite(words: str) -> OperationalError:
    return OperationalError("SELECT 1", {}, sqlite3.OperationalError(words))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk_full"),
        (chained(RuntimeError("cannot write"), OSError(errno.ENOSPC, "No space left on device")), "disk_full"),
        (sqlite("database or disk is full"), "disk_full"),
        (sqlite("database is locked"), "database"),
        (sqlite("unable to open database file"), "database"),
        (OperationalError("", {}, psycopg.OperationalError("the connection is closed")), "database"),
        (InterfaceError("", {}, psycopg.InterfaceError("the connection is closed")), "database"),
        (NoFreeConnection("QueuePool limit of size 5 overflow 10 reached"), "database"),
        (sqlite("no such table: loops"), None),
        (IntegrityError("", {}, sqlite3.IntegrityError("UNIQUE constraint failed")), None),
        (OSError(errno.EACCES, "Permission denied"), None),
        (ValueError("x"), None),
        (TrainingDiverged(3, float("nan")), None),
        (DataMissing("There is no such file."), None),
    ],
)
def test_what_time_cures(error: Exception, code: str | None, make_settings: Callable[..., Settings]) -> None:
    settings = make_settings()
    settings.home.mkdir()
    trouble = trouble_of(error, settings)
    assert (trouble and trouble.code) == code
    if trouble is not None:
        assert trouble.message.endswith(".")
        assert "it goes on by itself" in trouble.hint.lower()


def test_only_errors_of_sql_are_worth_the_same_call_again() -> None:
    assert is_database_trouble(sqlite("database is locked"))
    assert is_database_trouble(sqlite("database or disk is full"))
    assert not is_database_trouble(sqlite("no such table: loops"))
    assert not is_database_trouble(OSError(errno.ENOSPC, "No space left on device"))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        chained(ValueError("x"), MemoryError()),
    ],
)
def test_memory_that_ran_out_is_told_in_words(error: Exception) -> None:
    assert ran_out_of_memory(error)
    told = describe(error)
    assert told["code"] == "out_of_memory"
    assert told["message"] == ("The GPU's memory ran out." if "CUDA" in str(error) else "Memory ran out.")
    assert "fewer samples" in told["hint"]


def test_other_errors_are_no_lack_of_memory() -> None:
    assert not ran_out_of_memory(RuntimeError("shapes do not fit"))
    assert describe(RuntimeError("a\nb"))["message"] == "RuntimeError: a"
    assert describe(TrainingDiverged(3, float("inf")))["code"] == "training_diverged"


def test_space_is_compared_with_what_settings_want(make_settings: Callable[..., Settings]) -> None:
    make_settings().home.mkdir()
    check_space(make_settings(min_free_mb=0))
    with pytest.raises(DiskFull, match="MB are free, 1000000000000 MB are needed") as found:
        check_space(make_settings(min_free_mb=1e12))
    trouble = trouble_of(found.value, make_settings())
    assert trouble is not None
    assert trouble.code == "disk_full"


def test_torch_says_it_as_expected() -> None:
    import torch

    assert torch.OutOfMemoryError.__name__ == "OutOfMemoryError"
    with pytest.raises(RuntimeError) as found:
        torch.empty(2**60, dtype=torch.uint8)
    assert ran_out_of_memory(found.value)
