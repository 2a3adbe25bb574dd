from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.context import Backend
from tests.app.seeding import open_silent


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    """An empty data folder whose queue wakes nobody."""
    opened = open_silent(tmp_path)
    yield opened
    opened.close()
