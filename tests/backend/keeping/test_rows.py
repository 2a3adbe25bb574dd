"""Rows as lines of JSON: there and back, across pieces, with columns that are newer than the line."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import insert

from backend.context import Backend
from backend.keeping import rows
from backend.keeping.rows import BadRow, lines_of, read_rows, tables, write_rows
from backend.tables import Base, Counter, utc_now

LOOP = Base.metadata.tables["loops"]


def loop_row(**changes: Any) -> dict[str, Any]:
    now = utc_now()
    plain = dict.fromkeys((column.name for column in LOOP.columns if column.nullable), None)
    return plain | {
        "id": "abc", "name": "ü\n\u2028", "group": "", "config": {"x": [1.5, None]}, "config_digest": "",
        "state": "done", "generation": -1, "owner": "", "priority": 0, "revision": 2**62, "created_at": now,
        "updated_at": now,
    } | changes  # fmt: skip


def line(**changes: Any) -> bytes:
    row = loop_row(created_at="2026-01-02T03:04:05.678901+00:00", updated_at="2026-01-02T03:04:05+01:00") | changes
    return json.dumps({name: value for name, value in row.items() if value != "left out"}).encode()


def read(*lines: bytes) -> list[dict[str, Any]]:
    return list(read_rows(LOOP, iter(lines)))


def test_every_row_is_a_line_and_every_line_a_row(backend: Backend) -> None:
    many = [
        loop_row(id=f"{i:04}", trouble={"value": float(i)} if i % 2 else None) for i in range(rows.MOST_AT_ONCE + 3)
    ]
    with backend.database.write() as session:
        session.connection().execute(insert(LOOP), many)
    file = BytesIO()
    with backend.database.engine.connect() as connection:
        assert write_rows(connection, LOOP, file) == len(many)
    data = file.getvalue()
    pieces = (data[i : i + 1000] for i in range(0, len(data), 1000))
    assert list(read_rows(LOOP, lines_of(pieces))) == many


def test_what_no_number_is_becomes_nothing(backend: Backend) -> None:
    with backend.database.write() as session:
        session.connection().execute(insert(LOOP), [loop_row(config={"x": float("nan"), "y": float("inf")})])
    file = BytesIO()
    with backend.database.engine.connect() as connection:
        write_rows(connection, LOOP, file)
    assert json.loads(file.getvalue())["config"] == {"x": None, "y": None}


def test_a_line_from_before_a_column_was_added_gets_its_default() -> None:
    [row] = read(line(priority="left out", owner="left out", stop="left out"))
    assert (row["priority"], row["owner"], row["stop"]) == (0, "", None)
    with pytest.raises(BadRow, match="name is missing"):
        read(line(name="left out"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"state": "x" * 17}, "state cannot be"),
        ({"name": "a\0b"}, "name cannot be"),
        ({"name": 5}, "name cannot be"),
        ({"name": None}, "name is empty"),
        ({"generation": 2**31}, "generation cannot be"),
        ({"revision": 2**63}, "revision cannot be"),
        ({"revision": 1.0}, "revision cannot be"),
        ({"config": "text"}, "config cannot be"),
        ({"created_at": "2026-01-02T03:04:05"}, "created_at cannot be"),
        ({"created_at": "yesterday"}, "no row"),
        ({"created_at": 5}, "created_at cannot be"),
        ({"nothing": 1}, "no column 'nothing'"),
    ],
)
def test_values_that_cannot_be(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadRow, match=f"Line 2 of loops is no row of it: .*{sentence}|{sentence}"):
        read(line(), line(**changes))


@pytest.mark.parametrize("bad", [b"", b"[]", b"5", b"{", b"\xff", b"[" * 100_000, b'{"id":1e999}'])
def test_lines_that_are_no_objects(bad: bytes) -> None:
    with pytest.raises(BadRow):
        read(bad)


def test_lines_that_do_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadRow, match="has no end"):
        list(lines_of(iter([b"a\nb"])))
    monkeypatch.setattr(rows, "LONGEST_LINE", 10)

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 7

    with pytest.raises(BadRow, match="too long"):
        list(lines_of(endless()))


def test_owners_come_before_what_they_own() -> None:
    names = [table.name for table in tables()]
    assert names.index("loops") < names.index("stages") < len(names)
    assert names.index("users") < names.index("tokens")
    assert Counter.__tablename__ in names
    assert not set(names) & set(rows.LEFT_OUT)
