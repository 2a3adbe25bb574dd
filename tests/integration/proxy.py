"""A TCP proxy on loopback that can be cut and mended: how a server goes away and comes back."""

import socket
import threading
from types import TracebackType
from typing import Self

CHUNK = 65536


class Proxy:
    """Passes bytes on to ``port`` of this machine; a context manager.

    Attributes:
        port: where it listens, the same for ever.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._cut = False
        self._over = False
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        self.cut()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def cut(self) -> None:
        """End all connections, and every new one at once."""
        with self._lock:
            self._cut = True
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _end(*pair)

    def mend(self) -> None:
        """New connections go through again."""
        with self._lock:
            self._cut = False

    def _start(self, work: object, *sockets: socket.socket) -> None:
        thread = threading.Thread(target=work, args=sockets, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._over:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            if self._cut:
                here.close()
                continue
            try:
                there = socket.create_connection(self._target, timeout=5)
            except OSError:
                here.close()
                continue
            there.settimeout(None)
            with self._lock:
                self._pairs.append((here, there))
            self._start(self._pass_on, here, there)
            self._start(self._pass_on, there, here)

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(CHUNK):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            _end(source, sink)


def _end(*ends: socket.socket) -> None:
    for one in ends:
        try:
            one.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads from it
        except OSError:
            pass
        one.close()
