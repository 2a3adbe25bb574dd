"""The API as a whole: catalogue, estimate, health, uploads, and what it refuses."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient

from backend import loops, parts
from backend.api import create_api
from backend.api.guard import JSON_LIMIT_BYTES
from backend.context import Backend
from backend.motionfiles import read_motion, write_motion
from backend.presets import PRESETS
from core.motion import Motion
from core.skeleton import Skeleton
from model.domains import all_metrics
from tests.app.seeding import open_silent
from tests.backend.serving import served


@pytest.fixture
def here(tmp_path: Path) -> Iterator[tuple[Backend, TestClient]]:
    with served(tmp_path) as opened:
        yield opened


@pytest.fixture
def http(here: tuple[Backend, TestClient]) -> TestClient:
    return here[1]


def standing(frames: int = 30, sunk_m: float = 0.0) -> Motion:
    """A body that stands still; ``sunk_m`` too low."""
    names = ("pelvis", "spine", "head", "left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle")
    parents = (-1, 0, 1, 0, 3, 4, 0, 6, 7)
    offsets = [[0, 0, 0], [0, 0.25, 0], [0, 0.25, 0]]
    offsets += [[0.1, -0.05, 0], [0, -0.42, 0], [0, -0.4, 0], [-0.1, -0.05, 0], [0, -0.42, 0], [0, -0.4, 0]]
    root = np.tile([0.0, 0.95 - sunk_m, 0.0], (frames, 1))
    rotations = np.tile([1.0, 0.0, 0.0, 0.0], (frames, len(names), 1))
    return Motion(Skeleton("nine", names, parents, np.array(offsets, dtype=float)), root, rotations, 30.0)


def test_parts_are_the_registries(http: TestClient) -> None:
    told = http.get("/parts").json()
    assert {group: set(entries) for group, entries in told.items()} == {
        group: set(entries) for group, entries in parts.catalogue().items()
    }
    assert told["policy"]["augment"]["options"]["properties"]["lam"]["title"] == "lambda"


def test_metrics_are_the_registry(http: TestClient) -> None:
    told = http.get("/metrics").json()
    assert [metric["name"] for metric in told] == list(all_metrics())
    assert all(metric["direction"] in ("lower", "higher", "real") and metric["description"] for metric in told)


def test_presets_can_be_read_and_launched(http: TestClient) -> None:
    assert [p["key"] for p in http.get("/presets").json()] == list(PRESETS)
    first = http.post("/presets/demo/launch")
    assert first.status_code == 201
    assert [v["name"] for v in first.json()] == ["Raw", "Corrected", "Real only"]
    again = http.post("/presets/demo/launch", json={"again": False})
    assert [v["id"] for v in again.json()] == [v["id"] for v in first.json()], "loops that are there are not doubled"
    answer = http.post("/presets/dmo/launch")
    assert answer.status_code == 404
    assert "demo" in answer.json()["error"]["hint"]


def test_data_sets_have_cards_or_say_what_they_need(http: TestClient) -> None:
    told = {view["kind"]: view for view in http.get("/data").json()}
    assert told["deepmimic"]["card"]
    assert told["npz"]["card"] is None
    assert "path" in told["npz"]["needs"]


def test_an_estimate_grows_with_the_work(http: TestClient) -> None:
    short = http.post("/estimate", json={"configs": [{"generations": 2}]}).json()
    long = http.post("/estimate", json={"configs": [{"generations": 20}]}).json()
    assert 0 < short["seconds"] < long["seconds"]
    assert 0 < short["megabytes"] < long["megabytes"]
    answer = http.post("/estimate", json={"configs": [{}, {"policy": {"kind": "x"}}]})
    assert answer.status_code == 422
    assert http.post("/estimate", json={"configs": []}).status_code == 422


def test_health(http: TestClient, here: tuple[Backend, TestClient]) -> None:
    before = http.get("/health").json()
    assert before["status"] == "ok"
    loops.launch(here[0], parts.check(PRESETS["demo"].loops[0][1]))
    after = http.get("/health").json()
    assert after["revision"] > before["revision"]
    assert after["waiting"]["gpu"] == before["waiting"]["gpu"] + 1


def test_openapi_describes_every_route(http: TestClient) -> None:
    told = http.get("/openapi.json").json()
    operations = [operation for path in told["paths"].values() for operation in path.values()]
    assert len(operations) >= 25
    assert all(operation["summary"] and operation["tags"] for operation in operations)
    assert all(operation["responses"]["404"]["content"] for operation in operations)
    assert "LoopView" in told["components"]["schemas"]


def test_unknown_routes_and_methods_answer_in_the_same_shape(http: TestClient) -> None:
    for answer, status in ((http.get("/nothing"), 404), (http.put("/loops"), 405)):
        assert answer.status_code == status
        assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "words"),
    [("no json", "body: is no JSON ("), ("{}", "config: must be given."), ('{"config": 5}', "(got 5)")],
)
def test_a_body_that_cannot_be_read_says_why(http: TestClient, body: str, words: str) -> None:
    answer = http.post("/loops", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert words in answer.json()["error"]["message"]


def test_an_unexpected_error_shows_no_traceback(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    backend = open_silent(tmp_path)
    api = create_api(backend)
    broken = APIRouter()

    @broken.get("/broken")
    def fail() -> None:
        raise RuntimeError("the secret of the house")

    api.include_router(broken)
    answer = TestClient(api, raise_server_exceptions=False).get("/broken")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    told = answer.json()["error"]
    assert told["code"] == "internal"
    name = told["message"].split("(")[1].split(")")[0]
    assert name in caplog.text, "the log has the traceback under the same name"
    assert "the secret of the house" in caplog.text
    backend.close()


def test_another_sites_page_changes_nothing(http: TestClient) -> None:
    answer = http.post("/presets/demo/launch", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "cross_site"
    assert http.get("/loops", headers={"sec-fetch-site": "cross-site"}).json() == []


def test_a_form_of_another_site_is_no_json(http: TestClient) -> None:
    answer = http.post("/loops", content=b'{"config": {}}', headers={"content-type": "text/plain"})
    assert answer.status_code == 422
    assert http.get("/loops").json() == []


@pytest.mark.parametrize("declared", [True, False])
def test_large_bodies_are_refused_unread(http: TestClient, declared: bool) -> None:
    chunk = b"x" * 100_000

    def endless() -> Iterator[bytes]:
        for _ in range(JSON_LIMIT_BYTES // len(chunk) + 2):
            yield chunk

    content: Any = b"".join(endless()) if declared else endless()
    answer = http.post("/loops", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 413, answer.text
    assert answer.json()["error"]["code"] == "too_large"


def test_an_upload_above_the_limit_is_413(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPSCOPE_UPLOAD_LIMIT_MB", "1")
    with served(tmp_path) as (_, http):
        answer = http.post("/correct", files={"file": ("walk.bvh", b"x" * 1_100_000)})
    assert answer.status_code == 413
    assert "1 MB" in answer.json()["error"]["message"]


def test_correct_a_file(http: TestClient) -> None:
    files = {"file": ("../../walk.npz", write_motion(standing(sunk_m=0.08), "npz"))}
    answer = http.post("/correct", files=files, data={"corrector": "kinematic"})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["status"] == "corrected"
    assert told["after"]["penetration_mm"] < told["before"]["penetration_mm"]
    for form in ("npz", "bvh"):
        fetched = http.get(f"/corrections/{told['id']}/motion.{form}")
        assert len(read_motion(fetched.content, f"x.{form}")) == 30
        assert "walk" not in fetched.headers["content-disposition"]
    report = http.get(told["report"])
    assert report.headers["content-type"].startswith("text/html")
    assert report.headers["content-disposition"].startswith("attachment")
    assert "Correction of walk.npz" in report.text


def test_a_rejected_file_has_a_report_too(http: TestClient) -> None:
    broken = standing()
    broken.root_position_m[:, 1] = 1e7
    files = {"file": ("<b>.npz", write_motion(broken, "npz"))}
    told = http.post("/correct", files=files, data={"corrector": "kinematic", "report": "png"}).json()
    assert told["status"] == "rejected" and told["id"] == ""
    assert http.get(told["report"]).content.startswith(b"\x89PNG")
    assert http.get(told["report"].replace(".png", ".html")).status_code == 404
    unwanted = http.post("/correct", files=files, data={"corrector": "kinematic", "report": "none"}).json()
    assert unwanted["report"] == ""


@pytest.mark.parametrize(
    ("name", "content", "data", "word"),
    [
        ("walk.exe", b"MZ", {}, ".exe"),
        ("walk.bvh", b"no motion", {}, "BVH"),
        ("walk.npz", b"PK\x03\x04 broken", {}, "NPZ"),
        ("walk.npz", None, {"corrector": "magic"}, "magic"),
        ("walk.npz", None, {"corrector": "kinematic", "options": "[1]"}, "JSON object"),
        ("walk.npz", None, {"corrector": "kinematic", "options": '{"nonsense": 1}'}, "nonsense"),
        ("walk.npz", None, {"unit": "mile"}, "unit"),
    ],
)
def test_what_cannot_be_corrected_is_422(
    http: TestClient, name: str, content: bytes | None, data: dict[str, str], word: str
) -> None:
    sent = write_motion(standing(), "npz") if content is None else content
    answer = http.post("/correct", files={"file": (name, io.BytesIO(sent))}, data=data)
    assert answer.status_code == 422, answer.text
    assert word in answer.json()["error"]["message"] + answer.json()["error"].get("field", "")


def test_a_correction_that_is_not_there(http: TestClient) -> None:
    assert http.get(f"/corrections/{'0' * 32}/motion.npz").status_code == 404
    assert http.get("/corrections/..%2f..%2floopscope.db/motion.npz").status_code in (404, 422)
