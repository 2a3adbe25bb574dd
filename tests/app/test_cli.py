"""The command line: verbs on a data folder, JSON that is only JSON, errors in two lines, exit statuses."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from app.options import changes_of
from backend import loops
from backend.context import Backend
from backend.motionfiles import write_motion
from backend.presets import PRESETS
from core.motion import Motion
from core.skeleton import Skeleton
from tests.app.commandline import Run, backend, home, run
from tests.app.seeding import failed, judged, record, small

__all__ = ["backend", "home", "run"]


def told(result: Result) -> Any:
    """All of stdout as JSON."""
    return json.loads(result.stdout)


def standing(sunk_m: float = 0.0) -> Motion:
    names = ("pelvis", "chest", "left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle")
    offsets = [
        [0, 0, 0],
        [0, 0.4, 0],
        [0.1, 0, 0],
        [0, -0.42, 0],
        [0, -0.4, 0],
        [-0.1, 0, 0],
        [0, -0.42, 0],
        [0, -0.4, 0],
    ]
    skeleton = Skeleton("eight", names, (-1, 0, 0, 2, 3, 0, 5, 6), np.array(offsets, dtype=float))
    root = np.tile([0.0, 0.9 - sunk_m, 0.0], (30, 1))
    return Motion(skeleton, root, np.tile([1.0, 0, 0, 0], (30, 8, 1)), 30.0)


# --- loops ---


def test_launch_then_list_and_show(run: Run) -> None:
    made = told(run("loops", "launch", "--set", "n=64", "--set", "policy.kind=replace", "--name", "first", "--json"))
    assert (made["name"], made["config"]["n"], made["config"]["policy"]["kind"]) == ("first", 64, "replace")
    assert [view["id"] for view in told(run("loops", "list", "--json"))] == [made["id"]]
    shown = told(run("loops", "show", made["id"], "--json"))
    assert shown["id"] == made["id"]
    assert shown["generations"] == []
    assert "first" in run("loops", "list").stdout
    assert "Queued" in run("loops", "show", made["id"][:5]).stdout, "the first letters of an id do"


def test_launch_says_when_nobody_works(run: Run) -> None:
    result = run("loops", "launch", "--json")
    assert told(result)["state"] == "queued"
    assert "loopscope up" in result.stderr


def test_settings_come_after_the_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"n": 32, "seed": 5}))
    made = told(run("loops", "launch", "--config", str(path), "--set", "n=48", "--json"))
    assert (made["config"]["n"], made["config"]["seed"]) == (48, 5)


def test_drift_is_a_table_with_the_cure_below_it(run: Run, backend: Backend) -> None:
    view = judged(backend, loops.launch(backend, small(), name="a"), artefacts=False)
    text = run("loops", "drift", view.id[:5]).stdout
    assert "modes in use" in text and "90 %" in text and "Noise of generation 0: FID" in text
    assert text.rstrip().splitlines()[-1].startswith("Generation 3: modes are lost")
    assert [each["verdict"] for each in told(run("loops", "drift", view.id, "--json"))["generations"]][-1] == "modes"
    waiting = loops.launch(backend, small(seed=1))
    assert run("loops", "drift", waiting.id).stdout == "Generation 0 has not been measured yet.\n"
    assert told(run("loops", "drift", waiting.id, "--json"))["generations"] == []
    assert "Traceback" not in run("loops", "drift", "nobody", status=2).output


def test_another_kind_starts_with_its_own_options(run: Run, backend: Backend) -> None:
    loop = loops.launch(backend, small())
    words = ("--set", "corrector.kind=idealized", "--set", "corrector.options.gamma=2", "--json")
    once = told(run("loops", "clone", loop.id, *words))
    assert once["config"]["corrector"] == {"kind": "idealized", "options": {"gamma": 2.0, "form": "blend"}}
    twice = told(run("loops", "clone", once["id"], "--set", "corrector.kind=none", "--json"))
    assert twice["config"]["corrector"] == {"kind": "none", "options": {}}


def test_a_preset_is_launched_as_a_group(run: Run) -> None:
    made = told(run("loops", "launch", "--preset", "demo", "--json"))
    assert [view["name"] for view in made] == ["Raw", "Corrected", "Real only"]
    assert told(run("loops", "launch", "--preset", "demo", "--json")) == made
    run("loops", "launch", "--preset", "demo", "--set", "n=9", status=2)


def test_a_dry_run_launches_nothing(run: Run) -> None:
    answer = told(run("loops", "launch", "--dry-run", "--preset", "demo", "--json"))
    assert answer["seconds"] > 0
    assert "About" in run("loops", "launch", "--dry-run").stdout
    assert told(run("loops", "list", "--json")) == []


def test_the_verbs(run: Run) -> None:
    loop_id = told(run("loops", "launch", "--json"))["id"]
    assert told(run("loops", "cancel", loop_id, "--json"))["state"] == "cancelled"
    assert told(run("loops", "resume", loop_id, "--json"))["state"] == "queued"
    assert told(run("loops", "extend", loop_id, "2", "--json"))["config"]["generations"] == 12
    assert told(run("loops", "delete", loop_id, "--json"))["deleted"] is True
    assert "No loops yet" in run("loops", "list").stdout
    assert told(run("loops", "restore", loop_id[:6], "--json"))["deleted"] is False


def test_a_loop_is_rolled_back_and_goes_first(run: Run, backend: Backend) -> None:
    view = record(backend, loops.launch(backend, small(tripwires=("fid > 60",)), name="a"), last=4)
    assert told(run("loops", "rollback", view.id, "3", "--json"))["generation"] == 3
    best = told(run("loops", "rollback", view.id, "--metric", "recall", "--json"))
    assert (best["state"], best["generation"]) == ("stopped", 0)
    run("loops", "rollback", view.id, "last", status=2)
    assert told(run("loops", "retry", view.id, "--json"))["state"] == "queued"
    assert "priority" not in run("loops", "list").stdout
    assert told(run("loops", "prioritize", view.id, "-4", "--json"))["priority"] == -4
    assert "-4" in run("loops", "list").stdout
    run("loops", "prioritize", view.id, "11", status=2)
    run("loops", "extend", view.id, "2", "--seen", "3", status=2)
    assert "Stop rule: fid > 60" in run("loops", "show", view.id).stdout


def test_stop_rules_are_set_like_any_option(run: Run) -> None:
    loop = told(run("loops", "launch", "--set", 'tripwires=["fid>60, then roll back"]', "--json"))
    assert loop["config"]["tripwires"] == ["fid > 60, then roll back"]
    assert "position 6" in run("loops", "launch", "--set", 'tripwires=["fid >"]', status=2).stderr


def test_export(run: Run, backend: Backend, tmp_path: Path) -> None:
    loop = record(backend, loops.launch(backend, small()), last=2)
    assert len(told(run("loops", "export", loop.id, "--json"))["generations"]) == 3
    rows = list(csv.DictReader(io.StringIO(run("loops", "export", loop.id, "--format", "csv").stdout)))
    assert [row["generation"] for row in rows] == ["0", "1", "2"]
    out = tmp_path / "out.csv"
    assert run("loops", "export", loop.id, "--format", "csv", "-o", str(out)).stdout == ""
    assert out.read_text().splitlines()[0].startswith("loop_id,")
    run("loops", "export", loop.id, "-o", str(tmp_path / "no" / "such" / "folder.csv"), status=2)


def test_show_tells_metrics_and_errors(run: Run, backend: Backend) -> None:
    loop = record(backend, loops.launch(backend, small(), name="[red]name[/red]"), last=1)
    shown = run("loops", "show", loop.id).stdout
    assert "fid" in shown
    assert "[red]name[/red]" in shown, "what users typed is no mark-up"
    failed(backend, loop, "Traceback ...")
    shown = run("loops", "show", loop.id).stdout
    assert "Lower the learning rate" in shown
    assert "Traceback" not in shown


# --- the rest ---


def test_presets_and_data(run: Run) -> None:
    assert [p["key"] for p in told(run("presets", "--json"))] == list(PRESETS)
    assert "Does not show" in run("presets").stdout
    assert {view["kind"] for view in told(run("data", "list", "--json"))} >= {"deepmimic", "npz"}
    assert "deepmimic" in run("data", "list").stdout


@pytest.mark.parametrize("suffix", ["bvh", "npz"])
def test_correct_writes_and_reports(run: Run, tmp_path: Path, suffix: str) -> None:
    source, target = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    source.write_bytes(write_motion(standing(sunk_m=0.1), suffix))
    report = told(run("correct", str(source), str(target), "--corrector", "kinematic", "--json"))
    measures = {"penetration_mm", "float_mm", "skate_m_s", "jerk_m_s3"}
    assert {"status", "reason", "tracking_error_m", "residual_force_bw", "seconds", "motion_seconds"} <= set(report)
    assert set(report["before"]) == set(report["after"]) == measures
    assert report["status"] == "corrected"
    assert target.stat().st_size > 0
    assert "penetration" in run("correct", str(source), str(target), "--corrector", "kinematic").stdout


@pytest.mark.parametrize(("form", "begins"), [("html", b"<!doctype html>"), ("png", b"\x89PNG")])
def test_correct_writes_a_report_where_asked(run: Run, tmp_path: Path, form: str, begins: bytes) -> None:
    source, report = tmp_path / "in.npz", tmp_path / f"report.{form}"
    source.write_bytes(write_motion(standing(sunk_m=0.1), "npz"))
    words = ("correct", str(source), str(tmp_path / "out.npz"), "--corrector", "kinematic", "--report", str(report))
    assert f"report.{form}" in run(*words).stdout
    assert report.read_bytes().startswith(begins)


def test_correct_rejects_with_status_1(run: Run, tmp_path: Path) -> None:
    broken = standing()
    broken.root_position_m[:, 1] = 1e7
    source = tmp_path / "in.npz"
    source.write_bytes(write_motion(broken, "npz"))
    result = run("correct", str(source), str(tmp_path / "out.npz"), "--corrector", "kinematic", "--json", status=1)
    assert told(result)["status"] == "rejected"
    assert told(result)["reason"]
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("nowhere.bvh", "out.bvh"),
        ("in.npz", "out.fbx"),
        ("in.npz", "out.bvh", "--corrector", "magic"),
        ("in.npz", "out.bvh", "--corrector", "kinematic", "--option", "nonsense=1"),
        ("in.npz", "out.bvh", "--option", "nonsense"),
        ("in.npz", "out.bvh", "--unit", "mile"),
        ("in.npz", "out.bvh", "--corrector", "kinematic", "--report", "report.pdf"),
        ("in.npz", "out.bvh", "--corrector", "kinematic", "--report", "no/folder.html"),
        ("text.bvh", "out.bvh"),
    ],
)
def test_correct_cannot_read_with_status_2(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "in.npz").write_bytes(write_motion(standing(), "npz"))
    (tmp_path / "text.bvh").write_text("no motion")
    result = run("correct", *(str(tmp_path / w) if "." in w else w for w in words), status=2)
    assert result.stdout == ""
    assert result.stderr
    assert not list(tmp_path.glob("out.*"))


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (("loops", "show", "nobody"), "nobody"),
        (("loops", "cancel", "nobody"), "nobody"),
        (("loops", "launch", "--set", "n=4"), "n:"),
        (("loops", "launch", "--set", "nothing"), "PATH=VALUE"),
        (("loops", "launch", "--set", "policy.kind=x"), "augment"),
        (("loops", "launch", "--config", "/nowhere.json"), "/nowhere.json"),
        (("loops", "launch", "--preset", "dmo"), "demo"),
        (("loops", "launch", "--preset", "dmo", "--dry-run"), "demo"),
        (("worker", "--queues", "tpu"), "tpu"),
        (("loops", "list", "--server", "http://127.0.0.1:9"), "127.0.0.1:9"),
        (("loops", "list", "--server", "nonsense"), "nonsense"),
        (("up", "--host", "0.0.0.0"), "users add"),
        (("up", "--port", "0"), "LOOPSCOPE_PORT"),
        (("demo", "--preset", "dmo"), "demo"),
    ],
)
def test_errors_are_two_lines_and_status_2(run: Run, words: tuple[str, ...], word: str) -> None:
    result = run(*words, status=2)
    assert result.stdout == ""
    assert word in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 2
    assert result.stderr.startswith("Error: ")


def test_an_ambiguous_beginning_names_the_ids(run: Run, backend: Backend) -> None:
    ids = [loops.launch(backend, small(seed=seed)).id for seed in range(17)]  # two of them begin with the same digit
    first = next(i[0] for i in ids if sum(other.startswith(i[0]) for other in ids) > 1)
    assert "begins" in run("loops", "show", first, status=2).stderr


def test_wrong_settings_are_two_lines(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPSCOPE_PORT", "many")
    result = run("loops", "list", status=2)
    assert "LOOPSCOPE_PORT" in result.stderr
    monkeypatch.delenv("LOOPSCOPE_PORT")
    monkeypatch.setenv("LOOPSCOPE_DATABASE_URL", "oracle://x")
    assert "database" in run("loops", "list", status=2).stderr


def test_a_data_folder_that_cannot_be(run: Run, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    for words in (("loops", "list"), ("up",), ("demo",), ("serve",)):
        result = run(*words, "--home", str(blocked / "home"), status=2)
        assert "data folder" in result.stderr
        assert "LOOPSCOPE_HOME" in result.stderr


def test_no_disk(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.home.LEAST_FREE_MB", 10**9)
    assert "MB are free" in run("up", status=2).stderr


def test_a_damaged_database_is_two_lines(run: Run, home: Path) -> None:
    home.mkdir()
    (home / "loopscope.db").write_bytes(b"this is no database" * 100)
    result = run("loops", "list", status=2)
    assert "database" in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 2


def test_values_are_json_where_they_are_json() -> None:
    found = changes_of(["a=1", "b=1.5", "c=true", "d=text", 'e={"kind": "x"}', "f=", "g=a=b"])
    assert found == {"a": 1, "b": 1.5, "c": True, "d": "text", "e": {"kind": "x"}, "f": "", "g": "a=b"}


def test_help_loads_nothing_heavy() -> None:
    heavy = ("torch", "pybullet", "gradio", "scipy", "sqlalchemy", "celery", "fastapi", "pandas", "httpx")
    program = (
        "import sys\nfrom app.cli import main\nsys.argv = ['loopscope', '--help']\n"
        "try: main()\nexcept SystemExit as e: code = e.code\n"
        f"sys.stderr.write(str([name for name in {heavy!r} if name in sys.modules] + [code]))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stderr == "[0]"
    for verb in ("up", "serve", "worker", "demo", "correct", "audit", "presets", "doctor", "loops", "data"):
        assert f" {verb} " in ended.stdout
