"""Who is let in, as whom, and what nobody gets to see."""

import json
import logging
import re
from datetime import timedelta
from http.cookies import SimpleCookie
from urllib.parse import urlencode

import pytest
from sqlalchemy import select, update

from backend import loops
from backend.access.tokens import create_token, revoke_token
from backend.api import PREFIX
from backend.api.roles import SAFE_METHODS, role_of
from backend.tables import ApiToken, LoginFailure, LoginSession, utc_now
from tests.security.conftest import PASSWORD, Answer, House
from tests.security.test_openapi import routes

FORM = "application/x-www-form-urlencoded"
REAL = {
    "loop_id": "",
    "generation": "1",
    "index": "0",
    "kind": "raw",
    "form": "npz",
    "key": "gmm",
    "name": "0" * 32,
    "dataset_id": "0" * 16,
    "draw_id": "0" * 24,
    "verb": "cancel",
}


def address(house: House, path: str) -> str:
    values = {**REAL, "loop_id": house.loop_ids[2], "audit_id": "nowhere", "token_id": "0" * 12}
    return PREFIX + re.sub(r"\{(\w+)\}", lambda found: values[found[1]], path)


def log_in(house: House, person: str, password: str, **headers: str) -> Answer:
    body = urlencode({"name": person, "password": password, "next": "/?tab=loops"}).encode()
    return house.ask("POST", "/login", body, content_type=FORM, origin=house.url, **headers)


def cookie_of(answer: Answer) -> str:
    morsel = next(iter(SimpleCookie(answer.headers["set-cookie"]).values()))
    return f"{morsel.key}={morsel.value}"


def forgive(house: House) -> None:
    """Wrong log-ins of other tests do not count here."""
    with house.backend.database.write() as session:
        session.query(LoginFailure).delete()


@pytest.mark.parametrize("label", routes())
def test_every_route_asks_who_calls_and_what_that_one_may(house: House, label: str) -> None:
    method, path = label.split(" ")
    target = address(house, path)
    body = None if method in SAFE_METHODS else b"{}"
    for headers in ({}, {"authorization": "Bearer no-such-token"}, {"authorization": "Basic YTpi"}):
        nobody = house.ask(method, target, body, content_type="application/json", **headers)
        assert nobody.status in (303, 401), f"{label}: {nobody.status} {nobody.text[:200]}"
    needed = role_of(method, path)
    weaker = {"viewer": None, "runner": "viewer", "admin": "runner"}[needed]
    if weaker is not None:
        refused = house.ask(method, target, body, role=weaker, content_type="application/json")
        assert refused.status == 403, f"{label}: {refused.status} {refused.text[:200]}"
    assert house.backend.database is not None and len(loops.list_loops(house.backend)) >= 3


def test_tokens_that_are_over(house: House) -> None:
    revoked = create_token(house.backend, "runner-person", label="revoked")
    expired = create_token(house.backend, "runner-person", label="expired", days=1)
    for one in (revoked, expired):
        assert house.ask("GET", f"{PREFIX}/me", authorization=f"Bearer {one.secret}").status == 200
    revoke_token(house.backend, revoked.id)
    with house.backend.database.write() as session:
        session.execute(
            update(ApiToken).where(ApiToken.id == expired.id).values(expires_at=utc_now() - timedelta(seconds=1))
        )
    good = house.tokens["viewer"]
    wrong = (revoked.secret, expired.secret, good[:-1], good + "x", good.upper(), "", "null", "' OR 1=1 --", "x" * 5000)
    for secret in wrong:
        answer = house.ask("GET", f"{PREFIX}/me", authorization=f"Bearer {secret}")
        assert answer.status == 401, secret[:40]
        assert len(secret) < 8 or secret not in answer.text
    assert house.ask("GET", f"{PREFIX}/me?token={good}").status in (303, 401), "a token in an address is none"


def test_a_log_in_gives_a_new_secret_that_scripts_cannot_read(house: House) -> None:
    forgive(house)
    planted = f"loopscope-{house.port}=planted-by-somebody"
    answer = log_in(house, "viewer-person", f"{PASSWORD}viewer", cookie=planted)
    assert answer.status == 303 and answer.headers["location"] == "/?tab=loops"
    marks = answer.headers["set-cookie"].lower()
    assert "httponly" in marks and "samesite=lax" in marks and "path=/" in marks and "domain" not in marks
    cookie = cookie_of(answer)
    assert "planted" not in cookie, "no session is taken from outside"
    assert house.ask("GET", f"{PREFIX}/me", cookie=planted).status in (303, 401)
    assert json.loads(house.ask("GET", f"{PREFIX}/me", cookie=cookie).body)["role"] == "viewer"
    again = cookie_of(log_in(house, "viewer-person", f"{PASSWORD}viewer", cookie=cookie))
    assert again != cookie
    left = house.ask("POST", "/logout", b"", cookie=cookie, origin=house.url, content_type=FORM)
    assert left.status == 303
    assert house.ask("GET", f"{PREFIX}/me", cookie=cookie).status in (303, 401), "a log-out ends it on the server"


def test_a_session_ends(house: House) -> None:
    forgive(house)
    cookie = cookie_of(log_in(house, "viewer-person", f"{PASSWORD}viewer"))
    with house.backend.database.write() as session:
        session.execute(update(LoginSession).values(expires_at=utc_now() - timedelta(seconds=1)))
    assert house.ask("GET", f"{PREFIX}/me", cookie=cookie).status in (303, 401)


def test_a_log_in_leads_to_no_other_site(house: House) -> None:
    forgive(house)
    for wanted in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/%2f/evil",
                   "\\\\evil", "/?x\r\nSet-Cookie: a=b", "http:evil", "/.//evil.example", "/ui/../x"):  # fmt: skip
        body = urlencode({"name": "viewer-person", "password": f"{PASSWORD}viewer", "next": wanted}).encode()
        answer = house.ask("POST", "/login", body, content_type=FORM, origin=house.url)
        location = answer.headers["location"]
        assert answer.status == 303 and (location == "/" or location.startswith("/?")), (wanted, location)
        assert "evil" not in house.ask("GET", f"/login?{urlencode({'next': wanted})}").text


def test_guessing_is_slow(house: House) -> None:
    forgive(house)
    answers = [log_in(house, "admin-person", f"guess-{k}") for k in range(2)]
    assert [answer.status for answer in answers] == [401, 401]
    told = [re.sub(r"value=\"[^\"]*\"", "", answer.text) for answer in answers[:2]]
    unknown = re.sub(r"value=\"[^\"]*\"", "", log_in(house, "nobody-at-all", "guess").text)
    assert told[0] == told[1] == unknown, "who there is, is not told"
    with house.backend.database.write() as session:
        session.add_all(LoginFailure(name="admin-person", address="127.0.0.1", at=utc_now()) for _ in range(10))
    late = log_in(house, "admin-person", f"{PASSWORD}admin")
    assert late.status == 429, "not even the right one, for a moment"
    assert int(late.headers["retry-after"]) > 10
    forgive(house)


def test_another_sites_page_changes_nothing(house: House) -> None:
    forgive(house)
    cookie = cookie_of(log_in(house, "runner-person", f"{PASSWORD}runner"))
    target = f"{PREFIX}/loops/{house.loop_ids[2]}/cancel"
    for headers in (
        {"origin": "https://evil.example"}, {"origin": "null"}, {}, {"sec_fetch_site": "cross-site"},
        {"origin": f"{house.url}.evil.example"}, {"origin": f"http://127.0.0.1:{house.port + 1}"},
        {"origin": house.url, "sec_fetch_site": "same-site"},
    ):  # fmt: skip
        answer = house.ask("POST", target, b"{}", cookie=cookie, content_type="application/json", **headers)
        assert answer.status == 403, headers
        page = house.ask("POST", "/gradio_api/run/predict", b"{}", cookie=cookie, **headers)
        assert page.status == 403, headers
    for answer in (house.ask("GET", f"{PREFIX}/loops", role="viewer", origin="https://evil.example"),
                   house.ask("OPTIONS", f"{PREFIX}/loops", origin="https://evil.example",
                             access_control_request_method="POST")):  # fmt: skip
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_foreign_names_of_this_server(house: House) -> None:
    for name in ("evil.example", "127.0.0.1.evil.example", "evil.example:7860", "", "a@b", "[::1", "localhost.evil"):
        lines = f"GET {PREFIX}/me HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
        status = int(house.raw(lines.encode()).split(b" ", 2)[1])
        assert status in (400, 421), name
    believed = house.ask("GET", "/", role="viewer", x_forwarded_host="evil.example", x_forwarded_proto="https")
    assert "evil.example" not in believed.text


def test_what_every_answer_forbids_browsers(house: House) -> None:
    for target in ("/", "/login", f"{PREFIX}/loops", "/ui/ui.js", "/nothing", f"{PREFIX}/nothing", "/healthz"):
        answer = house.ask("GET", target, role="viewer")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy, target
        scripts = next((part for part in policy.split("; ") if part.startswith("script-src")), "")
        assert "http:" not in policy and "*" not in policy and "'unsafe-inline'" not in scripts
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"uvicorn/|python/|gradio/", answer.headers.get("server", "").lower())


def test_no_secret_is_shown_kept_or_logged(house: House, caplog: pytest.LogCaptureFixture) -> None:
    forgive(house)
    caplog.set_level(logging.DEBUG)
    wrong = log_in(house, "admin-person", "a-wrong-Passw0rd-that-is-secret")
    cookie = cookie_of(log_in(house, "admin-person", f"{PASSWORD}admin"))
    made = house.ask("POST", f"{PREFIX}/me/tokens", b'{"label": "mine"}', role="admin", content_type="application/json")
    fresh = json.loads(made.body)["secret"]
    short = house.ask("POST", f"{PREFIX}/users", b'{"name": "x", "password": "short-and-secret", "role": "god"}',
                      role="admin", content_type="application/json")  # fmt: skip
    seen = [wrong.text, short.text, caplog.text]
    seen += [house.ask("GET", f"{PREFIX}{path}", role="admin").text for path in ("/me/tokens", "/users", "/system")]
    seen += [house.ask("GET", path, cookie=cookie).text for path in ("/?tab=system", "/config", "/metrics")]
    seen += [path.read_text(errors="replace") for path in house.home.rglob("*.log")]
    secrets = [*house.tokens.values(), fresh, cookie.split("=", 1)[1], PASSWORD, "a-wrong-Passw0rd", "short-and-secret"]
    for secret in secrets:
        assert not any(secret in text for text in seen), secret[:12]
    database = b"".join(path.read_bytes() for path in house.home.glob("loopscope.db*"))
    for secret in secrets:
        assert secret.encode() not in database, "only digests and argon2 hashes are kept"
    with house.backend.database.read() as session:
        assert all(len(one.digest) == 64 for one in session.scalars(select(ApiToken)))
