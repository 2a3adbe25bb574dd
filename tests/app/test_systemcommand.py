"""The installation told in a terminal."""

from app.systemcommand import lines
from backend import loops
from backend.context import Backend
from backend.observe.observer import Observer
from backend.presence import Presence
from tests.app.seeding import running, small


def test_the_installation_in_lines(backend: Backend) -> None:
    view = loops.launch(backend, small(), name="mine")
    running(backend, view, 1)
    Presence(backend, "gpu@here", "gpu", "cpu").beat()
    text = "\n".join(lines(Observer(backend).system()))
    assert "process   gpu@here (gpu): At work, learn 1 mine" in text
    assert "loops     1 running" in text and "database  SQLite answers" in text
    assert "queue     cpu: 0 at work, 0 waiting" in text
