"""Every id, name and path that a stranger can put into an address, written as a way out of the data folder."""

import json
from urllib.parse import quote

import pytest

from backend.api import PREFIX
from tests.security.conftest import CANARY, Answer, House
from tests.security.effort import LONG
from tests.security.test_openapi import routes

SPELLINGS = (
    "../canary.txt",
    "..%2fcanary.txt",
    "%2e%2e/canary.txt",
    "%2e%2e%2fcanary.txt",
    "%252e%252e%252fcanary.txt",
    "..%5ccanary.txt",
    "..\\canary.txt",
    "....//canary.txt",
    "..;/canary.txt",
    "..%00/canary.txt",
    "canary.txt%00.png",
    "%c0%ae%c0%ae/canary.txt",
    "%ef%bc%8e%ef%bc%8e/canary.txt",
    "%e2%80%a4%e2%80%a4/canary.txt",
    "..%e2%88%95canary.txt",
    "../../../../../../../../etc/passwd",
    "..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
    "/etc/passwd",
    "//etc/passwd",
    "file:///etc/passwd",
    "file%3a%2f%2f%2fetc%2fpasswd",
    "/proc/self/environ",
    "~root/.profile",
    "data/leak/canary.txt",
    "secret.txt",
    "loopscope.db",
    "home/loopscope.db",
    "C:%5cWindows%5cwin.ini",
    "%5c%5chost%5cshare",
    ".",
    "..",
    "%00",
)
PAGES = (
    "/{}",
    "/ui/{}",
    "/viewer/{}",
    "/viewer/assets/{}",
    "/assets/{}",
    "/static/{}",
    "/static/fonts/{}",
    "/login?next={}",
    "/ui/audit/{}.html",
    "/ui/curves.csv?loops={}",
    "/file={}",
    "/file/{}",
    "/gradio_api/file={}",
    "/gradio_api/file/{}",
    "/gradio_api/stream/{}",
    "/gradio_api/proxy={}",
    "/gradio_api/upload?upload_id={}",
    "/gradio_api/component_server/{}",
    "/gradio_api/custom_component/{}",
    "/custom_component/{}/component/index.js",
    "/proxy={}",
    "/theme.css?x={}",
    "/gradio_api/deep_link?session_hash={}",
    "/?tab=inspect&loop={}",
    "/?tab=compare&loops={}",
    "/config?x={}",
)
SIGNS = (CANARY.encode(), b"root:x:0:0", b"SQLite format 3", b"def create_app")


def outward(house: House) -> list[str]:
    absolute = [str(house.outer / "canary.txt"), str(house.home / "secret.txt")]
    return [*SPELLINGS, *absolute, *(quote(path, safe="") for path in absolute)]


def some_of(spellings: list[str], turn: int) -> list[str]:
    """All of them in the long mode; else some, others for each route."""
    return spellings if LONG else spellings[turn % 6 :: 6]


def check(house: House, target: str, role: str) -> None:
    answer = house.ask("GET", target, role=role)
    assert answer.status < 500, f"{target}: {answer.text[:300]}"
    assert not any(sign in answer.body for sign in SIGNS), target
    if answer.status in (301, 302, 303, 307, 308):
        assert answer.headers["location"].startswith("/") and not answer.headers["location"].startswith("//"), target


@pytest.mark.parametrize("page", PAGES)
def test_no_page_leads_out(house: House, page: str) -> None:
    spellings = outward(house)
    whole = page.startswith(("/?", "/config"))  # each time the whole page is built
    for spelling in spellings[PAGES.index(page) % 4 :: 9] if whole else some_of(spellings, PAGES.index(page)):
        check(house, page.format(spelling), "admin")


@pytest.mark.parametrize("label", [one for one in routes() if one.startswith("GET") and "{" in one])
def test_no_id_of_the_api_leads_out(house: House, label: str) -> None:
    path = label.removeprefix("GET ")
    names = [piece.split("}")[0] for piece in path.split("{")[1:]]
    real = {"loop_id": house.loop_ids[0], "generation": "1", "index": "0", "kind": "raw", "form": "npz", "key": "gmm"}
    for turn, attacked in enumerate(names):
        for spelling in some_of(outward(house), len(path) + turn):
            target = path
            for name in names:
                target = target.replace(f"{{{name}}}", spelling if name == attacked else real.get(name, "0" * 32))
            check(house, PREFIX + target, "admin")


def test_people_who_log_in_name_files_in_the_data_folder_only(house: House) -> None:
    ways = [
        str(house.outer),
        str(house.outer / "canary.npz"),
        str(house.home / "data" / "leak" / "canary.npz"),
        str(house.home / "data" / ".." / "secret.txt"),
        "/etc/passwd",
        "~/x",
        "../canary.npz",
        "/proc/self/environ",
    ]
    for way in ways:
        for field, kind, domain in (
            ("data", "npz", "motion"),
            ("data", "mnist", "digits"),
            ("data", "corpus", "text"),
            ("model", "causal-lm", "text"),
        ):
            config = {"domain": domain, field: {"kind": kind, "options": {"path": way}}}
            for path, body in (
                ("/loops", {"config": config}),
                ("/estimate", {"configs": [config]}),
                (f"/loops/{house.loop_ids[0]}/clone", {"changes": {f"{field}": config[field], "domain": domain}}),
                ("/audits", {"config": {"data": config.get("data")}} if field == "data" else {"config": {"loop": way}}),
            ):
                answer = post(house, path, body)
                assert answer.status in (404, 422), (way, path, answer.text)
                assert not any(sign in answer.body for sign in SIGNS)
                if path == "/loops":
                    assert "opens data sets and models in" in answer.text, answer.text


def test_what_is_outside_is_not_even_looked_at(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the answer tells folders that may be read from those that may not."""
    seen: list[str] = []
    monkeypatch.setattr("backend.paths.typed_path", seen.append)
    for way in (str(house.outer), str(house.home / "data" / "here")):
        post(house, "/estimate", {"configs": [{"data": {"kind": "npz", "options": {"path": way}}}]})
    assert seen == [str(house.home / "data" / "here")]


def post(house: House, path: str, body: object) -> Answer:
    return house.ask("POST", PREFIX + path, json.dumps(body).encode(), role="runner", content_type="application/json")
