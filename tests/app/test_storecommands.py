"""Saving, bringing back, cleaning up and looking for damage from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from app import storecommands
from backend.context import Backend
from core.records import Item
from tests.app.commandline import Run, backend, home, run

__all__ = ["backend", "home", "run"]


def told(result: Result) -> Any:
    return json.loads(result.stdout)


def test_saved_brought_back_and_looked_at(backend: Backend, run: Run, tmp_path: Path) -> None:
    run("loops", "list")
    file, other = str(tmp_path / "saved.tar"), str(tmp_path / "other")
    assert told(run("backup", file, "--json"))["path"] == file
    assert "Saved 0 loops and 0 artifacts" in run("backup", file).stdout
    result = run("restore", file, "--home", other)
    assert result.stdout.startswith("Brought back 0 loops and 0 artifacts, as of ")
    assert run("doctor", "--data", "--home", other).stdout == "Nothing is damaged, as far as names and sizes say.\n"
    assert told(run("doctor", "--deep", "--json")) == {"ok": True, "findings": []}


def test_damage_is_named_and_gives_status_1(backend: Backend, run: Run) -> None:
    odd = backend.settings.home / "artifacts" / "ab" / "notes.txt"
    odd.parent.mkdir(parents=True)
    odd.touch()
    assert "ab/notes.txt" in run("doctor", "--data", status=1).stdout
    [finding] = told(run("doctor", "--data", "--json", status=1))["findings"]
    assert (finding["kind"], finding["where"]) == ("foreign_file", "artifacts/ab/notes.txt")


def test_there_is_nothing_to_look_at(run: Run, home: Path) -> None:
    assert "Nothing is kept" in run("doctor", "--data", status=2).output
    assert not home.exists()


def test_cleaning_up_says_what_it_would_do_and_what_it_did(backend: Backend, run: Run) -> None:
    backend.store.put(Item(meta={"of": "no loop"}))
    assert told(run("gc", "--json"))["artifacts"]["count"] == 0
    dry = told(run("gc", "--dry-run", "--grace-hours", "0", "--json"))
    assert (dry["dry_run"], dry["artifacts"]["count"], dry["size"]) == (True, 1, dry["artifacts"]["size"])
    assert "would be removed" in run("gc", "--dry-run").stdout
    assert "artifacts of no loop  1" in run("gc", "--grace-hours", "0").stdout
    assert list(backend.store.find()) == []
    run("gc", "--grace-hours", "-1", status=2)


def test_files_that_cannot_be_are_told_in_two_lines(run: Run, tmp_path: Path) -> None:
    (tmp_path / "foreign").write_bytes(b"hello" * 500)
    result = run("restore", str(tmp_path / "foreign"), status=2)
    assert result.stderr.splitlines()[0].endswith("is no backup of Loopscope.")
    assert len(result.stderr.splitlines()) == 2
    run("backup", str(tmp_path / "no" / "folder" / "x.tar"), status=2)


def test_a_terminal_sees_how_far_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with storecommands.progress_bar() as tell:
        tell("Reading [red]", 0, 2)
        tell("Reading [red]", 2, 2)
        tell("Saving", 0, 0)
    assert capsys.readouterr().out == ""


def test_missing_artifacts_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    storecommands._tell_missing(["ab" * 32] * 6)
    assert "6 artifacts could not be read: abababababab, " in capsys.readouterr().err
