"""Connections on which nothing comes: they end, and those that are being answered do not."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from app import connections
from app.connections import PatientProtocol

GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
HEAD_S = 0.4
WAIT_S = 30.0


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Without reading the body; ``/slow`` takes longer than a head may."""
    if scope["path"] == "/slow":
        await asyncio.sleep(2 * HEAD_S)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(connections, "HEAD_S", HEAD_S)
    monkeypatch.setattr(connections, "MOST", 3)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        config = uvicorn.Config(
            answer, http=PatientProtocol, ws="none", lifespan="off", log_level="error", access_log=False,
            timeout_keep_alive=600, timeout_graceful_shutdown=1,
        )  # fmt: skip
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(WAIT_S)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)


def until_closed(connection: socket.socket) -> bytes:
    """What comes until the server hangs up; a time-out is an error."""
    found = b""
    try:
        while piece := connection.recv(4096):
            found += piece
    except ConnectionError:
        pass
    return found


@pytest.mark.parametrize("sent", [b"", b"G", GET, GET + b"X: y\r\n"])
def test_a_head_that_does_not_come_is_not_waited_for(port: int, sent: bytes) -> None:
    with connect(port) as connection:
        connection.sendall(sent)
        assert until_closed(connection) == b""


def test_nor_is_the_second_one(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(GET + b"\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(GET)
        until_closed(connection)


def test_nor_the_rest_of_a_body_that_is_answered(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        closed = threading.Event()

        def dribble() -> None:
            while not closed.wait(HEAD_S / 4):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

        thread = threading.Thread(target=dribble)
        thread.start()
        until_closed(connection)
        closed.set()
        thread.join(WAIT_S)


def test_an_answer_takes_as_long_as_it_takes(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(GET.replace(b"/ ", b"/slow ") + b"Connection: close\r\n\r\n")
        assert until_closed(connection).endswith(b"ok")


def test_more_connections_than_are_held_end_at_once(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", WAIT_S)
    held = [connect(port) for _ in range(3)]
    with connect(port) as one_more:
        assert until_closed(one_more) == b""
    held[0].sendall(GET + b"Connection: close\r\n\r\n")
    assert until_closed(held[0]).endswith(b"ok"), "the others stay"
    for connection in held:
        connection.close()
