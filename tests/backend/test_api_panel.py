"""Motions of a panel as files: right bytes, kept by browsers, nothing beside the panel can be reached."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from backend import loops, lsm1, media
from backend.context import Backend
from backend.motionfiles import read_motion
from tests.app.seeding import keep_motions, record, small
from tests.backend.serving import served


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Backend, TestClient, str]]:
    """One loop with two generations of four motions; no test changes it."""
    home: Path = tmp_path_factory.mktemp("home")
    with served(home) as (backend, http):
        loop = loops.launch(backend, small(), name="<b>name</b>")
        record(backend, loop, last=1)
        keep_motions(backend, loop, last=1)
        yield backend, http, f"/loops/{loop.id}/generations"


def test_panel_tells_labels_and_outcomes(here: tuple[Backend, TestClient, str]) -> None:
    _, http, at = here
    panel = http.get(f"{at}/1/panel").json()
    assert [sample["index"] for sample in panel["samples"]] == [0, 1, 2, 3]
    assert panel["samples"][2]["outcome"]["status"] == "rejected"
    assert panel["samples"][0]["label"] == "walk"


@pytest.mark.parametrize("kind", ["real", "raw", "corrected"])
def test_a_motion_in_every_form_is_the_same_motion(here: tuple[Backend, TestClient, str], kind: str) -> None:
    _, http, at = here
    answers = {form: http.get(f"{at}/1/panel/{kind}/3/motion.{form}") for form in ("lsm", "npz", "bvh")}
    assert {answer.status_code for answer in answers.values()} == {200}
    scene = lsm1.decode(answers["lsm"].content)
    npz = read_motion(answers["npz"].content, "motion.npz")
    bvh = read_motion(answers["bvh"].content, "motion.bvh")
    assert len(npz) == len(bvh) == scene.header["frames"] == 40
    positions = npz.world()[0]
    np.testing.assert_allclose(scene.arrays["positions"], positions, atol=1e-4)
    np.testing.assert_allclose(bvh.world()[0][:, 0], positions[:, 0], atol=1e-3)


def test_motions_may_be_kept(here: tuple[Backend, TestClient, str]) -> None:
    _, http, at = here
    first = http.get(f"{at}/1/panel/raw/0/motion.lsm")
    assert "immutable" in first.headers["cache-control"]
    again = http.get(f"{at}/1/panel/raw/0/motion.lsm", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = http.get(f"{at}/0/panel/raw/0/motion.lsm", headers={"if-none-match": first.headers["etag"]})
    assert other.status_code == 200
    assert other.headers["etag"] != first.headers["etag"]


def test_downloads_are_named_by_ids(here: tuple[Backend, TestClient, str]) -> None:
    _, http, at = here
    loop_id = at.split("/")[2]
    named = http.get(f"{at}/1/panel/raw/0/motion.bvh").headers["content-disposition"]
    assert named == f'attachment; filename="loopscope-{loop_id}-1-raw-0.bvh"'


@pytest.mark.parametrize(
    "path",
    [
        "/7/panel",
        "/7/panel/raw/0/motion.lsm",
        "/1/panel/raw/9/motion.lsm",
        "/1/panel/9/contact-sheet.png",
        "/1/panel/raw/0/motion.exe",
        "/1/panel/model/0/motion.npz",
        "/-1/panel",
        "/one/panel",
        "/1/panel/raw/-1/motion.npz",
        "/1/panel/raw/999999999999/motion.npz",
        "/1/panel/raw/..%2f..%2f0/motion.npz",
    ],
)
def test_what_is_not_in_a_panel_is_refused(here: tuple[Backend, TestClient, str], path: str) -> None:
    _, http, at = here
    answer = http.get(f"{at}{path}")
    assert answer.status_code in (404, 422)
    assert answer.json()["error"]["message"]


def test_pictures_are_rendered_once(here: tuple[Backend, TestClient, str], monkeypatch: pytest.MonkeyPatch) -> None:
    _, http, at = here
    seen: list[list[str]] = []

    def sheet(panes: list[media.Pane], columns: int = 8) -> bytes:
        del columns
        seen.append([f"{pane.title}|{pane.note}" for pane in panes])
        return b"\x89PNG picture"

    monkeypatch.setattr(media, "contact_sheet", sheet)
    answers = [http.get(f"{at}/1/panel/2/contact-sheet.png") for _ in range(3)]
    assert {answer.content for answer in answers} == {b"\x89PNG picture"}
    assert answers[0].headers["content-type"] == "image/png"
    (titles,) = seen
    assert [title.split(":")[0] for title in titles] == ["Real", "Raw", "Corrected"]
    assert "the body fell at 1.2 s" in titles[2], "a rejected sample is shown with its reason"


def test_a_machine_that_cannot_render_says_so(
    here: tuple[Backend, TestClient, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, http, at = here

    def fail(panes: list[media.Pane]) -> bytes:
        raise media.RenderFailed(f"No EGL for {len(panes)} panes.", "Install it.")

    monkeypatch.setattr(media, "render_side_by_side", fail)
    answer = http.get(f"{at}/1/panel/1/side-by-side.mp4")
    assert answer.status_code == 400
    assert answer.json()["error"] == {"code": "render_failed", "message": "No EGL for 3 panes.", "hint": "Install it."}


@pytest.mark.render
def test_a_contact_sheet_is_a_picture(here: tuple[Backend, TestClient, str]) -> None:
    from PIL import Image

    _, http, at = here
    answer = http.get(f"{at}/0/panel/0/contact-sheet.png")
    if answer.status_code == 400:
        pytest.skip(answer.json()["error"]["message"])
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert min(picture.size) > 300
