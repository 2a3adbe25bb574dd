"""What ``loopscope up`` looks at before it starts anything, and that it starts and ends everything together."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from filelock import FileLock

from app.home import check_home, is_up
from app.up import run_up, url_of
from backend.settings import Settings
from core.errors import Conflict, LoopscopeError


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(("host", "url"), [("127.0.0.1", "http://127.0.0.1:7860"), ("::1", "http://[::1]:7860")])
def test_where_the_page_is(tmp_path: Path, host: str, url: str) -> None:
    assert url_of(Settings(home=tmp_path, host=host)) == url


def test_up_is_known_by_its_lock(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert not is_up(settings)
    assert not list(tmp_path.iterdir()), "asking leaves nothing behind"
    with FileLock(tmp_path / "supervisor.lock"):
        assert is_up(settings)
        with pytest.raises(Conflict, match="up already"):
            run_up(settings)
    assert not is_up(settings)
    assert is_up(Settings(home=tmp_path, redis_url="redis://x")), "workers of a Redis are elsewhere"


def test_a_data_folder_is_made(tmp_path: Path) -> None:
    check_home(Settings(home=tmp_path / "new" / "folder"))
    assert (tmp_path / "new" / "folder").is_dir()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_of_somebody_else(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(LoopscopeError, match="cannot be"):
        check_home(Settings(home=tmp_path / "home"))


def test_a_busy_port_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Conflict, match=str(port)) as error:
            run_up(Settings(home=tmp_path, port=port))
    assert "port" in error.value.hint.lower()


@pytest.mark.slow
def test_everything_starts_and_ends_together(tmp_path: Path) -> None:
    home, port = tmp_path / "home", free_port()
    command = [sys.executable, "-m", "app.cli", "up", "--home", str(home), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        assert f"http://127.0.0.1:{port}" in line, process.stderr.read() if not line else line
        health = httpx.get(f"http://127.0.0.1:{port}/api/v1/health", timeout=20).json()
        assert (health["status"], health["database"], health["broker"]) == ("ok", True, True)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=40) == 0
    limit = time.monotonic() + 5
    while time.monotonic() < limit:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.1)
    pytest.fail("the server outlived `loopscope up`")
