"""The fixtures of tests/backend, and installations of one's own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.context import Backend, open_backend
from backend.queue import ListQueue
from backend.settings import Settings
from tests.backend.buckets import bucket, keys, s3_service
from tests.backend.conftest import (
    backend,
    make_backend,
    make_settings,
    no_settings_from_outside,
    postgres_url,
    toys,
)

__all__ = [
    "backend", "bucket", "keys", "make_backend", "make_settings", "no_settings_from_outside", "postgres_url",
    "s3_service", "toys",
]  # fmt: skip

Install = Callable[..., Backend]


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    """Opens an installation with a data folder of that name."""
    opened: list[Backend] = []

    def make(name: str, **changes: Any) -> Backend:
        opened.append(open_backend(Settings(home=tmp_path / name, **changes), queue=ListQueue()))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
