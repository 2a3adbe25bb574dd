"""Local copies of files that lie elsewhere, the least recently used ones forgotten first."""

import contextlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

MOST_BYTES = 4_000_000_000
LOOK_EVERY = 1 / 32  # of the bound: bytes kept by this process between two looks at the folder


@dataclass(frozen=True)
class Copies:
    """Files named by digests below a folder of this machine. Losing any of them costs a download."""

    folder: Path
    most_bytes: int = MOST_BYTES
    _fresh: list[int] = field(default_factory=list, repr=False, compare=False)  # sizes since the last look

    def path(self, digest: str) -> Path:
        return self.folder / digest[:2] / digest[2:]

    def read(self, digest: str) -> bytes | None:
        """The copy, which counts as used now; None where there is none. Its content is for the caller to verify."""
        path = self.path(digest)
        try:
            data = path.read_bytes()
            path.touch()
        except OSError:
            return None
        return data

    def keep(self, digest: str, data: bytes) -> Path:
        """Make a copy. It is not forced to disk: whoever reads it verifies it."""
        path = self.path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        self._fresh.append(len(data))
        if sum(self._fresh) > self.most_bytes * LOOK_EVERY:
            self._fresh.clear()
            self.trim()
        return path

    def trim(self) -> None:
        """Forget the least recently used files beyond the bound."""
        found = []
        for path in self.folder.glob("??/*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found, key=lambda entry: entry[0]):
            if total <= self.most_bytes:
                break
            with contextlib.suppress(OSError):
                os.unlink(path)
            total -= size
