"""Starts the product's programs as a person would on several machines: servers, workers, the web server, each on its
own, on loopback and free ports."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import pytest

from backend.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
TOY_SERVER = (sys.executable, "-m", "tests.integration.toy_server")
TOY_WORKER = (sys.executable, "-m", "tests.worker.toy_worker")
GRACE_S = 12.0

T = TypeVar("T")


@dataclass
class Programs:
    """Processes of one test, by name; all are ended with it."""

    folder: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.running.values():
            if process.poll() is None:
                process.terminate()
        limit = time.monotonic() + GRACE_S
        for process in self.running.values():
            try:
                process.wait(max(0.1, limit - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def start(self, name: str, command: tuple[str, ...], environment: Mapping[str, str] | None = None) -> int:
        """Start (or start again) a program in a process group of its own; its process id."""
        with (self.folder / f"{name}.log").open("ab") as output:
            self.running[name] = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        return self.running[name].pid

    def worker(self, name: str, settings: Settings, queues: str, **environment: str) -> int:
        """A worker that knows the toys, on one thread."""
        return self.start(
            name, (*TOY_WORKER, "--queues", queues), settings.environment() | {"OMP_NUM_THREADS": "1"} | environment
        )

    def kill(self, name: str) -> None:
        """SIGKILL for a program and its children; returns when it has ended."""
        process = self.running[name]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def redis(self, port: int) -> str:
        """A Redis server of this test's own; its URL. Skips where none is installed."""
        binary = shutil.which("redis-server") or shutil.which("valkey-server")
        if binary is None:
            pytest.skip("there is no redis-server here")
        command = (binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        self.start("redis", (*command, "--dir", str(self.folder)))
        wait_until(lambda: answers(port), "redis-server does not answer")
        return f"redis://127.0.0.1:{port}/0"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until(found: Callable[[], T], otherwise: str | Callable[[], str], patience_s: float = 40.0) -> T:
    """What ``found`` returns as soon as it is true; fails in words when it does not become so."""
    limit = time.monotonic() + patience_s
    while True:
        value = found()
        if value:
            return value
        if time.monotonic() > limit:
            pytest.fail(otherwise if isinstance(otherwise, str) else otherwise())
        time.sleep(0.05)
