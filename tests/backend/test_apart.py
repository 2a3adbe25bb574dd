"""A function in a process of its own: its value, its errors, its crash, its time-out."""

import os
import sys
import time

import numpy as np
import pytest

from backend.apart import TookTooLong, run_apart
from backend.failures import rebuilt, told
from core.errors import Cancelled, Conflict, InvalidConfig, InvalidMotion, LoopscopeError, NotFound, UnknownPart

ME = "tests.backend.test_apart"


def double(number: int) -> int:
    os.write(1, b"libraries print what they like")
    return 2 * number


def refuse() -> None:
    raise InvalidConfig("It cannot be.", "Change it.", "options.n")


def crash() -> None:
    os._exit(9)


def stumble() -> None:
    raise RuntimeError("an inner matter")


def sleep() -> None:
    time.sleep(60)


def gather(gigabytes: int) -> int:
    return len(np.zeros(gigabytes << 30, np.int8))


def test_the_value_comes_back() -> None:
    assert run_apart(f"{ME}:double", 30, number=21) == 42


def test_an_error_comes_back_as_itself() -> None:
    with pytest.raises(InvalidConfig, match=r"It cannot be\.") as error:
        run_apart(f"{ME}:refuse", 30)
    assert (error.value.hint, error.value.field) == ("Change it.", "options.n")


@pytest.mark.parametrize(("name", "word"), [("crash", "exit status 9"), ("stumble", "an inner matter")])
def test_a_crash_is_an_error_here(name: str, word: str) -> None:
    with pytest.raises(LoopscopeError, match=word):
        run_apart(f"{ME}:{name}", 30)


def test_what_hangs_is_ended() -> None:
    with pytest.raises(TookTooLong, match=r"0\.2 s"):
        run_apart(f"{ME}:sleep", 0.2)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to it")
def test_memory_has_an_end() -> None:
    assert run_apart(f"{ME}:gather", 30, gigabytes=1) == 1 << 30, "numpy is loaded, and not in the way"
    with pytest.raises(LoopscopeError, match="more than 1024 MB of memory") as told:
        run_apart(f"{ME}:gather", 30, 1024, gigabytes=1)
    assert told.value.code == "out_of_memory"


@pytest.mark.parametrize(
    "error",
    [
        NotFound("a", "b"),
        Conflict("a"),
        InvalidMotion("a", "b"),
        Cancelled(),
        InvalidConfig("a", "b", "c.d"),
        InvalidConfig("a"),
        UnknownPart("policy", "x", ["y"], "policy.kind"),
        TookTooLong("a", "b"),
    ],
)
def test_errors_survive_the_way(error: LoopscopeError) -> None:
    again = rebuilt(**told(error))
    assert told(again) == told(error)
    assert isinstance(again, InvalidConfig) == isinstance(error, InvalidConfig)
