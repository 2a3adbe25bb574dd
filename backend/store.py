"""Content-addressed files: an item is one safetensors file, named by the SHA-256 of its bytes."""

import hashlib
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from core.errors import DataMissing
from core.records import Item

META = "meta"


def to_bytes(item: Item) -> bytes:
    """Safetensors bytes; ``meta`` is JSON in the file's header. Equal items give equal bytes."""
    arrays = {name: np.ascontiguousarray(values) for name, values in sorted(item.arrays.items())}
    return save_arrays(arrays, {META: json.dumps(item.meta, sort_keys=True, separators=(",", ":"))})


def from_bytes(data: bytes) -> Item:
    """Inverse of :func:`to_bytes`.

    Raises:
        DataMissing: when the bytes are no item.
    """
    try:
        arrays = load_arrays(data)
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        return Item(arrays, json.loads(header["__metadata__"][META]))
    except (SafetensorError, ValueError, KeyError) as error:
        raise DataMissing(f"A stored file cannot be read: {error}.", "It may be damaged; run the loop again.") from None


def write_atomically(path: Path, data: bytes) -> None:
    """All or nothing under ``path``, whenever the machine stops."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@dataclass(frozen=True)
class Stored:
    """Where an item's bytes are."""

    digest: str
    size: int


@dataclass(frozen=True)
class ArtifactStore:
    """Items by the digest of their bytes, two letters per folder."""

    folder: Path

    def path(self, digest: str) -> Path:
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise DataMissing(f"No artifact can be named {digest!r}.")
        return self.folder / digest[:2] / digest[2:]

    def put(self, item: Item) -> Stored:
        """Keep an item; one that is there already costs nothing."""
        data = to_bytes(item)
        digest = hashlib.sha256(data).hexdigest()
        path = self.path(digest)
        if path.exists():
            path.touch()  # young files are safe from :meth:`collect`
        else:
            write_atomically(path, data)
        return Stored(digest, len(data))

    def get(self, digest: str) -> Item:
        """The item of a digest.

        Raises:
            DataMissing: when it is not there or cannot be read.
        """
        try:
            data = self.path(digest).read_bytes()
        except FileNotFoundError:
            raise DataMissing(
                f"The artifact {digest[:12]} is not in the data folder.", "Was the folder moved or cleaned by hand?"
            ) from None
        return from_bytes(data)

    def size(self) -> int:
        """Bytes of all files."""
        return sum(path.stat().st_size for path in self._files())

    def collect(self, wanted: Iterable[str], before: float) -> int:
        """Remove files that nothing refers to and that are older than ``before`` (Unix time); returns how many."""
        keep = set(wanted)
        removed = 0
        for path in self._files():
            if path.parent.name + path.name not in keep and path.stat().st_mtime < before:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _files(self) -> Iterable[Path]:
        return (path for path in self.folder.glob("??/*") if path.is_file())
