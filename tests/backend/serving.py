"""An API over a fresh data folder with loops that nobody runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend.api import PREFIX, create_api
from backend.context import Backend
from tests.app.seeding import open_silent


@contextmanager
def served(home: Path, **settings: Any) -> Iterator[tuple[Backend, TestClient]]:
    """Backend and a browser's view of its server; an exception in a route becomes an answer, as it would there."""
    backend = open_silent(home)
    backend = replace(backend, settings=backend.settings.model_copy(update=settings))
    server = FastAPI()
    server.mount(PREFIX, create_api(backend))
    with TestClient(server, base_url=f"http://test{PREFIX}", raise_server_exceptions=False) as http:
        yield backend, http
    backend.close()


class Bridge(httpx.BaseTransport):
    """Lets the product's client talk to a server in this process."""

    def __init__(self, http: TestClient) -> None:
        self.http = http

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self.http.request(
            request.method, str(request.url), content=request.read(), headers=dict(request.headers)
        )
        return httpx.Response(answer.status_code, headers=dict(answer.headers), content=answer.content)
