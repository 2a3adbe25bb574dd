"""SQL tables. The truth about loops: what they are, what their stages made, what happened."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CursorResult,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def utc_now() -> datetime:
    return datetime.now(UTC)


def driver_rows(result: CursorResult[Any]) -> list[Any]:
    """Rows as the driver makes them, five times as fast as otherwise: of columns that are text and numbers."""
    return [] if result.cursor is None else list(result.cursor.fetchall())


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python; SQLite, which knows no zones, keeps the bare UTC time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone cannot be stored: {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {
        datetime: UtcDateTime,
        dict[str, Any]: JSON(none_as_null=True),
        list[Any]: JSON(none_as_null=True),
        str: Text,
    }


class Loop(Base):
    """One loop. ``state`` is what was last decided; views add what a silent worker means."""

    __tablename__ = "loops"
    __table_args__ = (Index(None, "group"), Index(None, "config_digest"), Index(None, "state"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str]
    group: Mapped[str]
    config: Mapped[dict[str, Any]]
    config_digest: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    generation: Mapped[int] = mapped_column(default=-1)  # highest recorded, -1 before the first
    error: Mapped[dict[str, Any] | None]
    owner: Mapped[str] = mapped_column(String(64), default="")  # who launched it; "" without log-in
    priority: Mapped[int] = mapped_column(default=0)  # higher ones are served first
    served_at: Mapped[datetime | None]  # when a worker last took a part of it: turns are by this
    trouble: Mapped[dict[str, Any] | None]  # what it waits for (code, message, hint), while it does
    stop: Mapped[dict[str, Any] | None]  # the tripwire that stopped it (rule, sentence, generation)
    disarmed: Mapped[list[Any] | None]  # tripwires that a person has resumed past
    revision: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


def _loop_id() -> Mapped[str]:
    return mapped_column(String(32), ForeignKey("loops.id", ondelete="CASCADE"), primary_key=True)


class Generation(Base):
    """One finished generation; its metrics are rows of their own, so that curves are one query."""

    __tablename__ = "generations"

    loop_id: Mapped[str] = _loop_id()
    index: Mapped[int] = mapped_column(primary_key=True)
    counts: Mapped[dict[str, Any]]
    training: Mapped[dict[str, Any]]
    seconds: Mapped[dict[str, Any]]
    recorded_at: Mapped[datetime]


class MetricValue(Base):
    __tablename__ = "metrics"
    # Curves of one loop; one metric of many loops, answered by the index alone.
    __table_args__ = (Index(None, "loop_id", "name"), Index(None, "name", "loop_id", "generation", "value"))

    loop_id: Mapped[str] = _loop_id()
    generation: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[float | None]  # None where a metric could not be computed (NaN)


class TraceValue(Base):
    """A metric of each of the seeds that run at once in one loop; :class:`MetricValue` holds their mean."""

    __tablename__ = "traces"
    __table_args__ = (Index(None, "loop_id", "name"),)

    loop_id: Mapped[str] = _loop_id()
    generation: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    values: Mapped[list[Any]]  # of floats; None where a metric could not be computed (NaN)


class PanelSample(Base):
    """What became of one panel sample in one generation."""

    __tablename__ = "samples"

    loop_id: Mapped[str] = _loop_id()
    generation: Mapped[int] = mapped_column(primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str]
    outcome: Mapped[dict[str, Any]]


class Artifact(Base):
    """A published item: where its bytes are, and the few facts about it that views need without reading them."""

    __tablename__ = "artifacts"
    __table_args__ = (Index(None, "digest"),)

    loop_id: Mapped[str] = _loop_id()
    generation: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    facts: Mapped[dict[str, Any]]


class Stage(Base):
    """One part of one stage, from the moment that it could start. ``token`` is the fence: who holds it may publish."""

    __tablename__ = "stages"
    __table_args__ = (Index(None, "state", "queue"), Index(None, "finished_at"))

    loop_id: Mapped[str] = _loop_id()
    generation: Mapped[int] = mapped_column(primary_key=True)
    stage: Mapped[str] = mapped_column(String(16), primary_key=True)  # of core.loop, or "block": all of them
    part: Mapped[int] = mapped_column(primary_key=True)
    queue: Mapped[str] = mapped_column(String(8), default="")  # which workers may take it: gpu or cpu
    state: Mapped[str] = mapped_column(String(16))  # queued, running, done, failed
    attempt: Mapped[int] = mapped_column(default=0)
    token: Mapped[str] = mapped_column(String(32), default="")
    worker: Mapped[str] = mapped_column(default="")
    sent_at: Mapped[datetime]  # when a message was last sent for it
    retry_at: Mapped[datetime | None]  # not to be taken before, after trouble that time may cure
    heartbeat_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    fraction: Mapped[float] = mapped_column(default=0.0)
    sentence: Mapped[str] = mapped_column(default="")
    seconds: Mapped[float] = mapped_column(default=0.0)


class Job(Base):
    """Columns of work of its own beside the stages, under a lease as theirs are."""

    __abstract__ = True

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    config: Mapped[dict[str, Any]]  # what is asked for
    state: Mapped[str] = mapped_column(String(16))  # queued, running, cancelling, cancelled, done, failed
    attempt: Mapped[int] = mapped_column(default=0)
    token: Mapped[str] = mapped_column(String(32), default="")
    worker: Mapped[str] = mapped_column(default="")
    owner: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    fraction: Mapped[float] = mapped_column(default=0.0)
    sentence: Mapped[str] = mapped_column(default="")
    error: Mapped[dict[str, Any] | None]


class AuditJob(Job):
    """One audit of a corrector."""

    __tablename__ = "audits"
    __table_args__ = (Index(None, "config_digest"), Index(None, "state"))

    config_digest: Mapped[str] = mapped_column(String(64))  # of the config and of the data's content
    result: Mapped[dict[str, Any] | None]


class DrawJob(Job):
    """Samples of one generation that somebody asked for; its id is the digest of what was asked of which checkpoint.
    The motions are an artifact of the loop."""

    __tablename__ = "draws"
    __table_args__ = (Index(None, "loop_id", "generation"), Index(None, "state"))

    loop_id: Mapped[str] = mapped_column(String(32), ForeignKey("loops.id", ondelete="CASCADE"))
    generation: Mapped[int]
    samples: Mapped[list[Any] | None]  # label and outcome of each, once they are drawn


class ImportedData(Base):
    """A data set that was imported. Its files, the card among them, are one artifact."""

    __tablename__ = "datasets"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)  # beginning of the digest
    name: Mapped[str]
    digest: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    card: Mapped[dict[str, Any]]
    owner: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class Event(Base):
    """What happened, in words."""

    __tablename__ = "events"
    __table_args__ = (Index(None, "loop_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    loop_id: Mapped[str] = mapped_column(String(32), ForeignKey("loops.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(32))
    generation: Mapped[int | None]
    stage: Mapped[str | None] = mapped_column(String(16))
    sentence: Mapped[str]


class Counter(Base):
    """``revision``: grows with every visible change, so that a page can ask cheaply whether anything is new."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


class Leader(Base):
    """Which process does a job that one of them shall do (``reconciler``), until when."""

    __tablename__ = "leaders"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    holder: Mapped[str]
    until: Mapped[datetime]


class User(Base):
    """Somebody who may log in. While there is no user at all, whoever reaches the server may do everything."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    role: Mapped[str] = mapped_column(String(16))  # of backend.gate.ROLES
    password_hash: Mapped[str]  # argon2id, with its parameters
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


def _user() -> Mapped[str]:
    return mapped_column(String(64), ForeignKey("users.name", ondelete="CASCADE"))


class ApiToken(Base):
    """A key for programs. Only the SHA-256 of its 32 random bytes is kept: they need no slow hash."""

    __tablename__ = "tokens"
    __table_args__ = (Index(None, "digest", unique=True),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user: Mapped[str] = _user()
    label: Mapped[str] = mapped_column(default="")
    role: Mapped[str] = mapped_column(String(16))  # never more than its user's
    digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]


class LoginSession(Base):
    """A browser that has logged in, by the SHA-256 of its cookie."""

    __tablename__ = "sessions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    user: Mapped[str] = _user()
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class LoginFailure(Base):
    """A log-in that failed: rows of the last minutes say who has to wait."""

    __tablename__ = "login_failures"
    __table_args__ = (Index(None, "at"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]


class WorkerProcess(Base):
    """A process that works on queues, or serves pages, as it last said itself."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(primary_key=True)  # host:pid, as in stages
    queues: Mapped[str]  # "gpu", "cpu", "gpu,cpu"; "" for a server
    host: Mapped[str]
    pid: Mapped[int]
    device: Mapped[str]
    facts: Mapped[dict[str, Any]]  # versions, memory, what it does
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None]
