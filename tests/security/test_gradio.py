"""The page's own functions, called without the page: any of them, by anybody, with any values."""

import json
from typing import Any

import pytest

from backend import loops
from tests.security.conftest import CANARY, House
from tests.security.effort import LONG

RUN = "/gradio_api/run/predict"
ODD: tuple[Any, ...] = (
    None,
    -1,
    1e308,
    True,
    "",
    "../../etc/passwd",
    "${7*7}{{7*7}}<img src=x onerror=alert(1)>",
    [],
    [[]],
    {},
    {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
    {"path": "../canary.txt", "url": "file:///etc/passwd"},
    "'; DROP TABLE loops; --",
    "x" * 20_000,
    {"action": "delete", "loop": "x"},
    {"act": "cancel"},
    "\0",
    10**30,
    {"__type__": "update", "visible": True},
    ["a"] * 300,
)
SHUT = (
    "/gradio_api/queue/join",
    "/gradio_api/queue/data?session_hash=x",
    "/gradio_api/upload",
    "/gradio_api/info",
    "/gradio_api/component_server",
    "/gradio_api/reset",
    "/gradio_api/cancel",
    "/gradio_api/startup-events",
    "/gradio_api/call/predict",
    "/gradio_api/api/predict",
    "/gradio_api/heartbeat/x",
    "/gradio_api/vibe-edit/",
    "/gradio_api/process_recording",
    "/gradio_api/login_check",
    "/gradio_api/app_id",
    "/gradio_api/monitoring",
    "/monitoring",
    "/robots.txt/x",
    "/dev/reload",
    "/login/huggingface",
    "/gradio_api/mcp/sse",
    "/run/predict",
)


def functions(house: House, role: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(house.ask("GET", "/config", role=role).body)["dependencies"]
    return found


def call(house: House, role: str, body: object) -> tuple[int, str]:
    answer = house.ask("POST", RUN, json.dumps(body).encode(), role=role, content_type="application/json")
    text = answer.text
    if "ls-system" not in text:  # where people of the house look for the last errors
        assert "Traceback" not in text and "site-packages" not in text and str(house.home) not in text, text[:300]
    assert CANARY not in text and "root:x:0:0" not in text
    return answer.status, text


def test_nothing_that_a_viewer_calls_changes_anything(house: House) -> None:
    before = [(view.id, view.state, view.deleted, view.name) for view in loops.list_loops(house.backend)]
    found = functions(house, "viewer")
    assert len(found) > 10
    loop_id = house.loop_ids[2]
    actions = ("cancel", "resume", "retry", "delete", "restore", "clone", "extend", "rollback", "prioritize", "launch")
    for k, one in enumerate(found):
        for action in actions if LONG else actions[k % 10 :: 10]:
            event = {"act": action, "action": action, "id": loop_id, "loop": loop_id, "loops": [loop_id]}
            for value in (event, loop_id) if LONG else ((event, loop_id)[k % 2],):
                data = [value] * len(one["inputs"])
                body = {"fn_index": one["id"], "data": data, "session_hash": "v", "event_data": event}
                call(house, "viewer", body)
    assert [(view.id, view.state, view.deleted, view.name) for view in loops.list_loops(house.backend)] == before


def test_any_function_with_any_values(house: House) -> None:
    """A 500 of Gradio says nothing but that it failed; the server goes on."""
    for k, one in enumerate(functions(house, "viewer")):
        for j in range(len(ODD)) if LONG else (k % len(ODD),):
            values = [ODD[(j + i) % len(ODD)] for i in range(len(one["inputs"]))]
            status, text = call(house, "viewer", {"fn_index": one["id"], "data": values, "session_hash": f"s{k}"})
            assert status in (200, 400, 403, 422, 500), text[:200]
            if status == 500:
                assert len(text) < 300, text
    assert house.ask("GET", "/api/v1/health", role="viewer").status == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        {"fn_index": 10**9, "data": []},
        {"fn_index": -1, "data": []},
        {"fn_index": "0", "data": "x"},
        {"fn_index": 0, "data": [None] * 10_000},
        {"fn_index": 0},
        {"data": []},
        {"fn_index": 0, "data": [], "batched": True},
        {"fn_index": 0, "data": [], "trigger_id": 10**9, "event_data": {"x": [1] * 100}},
        {"fn_index": 0, "data": [], "request": {"username": "admin-person"}, "username": "admin-person"},
    ],
)
def test_calls_that_no_page_makes(house: House, body: object) -> None:
    status, text = call(house, "viewer", body)
    assert status != 200 or len(text) < 100_000


@pytest.mark.parametrize("path", SHUT)
def test_what_the_page_does_not_need_is_shut(house: House, path: str) -> None:
    for method in ("GET", "POST"):
        answer = house.ask(method, path, b"{}" if method == "POST" else None, role="admin")
        assert answer.status in (404, 405), f"{method} {path}: {answer.status}"


def test_nobody_calls_the_pages_functions(house: House) -> None:
    answer = house.ask("POST", RUN, json.dumps({"fn_index": 0, "data": []}).encode(), content_type="application/json")
    assert answer.status == 401
    assert house.ask("GET", "/config").status in (303, 401)
