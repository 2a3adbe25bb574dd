"""Rows of any table as lines of JSON, and back, with every value checked against the table's columns."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO

from sqlalchemy import JSON, BigInteger, Column, Connection, Float, Integer, String, Table, select
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from backend.journal import finite
from backend.tables import Base, UtcDateTime

LEFT_OUT = ("sessions", "login_failures", "workers", "leaders")
"""Tables of the moment: who is logged in, which processes run."""

MOST_AT_ONCE = 500
LONGEST_LINE = 64_000_000


class BadRow(ValueError):
    """A line that is no row of its table; says why."""


def tables() -> list[Table]:
    """What is saved, each after those that it refers to."""
    return [table for table in Base.metadata.sorted_tables if table.name not in LEFT_OUT]


def write_rows(connection: Connection, table: Table, file: BinaryIO) -> int:
    """Every row as a line, in the order of the primary key; returns how many."""
    count = 0
    query = select(table).order_by(*table.primary_key.columns)
    result = connection.execution_options(yield_per=MOST_AT_ONCE).execute(query)
    for row in result.mappings():
        plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
        file.write(json.dumps(finite(plain), separators=(",", ":"), allow_nan=False).encode() + b"\n")
        count += 1
    return count


def read_rows(table: Table, lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """Inverse of :func:`write_rows`; columns that a row lacks, because they are newer, get their default.

    Raises:
        BadRow: where a line is no row.
    """
    for number, line in enumerate(lines, 1):
        try:
            yield _row(table, line)
        except (ValueError, RecursionError) as error:
            raise BadRow(f"Line {number} of {table.name} is no row of it: {error}.") from None


def lines_of(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Lines without their ends."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
        if len(rest) > LONGEST_LINE:
            raise BadRow("A line is too long.")
    if rest:
        raise BadRow("The last line has no end.")


def _row(table: Table, line: bytes) -> dict[str, Any]:
    found = json.loads(line, parse_constant=_no_constant)
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    if unknown := found.keys() - set(table.columns.keys()):
        raise ValueError(f"there is no column {min(unknown)!r}")
    return {
        column.name: _value(column, found[column.name]) if column.name in found else _default(column)
        for column in table.columns
    }


def _default(column: Column[Any]) -> Any:
    if isinstance(column.default, ScalarElementColumnDefault):
        return column.default.arg
    if column.nullable:
        return None
    raise ValueError(f"{column.name} is missing")


def _value(column: Column[Any], value: Any) -> Any:
    kind = column.type
    if value is None:
        if not column.nullable:
            raise ValueError(f"{column.name} is empty")
        return None
    if isinstance(kind, UtcDateTime):
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        if at is not None and at.tzinfo is not None:
            return at
    elif isinstance(kind, JSON):
        if isinstance(value, dict | list):
            return value
    elif isinstance(kind, String):
        if isinstance(value, str) and len(value) <= (kind.length or len(value)) and "\0" not in value:
            return value
    elif isinstance(kind, Integer):
        limit = 63 if isinstance(kind, BigInteger) else 31
        if type(value) is int and -(1 << limit) <= value < 1 << limit:
            return value
    elif isinstance(kind, Float) and type(value) in (int, float):
        return float(value)
    raise ValueError(f"{column.name} cannot be {str(value)[:60]!r}")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")
