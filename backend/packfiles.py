"""Packs of many generations in the artifact store, read one generation at a time."""

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from backend.store import META, ArtifactStore
from core.errors import DataMissing
from core.packs import unpack
from core.records import Item

OPEN_PACKS = 12  # per process: the blocks of the loops of one comparison


@dataclass(frozen=True, eq=False)
class PackFile:
    """An open pack: its header in memory, its arrays on disk."""

    meta: dict[str, Any]
    handle: Any

    def item(self, generation: int, name: str) -> Item | None:
        """One packed item; None where it was not packed."""
        return unpack(self.meta, generation, name, self._row)

    def _row(self, key: str, row: int) -> NDArray[Any]:
        rows: NDArray[Any] = np.asarray(self.handle.get_slice(key)[row : row + 1])
        return rows[0, ...]


def open_pack(path: Path) -> PackFile:
    """Read a pack's header.

    Raises:
        DataMissing: when the file is not there or is no pack.
    """
    try:
        handle: Any = safe_open(path, framework="numpy")
        meta = json.loads((handle.metadata() or {})[META])
        if "items" not in meta:
            raise KeyError("items")
    except FileNotFoundError:
        raise DataMissing(
            f"The artifact {path.parent.name}{path.name[:10]} is not in the data folder.",
            "Was the folder moved or cleaned by hand?",
        ) from None
    except (SafetensorError, ValueError, KeyError) as error:
        raise DataMissing(f"A stored file cannot be read: {error}.", "It may be damaged; run the loop again.") from None
    return PackFile(meta, handle)


class OpenPacks:
    """The last few packs that were looked into; content does not change under a digest. Thread-safe."""

    def __init__(self, count: int = OPEN_PACKS) -> None:
        self._count = count
        self._packs: OrderedDict[str, PackFile] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, store: ArtifactStore, digest: str) -> PackFile:
        """The pack of a digest.

        Raises:
            DataMissing: when it is not there or cannot be read.
        """
        with self._lock:
            found = self._packs.get(digest)
            if found is None:
                found = self._packs[digest] = open_pack(store.local(digest))
            self._packs.move_to_end(digest)
            while len(self._packs) > self._count:
                self._packs.popitem(last=False)
            return found
