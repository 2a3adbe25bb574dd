"""Rows of a backup on their way back: what they must be like, and what becomes of work that was going on."""

import re
from typing import Any, get_args

from pydantic import ValidationError
from sqlalchemy import Table

from backend.gate import ROLES
from backend.jobs import KINDS
from backend.jobs import State as JobState
from backend.keeping.rows import BadRow
from backend.store import DIGEST
from backend.tables import utc_now
from backend.views import State as LoopState
from core.config import LoopConfig

JOBS = tuple(kind.table.__tablename__ for kind in KINDS)
STAGE_STATES = ("queued", "running", "done", "failed")
STATES: dict[str, tuple[str, ...]] = {
    "loops": get_args(LoopState), "stages": STAGE_STATES, **dict.fromkeys(JOBS, get_args(JobState))
}  # fmt: skip
NOBODYS: dict[str, Any] = {"token": "", "worker": "", "heartbeat_at": None, "fraction": 0.0, "sentence": ""}
_ID = re.compile(r"[0-9A-Za-z_\-]{1,32}")  # ids become parts of addresses and of names of cached files
_USER = re.compile(r"[\w.@\-]{1,64}")
_IDS = {("loops", "id"), ("tokens", "id"), ("datasets", "id"), *((name, "id") for name in JOBS)}
_USERS = {("users", "name"), ("tokens", "user")}


def checked(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """The row, if it is one that Loopscope writes.

    Raises:
        BadRow: naming what it would not write.
    """
    forms = {
        name: _ID
        if (table.name, name) in _IDS or name == "loop_id"
        else _USER
        if (table.name, name) in _USERS
        else None
        for name in row
    }
    for name, form in forms.items():
        if form and not form.fullmatch(str(row[name])):
            raise BadRow(f"A row of {table.name} has {str(row[name])[:60]!r} as {name}.")
    if table.name in STATES and row["state"] not in STATES[table.name]:
        raise BadRow(f"A row of {table.name} has the unknown state {row['state']!r}.")
    if table.name in ("artifacts", "datasets") and not DIGEST.fullmatch(row["digest"]):
        raise BadRow(f"An artifact is named {row['digest']!r}.")
    if table.name in ("users", "tokens") and row["role"] not in ROLES:
        raise BadRow(f"A row of {table.name} has the unknown role {row['role']!r}.")
    if table.name == "loops":
        try:
            LoopConfig.model_validate(row["config"])
        except ValidationError as error:
            raise BadRow(f"The config of loop {row['id']} cannot be: {error.errors()[0]['msg']}.") from None
    return row


def as_at_rest(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """A row after whoever worked on it is gone: leases cleared, running work waiting, what was to stop stopped."""
    if table.name == "loops":
        row = row | {"trouble": None}
        if row["state"] == "cancelling":
            return row | {"state": "stopped" if row["stop"] else "cancelled", "finished_at": utc_now()}
        return row | {"state": "interrupted"} if row["state"] == "running" else row
    if table.name in JOBS and row["state"] == "cancelling":
        return row | NOBODYS | {"state": "cancelled", "finished_at": utc_now()}
    if table.name in ("stages", *JOBS) and row["state"] in ("running", "interrupted"):
        return row | NOBODYS | {"state": "queued", "attempt": max(0, row["attempt"] - 1)}
    return row
