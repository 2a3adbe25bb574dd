"""Fixtures for the command line: a data folder of its own, and commands run in this process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from backend.context import Backend
from tests.app.seeding import Silent, open_silent

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("REDIS_URL", "DATABASE_URL", "SERVER", "HOST", "ARTIFACTS_URL", "TOKEN"):
        monkeypatch.delenv(f"LOOPSCOPE_{name}", raising=False)
    monkeypatch.setenv("LOOPSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("backend.context.open_queue", lambda _: Silent())
    return tmp_path / "home"


@pytest.fixture
def backend(home: Path) -> Iterator[Backend]:
    opened = open_silent(home)
    yield opened
    opened.close()


@pytest.fixture
def run(home: Path) -> Run:
    def call(*words: str, status: int = 0) -> Result:
        result = CliRunner().invoke(app, list(words))
        assert result.exit_code == status, f"{words}: {result.output}\n{result.exception!r}"
        return result

    return call
