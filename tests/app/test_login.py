"""The log-in page: plain HTML, one sentence for every refusal, and no way to lead anybody elsewhere."""

import re
from collections.abc import Iterator

import pytest

from app.login import local
from backend.context import Backend
from tests.app.doors import COOKIE, PASSWORD, Doors, fail_often, guarded


@pytest.fixture
def doors(backend: Backend) -> Iterator[Doors]:
    with guarded(backend) as found:
        yield found


def test_somebody_logs_in_sees_the_page_and_logs_out(doors: Doors) -> None:
    browser = doors.browser()
    asked = browser.get("/?tab=compare&by=name", headers={"accept": "text/html"})
    assert asked.url.path == "/login" and "<form" in asked.text and "<script" not in asked.text
    wanted = re.findall(r'name="next" value="([^"]*)"', asked.text)
    assert wanted == ["/?tab=compare&amp;by=name"]
    sent = {"name": "runner", "password": PASSWORD, "next": "/?tab=compare&by=name"}
    entered = browser.post("/login", data=sent, follow_redirects=False)
    assert entered.status_code == 303 and entered.headers["location"] == "/?tab=compare&by=name"
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie and "samesite=lax" in cookie.lower() and "Max-Age=43200" in cookie
    assert browser.get("/").status_code == 200
    assert browser.get("/login", follow_redirects=False).headers["location"] == "/"
    secret = browser.cookies[COOKIE]
    left = browser.post("/logout", follow_redirects=False)
    assert left.status_code == 303 and left.headers["location"] == "/login" and COOKIE not in browser.cookies
    browser.cookies.set(COOKIE, secret)
    assert browser.get("/api/v1/loops").status_code == 401, "the cookie is worth nothing any more"
    assert browser.post("/logout", follow_redirects=False).headers["location"] == "/login"


def test_a_wrong_password_is_a_sentence(doors: Doors) -> None:
    browser = doors.browser()
    for name in ("admin", "nobody", "<script>alert(1)</script>", "a\0b", "x" * 5000):
        answer = browser.post("/login", data={"name": name, "password": "wrong password", "next": "/"})
        assert answer.status_code == 401 and "Name and password do not go together." in answer.text
        assert "wrong password" not in answer.text and "<script>" not in answer.text
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert browser.post("/login", data={}).status_code == 401
    assert (
        browser.post("/login", content=b"\xff\xfe", headers={"content-type": "multipart/form-data"}).status_code < 500
    )


def test_too_many_wrong_ones_have_to_wait(doors: Doors) -> None:
    browser = doors.browser()
    fail_often(doors.backend, "viewer", "testclient", 15)
    answer = browser.post("/login", data={"name": "viewer", "password": PASSWORD})
    assert answer.status_code == 429 and re.search(r"Wait \d+ s", answer.text)
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    "address",
    ["", "//evil.example", "/\\evil.example", "https://evil.example", "/?a=1\r\nSet-Cookie: x=1", "javascript:alert(1)",
     "/login", "/ui/ui.js", "/?\u2028", "///?x"],
)  # fmt: skip
def test_a_log_in_leads_nowhere_else(address: str) -> None:
    assert local(address) == "/"


def test_without_users_there_is_nothing_to_log_in_to(backend: Backend) -> None:
    from fastapi.testclient import TestClient

    from app.server import create_app
    from tests.app.doors import ADDRESS

    browser = TestClient(create_app(backend.settings, backend=backend), base_url=ADDRESS, headers={"origin": ADDRESS})
    assert browser.get("/login", follow_redirects=False).headers["location"] == "/"
    assert browser.get("/api/v1/me").json() == {"name": "", "role": "admin"}
    made = browser.post("/api/v1/users", json={"name": "eve", "password": PASSWORD, "role": "admin"})
    assert made.status_code == 409 and "loopscope users add" in made.json()["error"]["hint"]
