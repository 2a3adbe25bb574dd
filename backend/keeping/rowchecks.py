"""What can be wrong in the database alone."""

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, ForeignKeyConstraint, func, or_, select, text
from sqlalchemy.exc import DatabaseError

from backend.context import Backend
from backend.jobs import KINDS
from backend.keeping.backup import snapshot
from backend.keeping.finding import Finding, some
from backend.keeping.reviving import STATES
from backend.store import DIGEST
from backend.tables import Artifact, Base, Generation, ImportedData, Loop, MetricValue, Stage
from core.blocks import BLOCK
from core.config import LoopConfig

RESTORE = "Bring back a backup."
RESUME = "Resume the loop; where that does not help, clone it."


def row_findings(backend: Backend, deep: bool) -> list[Finding]:
    """Everything that contradicts itself, of one instant.

    Args:
        deep: read SQLite's file page by page (PostgreSQL has its own checksums).
    """
    checks: tuple[Callable[[Connection], Iterator[Finding]], ...] = (
        _references,
        _states,
        _configs,
        _heights,
        _records,
        _leases,
        _artifacts,
    )
    found: list[Finding] = []
    try:
        with snapshot(backend) as connection:
            found += _pages(connection, deep)
            for check in checks:
                found += check(connection)
    except DatabaseError as error:
        reason = str(error.orig).splitlines()[0]
        found.append(Finding("database_damaged", "database", f"It cannot be read: {reason}.", RESTORE))
    return found


def _pages(connection: Connection, deep: bool) -> Iterator[Finding]:
    if connection.dialect.name != "sqlite":
        return
    said = connection.scalars(text("PRAGMA integrity_check" if deep else "PRAGMA quick_check")).all()
    if said != ["ok"]:
        yield Finding(
            "database_damaged", "database", f"SQLite says: {some([' '.join(s.split()) for s in said])}.", RESTORE
        )


def _references(connection: Connection) -> Iterator[Finding]:
    """Rows that belong to something that is not there."""
    for table in Base.metadata.sorted_tables:
        for key in (c for c in table.constraints if isinstance(c, ForeignKeyConstraint)):
            [column], [element] = list(key.columns), key.elements
            owner = element.column
            orphans = connection.execute(
                select(column, func.count())
                .select_from(table.outerjoin(owner.table, column == owner))
                .where(owner.is_(None), column.is_not(None))
                .group_by(column)
            ).all()
            for value, count in orphans:
                yield Finding(
                    "orphan_rows", f"{table.name} of {value}",
                    f"{count} rows belong to {value!r}, which is not in {owner.table.name}.",
                    f"Harmless; to be rid of them: DELETE FROM {table.name} WHERE {column.name} = '{_id(value)}'.",
                )  # fmt: skip


def _id(value: Any) -> str:
    return str(value).replace("'", "''")


def _states(connection: Connection) -> Iterator[Finding]:
    for name, known in STATES.items():
        table = Base.metadata.tables[name]
        owner = table.c.loop_id if "loop_id" in table.c else table.c.id
        for who, state in connection.execute(
            select(owner, table.c.state).where(table.c.state.not_in(known)).distinct()
        ):
            yield Finding("unknown_state", f"{name} of {who}", f"Its state is {state!r}, which nothing sets.", RESTORE)


def _configs(connection: Connection) -> Iterator[Finding]:
    for loop, config in connection.execute(select(Loop.id, Loop.config)):
        try:
            LoopConfig.model_validate(config)
        except ValidationError as error:
            message = error.errors()[0]["msg"]
            yield Finding("bad_config", f"loop {loop}", f"Its config cannot be: {message}.", "Delete the loop.")


def _heights(connection: Connection) -> Iterator[Finding]:
    """The highest generation that a loop says it has recorded, and those that it has."""
    last = func.coalesce(func.max(Generation.index), -1)
    query = (
        select(Loop.id, Loop.generation, last, func.count(Generation.index))
        .outerjoin(Generation, Generation.loop_id == Loop.id)
        .group_by(Loop.id, Loop.generation)
        .having(or_(last != Loop.generation, func.count(Generation.index) != last + 1))
    )
    for loop, said, highest, count in connection.execute(query):
        if said != highest:
            what = f"It says that generation {said} is its last; the last recorded one is {highest}."
            yield Finding("wrong_generation", f"loop {loop}", what, RESTORE)
        if count != highest + 1:
            what = f"{highest + 1 - count} of its generations 0 to {highest} have no record."
            yield Finding("missing_generations", f"loop {loop}", what, RESTORE)


def _records(connection: Connection) -> Iterator[Finding]:
    """Generations without numbers or without files."""
    has = select(MetricValue.loop_id).where(
        MetricValue.loop_id == Generation.loop_id, MetricValue.generation == Generation.index
    )
    made = select(Artifact.loop_id).where(
        Artifact.loop_id == Generation.loop_id,
        (Artifact.generation == Generation.index)
        | ((Artifact.name == BLOCK) & (Artifact.generation <= Generation.index)),
    )
    for kind, exists, what in (
        ("missing_metrics", has.exists(), "recorded without metrics"),
        ("missing_artifacts", made.exists(), "recorded without artifacts"),
    ):
        by_loop: dict[str, list[int]] = {}
        query = (
            select(Generation.loop_id, Generation.index).where(~exists).order_by(Generation.loop_id, Generation.index)
        )
        for loop, index in connection.execute(query):
            by_loop.setdefault(loop, []).append(index)
        for loop, indices in by_loop.items():
            yield Finding(kind, f"loop {loop}", f"Generations {what}: {some(indices)}.", RESTORE)


def _leases(connection: Connection) -> Iterator[Finding]:
    """Work that nobody can be asked about: not even the reconciler finds it, because it looks at heartbeats."""
    query = select(Stage.loop_id, Stage.generation, Stage.stage).where(
        Stage.state == "running", (Stage.token == "") | Stage.heartbeat_at.is_(None)
    )
    for loop, generation, stage in connection.execute(query):
        where = f"{stage} of generation {generation} of loop {loop}"
        yield Finding("no_lease", where, "It runs, but nobody holds it.", "Cancel and resume the loop.")
    for kind in KINDS:
        table = kind.table
        jobs = select(table.id).where(table.state == "running", (table.token == "") | table.heartbeat_at.is_(None))
        for job in connection.scalars(jobs):
            yield Finding(
                "no_lease", f"{kind.what} {job}", "It runs, but nobody holds it.", "Stop it and ask for it again."
            )


def _artifacts(connection: Connection) -> Iterator[Finding]:
    query = select(Artifact.loop_id, Artifact.generation, Artifact.name, Artifact.digest)
    for loop, generation, name, digest in connection.execute(query.execution_options(yield_per=1000)):
        if not DIGEST.fullmatch(digest):
            where = f"{name!r} of generation {generation} of loop {loop}"
            yield Finding("bad_digest", where, f"No artifact can be named {digest!r}.", RESTORE)
    for name, digest in connection.execute(select(ImportedData.name, ImportedData.digest)):
        if not DIGEST.fullmatch(digest):
            yield Finding("bad_digest", f"data set {name!r}", f"No artifact can be named {digest!r}.", RESTORE)
