"""Things computed once per key: evaluators, bounds, generation 0. Kept on disk, shared by all processes, and by all
machines where artifacts are."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from backend.blobs import Blobs, FolderBlobs, write_atomically
from backend.store import from_bytes, to_bytes
from core.errors import DataMissing
from core.protocols import Tick, silent
from core.records import Item

WAIT_S = 0.3  # between two looks at a lock: how late a cancel may be seen
FOLDER = "memo"
WAITING = "Waiting for another worker that prepares the same"


class Recent:
    """The last few items by key, so that a process does not read its own weights again and again. Thread-safe."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._items: OrderedDict[str, Item] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Item | None:
        with self._lock:
            item = self._items.get(key)
            if item is not None:
                self._items.move_to_end(key)
            return item

    def put(self, key: str, item: Item) -> None:
        with self._lock:
            self._items[key] = item
            self._items.move_to_end(key)
            while len(self._items) > self._count:
                self._items.popitem(last=False)


@dataclass(frozen=True)
class DiskMemo:
    """Implements :class:`core.protocols.Memo` with one file and one lock per key.

    Whoever comes second waits for the first, ticking, so that it can be cancelled; a lock dies with its process.

    Attributes:
        shared: what all machines see. Of several that computed the same at once, the first to put it there wins and all
            use that, so that bits that differ between processors never make two truths.
    """

    folder: Path
    recent: Recent = field(default_factory=lambda: Recent(16))
    shared: Blobs | None = None

    def get(self, key: str, compute: Callable[[], Item], tick: Tick = silent) -> Item:
        """The item of a key, computed if nobody has done so.

        Raises:
            StoreUnreachable: where it is shared by machines and cannot be agreed upon now.
        """
        item = self.peek(key)
        if item is not None:
            return item
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_suffix(".lock"))
        while True:
            try:
                lock.acquire(timeout=0)
                break
            except Timeout:
                tick(0.0, WAITING)
                time.sleep(WAIT_S)
        try:
            item = self.peek(key)
            if item is None:
                # What is handed out has been through the file: the first caller gets what every later one gets.
                data = to_bytes(compute()) if self.shared is None else self._agreed(self.shared, path, compute)
                write_atomically(path, data)
                item = from_bytes(data)
                self.recent.put(key, item)
            return item
        finally:
            lock.release()

    def peek(self, key: str) -> Item | None:
        """What is kept under a key, if anything; a damaged file counts as nothing."""
        item = self.recent.get(key)
        if item is None:
            try:
                item = from_bytes(self.path(key).read_bytes())
            except (FileNotFoundError, DataMissing):
                return None
            self.recent.put(key, item)
        return item

    def _agreed(self, shared: Blobs, path: Path, compute: Callable[[], Item]) -> bytes:
        """What all machines use under a key: the bytes that are shared already, or else ours."""
        name, draft = f"{FOLDER}/{path.name}", path.with_suffix(".draft")
        found = shared.read(name)
        if found is not None and _readable(found):
            return found
        try:  # computed before, while the others could not be told
            data = draft.read_bytes()
            from_bytes(data)
        except (FileNotFoundError, DataMissing):
            data = to_bytes(compute())
            write_atomically(draft, data)
        if not shared.create(name, data):
            found = shared.read(name)
            if found is not None and _readable(found):
                data = found
            else:
                shared.write(name, data)  # what was there is damaged
        draft.unlink(missing_ok=True)
        return data

    def bring_back(self, name: str, data: bytes) -> None:
        """Keep what a backup holds under a name in ``memo/``, whatever is here."""
        self.place.write(name, data)
        if self.shared is not None:
            (self.folder / name.removeprefix(f"{FOLDER}/")).unlink(missing_ok=True)

    @property
    def place(self) -> Blobs:
        """Where everything is that is kept, under ``memo/``."""
        return self.here if self.shared is None else self.shared

    @property
    def here(self) -> FolderBlobs:
        """The same, of this machine alone."""
        return FolderBlobs(self.folder.parent)

    def path(self, key: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.safetensors"


def _readable(data: bytes) -> bool:
    try:
        from_bytes(data)
    except DataMissing:
        return False
    return True
