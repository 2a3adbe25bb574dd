"""Names, groups and texts that are code somewhere: shown as what they are, in every place where they are shown."""

import csv
import io

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend import loops
from backend.api import PREFIX, create_api
from backend.exports import safe_cell
from tests.app.seeding import record, small
from tests.backend.conftest import BackendFactory
from tests.security.conftest import House

QUERIES = (
    "'",
    "''",
    "' OR '1'='1",
    "1; DROP TABLE loops",
    '" --',
    "%25' OR 1=1/*",
    "') UNION SELECT * FROM users --",
    "%00",
    "a%27%3B%20ATTACH%20DATABASE%20'x'%20AS%20y",
    "%5c",
    "%F0%9F%92%A9",
    "_%25_",
    "NULL",
    "{}",
    "[]",
    "%ff",
)


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("  =1", "'  =1"),
        ("\n=1", "'\n=1"),
        ("\uff1d1", "'\uff1d1"),
        ("\u00a0=1", "'\u00a0=1"),
        ("a=1", "a=1"),
        ("", ""),
        (-1.5, -1.5),
        (-3, -3),
        (None, None),
    ],
)
def test_no_cell_is_a_formula_and_numbers_stay_numbers(cell: object, written: object) -> None:
    assert safe_cell(cell) == written


def test_exports_hold_no_formula(house: House) -> None:
    view = record(house.backend, loops.launch(house.backend, small(seed=9), name="=cmd|' /C calc'!A0", group="@x"), 1)
    for target in (f"{PREFIX}/loops/{view.id}/export.csv", f"/ui/curves.csv?loops={view.id}"):
        answer = house.ask("GET", target, role="viewer")
        assert answer.status == 200
        cells = [cell for row in csv.reader(io.StringIO(answer.text)) for cell in row]
        assert cells and not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "\r"))]
        assert answer.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    "path", ["/loops?group={}", "/curves?loops={}", "/loops/{id}/traces?metric={}", "/lab/gmm/result?group={}"]
)
def test_queries_are_values_never_sql(house: House, path: str) -> None:
    before = house.ask("GET", f"{PREFIX}/loops", role="viewer").body
    for text in QUERIES:
        target = PREFIX + path.replace("{id}", house.loop_ids[0]).replace("{}", text.replace(" ", "%20"))
        answer = house.ask("GET", target, role="viewer")
        assert answer.status in (200, 404, 422), f"{target}: {answer.text[:200]}"
        assert "argon2" not in answer.text and "sqlite" not in answer.text.lower()
    assert house.ask("GET", f"{PREFIX}/loops", role="viewer").body == before


def test_nothing_that_postgresql_cannot_store_makes_it_fail(make_backend: BackendFactory, postgres_url: str) -> None:
    """Its texts hold no NUL, unlike SQLite's."""
    backend = make_backend(database_url=postgres_url)
    server = FastAPI()
    server.mount(PREFIX, create_api(backend))
    with TestClient(server, base_url=f"http://test{PREFIX}", raise_server_exceptions=False) as http:
        made = http.post("/loops", json={"config": {}, "name": "a\0b\u202e", "group": "g\0"})
        assert made.status_code == 201 and (made.json()["name"], made.json()["group"]) == ("ab", "g")
        loop_id = made.json()["id"]
        for target in ("/loops?group=%00", "/curves?loops=%00", f"/loops/{loop_id}/traces?metric=%00"):
            assert http.get(target).status_code in (200, 422)
        assert http.post("/audits", json={"config": {"loop": "\0"}}).status_code in (404, 422)
