"""Connections that ask for nothing. Uvicorn waits without end for the head of a request, and for the rest of a body
that it has answered already; here a clock runs whenever nothing is being answered, and connections are counted."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 15.0
MOST = 800
"""A browser holds six at most and lets go after seconds; a process may often open 1024 files, and SQL needs some."""


class PatientProtocol(H11Protocol):
    """HTTP/1.1 by h11, which refuses heads of more than 16 KiB, and hangs up where none is there within HEAD_S."""

    _clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > MOST:
            transport.close()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop()

    def _watch(self) -> None:
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering:
            self._stop()
        elif self._clock is None:
            self._clock = self.loop.call_later(HEAD_S, self.timeout_keep_alive_handler)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
