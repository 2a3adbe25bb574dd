"""``loopscope loops draw``: the whole of it on a data folder, and its errors in two lines."""

import json
from pathlib import Path

import pytest

from backend import drawwork
from backend.context import Backend
from core.errors import InvalidConfig
from tests.app.commandline import Run, backend, home, run
from tests.backend.drawloops import TEXT, drawable

__all__ = ["backend", "home", "run"]


def test_a_sentence_is_drawn_and_written_as_files(run: Run, backend: Backend, tmp_path: Path) -> None:
    loop_id = drawable(backend, TEXT)
    asked = ("loops", "draw", loop_id[:6], "--generation", "0", "--prompt", "a person walks", "--count", "2")
    ended = run(*asked, "--guidance", "3", "--seed", "4", "--out", str(tmp_path / "motions"), "--json")
    view = json.loads(ended.stdout)
    assert view["state"] == "done" and view["request"]["seed"] == 4 and view["request"]["guidance_scale"] == 3
    assert [sample["label"] for sample in view["samples"]] == ["a person walks"] * 2
    files = sorted(path.name for path in (tmp_path / "motions").iterdir())
    assert files == sorted(
        f"draw-{view['id'][:8]}-{i}-{kind}.bvh" for i in (0, 1) for kind in ("real", "raw", "corrected")
    )
    assert all((tmp_path / "motions" / name).read_text().startswith("HIERARCHY") for name in files)


def test_a_class_of_the_last_generation_unless_another_is_named(run: Run, backend: Backend) -> None:
    loop_id = drawable(backend)
    told = run("loops", "draw", loop_id, "--class", "walk", "--count", "1").stdout
    assert "of generation 1" in told and "walk" in told
    assert run("loops", "draw", loop_id, "--class", "walk", "--count", "1").stdout == told, "it is there already"


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (("--class", "moonwalk"), "moonwalk"),
        (("--prompt", "a person walks"), "not sentences"),
        ((), "Nothing is asked for"),
        (("--class", "walk", "--generation", "9"), "not trained yet"),
        (("--class", "walk", "--count", "9"), "count"),
        (("--class", "walk", "--out", "/nowhere/at/all"), "/nowhere/at"),
    ],
)
def test_errors_are_two_lines_and_status_2(run: Run, backend: Backend, words: tuple[str, ...], word: str) -> None:
    ended = run("loops", "draw", drawable(backend), *words, status=2)
    assert ended.stdout == "" and word in ended.stderr and len(ended.stderr.strip().splitlines()) <= 2


def test_a_failure_is_told(run: Run, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    def compute(*_: object, **__: object) -> object:
        raise InvalidConfig("It cannot be.", "Try another.")

    monkeypatch.setattr(drawwork, "compute", compute)
    ended = run("loops", "draw", drawable(backend), "--class", "walk", status=2)
    assert "The draw is failed: It cannot be." in ended.stderr and "Try another." in ended.stderr
