"""A well-used installation made in bulk: many finished loops with metrics of every generation, straight into SQL."""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Table, insert, text

from backend.context import Backend
from backend.parts import check, read_config
from backend.tables import Artifact, Generation, Loop, MetricValue, utc_now
from core.config import LoopConfig, digest
from model.domains import all_metrics

ROWS_AT_ONCE = 20_000
GROUP = "load"


@dataclass(frozen=True)
class Size:
    """How much there is. Loops are seeds of ``settings`` settings; generations count from 1, generation 0 beside."""

    loops: int = 1000
    generations: int = 50
    metrics: int = 20
    settings: int = 10

    @property
    def names(self) -> list[str]:
        """Metrics of all domains, motion's first."""
        return list(all_metrics())[: self.metrics]

    @property
    def values(self) -> int:
        """Rows of metrics."""
        return self.loops * (self.generations + 1) * len(self.names)


def configs(size: Size) -> list[LoopConfig]:
    """Seeds of settings that differ in lambda, setting by setting."""
    seeds = -(-size.loops // size.settings)
    found = []
    for k in range(size.settings):
        lam = round((k + 1) / size.settings, 6)
        plain = {"generations": size.generations, "policy": {"kind": "augment", "options": {"lam": lam}}}
        first = check(read_config(plain))
        found += [first.model_copy(update={"seed": seed}) for seed in range(seeds)]
    return found[: size.loops]


def values_of(size: Size, seed: int = 0) -> NDArray[np.float64]:
    """(loops, generations + 1, metrics) positive numbers that drift apart."""
    rng = np.random.default_rng(seed)
    steps = np.abs(rng.normal(size=(size.loops, size.generations + 1, len(size.names))))
    return np.asarray(1.0 + steps.cumsum(1) * 0.01)


def fill(backend: Backend, size: Size) -> list[str]:
    """Write it all in one transaction; returns the loops' ids, oldest first."""
    chosen, values, names = configs(size), values_of(size), size.names
    ids = [hashlib.sha256(f"load {k}".encode()).hexdigest()[:12] for k in range(len(chosen))]
    floor = {name: [1.0, 1.01] for name in names}
    with backend.database.write() as session:
        connection = session.connection()
        copy_rows(connection, Loop.__table__, _loops(ids, chosen))
        copy_rows(connection, Generation.__table__, _generations(ids, chosen))
        if connection.dialect.name == "postgresql":
            _copy_metrics(connection, _metrics(ids, values, names))
        else:
            copy_rows(connection, MetricValue.__table__, _metrics(ids, values, names))
        copy_rows(connection, Artifact.__table__, _floors(ids, floor))
    with backend.database.writing.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))  # as PostgreSQL does by itself after a while
    return ids


def copy_rows(connection: Connection, table: Any, rows: Iterable[Mapping[str, Any]]) -> None:
    """Many rows of one table, a batch at a time."""
    assert isinstance(table, Table)
    for batch in _batches(rows):
        connection.execute(insert(table), batch)


def _copy_metrics(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """A million rows in seconds, as PostgreSQL takes them best."""
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy("COPY metrics (loop_id, generation, name, value) FROM STDIN") as copy:
        for row in rows:
            copy.write_row((row["loop_id"], row["generation"], row["name"], row["value"]))


def _batches(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    source = iter(rows)
    while batch := list(itertools.islice(source, ROWS_AT_ONCE)):
        yield batch


def _loops(ids: Sequence[str], chosen: Sequence[LoopConfig]) -> Iterator[dict[str, Any]]:
    now = utc_now()
    for k, (loop_id, config) in enumerate(zip(ids, chosen, strict=True)):
        at = now - timedelta(minutes=len(ids) - k)
        yield {
            "id": loop_id, "name": f"{config.policy.options['lam']:g}, seed {config.seed}", "group": GROUP,
            "config": config.model_dump(mode="json"), "config_digest": digest(config), "state": "done",
            "generation": config.generations, "revision": 1, "created_at": at, "started_at": at, "finished_at": at,
            "updated_at": at,
        }  # fmt: skip


def _generations(ids: Sequence[str], chosen: Sequence[LoopConfig]) -> Iterator[dict[str, Any]]:
    now = utc_now()
    for loop_id, config in zip(ids, chosen, strict=True):
        for t in range(config.generations + 1):
            yield {
                "loop_id": loop_id, "index": t, "counts": {"real": config.n}, "training": {"loss": 1.0},
                "seconds": {"learn": 1.0}, "recorded_at": now,
            }  # fmt: skip


def _metrics(ids: Sequence[str], values: NDArray[np.float64], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    for loop_id, of_loop in zip(ids, values.tolist(), strict=True):
        for t, row in enumerate(of_loop):
            for name, value in zip(names, row, strict=True):
                yield {"loop_id": loop_id, "generation": t, "name": name, "value": value}


def _floors(ids: Sequence[str], floor: Mapping[str, list[float]]) -> Iterator[dict[str, Any]]:
    for loop_id in ids:
        yield {
            "loop_id": loop_id, "generation": 0, "name": "metrics", "digest": "0" * 64, "size": 0,
            "facts": {"floor": floor},
        }  # fmt: skip
