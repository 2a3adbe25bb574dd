"""Many browsers, one look a second."""

import threading
import time
from pathlib import Path

import pytest

from app.pulse import BEAT_S, Pulse, entries, pulse_of
from backend import loops
from backend.context import Backend
from tests.app.seeding import open_silent, small


@pytest.fixture
def backend(tmp_path: Path) -> Backend:
    return open_silent(tmp_path / "home")


def test_a_change_is_seen_with_the_next_beat_and_what_was_drawn_goes(backend: Backend) -> None:
    now = [0.0]
    pulse = Pulse(steady=lambda: now[0])
    first = pulse.revision(backend)
    assert pulse.shared(backend, "x", lambda: "drawn") == "drawn"
    loops.launch(backend, small())
    assert pulse.revision(backend) == first
    assert pulse.shared(backend, "x", lambda: "anew") == "drawn"
    now[0] += BEAT_S
    assert pulse.revision(backend) == loops.revision(backend) > first
    assert pulse.shared(backend, "x", lambda: "anew") == "anew"
    now[0] += BEAT_S
    assert pulse.shared(backend, "x", lambda: "again") == "anew", "nothing changed"


def test_of_many_who_ask_at_once_one_draws(backend: Backend) -> None:
    pulse, drawn, found = Pulse(), [], []

    def draw() -> str:
        time.sleep(0.05)
        drawn.append(1)
        return "drawn"

    threads = [threading.Thread(target=lambda: found.append(pulse.shared(backend, "x", draw))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (drawn, found) == ([1], ["drawn"] * 8)


def test_an_error_is_nobodys_drawing(backend: Backend) -> None:
    pulse = Pulse()

    def fail() -> str:
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        pulse.shared(backend, "x", fail)
    assert pulse.shared(backend, "x", lambda: "drawn") == "drawn"


def test_pages_share_the_pulse_of_an_installation(backend: Backend, tmp_path: Path) -> None:
    assert pulse_of(backend) is pulse_of(backend)
    assert pulse_of(open_silent(tmp_path / "other")) is not pulse_of(backend)
    assert entries(backend) == []
