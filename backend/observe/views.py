"""What the installation says of itself: frozen models, JSON-ready, every state in words."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from backend.presence import ProcessView


class View(BaseModel):
    model_config = ConfigDict(frozen=True)


class QueueView(View):
    """A queue of work.

    Attributes:
        waiting: parts that a worker could start now, of loops that may run, audits and draws.
        at_work: parts, audits and draws that a worker holds.
        oldest_s: how long the oldest of the waiting has waited since it was last called out; None where none waits.
        messages: in the broker; None while it does not answer.
        workers: processes that are there for it.
    """

    name: str
    waiting: int
    at_work: int
    oldest_s: float | None
    messages: int | None
    workers: int


class DatabaseView(View):
    """``place`` names host and database, never a password. ``seconds``: of the simplest question."""

    kind: Literal["SQLite", "PostgreSQL"]
    place: str
    answers: bool
    sentence: str
    seconds: float | None
    size_bytes: int | None


class BrokerView(View):
    kind: Literal["bundled", "own"]
    place: str
    answers: bool
    sentence: str


class MemoryView(View):
    """Of the machine of this server, in bytes. ``ours``: of the processes of this installation on it."""

    total: int
    available: int
    ours: int


class DiskView(View):
    """Of the data folder's disk, in bytes.

    Attributes:
        artifacts: bytes of the files that published items name, each file once.
        artifacts_here: whether they lie on this disk.
        other: what other programs keep on it.
        needed: what launching and working leave free.
    """

    folder: str
    total: int
    free: int
    artifacts: int
    artifact_files: int
    artifacts_at: str
    artifacts_here: bool
    database: int
    memo: int
    logs: int
    other: int
    needed: int


class IncidentView(View):
    """Something that went wrong, as the loop's events tell it."""

    loop_id: str
    loop_name: str
    at: datetime
    kind: str
    generation: int | None
    sentence: str


class SystemView(View):
    """Everything at one moment. While SQL is away, what it knows is missing: ``database.sentence`` says so.

    Attributes:
        loops: how many by state, deleted ones left out.
        processes: workers and servers of the last day.
        incidents: newest first.
        leader: the process that puts right what others got wrong; None while there is none.
        settings: those that matter to who looks, without secrets.
    """

    at: datetime
    versions: dict[str, str]
    database: DatabaseView
    broker: BrokerView
    loops: dict[str, int]
    queues: list[QueueView]
    processes: list[ProcessView]
    memory: MemoryView | None
    disk: DiskView
    incidents: list[IncidentView]
    leader: str | None
    settings: dict[str, str]
