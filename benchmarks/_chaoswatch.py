"""Looks at SQL and at the files while processes die: what was published once must stay as it is."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from backend.context import Backend
from backend.tables import Artifact, Event, Generation, Loop, Stage
from core.blocks import BLOCK

Published = dict[tuple[Any, ...], tuple[Any, ...]]


@dataclass
class Watch:
    """Every published stage, artifact and record that was ever there.

    Attributes:
        gone: keys that are there no longer.
        replaced: keys whose content was published a second time.
    """

    backend: Backend
    known: Published = field(default_factory=dict)
    gone: set[tuple[Any, ...]] = field(default_factory=set)
    replaced: set[tuple[Any, ...]] = field(default_factory=set)

    def look(self) -> None:
        """Compare with all looks before; a database that does not answer is looked at next time."""
        try:
            now = self._published()
        except SQLAlchemyError:
            return
        for key, content in self.known.items():
            if key not in now:
                self.gone.add(key)
            elif now[key] != content:
                self.replaced.add(key)
        self.known.update(now)

    def _published(self) -> Published:
        with self.backend.database.read() as session:
            stages = session.execute(
                select(Stage.loop_id, Stage.generation, Stage.stage, Stage.part, Stage.worker, Stage.finished_at)
                .where(Stage.state == "done")
            ).all()  # fmt: skip
            items = session.execute(
                select(Artifact.loop_id, Artifact.generation, Artifact.name, Artifact.digest)
            ).all()  # fmt: skip
            records = session.execute(select(Generation.loop_id, Generation.index, Generation.recorded_at)).all()
        found: Published = {("stage", *row[:4]): tuple(row[4:]) for row in stages}
        found |= {("artifact", *row[:3]): (row[3],) for row in items}
        return found | {("generation", *row[:2]): (row[2],) for row in records}


def doubled_loops(backend: Backend) -> list[str]:
    """Names of loops that were launched more than once."""
    with backend.database.read() as session:
        names = Counter(session.scalars(select(Loop.name)))
    return [name for name, count in names.items() if count > 1]


def doubled_blocks(backend: Backend) -> list[str]:
    """Loops of which two published blocks hold the same generation."""
    with backend.database.read() as session:
        rows = session.execute(select(Artifact.loop_id, Artifact.facts).where(Artifact.name == BLOCK)).all()
    held: Counter[tuple[str, int]] = Counter()
    for loop_id, facts in rows:
        first, last = facts["generations"]
        held.update((loop_id, t) for t in range(first, last + 1))
    return sorted({loop_id for (loop_id, _), count in held.items() if count > 1})


def doubled_ends(backend: Backend) -> list[str]:
    """Loops that were told done more often than they were launched and extended."""
    with backend.database.read() as session:
        rows = session.execute(select(Event.loop_id, Event.kind)).all()
    counts = Counter((loop_id, kind) for loop_id, kind in rows)
    loops = {loop_id for loop_id, _ in rows}
    return sorted(i for i in loops if counts[i, "done"] > counts[i, "launched"] + counts[i, "extended"])


def events(backend: Backend) -> dict[str, int]:
    """How often what happened."""
    with backend.database.read() as session:
        return dict(Counter(session.scalars(select(Event.kind))))


def damaged_files(backend: Backend) -> list[str]:
    """Published artifacts whose file is missing or is not what its name says."""
    with backend.database.read() as session:
        digests = session.scalars(select(Artifact.digest).distinct()).all()
    folder = backend.settings.home / "artifacts"
    found = []
    for digest in digests:
        path = folder / digest[:2] / digest[2:]
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            found.append(digest)
    return found


def unfinished_files(folder: Path) -> list[Path]:
    """Files that somebody was killed over while writing them under a temporary name."""
    return [path for path in folder.rglob(".*") if path.is_file()]


def damaged_database(backend: Backend) -> list[str]:
    """What SQLite finds wrong with its file; PostgreSQL looks after itself."""
    if backend.database.engine.dialect.name != "sqlite":
        return []
    with backend.database.read() as session:
        said = [str(row[0]) for row in session.execute(text("PRAGMA integrity_check"))]
        said += [f"foreign key: {tuple(row)}" for row in session.execute(text("PRAGMA foreign_key_check"))]
    return [line for line in said if line != "ok"]
