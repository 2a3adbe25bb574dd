"""What comparisons ask of SQL, and what a page makes of it, with a thousand loops there."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import SQLAlchemyError

from app.groups import group_loops
from app.pages.compare import Asked, Gallery
from app.series import AUTO, series_of
from backend import loops, measures, roster
from backend.context import Backend, open_backend
from backend.queue import ListQueue
from backend.settings import read_settings
from backend.tables import MetricValue
from benchmarks._loadpages import percentile
from benchmarks._loadseed import GROUP, Size, fill

POSTGRES_USERS = ("postgres", "root")


@contextmanager
def filled(folder: Path, database: str, size: Size) -> Iterator[tuple[Backend, list[str]] | None]:
    """An installation with loops in it; None where there is no such server on this machine."""
    with _url(database) as url:
        if url is None:
            yield None
            return
        backend = open_backend(read_settings(home=folder / database, database_url=url), queue=ListQueue())
        try:
            yield backend, fill(backend, size)
        finally:
            backend.close()


@contextmanager
def _url(database: str) -> Iterator[str | None]:
    """ "" for SQLite; a database of its own on the PostgreSQL of this machine."""
    if database == "sqlite":
        yield ""
        return
    for user in POSTGRES_USERS:
        server = create_engine(
            f"postgresql+psycopg://{user}@127.0.0.1:5432/postgres", isolation_level="AUTOCOMMIT",
            connect_args={"connect_timeout": 2},
        )  # fmt: skip
        name = f"loopscope_load_{token_hex(4)}"
        try:
            with server.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
        except SQLAlchemyError:
            server.dispose()
            continue
        try:
            yield f"postgresql://{user}@127.0.0.1:5432/{name}"
        finally:
            with server.connect() as connection:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
            server.dispose()
        return
    yield None


def measure(backend: Backend, ids: list[str], size: Size, times: int) -> dict[str, Any]:
    """Milliseconds; ``orm``: the query as one would write it down."""
    metric = size.names[0]
    found = measures.points(backend, ids, [metric])
    asked = Asked((), "setting", AUTO, (), False, False, True, GROUP)
    known = roster.entries(backend)
    gallery = Gallery(backend)
    first = clock(lambda: gallery.show(asked, known), 1)
    groups = group_loops(roster.views_of(backend, ids))
    lines = [series_of(group, found, metric) for group in groups]
    return {
        "loops": len(ids), "values": size.values,
        "points_compared": sum(len(by_name[metric][0]) for by_name in found.values()),
        "points_in_the_means": sum(int(line.count.sum()) for line in lines if line is not None),
        "compare_query": clock(lambda: measures.points(backend, ids, [metric]), times),
        "orm": clock(lambda: _orm(backend, ids, metric), max(times // 4, 2)),
        "compare_page_first": first,
        "compare_page_again": clock(lambda: gallery.show(asked, roster.entries(backend)), times),
        "names_of_all_loops": clock(lambda: roster.entries(backend), times),
        "header": clock(lambda: roster.counts(backend), times),
        "list_of_200": clock(lambda: loops.list_loops(backend, limit=200), max(times // 4, 2)),
        "list_of_all": clock(lambda: loops.list_loops(backend, limit=len(ids)), max(times // 4, 2)),
    }  # fmt: skip


def _orm(backend: Backend, ids: list[str], metric: str) -> int:
    with backend.database.read() as session:
        query = select(MetricValue).where(MetricValue.loop_id.in_(ids), MetricValue.name == metric)
        return len(session.scalars(query.order_by(MetricValue.loop_id, MetricValue.generation)).all())


def clock(work: Callable[[], object], times: int) -> dict[str, float]:
    """Median and 95th percentile of the wall time, median of this process' CPU time, in milliseconds."""
    wall, cpu = [], []
    for _ in range(times):
        began, busy = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - busy)
    return {"p50_ms": percentile(wall, 50), "p95_ms": percentile(wall, 95), "cpu_p50_ms": percentile(cpu, 50)}
