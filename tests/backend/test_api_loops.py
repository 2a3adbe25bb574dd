"""Every route of loops, and every way in which one fails."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend import loops
from backend.context import Backend
from tests.app.seeding import failed, record, small
from tests.backend.serving import served

CONFIG = {"n": 64, "policy": {"kind": "replace"}, "generations": 3}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[tuple[Backend, TestClient]]:
    with served(tmp_path) as opened:
        yield opened


@pytest.fixture
def backend(here: tuple[Backend, TestClient]) -> Backend:
    return here[0]


@pytest.fixture
def http(here: tuple[Backend, TestClient]) -> TestClient:
    return here[1]


def error(answer: Any) -> dict[str, Any]:
    """The one shape of failures; nothing else may be in it."""
    body = answer.json()
    assert set(body) == {"error"}, body
    assert {"code", "message", "hint"} <= set(body["error"]) <= {"code", "message", "hint", "field"}
    assert "Traceback" not in answer.text
    return dict(body["error"])


def test_launch_list_and_show(http: TestClient) -> None:
    made = http.post("/loops", json={"config": CONFIG, "name": "first", "group": "trial"})
    assert made.status_code == 201
    loop = made.json()
    assert (loop["name"], loop["group"], loop["state"], loop["arm"]) == ("first", "trial", "queued", "raw")
    assert loop["config"]["sampling"]["steps"] == 10, "defaults are filled in"
    assert http.get(f"/loops/{loop['id']}").json()["id"] == loop["id"]
    assert [v["id"] for v in http.get("/loops", params={"group": "trial"}).json()] == [loop["id"]]
    assert http.get("/loops", params={"group": "other"}).json() == []


def test_verbs_change_the_state(http: TestClient) -> None:
    loop = http.post("/loops", json={"config": CONFIG}).json()
    at = f"/loops/{loop['id']}"
    assert http.post(f"{at}/cancel").json()["state"] == "cancelled"
    assert http.post(f"{at}/cancel").status_code == 200, "verbs can be repeated"
    assert http.post(f"{at}/resume").json()["state"] == "queued"
    assert http.post(f"{at}/extend", json={"generations": 2}).json()["config"]["generations"] == 5
    assert http.delete(at).json()["deleted"] is True
    assert http.get("/loops").json() == []
    assert [v["id"] for v in http.get("/loops", params={"deleted": True}).json()] == [loop["id"]]
    assert http.post(f"{at}/restore").json()["deleted"] is False


def test_clone_takes_edits(http: TestClient) -> None:
    loop = http.post("/loops", json={"config": CONFIG}).json()
    body = {"changes": {"sampling.guidance_synthesis": 1, "seed": 7}, "name": "copy"}
    copy = http.post(f"/loops/{loop['id']}/clone", json=body)
    assert copy.status_code == 201
    assert copy.json()["config"] == loop["config"] | {
        "seed": 7,
        "sampling": loop["config"]["sampling"] | {"guidance_synthesis": 1.0},
    }


def test_what_a_loop_left_behind(http: TestClient, backend: Backend) -> None:
    loop = record(backend, loops.launch(backend, small(), name="a"), last=3)
    generations = http.get(f"/loops/{loop.id}/generations").json()
    assert [g["index"] for g in generations] == [0, 1, 2, 3]
    assert set(generations[0]) == {"index", "metrics", "counts", "training", "seconds", "recorded_at"}
    assert http.get(f"/loops/{loop.id}/floor").json()["fid"]
    assert http.get(f"/loops/{loop.id}/events").json()[0]["kind"] == "launched"
    curves = http.get("/curves", params={"loops": f"{loop.id},nobody"}).json()
    assert list(curves) == [loop.id]
    assert [t for t, _ in curves[loop.id]["fid"]] == [0, 1, 2, 3]


def test_export_as_json(http: TestClient, backend: Backend) -> None:
    loop = record(backend, loops.launch(backend, small(), name="a"), last=2)
    answer = http.get(f"/loops/{loop.id}/export.json")
    assert answer.headers["content-disposition"] == f'attachment; filename="loopscope-{loop.id}.json"'
    assert answer.json()["loop"]["config"] == loop.config
    assert len(answer.json()["generations"]) == 3
    assert answer.json()["floor"]["fid"]


@pytest.mark.parametrize("name", ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\tx", " =1+1"])
def test_export_as_csv_runs_no_formula(http: TestClient, backend: Backend, name: str) -> None:
    loop = loops.launch(backend, small(), name="a", group=name)
    record(backend, loop, last=1)
    answer = http.get(f"/loops/{loop.id}/export.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert rows[0]["group"].startswith("'") or rows[0]["group"] == name.strip() and name.strip()[0] not in "=+-@"
    assert float(rows[1]["metric.fid"]) > 0, "numbers stay numbers"
    assert (rows[1]["generation"], rows[1]["count.synthetic"]) == ("1", "64")


def test_a_file_name_never_holds_what_a_user_typed(http: TestClient, backend: Backend) -> None:
    loop = record(backend, loops.launch(backend, small(), name='x"; filename="evil.exe'), last=0)
    for form in ("csv", "json"):
        assert "evil" not in http.get(f"/loops/{loop.id}/export.{form}").headers["content-disposition"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("DELETE", "", None),
        ("POST", "/cancel", None),
        ("POST", "/resume", None),
        ("POST", "/restore", None),
        ("POST", "/retry", None),
        ("POST", "/rollback", {"to": 0}),
        ("POST", "/prioritize", {"priority": 1}),
        ("POST", "/clone", {}),
        ("POST", "/extend", {"generations": 1}),
        ("GET", "/generations", None),
        ("GET", "/events", None),
        ("GET", "/floor", None),
        ("GET", "/export.csv", None),
        ("GET", "/export.json", None),
        ("GET", "/generations/0/panel", None),
        ("GET", "/generations/0/panel/raw/0/motion.lsm", None),
        ("GET", "/generations/0/panel/0/side-by-side.mp4", None),
        ("GET", "/generations/0/panel/0/contact-sheet.png", None),
    ],
)
def test_a_loop_that_does_not_exist_is_404(http: TestClient, method: str, path: str, body: Any) -> None:
    answer = http.request(method, f"/loops/0123456789ab{path}", json=body)
    assert answer.status_code == 404
    assert error(answer)["code"] == "not_found"
    assert "0123456789ab" in error(answer)["message"]


@pytest.mark.parametrize("loop_id", ["..%2f..%2fetc%2fpasswd", "a b", "x" * 33, "%00", "a.b"])
def test_an_id_that_cannot_be_is_refused(http: TestClient, loop_id: str) -> None:
    answer = http.get(f"/loops/{loop_id}")
    assert answer.status_code in (404, 422)
    error(answer)


def test_verbs_that_do_not_suit_the_state_are_409(http: TestClient, backend: Backend) -> None:
    done = record(backend, loops.launch(backend, small()), last=1)
    for verb in ("cancel", "resume"):
        answer = http.post(f"/loops/{done.id}/{verb}")
        assert answer.status_code == 409
        assert error(answer)["code"] == "conflict"
        assert error(answer)["hint"]


def test_a_failure_is_told_in_words(http: TestClient, backend: Backend) -> None:
    loop = loops.launch(backend, small())
    failed(backend, loop, "Traceback ...")
    told = http.get(f"/loops/{loop.id}").json()
    assert told["state"] == "failed"
    assert told["error"]["hint"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"config": {"n": 4}}, "config.n"),
        ({"config": {"policy": {"kind": "replce"}}}, "policy.kind"),
        ({"config": {"policy": {"kind": "augment", "options": {"lam": -1}}}}, "policy.options.lam"),
        ({"config": {"nn": 4}}, "config.nn"),
        ({"config": {"tripwires": ["fid > 60", "fid >"]}}, "config.tripwires.1"),
        ({"config": {"tripwires": ["speed > 60"]}}, "tripwires.0"),
        ({"config": [1]}, "config"),
        ({"config": {}, "name": "x" * 201}, "name"),
        ({"config": {}, "nam": "x"}, "nam"),
        ({}, "config"),
        (None, ""),
    ],
)
def test_what_cannot_be_launched_is_422_and_says_which_field(http: TestClient, body: Any, field: str) -> None:
    answer = http.post("/loops", json=body)
    assert answer.status_code == 422, answer.text
    assert error(answer).get("field", "") == field
    assert error(answer)["message"]
    assert http.get("/loops").json() == []


def test_a_body_that_is_no_json_is_422(http: TestClient) -> None:
    answer = http.post("/loops", content=b"{", headers={"content-type": "application/json"})
    assert answer.status_code == 422
    error(answer)


def test_a_loop_is_rolled_back_to_a_generation_or_the_best(http: TestClient, backend: Backend) -> None:
    loop = record(backend, loops.launch(backend, small()), last=4)
    rolled = http.post(f"/loops/{loop.id}/rollback", json={"to": 2}).json()
    assert (rolled["state"], rolled["generation"], rolled["stop"]["best"]) == ("stopped", 2, 2)
    best = http.post(f"/loops/{loop.id}/rollback", json={"to": "best", "metric": "recall"})
    assert best.json()["generation"] == 0
    for body, status in ({"to": 9}, 404), ({"to": "worst"}, 422), ({"to": -1}, 422), ({"metric": "speed"}, 422):
        answer = http.post(f"/loops/{loop.id}/rollback", json=body)
        assert answer.status_code == status
        error(answer)
    answer = http.post(f"/loops/{loop.id}/prioritize", json={"priority": 11})
    assert (answer.status_code, error(answer)["field"]) == (422, "priority")


@pytest.mark.parametrize("generations", [0, -1, 10_001, "many"])
def test_a_wrong_extension_is_422(http: TestClient, generations: Any) -> None:
    loop = http.post("/loops", json={"config": CONFIG}).json()
    answer = http.post(f"/loops/{loop['id']}/extend", json={"generations": generations})
    assert answer.status_code == 422
    assert error(answer)["field"] == "generations"


def test_a_clone_of_nothing_known_is_422(http: TestClient) -> None:
    loop = http.post("/loops", json={"config": CONFIG}).json()
    answer = http.post(f"/loops/{loop['id']}/clone", json={"changes": {"sampling.stepps": 3}})
    assert answer.status_code == 422
    assert "stepps" in error(answer)["message"]


def test_curves_of_nothing_are_422(http: TestClient) -> None:
    answer = http.get("/curves", params={"loops": " , "})
    assert answer.status_code == 422
    assert error(answer)["field"] == "loops"


@pytest.mark.parametrize(
    ("host", "path", "field"),
    [
        ("0.0.0.0", "/etc", "data.options.path"),
        ("0.0.0.0", "{home}/data/../secrets", "data.options.path"),
        ("0.0.0.0", "~", "data.options.path"),
        ("0.0.0.0", "{home}/data/mine", ""),
        ("127.0.0.1", "/anywhere", ""),
    ],
)
def test_over_the_network_only_the_data_folder_can_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, path: str, field: str
) -> None:
    monkeypatch.setenv("LOOPSCOPE_HOST", host)
    named = {"kind": "npz", "options": {"path": path.format(home=tmp_path)}}
    with served(tmp_path) as (backend, http):
        loop = loops.launch(backend, small())
        answers = [
            http.post("/loops", json={"config": {"data": named}}),
            http.post(f"/loops/{loop.id}/clone", json={"changes": {"data": named}}),
            http.post("/estimate", json={"configs": [{"data": named}]}),
        ]
    for answer in answers:
        found = error(answer)
        assert found.get("field", "") == field
        assert found["code"] == ("invalid_config" if field else "data_missing")


def test_a_sweep_is_looked_at_launched_and_dealt_with_as_one(http: TestClient) -> None:
    body = {"config": CONFIG, "vary": {"n": "64, 65", "corrector.kind": ["none", "kinematic"]}, "seeds": "0-1"}
    seen = http.post("/sweeps/estimate", json=body).json()
    assert len(seen["loops"]) == 8 and seen["estimate"]["seconds"] > 0 and seen["refused"] == ""
    made = http.post("/sweeps", json={**body, "title": "grid"})
    assert made.status_code == 201 and len(made.json()) == 8
    outcome = http.post("/groups/cancel", json={"group": "grid"}).json()
    assert len(outcome["done"]) == 8 and outcome["refused"] == []
    wrong = http.post("/sweeps", json={**body, "vary": {"n": "much"}})
    assert wrong.status_code == 422 and error(wrong)["field"] == "n"
    assert http.post("/groups/cancel", json={"group": "none"}).status_code == 404
