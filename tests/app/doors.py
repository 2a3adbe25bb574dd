"""A server with users, and browsers that are logged in as one of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from argon2 import PasswordHasher
from fastapi.testclient import TestClient

from app.server import create_app
from backend.access import passwords
from backend.access.users import add_user
from backend.context import Backend
from backend.gate import ROLES
from backend.tables import LoginFailure, utc_now

ADDRESS = "http://127.0.0.1:7860"
PASSWORD = "correct horse battery"
COOKIE = "loopscope-7860"


@dataclass(frozen=True)
class Doors:
    """The people are named as their roles."""

    backend: Backend
    app: Any
    cookies: dict[str, str] = field(default_factory=dict)

    def browser(self, name: str = "") -> TestClient:
        """A browser of its own, logged in as somebody (or nobody), that sends what browsers send."""
        client = TestClient(self.app, base_url=ADDRESS, headers={"origin": ADDRESS}, raise_server_exceptions=False)
        if name and name not in self.cookies:
            answer = client.post("/login", data={"name": name, "password": PASSWORD}, follow_redirects=False)
            assert answer.status_code == 303, answer.text
            self.cookies[name] = client.cookies[COOKIE]
        elif name:
            client.cookies.set(COOKIE, self.cookies[name])
        return client

    def program(self, token: str = "") -> TestClient:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return TestClient(self.app, base_url=ADDRESS, headers=headers, raise_server_exceptions=False)


@contextmanager
def guarded(backend: Backend) -> Iterator[Doors]:
    """The server of ``backend``, with users named viewer, runner and admin."""
    with quick_hashes():
        for role in ROLES:
            add_user(backend, role, PASSWORD, role)
        yield Doors(backend, create_app(backend.settings, backend=backend))


@contextmanager
def quick_hashes() -> Iterator[None]:
    """The same algorithm with little work."""
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    passwords._nobodys.cache_clear()
    with patch.object(passwords, "_hasher", lambda: quick):
        yield
    passwords._nobodys.cache_clear()


def fail_often(backend: Backend, name: str, address: str, times: int = 5) -> None:
    """As if so many log-ins had failed just now."""
    with backend.database.write() as session:
        session.add_all(LoginFailure(name=name, address=address, at=utc_now()) for _ in range(times))
