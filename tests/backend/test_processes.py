import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.processes import Child, StartFailed, Supervisor, check_port, wait_for_broker
from backend.settings import Settings
from core.errors import Conflict

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")


def until(fits: Callable[[], bool], patience_s: float = 20.0) -> None:
    limit = time.monotonic() + patience_s
    while not fits():
        assert time.monotonic() < limit
        time.sleep(0.02)


def child(tmp_path: Path, *command: str) -> Child:
    return Child("it", command or SLEEP, dict(os.environ), tmp_path / "logs" / "it.log")


def test_a_fallen_child_starts_again_later_and_later(tmp_path: Path) -> None:
    it = child(tmp_path, sys.executable, "-c", "print('hello')")
    it.start()
    pauses = []
    for _ in range(2):
        until(lambda: not it.alive)
        pauses.append(it.pause_s)
        it.watch()
        while it.restarts < len(pauses):
            it.watch()
            time.sleep(0.02)
    until(lambda: not it.alive)
    assert pauses == sorted(set(pauses))
    assert it.log_path.read_text().count("hello") == 3


def test_a_long_log_is_put_aside(tmp_path: Path) -> None:
    it = child(tmp_path, sys.executable, "-c", "print('new')")
    it.log_path.parent.mkdir()
    it.log_path.write_bytes(b"x" * 6_000_000)
    it.start()
    until(lambda: not it.alive)
    assert it.log_path.read_text() == "new\n"
    assert it.log_path.with_suffix(".old.log").stat().st_size == 6_000_000


def test_a_busy_port_is_one_clear_line(make_settings: Callable[..., Settings]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Conflict, match=f"port {port}.*use") as found:
            Supervisor(make_settings(port=port), server=SLEEP, worker=()).start()
        assert "LOOPSCOPE_PORT" in found.value.hint
    check_port(make_settings(port=port))


def test_broker_and_server_run_end_and_run_again(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings()
    for _ in range(2):
        supervisor = Supervisor(settings, server=SLEEP, worker=())
        supervisor.start()
        children = list(supervisor.children)
        assert [c.name for c in children] == ["broker", "server"]
        assert stat.S_IMODE(settings.broker_socket.parent.stat().st_mode) == 0o700
        os.kill(children[1].process.pid, signal.SIGKILL)  # type: ignore[union-attr]
        until(lambda: children[1].restarts == 1 and children[1].alive)  # noqa: B023
        supervisor.stop()
        assert not any(c.alive for c in children)


def test_a_broker_that_does_not_start_is_told(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    it = child(tmp_path, sys.executable, "-c", "raise SystemExit(1)")
    it.start()
    with pytest.raises(StartFailed, match="it.log") as found:
        wait_for_broker(make_settings(), it)
    assert "LOOPSCOPE_REDIS_URL" in found.value.hint


@pytest.mark.parametrize("url", ["redis://me:secret@127.0.0.1:1/0", "nonsense"])
def test_a_broker_of_ones_own_that_is_away_is_told(make_settings: Callable[..., Settings], url: str) -> None:
    with pytest.raises(StartFailed, match="LOOPSCOPE_REDIS_URL") as found:
        Supervisor(make_settings(redis_url=url), worker=()).start()
    assert "secret" not in str(found.value)


def gone(pid: int) -> bool:
    """Whether no such process runs; one that nobody has waited for yet counts as gone."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat_file = Path(f"/proc/{pid}/stat")
    return stat_file.exists() and stat_file.read_text().split()[2] == "Z"


def supervise(home: Path, last_line: str) -> str:
    """A program that starts broker and server, writes their ids to ``home/pids`` and goes on with ``last_line``."""
    return (
        "import os, signal, sys; from pathlib import Path; from backend.settings import Settings\n"
        "from backend.processes import Supervisor\n"
        f"home = Path({str(home)!r}); s = Supervisor(Settings(home=home), worker=(), server={SLEEP!r})\n"
        "def note():\n"
        "    (home / 'new').write_text(' '.join(str(c.process.pid) for c in s.children))\n"
        "    (home / 'new').rename(home / 'pids')\n"
        f"{last_line}"
    )


def pids(home: Path) -> list[int]:
    return [int(pid) for pid in (home / "pids").read_text().split()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs PR_SET_PDEATHSIG")
def test_children_end_with_a_killed_parent(tmp_path: Path) -> None:
    program = supervise(tmp_path, "s.start(); note(); os.kill(os.getpid(), signal.SIGKILL)")
    it = child(tmp_path, sys.executable, "-c", program)
    it.start()
    until(lambda: not it.alive)
    assert len(pids(tmp_path)) == 2
    until(lambda: all(gone(pid) for pid in pids(tmp_path)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_in_order(tmp_path: Path, number: signal.Signals) -> None:
    it = child(tmp_path, sys.executable, "-c", supervise(tmp_path, "s.run(note); print('over')"))
    it.start()
    until((tmp_path / "pids").exists)
    it.send(number)
    until(lambda: not it.alive)
    assert it.process is not None
    assert it.process.returncode == 0, it.log_path.read_text()
    assert it.log_path.read_text().endswith("over\n")
    assert all(gone(pid) for pid in pids(tmp_path))
