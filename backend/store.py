"""Content-addressed files: an item is one safetensors file, named by the SHA-256 of its bytes."""

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from backend.blobs import Blob, Blobs, FolderBlobs
from backend.blobs import StoreRefused as StoreRefused
from backend.blobs import StoreUnreachable as StoreUnreachable
from backend.blobs import write_atomically as write_atomically
from backend.copies import Copies
from backend.s3blobs import S3Blobs
from backend.settings import Settings
from core.errors import DataMissing, InvalidConfig
from core.records import Item

META = "meta"
FOLDER = "artifacts"
DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(rf"{FOLDER}/([0-9a-f]{{2}})/([0-9a-f]{{62}})")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(?:[\w.\-]+/)*[\w.\-]*", re.ASCII)
_FORMS = "Leave it empty for the data folder, or give file:///folder or s3://bucket/prefix."


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


@dataclass(frozen=True)
class Stored:
    """Where an item's bytes are."""

    digest: str
    size: int


@dataclass(frozen=True)
class ArtifactStore:
    """Items by the digest of their bytes, which is verified whenever they are read (1.5 GB/s on one core).

    Where the place is elsewhere, StoreUnreachable may come out of every method.

    Attributes:
        copies: where those files are kept that had to be fetched; None where the place is a folder.
    """

    blobs: Blobs
    copies: Copies | None = None

    def put(self, item: Item) -> Stored:
        """Keep an item; it is safe from :meth:`collect` for the grace time then."""
        return self.write(to_bytes(item))

    def write(self, data: bytes) -> Stored:
        """Keep an item's bytes."""
        digest = hashlib.sha256(data).hexdigest()
        self.blobs.write(name_of(digest), data)
        if self.copies is not None:
            with contextlib.suppress(OSError):  # a copy less
                self.copies.keep(digest, data)
        return Stored(digest, len(data))

    def get(self, digest: str) -> Item:
        """The item of a digest.

        Raises:
            DataMissing: when it is not there, was damaged or cannot be read.
        """
        return from_bytes(self.read(digest))

    def read(self, digest: str) -> bytes:
        """An item's bytes, verified; raises as :meth:`get`."""
        name = name_of(digest)
        if self.copies is not None:
            data = self.copies.read(digest)
            if data is not None and hashlib.sha256(data).hexdigest() == digest:
                return data
        data = self.blobs.read(name)
        if data is None:
            raise _missing(digest, self.blobs.where)
        if hashlib.sha256(data).hexdigest() != digest:
            raise _damaged(digest)
        if self.copies is not None:
            with contextlib.suppress(OSError):
                self.copies.keep(digest, data)
        return data

    def local(self, digest: str) -> Path:
        """A file of this machine with an item's bytes, verified, to be mapped into memory; raises as :meth:`get`."""
        if self.copies is not None:
            data, path = self.read(digest), self.copies.path(digest)
            return path if path.exists() else self.copies.keep(digest, data)
        path = self.blobs.path(name_of(digest))
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise _missing(digest, self.blobs.where) from None
        if found != digest:
            raise _damaged(digest)
        return path

    def find(self) -> Iterator[Blob]:
        """Everything that lies where artifacts lie; see :func:`digest_of`."""
        return self.blobs.find(FOLDER)

    def size(self) -> int:
        """Bytes of all artifacts."""
        return sum(blob.size for blob in self.find() if digest_of(blob.name))

    def collect(self, wanted: Iterable[str], before: float) -> int:
        """Remove files that nothing refers to and that are older than ``before`` (Unix time), and what killed writers
        left; returns how many."""
        return sum(self.blobs.remove(blob.name, before) for blob in self.unwanted(wanted, before))

    def unwanted(self, wanted: Iterable[str], before: float) -> list[Blob]:
        """What :meth:`collect` would remove."""
        keep = set(wanted)
        return [blob for blob in self.find() if blob.modified < before and _doomed(blob.name, keep)]

    def close(self) -> None:
        self.blobs.close()


def open_blobs(settings: Settings) -> Blobs:
    """The place that LOOPSCOPE_ARTIFACTS_URL names: the data folder, another folder, or a bucket. Asks nothing of it.

    Raises:
        InvalidConfig: when the address cannot be.
    """
    url = settings.artifacts_url
    if not url:
        return FolderBlobs(settings.home)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidConfig("LOOPSCOPE_ARTIFACTS_URL is no address.", _FORMS, "LOOPSCOPE_ARTIFACTS_URL") from None
    if "@" in url or parts.query or parts.fragment:
        raise InvalidConfig(
            "LOOPSCOPE_ARTIFACTS_URL holds more than a place.",
            "Keys belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, an address into LOOPSCOPE_S3_ENDPOINT.",
            "LOOPSCOPE_ARTIFACTS_URL",
        )
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/"):
        return FolderBlobs(Path(unquote(parts.path)))
    prefix = parts.path.strip("/")
    fits = _BUCKET.fullmatch(parts.netloc) and _PREFIX.fullmatch(prefix) and ".." not in prefix.split("/")
    if parts.scheme == "s3" and fits:
        return S3Blobs(parts.netloc, prefix, _endpoint(settings.s3_endpoint))
    raise InvalidConfig(f"LOOPSCOPE_ARTIFACTS_URL names no place: {url!r}.", _FORMS, "LOOPSCOPE_ARTIFACTS_URL")


def open_store(settings: Settings, blobs: Blobs) -> ArtifactStore:
    """Artifacts in a place that was opened by :func:`open_blobs`."""
    return ArtifactStore(blobs, Copies(settings.home / "cache" / FOLDER) if blobs.remote else None)


def name_of(digest: str) -> str:
    """Name of an artifact's file, two letters per folder.

    Raises:
        DataMissing: when that is no digest.
    """
    if not DIGEST.fullmatch(digest):
        raise DataMissing(f"No artifact can be named {digest!r}.")
    return f"{FOLDER}/{digest[:2]}/{digest[2:]}"


def digest_of(name: str) -> str:
    """Inverse of :func:`name_of`; "" for names that no artifact has."""
    found = _NAME.fullmatch(name)
    return found[1] + found[2] if found else ""


def temporary(name: str) -> bool:
    """Whether a file is one that a writer has not finished, or never will."""
    return name.rpartition("/")[2].startswith(".")


def _doomed(name: str, keep: set[str]) -> bool:
    digest = digest_of(name)
    return digest not in keep if digest else temporary(name)


def _endpoint(url: str) -> str:
    parts = urlsplit(url)
    if not url or (parts.scheme in ("http", "https") and parts.hostname and parts.username is None):
        return url
    raise InvalidConfig(
        "LOOPSCOPE_S3_ENDPOINT is no address of an S3 service.", "Give one like https://s3.example.org:9000.",
        "LOOPSCOPE_S3_ENDPOINT",
    )  # fmt: skip


def _missing(digest: str, where: str) -> DataMissing:
    return DataMissing(
        f"The artifact {digest[:12]} is not in {where}.", "Was something moved or cleaned by hand? Bring back a backup."
    )


def _damaged(digest: str) -> DataMissing:
    return DataMissing(
        f"The artifact {digest[:12]} cannot be read: its content is not what was stored.",
        "The disk may be failing: run loopscope doctor --data --deep, and bring back a backup.",
    )
