"""The door: which hosts, origins and paths are answered, as whom one comes in, and what every answer forbids."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from app.policy import PLAIN
from app.server import create_app
from backend import loops
from backend.access import tokens
from backend.api import create_api
from backend.api.roles import SAFE_METHODS, role_of
from backend.context import Backend
from tests.app.doors import ADDRESS, COOKIE, PASSWORD, Doors, guarded
from tests.app.seeding import open_silent, small

ROLES_OF_ROUTES = {
    "viewer": {
        "POST /estimate",
        "POST /sweeps/estimate",
        "POST /presets/{key}/estimate",
        "POST /me/password",
        "POST /me/tokens",
        "DELETE /me/tokens/{token_id}",
    },
    "admin": {"GET /users", "POST /users", "PATCH /users/{name}", "DELETE /users/{name}"},
}
"""Of the API, where it is not: reading for viewers, everything else for runners."""


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    backend = open_silent(tmp_path_factory.mktemp("guarded"))
    with guarded(backend) as found:
        yield found
    backend.close()


@pytest.fixture(scope="module")
def unguarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    backend = open_silent(tmp_path_factory.mktemp("open"))
    yield TestClient(create_app(backend.settings, backend=backend), base_url=ADDRESS)
    backend.close()


def routes(backend: Backend) -> Iterator[tuple[str, str]]:
    for path, methods in create_api(backend).openapi()["paths"].items():
        for method in methods:
            yield method.upper(), path


def filled(path: str) -> str:
    return re.sub(r"\{[a-z_]+\}", "1", path)


# --- roles ---


def test_every_route_has_the_role_that_this_table_says(doors: Doors) -> None:
    found: dict[str, set[str]] = {"viewer": set(), "runner": set(), "admin": set()}
    for method, path in routes(doors.backend):
        found[role_of(method, path)].add(f"{method} {path}")
    assert found["admin"] == ROLES_OF_ROUTES["admin"]
    assert {route for route in found["viewer"] if not route.startswith("GET ")} == ROLES_OF_ROUTES["viewer"]
    assert not any(route.startswith(SAFE_METHODS) for route in found["runner"])


def test_nobody_reaches_any_route(doors: Doors) -> None:
    nobody = doors.program()
    for method, path in routes(doors.backend):
        answer = nobody.request(method, f"/api/v1{filled(path)}")
        assert answer.status_code == 401 and answer.json()["error"]["hint"], f"{method} {path}"
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_viewer_reaches_no_route_of_others(doors: Doors) -> None:
    viewer = doors.program(tokens.create_token(doors.backend, "viewer").secret)
    runner = doors.program(tokens.create_token(doors.backend, "runner").secret)
    for method, path in routes(doors.backend):
        role = role_of(method, path)
        for caller, may in ((viewer, role == "viewer"), (runner, role != "admin")):
            if not may:
                answer = caller.request(method, f"/api/v1{filled(path)}")
                assert answer.status_code == 403, f"{method} {path}: {answer.text}"


@pytest.mark.parametrize(
    "path",
    ["/", "/?tab=loops", "/config", "/theme.css", "/ui/ui.js", "/ui/curves.csv", "/viewer/main.js", "/metrics", "/docs",
     "/api/v1/openapi.json", "/assets/x.js"],
)  # fmt: skip
def test_nothing_is_read_without_logging_in(doors: Doors, path: str) -> None:
    person = doors.browser().get(path, headers={"accept": "text/html"}, follow_redirects=False)
    assert person.status_code == 303 and person.headers["location"].startswith("/login?next=")
    answer = doors.program().get(path, follow_redirects=False)
    assert answer.status_code in (303, 401) and "Loopscope</span>" not in answer.text


@pytest.mark.parametrize("path", ["/login", "/ui/login.css", "/ui/icon.svg", "/favicon.ico", "/healthz"])
def test_what_the_log_in_needs_is_there_for_everybody(doors: Doors, path: str) -> None:
    assert doors.program().get(path).status_code == 200


def test_a_wrong_token_is_not_helped_by_a_cookie(doors: Doors) -> None:
    admin = doors.browser("admin")
    assert admin.get("/api/v1/me").json() == {"name": "admin", "role": "admin"}
    answer = admin.get("/api/v1/me", headers={"authorization": "Bearer ls_wrong"})
    assert answer.status_code == 401 and "revoked" in answer.json()["error"]["message"]


def test_a_weak_token_makes_no_stronger_one(doors: Doors) -> None:
    weak = doors.program(tokens.create_token(doors.backend, "admin", role="viewer").secret)
    made = weak.post("/api/v1/me/tokens", json={"role": "admin", "days": 1}).json()
    assert made["role"] == "viewer" and made["secret"].startswith("ls_")


# --- Gradio's own ways in ---


def launch_events(client: TestClient) -> list[int]:
    config = client.get("/config").json()
    wanted = {c["id"] for c in config["components"] if c["props"].get("elem_id") in ("launch-submit", "launch-presets")}
    return [d["id"] for d in config["dependencies"] if wanted & {target for target, _ in d["targets"]}]


@pytest.mark.parametrize("way", ["queue/join", "api/predict", "call/predict", "call/v2/predict", "run/other"])
def test_other_ways_to_an_event_are_shut(doors: Doors, way: str) -> None:
    body = {"data": [], "fn_index": 0, "session_hash": "s"}
    for browser in (doors.browser("viewer"), doors.browser("admin")):
        answer = browser.post(f"/gradio_api/{way}", json=body)
        assert answer.status_code == 404
    assert loops.list_loops(doors.backend) == []


@pytest.mark.parametrize(
    "path",
    ["/gradio_api/upload", "/gradio_api/file=/etc/passwd", "/gradio_api/proxy=http://x/", "/monitoring",
     "/gradio_api/info", "/gradio_api/deep_link", "/gradio_api/vibe-edit", "/gradio_api/dev/reload", "/gradio_api/runs",
     "/gradio_api/stream/1", "/gradio_api/process_recording",
     "/gradio_api/openapi.json", "/gradio_api/queue/data", "/gradio_api/token",
     "/svelte/x", "/ui/../theme.py", "/nothing"],
)  # fmt: skip
def test_what_the_page_does_not_use_is_not_there(doors: Doors, path: str) -> None:
    admin = doors.browser("admin")
    for method in ("GET", "POST"):
        answer = admin.request(method, path)
        assert answer.status_code == 404 and answer.json()["error"]["code"] == "not_found", method


def test_a_viewer_launches_nothing_from_the_page(doors: Doors) -> None:
    viewer = doors.browser("viewer")
    events = launch_events(viewer)
    assert events
    for event in events:
        for data in ([], [None] * 200):
            body = {"data": data, "fn_index": event, "session_hash": "s", "trigger_id": None,
                    "event_data": {"act": "preset", "preset": "demo"}}  # fmt: skip
            viewer.post("/gradio_api/run/predict", json=body)
            assert doors.browser().post("/gradio_api/run/predict", json=body).status_code == 401
    assert loops.list_loops(doors.backend) == []


def test_the_page_says_who_is_logged_in(doors: Doors) -> None:
    viewer = doors.browser("viewer")
    config = viewer.get("/config").json()
    header = next(c["id"] for c in config["components"] if c["props"].get("elem_id") == "header")
    load = next(d for d in config["dependencies"] if header in d["outputs"])
    body = {"data": [], "fn_index": load["id"], "session_hash": "s", "trigger_id": None, "event_data": None}
    answer = viewer.post("/gradio_api/run/predict", json=body)
    assert "viewer (viewer)" in answer.text and "/logout" in answer.text
    assert config["username"] == "viewer"


# --- hosts and origins ---


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:7860", "localhost:7860", "LOCALHOST", "[::1]:7860", "192.168.1.5"]
)
def test_addresses_and_this_machine_are_answered(unguarded: TestClient, host: str) -> None:
    assert unguarded.get("/api/v1/loops", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["example.org", "testserver", "localhost.example.org", "127.0.0.1.example.org", "", "a b", "["]
)
def test_foreign_names_are_not(unguarded: TestClient, host: str) -> None:
    answer = unguarded.get("/api/v1/loops", headers={"host": host})
    assert answer.status_code == 421 and "LOOPSCOPE_HOSTS" in answer.json()["error"]["hint"]


def test_a_name_of_the_settings_is_answered(backend: Backend) -> None:
    settings = backend.settings.model_copy(update={"hosts": "lab.example.org, other"})
    found = Backend(settings, backend.database, backend.store, backend.memo, backend.queue)
    client = TestClient(create_app(settings, backend=found), base_url="http://lab.example.org")
    assert client.get("/api/v1/loops").status_code == 200
    behind = {"host": "127.0.0.1:7860", "origin": "https://lab.example.org", "sec-fetch-site": "same-origin"}
    answer = client.post("/api/v1/estimate", json={"configs": []}, headers=behind)
    assert "cross_site" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:9999"}, {"origin": "http://["},
     {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
     {"origin": ADDRESS, "sec-fetch-site": "cross-site"}, {"origin": "", "sec-fetch-site": "same-origin"}],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/v1/estimate", "/gradio_api/run/predict", "/login", "/logout"])
def test_another_sites_page_changes_nothing(unguarded: TestClient, path: str, headers: dict[str, str]) -> None:
    answer = unguarded.post(path, json={}, headers=headers, follow_redirects=False)
    assert answer.status_code == 403 and answer.json()["error"]["code"] == "cross_site"


def test_a_cookie_alone_changes_nothing(doors: Doors) -> None:
    admin = doors.browser("admin")
    bare = TestClient(doors.app, base_url=ADDRESS, cookies={COOKIE: admin.cookies[COOKIE]})
    assert bare.get("/api/v1/loops").status_code == 200
    assert bare.post("/api/v1/loops", json={"config": {}}).status_code == 403
    assert loops.list_loops(doors.backend) == []


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "192.168.1.5:7860"])
def test_no_other_origin_may_read(unguarded: TestClient, host: str) -> None:
    headers = {"host": host, "origin": "http://evil.example", "access-control-request-method": "POST"}
    for answer in (
        unguarded.get("/config", headers=headers),
        unguarded.options("/gradio_api/run/predict", headers=headers),
        unguarded.options("/api/v1/loops", headers=headers),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]


# --- what answers forbid ---


def test_every_answer_carries_the_headers(unguarded: TestClient) -> None:
    for path in ("/", "/config", "/ui/ui.js", "/api/v1/loops", "/nothing", "/healthz"):
        headers = unguarded.get(path).headers
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
        assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        if path != "/":
            assert headers["content-security-policy"] == PLAIN


def test_the_scripts_of_the_page_are_marked_and_others_do_not_run(unguarded: TestClient) -> None:
    pages = [unguarded.get("/") for _ in range(2)]
    nonces = []
    for page in pages:
        policy = page.headers["content-security-policy"]
        nonces += re.findall(r"'nonce-([^']+)'", policy)
        assert "script-src 'self' 'nonce-" in policy and "'unsafe-inline'" not in policy.split("style-src")[0]
        assert page.headers["cache-control"] == "no-store"
        assert f'<script nonce="{nonces[-1]}"' in page.text
        assert not re.search(r"<script(?! nonce=)[\s>]", page.text)
    assert len(set(nonces)) == 2


def test_a_name_cannot_add_a_script_to_the_page(doors: Doors) -> None:
    evil = "</script><script>alert(1)</script>"
    view = loops.launch(doors.backend, small(), name=evil)
    try:
        page = doors.browser("viewer").get(f"/?tab=loops&loop={view.id}&x={evil}")
        assert page.status_code == 200 and "alert(1)</script>" not in page.text
    finally:
        loops.delete(doors.backend, view.id)


# --- trouble ---


def test_large_bodies_are_refused(unguarded: TestClient) -> None:
    for path in ("/gradio_api/run/predict", "/login"):
        kind = {"content-type": "application/x-www-form-urlencoded" if path == "/login" else "application/json"}
        assert unguarded.post(path, content=b"x" * 2_000_001, headers=kind).status_code == 413
        pieces = (b"x" * 500_000 for _ in range(5))
        assert unguarded.post(path, content=pieces, headers=kind).status_code == 413


def test_a_database_that_is_away_is_a_sentence(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    client = TestClient(create_app(backend.settings, backend=backend), base_url=ADDRESS, raise_server_exceptions=False)
    assert client.get("/api/v1/loops").status_code == 200
    config = client.get("/config").json()
    header = next(c["id"] for c in config["components"] if c["props"].get("elem_id") == "header")
    load, tick = (d for d in config["dependencies"] if header in d["outputs"])

    def away(*_: Any, **__: Any) -> Any:
        raise OperationalError("SELECT 1", {}, Exception("connection to db.internal refused"))

    def call(event: dict[str, Any], data: list[Any]) -> Any:
        body = {"data": data, "fn_index": event["id"], "session_hash": "s", "trigger_id": None, "event_data": None}
        answer = client.post("/gradio_api/run/predict?tab=loops", json=body)
        assert answer.status_code == 200, answer.text
        return answer

    with monkeypatch.context() as broken:
        broken.setattr(backend.database.engine, "connect", away)
        broken.setattr(backend.database.writing, "connect", away)
        answer = client.get("/api/v1/loops")
        assert answer.status_code == 503 and answer.json()["error"]["code"] == "database_away"
        assert "db.internal" not in answer.text
        assert client.get("/healthz").status_code == 200
        opened = call(load, [])
        assert "The database does not answer" in opened.text and opened.json()["data"][-1] == -2
        waiting = [None] * (len(tick["inputs"]) - 2)
        assert "The database does not answer" in call(tick, ["launch", -2, *waiting]).text
        stranger = client.get("/api/v1/loops", headers={"authorization": "Bearer ls_x"})
        assert stranger.status_code == 503
    back = call(tick, ["launch", -2, *waiting])
    assert "does not answer" not in back.text and "tab=loops" in back.text, "the view of the address opens after all"


def test_behind_https_the_cookie_is_protected(backend: Backend) -> None:
    settings = backend.settings.model_copy(update={"https": True})
    found = Backend(settings, backend.database, backend.store, backend.memo, backend.queue)
    with guarded(found) as doors:
        sent = {"name": "admin", "password": PASSWORD}
        answer = doors.browser().post("/login", data=sent, follow_redirects=False)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-loopscope-7860=") and "Secure" in cookie and "HttpOnly" in cookie
    assert "Path=/" in cookie and "Domain" not in cookie
    assert answer.headers["strict-transport-security"].startswith("max-age=")
