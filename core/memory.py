"""A shelf and a memo in this process's memory, for notebooks, examples and tests."""

from collections.abc import Callable
from dataclasses import dataclass, field

from core.protocols import Tick, silent
from core.records import Item


@dataclass
class MemoryShelf:
    """One loop's things by (generation, name)."""

    items: dict[tuple[int, str], Item] = field(default_factory=dict)

    def save(self, generation: int, name: str, item: Item) -> None:
        self.items[generation, name] = item

    def load(self, generation: int, name: str) -> Item:
        return self.items[generation, name]


@dataclass
class MemoryMemo:
    """Things computed once per key."""

    items: dict[str, Item] = field(default_factory=dict)

    def get(self, key: str, compute: Callable[[], Item], tick: Tick = silent) -> Item:
        del tick  # nobody else computes in this process's memory, so there is nothing to wait for
        if key not in self.items:
            self.items[key] = compute()
        return self.items[key]
