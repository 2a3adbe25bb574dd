"""A server under attack: real sockets, people of every role, and a file beside its data folder that nobody may see."""

import os
import secrets
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from app.connections import PatientProtocol
from app.server import create_app
from backend import loops
from backend.access.tokens import create_token
from backend.access.users import add_user
from backend.context import Backend, open_backend
from backend.gate import ROLES
from backend.settings import Settings
from tests.app.seeding import Silent, keep_motions, record, small
from tests.app.seedloops import gaussian, keep_seeds
from tests.backend.conftest import make_backend, make_settings, postgres_url
from tests.security.effort import CASES, LONG, TIMEOUT_S

__all__ = ["make_backend", "make_settings", "postgres_url"]

CANARY = f"canary-{secrets.token_hex(8)}"
PASSWORD = f"Secret-{secrets.token_hex(8)}-of-"
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGING = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate")
LIMIT_S = 60.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(TIMEOUT_S), append=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What a long run has tried, counted by the run itself."""
    if LONG and CASES:
        terminalreporter.section("cases tried")
        for what, count in sorted(CASES.items()):
            terminalreporter.write_line(f"{count:7,} {what}")
        terminalreporter.write_line(f"{CASES.total():7,} in all")


@dataclass(frozen=True)
class Answer:
    """Of one request over a socket of its own."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


@dataclass(frozen=True)
class House:
    """A running server.

    Attributes:
        home: its data folder; ``outer`` is the folder around it, with the canary.
        loop_ids: a motion loop with a panel, a light loop, and one that waits.
        tokens: API token by role, where there are users.
    """

    backend: Backend
    home: Path
    outer: Path
    port: int
    loop_ids: tuple[str, ...]
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, target: str, body: bytes | None = None, *, role: str = "", **headers: str) -> Answer:
        """One request with exactly this target; ``role``: with the token of somebody who has it."""
        CASES["requests, written"] += 1
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if role:
            sent["authorization"] = f"Bearer {self.tokens[role]}"
        connection = HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        try:
            connection.request(method, target, body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def raw(self, sent: bytes, seconds: float = LIMIT_S) -> bytes:
        """What comes back for these bytes until the server closes."""
        CASES["requests, written"] += 1
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            found = b""
            with suppress(ConnectionError):  # it may hang up before all is sent
                connection.sendall(sent)
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
                while piece := connection.recv(65536):
                    found += piece
            return found


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """With a viewer, a runner and an admin."""
    yield from _house(tmp_path_factory.mktemp("guarded"), people=True)


@pytest.fixture(scope="session")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """On loopback, without users."""
    yield from _house(tmp_path_factory.mktemp("open"), people=False)


def _house(outer: Path, *, people: bool) -> Iterator[House]:
    home = outer / "home"
    (home / "data").mkdir(parents=True)
    for place in (outer / "canary.txt", outer / "canary.npz", home / "secret.txt"):
        place.write_text(CANARY)
    (home / "data" / "leak").symlink_to(outer)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        port = listening.getsockname()[1]
        backend = open_backend(Settings(home=home, port=port), queue=Silent())
        motion = record(backend, loops.launch(backend, small(), name="motion", group="g"), 2)
        keep_motions(backend, motion, 1)
        light = keep_seeds(backend, gaussian(), "light")
        waiting = loops.launch(backend, small(seed=3), name="waiting")
        tokens: dict[str, str] = {}
        for role in ROLES if people else ():
            add_user(backend, f"{role}-person", PASSWORD + role, role)
            tokens[role] = create_token(backend, f"{role}-person", label=role).secret
        config = uvicorn.Config(
            create_app(backend=backend), http=PatientProtocol, log_level="error", access_log=False, ws="none"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        deadline = time.monotonic() + LIMIT_S
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.05)
        assert server.started
        yield House(backend, home, outer, port, (motion.id, light.id, waiting.id), tokens)
        server.should_exit = True
        thread.join(30)
    backend.close()


@dataclass
class _Watch:
    """Paths that this process opened for writing, or changed, while it is on."""

    on: bool = False
    paths: set[str] = field(default_factory=set)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = any(mark in mode for mark in "wax+") if isinstance(mode, str) else bool((flags or 0) & WRITING)
            found = (path,) if writes else ()
        else:
            if event not in CHANGING:
                return
            within = event != "os.rename" and isinstance(arguments[-1], int) and arguments[-1] >= 0
            found = () if within else arguments[:1]  # within: an open folder, by its number
        self.paths.update(os.fsdecode(path) for path in found if isinstance(path, (str, bytes, os.PathLike)))


_watch = _Watch()
sys.addaudithook(_watch.hear)


@pytest.fixture(autouse=True)
def nothing_outside_is_touched(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test here does to the product: it writes into data folders and temporary ones only, and not beside
    a data folder."""
    houses = [request.getfixturevalue(name) for name in ("house", "open_house") if name in request.fixturenames]
    _watch.paths.clear()
    _watch.on = True
    yield
    _watch.on = False
    here, temporary = Path(__file__).parents[2], Path(tempfile.gettempdir()).resolve()
    for path in map(Path, sorted(_watch.paths)):
        full = Path(os.path.abspath(path))
        if full in {Path.home() / place for place in (".cache", ".cache/matplotlib", ".config", ".config/matplotlib")}:
            continue  # of the library that Gradio brings along
        if str(full).startswith(("/dev/", "/proc/")) or "__pycache__" in full.parts or ".pytest_cache" in full.parts:
            continue
        assert not full.is_relative_to(here), f"{full} is the program's"
        assert full.is_relative_to(temporary), f"{full} is neither in a data folder nor temporary"
        for found in houses:
            assert full.is_relative_to(found.home) or not full.is_relative_to(found.outer), f"{full} is outside"
    for found in houses:
        assert (found.outer / "canary.txt").read_text() == CANARY
        assert sorted(one.name for one in found.outer.iterdir()) == ["canary.npz", "canary.txt", "home"]
