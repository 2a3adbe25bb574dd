"""``loopscope demo``: what is printed at the end, and the exit status. The queue is tried in the worker's tests."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import app
from backend import loops
from backend.context import Backend
from backend.presets import PRESETS, launch_preset
from backend.settings import Settings
from tests.app.seeding import failed, open_silent, record


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    """A data folder whose workers are somebody else's business."""
    monkeypatch.setenv("LOOPSCOPE_HOME", str(tmp_path))
    opened = open_silent(tmp_path)

    @contextmanager
    def embedded(settings: Settings) -> Iterator[Backend]:
        assert settings.home == tmp_path
        yield opened

    monkeypatch.setattr("backend.processes.embedded", embedded)
    yield opened
    opened.close()


def finish(backend: Backend, last: int = 10) -> list[str]:
    return [record(backend, view, last).id for view in launch_preset(backend, "demo")]


def test_json_is_what_was_promised(backend: Backend) -> None:
    ids = finish(backend)
    result = CliRunner().invoke(app, ["demo", "--json"])
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    assert set(told) == {"loops", "seconds"}
    assert [loop["id"] for loop in told["loops"]] == ids, "finished loops are told of, not run again"
    assert [loop["name"] for loop in told["loops"]] == [name for name, _ in PRESETS["demo"].loops]
    for loop in told["loops"]:
        assert set(loop) == {"id", "name", "state", "config", "generations"}
        assert [g["index"] for g in loop["generations"]] == list(range(11))
        assert set(loop["generations"][0]) == {"index", "metrics", "counts", "seconds"}
        assert {"fid", "multimodality", "coverage", "recall", "penetration", "skate", "jerk"} <= set(
            loop["generations"][0]["metrics"]
        )
    assert "Raw: generation 10 of 10" in result.stderr


def test_a_table_for_people(backend: Backend) -> None:
    finish(backend)
    result = CliRunner().invoke(app, ["demo"])
    assert "Collapse and correction" in result.stdout
    assert "Real only" in result.stdout


def test_a_failed_loop_is_taken_up_again_and_counts(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = finish(backend, last=2)
    failed(backend, loops.show_loop(backend, ids[1]), "Traceback ...")
    resumed: list[str] = []
    monkeypatch.setattr(loops, "resume", lambda _, loop_id: resumed.append(loop_id))
    result = CliRunner().invoke(app, ["demo", "--json"])
    assert resumed == [ids[1]]
    assert result.exit_code == 1
    told = json.loads(result.stdout)["loops"][1]
    assert told["state"] == "failed"
    assert told["error"]["message"].startswith("Training diverged")
    assert "Traceback" not in result.output
