"""What can be wrong with files: artifacts that are missing, damaged, unwanted or misnamed, and the memo's."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select

from backend.blobs import Blob
from backend.context import Backend
from backend.keeping.backup import Progress, snapshot
from backend.keeping.finding import Finding
from backend.memo import FOLDER as MEMO
from backend.store import DIGEST, digest_of, from_bytes, name_of, temporary
from backend.tables import Artifact, ImportedData
from core.errors import DataMissing

YOUNG_S = 24 * 3600.0  # unwanted files so young may be on their way to a publication, or wait for the collection
BACKUP = "Bring it back from a backup, or clone the loop and delete this one."


@dataclass(frozen=True)
class Wanted:
    """What the database knows of a digest."""

    size: int
    where: str


def file_findings(backend: Backend, deep: bool, progress: Progress) -> Iterator[Finding]:
    """Everything that is wrong with files.

    Args:
        deep: read every byte, instead of comparing names and sizes.
    """
    wanted = _wanted(backend)
    found: dict[str, Blob] = {}
    for blob in backend.store.find():
        if digest := digest_of(blob.name):
            found[digest] = blob
        else:
            yield from _stranger(blob)
    for digest in wanted.keys() - found.keys():
        if not backend.store.blobs.read(name_of(digest)):  # it was written after the listing
            what = f"The file of {wanted[digest].where} is not there."
            yield Finding("missing_artifact", name_of(digest), what, BACKUP)
    done, total = 0, sum(blob.size for blob in found.values())
    for digest, blob in sorted(found.items()):
        progress("Looking at artifacts", done, total)
        done += blob.size
        yield from _artifact(backend, digest, blob, wanted.get(digest), deep)
    progress("Looking at artifacts", total, total)
    yield from _memo(backend)


def _wanted(backend: Backend) -> dict[str, Wanted]:
    """What each digest is for; one of the places where many need it."""
    wanted: dict[str, Wanted] = {}
    with snapshot(backend) as connection:
        query = select(Artifact.loop_id, Artifact.generation, Artifact.name, Artifact.digest, Artifact.size)
        for loop, generation, name, digest, size in connection.execute(query.execution_options(yield_per=1000)):
            if DIGEST.fullmatch(digest) and digest not in wanted:
                wanted[digest] = Wanted(size, f"{name!r} of generation {generation} of loop {loop}")
        for name, digest, size in connection.execute(select(ImportedData.name, ImportedData.digest, ImportedData.size)):
            if DIGEST.fullmatch(digest):
                wanted[digest] = Wanted(size, f"the data set {name!r}")
    return wanted


def _stranger(blob: Blob) -> Iterator[Finding]:
    if not temporary(blob.name):
        yield Finding("foreign_file", blob.name, "No artifact has such a name.", "Move it away, if it is yours.")
    elif blob.modified < time.time() - YOUNG_S:
        what = f"A writer that was killed left {blob.size} bytes."
        yield Finding("unfinished_file", blob.name, what, "Harmless: loopscope gc removes it.")


def _artifact(backend: Backend, digest: str, blob: Blob, wanted: Wanted | None, deep: bool) -> Iterator[Finding]:
    of = wanted.where if wanted else "nothing"
    hint = BACKUP if wanted else "loopscope gc removes it."
    if wanted is None and blob.modified < time.time() - YOUNG_S:
        yield Finding("unwanted_artifact", blob.name, "No loop refers to it.", "Harmless: loopscope gc removes it.")
    if wanted is not None and wanted.size != blob.size:
        what = f"The file of {of} has {blob.size} bytes instead of {wanted.size}."
        yield Finding("wrong_size", blob.name, what, hint)
    elif deep:
        data = backend.store.blobs.read(blob.name)
        if data is None:
            return  # collected just now
        if hashlib.sha256(data).hexdigest() != digest:
            yield Finding("digest_mismatch", blob.name, f"The file of {of} does not hold what was stored.", hint)
            return
        try:
            from_bytes(data)
        except DataMissing as error:
            yield Finding("undecodable", blob.name, f"The file of {of}: {error.message}", hint)


def _memo(backend: Backend) -> Iterator[Finding]:
    """Results that are computed once: a damaged one counts as none, and is computed again."""
    place = backend.memo.place
    for blob in place.find(MEMO):
        if blob.name.endswith(".safetensors") and not temporary(blob.name):
            data = place.read(blob.name)
            try:
                from_bytes(data or b"")
            except DataMissing:
                what = "This prepared result cannot be read; it will be computed again."
                yield Finding("damaged_memo", blob.name, what, "Harmless: it may be deleted.")
