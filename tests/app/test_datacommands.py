"""``loopscope data ...`` from import to undo."""

import json
from pathlib import Path

from tests.app.commandline import Run, backend, home, run
from tests.backend.importing.files import people

__all__ = ["backend", "home", "run"]


def test_from_import_to_undo(run: Run, tmp_path: Path) -> None:
    folder = people(tmp_path / "people")
    view = json.loads(run("data", "import", str(folder), "--licence", "CC0", "--json").stdout)
    assert view["id"] in run("data", "list").stdout
    shown = run("data", "show", "people").stdout
    assert "CC0" in shown and "walk" in shown and "5" in shown
    assert "restore" in run("data", "delete", "people").stdout
    assert view["id"] in run("data", "list", "--deleted").stdout
    run("data", "restore", view["id"])
    assert json.loads(run("data", "show", view["id"], "--json").stdout)["name"] == "people"


def test_a_wrong_path_or_file_is_two_lines_and_status_2(run: Run, tmp_path: Path) -> None:
    assert "There is no file" in run("data", "import", str(tmp_path / "none"), status=2).output
    (tmp_path / "x.bvh").write_bytes(b"HIERARCHY\nROOT")
    assert "x.bvh" in run("data", "import", str(tmp_path / "x.bvh"), status=2).output
