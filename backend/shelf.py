"""Where a loop's stages leave and find things: in SQL and the artifact store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from backend.context import Backend
from backend.memo import Recent
from backend.packfiles import OpenPacks
from backend.store import Stored
from backend.tables import Artifact
from core.blocks import BLOCK
from core.errors import DataMissing
from core.records import Item

FACTS = ("counts", "training", "metrics", "output", "floor", "noise", "caveats", "index")
"""The part of an item's meta that SQL keeps too: small, and read by views."""
PACE = "pace"  # beside them, and in SQL only: a file holds nothing that differs from run to run

RECENT = Recent(8)  # by digest, so stale entries cannot be: content does not change
PACKS = OpenPacks()


@dataclass(frozen=True)
class Pending:
    """An item that is in the store, but not yet published."""

    name: str
    stored: Stored
    facts: dict[str, Any]


@dataclass(frozen=True)
class SqlShelf:
    """Implements :class:`core.protocols.Shelf` for one loop and one running stage.

    What is saved becomes visible to others when the stage is published (``pending``), not before.
    """

    backend: Backend
    loop_id: str
    pending: dict[tuple[int, str], Pending] = field(default_factory=dict)

    def save(self, generation: int, name: str, item: Item) -> None:
        stored = self.backend.store.put(item)
        RECENT.put(stored.digest, item)
        facts = {key: item.meta[key] for key in FACTS if key in item.meta} | ({PACE: item.pace} if item.pace else {})
        self.pending[generation, name] = Pending(name, stored, facts)

    def load(self, generation: int, name: str) -> Item:
        """The item.

        Raises:
            DataMissing: when no stage has published it.
        """
        digest, packed = self._find(generation, name)
        key = f"{digest} {generation} {name}" if packed else digest
        item = RECENT.get(key)
        if item is None:
            store = self.backend.store
            item = PACKS.get(store, digest).item(generation, name) if packed else store.get(digest)
            if item is None:
                raise missing(self.loop_id, generation, name)
            RECENT.put(key, item)
        return item

    def _find(self, generation: int, name: str) -> tuple[str, bool]:
        """Digest of the file that holds an item: its own, or (True) the pack of the block that made it."""
        if (generation, name) in self.pending:
            return self.pending[generation, name].stored.digest, False
        with self.backend.database.read() as session:
            found = session.execute(
                select(Artifact.digest, Artifact.name)
                .where(
                    Artifact.loop_id == self.loop_id,
                    ((Artifact.generation == generation) & (Artifact.name == name))
                    | ((Artifact.generation <= generation) & (Artifact.name == BLOCK)),
                )
                .order_by(Artifact.name != name, Artifact.generation.desc())
                .limit(1)
            ).one_or_none()
        if found is None:
            raise missing(self.loop_id, generation, name)
        return found.digest, found.name != name


@dataclass(frozen=True)
class FactShelf:
    """Read-only shelf of facts without arrays: enough to make a generation's record from."""

    facts: Mapping[tuple[int, str], dict[str, Any]]

    def save(self, generation: int, name: str, item: Item) -> None:
        raise TypeError(f"facts are read only: {name!r} of generation {generation} ({len(item.arrays)} arrays)")

    def load(self, generation: int, name: str) -> Item:
        facts = self.facts[generation, name]
        return Item(meta=facts, pace=facts.get(PACE, {}))


def missing(loop: str, generation: int, name: str) -> DataMissing:
    return DataMissing(f"Generation {generation} of loop {loop} has no {name!r} yet.", "Wait until its stage is done.")
