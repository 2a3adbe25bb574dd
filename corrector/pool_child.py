"""A process of :mod:`corrector.pool`: corrects what it is given until its line is closed."""

import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from core.config import PartConfig, parse
from core.errors import LoopscopeError, UnknownPart
from core.protocols import Corrector, Reference, Tick, silent
from core.records import Item

WAIT_S = 0.2  # between two signs of progress


class _Gone(BaseException):
    """The parent is not there any more, or has enough."""


@dataclass(frozen=True)
class _Line:
    """The connection to the parent."""

    connection: Connection

    def hear(self) -> Any:
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            raise _Gone from None

    def tell(self, what: str, value: Any) -> None:
        try:
            self.connection.send((what, value))
        except OSError:
            raise _Gone from None


def serve(fd: int) -> None:
    """Work for the parent at the other end of the line with this file descriptor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its children
    line = _Line(Connection(fd))
    try:
        part, known = line.hear()
        corrector = built(part, known and Reference(known[0], known[1], _AskingMemo(line)))
        batch: Any = None
        while True:
            given, rows, seed = line.hear()
            batch = batch if given is None else given
            try:
                line.tell("done", corrector.correct(batch, rows=rows, seed=seed, tick=_Throttled(line)))
            except LoopscopeError as error:
                line.tell("error", error)
            except Exception:  # the boundary of this process: the parent says it
                line.tell("error", traceback.format_exc())
    except _Gone:
        return


def built(part: PartConfig, reference: Reference | None) -> Corrector:
    """A corrector of the registry.

    Raises:
        UnknownPart, InvalidConfig: naming what cannot be.
    """
    from corrector.registry import CORRECTORS

    if part.kind not in CORRECTORS:
        raise UnknownPart("corrector", part.kind, CORRECTORS, "kind")
    entry = CORRECTORS[part.kind]
    corrector: Corrector = entry.build(parse(entry.options, part.options, "options"), reference, silent)
    return corrector


@dataclass
class _Throttled:
    """A tick that tells its fraction now and then."""

    line: _Line
    last: float = 0.0

    def __call__(self, fraction: float, sentence: str) -> None:
        del sentence
        if time.monotonic() - self.last > WAIT_S:
            self.last = time.monotonic()
            self.line.tell("tick", float(fraction))


@dataclass(frozen=True)
class _AskingMemo:
    """Implements :class:`core.protocols.Memo` by asking the parent, which says who computes."""

    line: _Line

    def get(self, key: str, compute: Callable[[], Item], tick: Tick = silent) -> Item:
        del tick
        self.line.tell("want", key)
        item: Item | None = self.line.hear()
        if item is None:
            self.line.tell("made", (key, compute()))
            item = self.line.hear()
        assert item is not None
        return item
