"""A real installation (server, workers, broker) in an empty data folder, and a real browser that looks at it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, sync_playwright

from backend.client import Client

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless=new", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-background-networking", "--disable-sync", "--no-first-run", "--force-prefers-reduced-motion=no",
]  # fmt: skip


@dataclass(frozen=True)
class Stack:
    """A running installation."""

    url: str
    home: Path
    pid: int

    def client(self) -> Client:
        return Client(self.url)


@contextmanager
def running_stack(home: Path) -> Iterator[Stack]:
    """``loopscope up`` on a free port until the end of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "LOOPSCOPE_HOME": str(home), "LOOPSCOPE_PORT": str(port)}
    home.mkdir(parents=True, exist_ok=True)
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "up"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(url, process, home)
            yield Stack(url, home, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _wait_for(url: str, process: "subprocess.Popen[bytes]", home: Path, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"loopscope up ended with {process.returncode}: {(home / 'up.log').read_text()}")
        try:
            if httpx.get(url, timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.3)
    raise RuntimeError(f"no page within {seconds:.0f} s: {(home / 'up.log').read_text()}")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        try:
            launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        except Error as error:
            pytest.skip(f"no browser starts here (scripts/setup --dev installs one): {error.message.splitlines()[0]}")
        yield launched
        launched.close()


@dataclass(frozen=True)
class Watched:
    """A page, and what its console complained about."""

    page: Page
    complaints: list[str]


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(f"{message.text} ({message.location.get('url', '')})")

    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield Watched(page, complaints)
    page.close()
