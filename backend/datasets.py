"""Imported data sets: the verbs of the API, the page and the command line. Their files are one artifact; importing is
all or nothing, and importing the same again gives the same."""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.apart import run_apart
from backend.context import Backend
from backend.diagnosis import check_space
from backend.importing.statistics import statistics
from backend.importing.work import CARD, CLIPS, INDEX, UNUSABLE, ImportOptions, Made, make
from backend.journal import bump
from backend.library import packed
from backend.store import to_bytes
from backend.tables import ImportedData, Loop, utc_now
from backend.views import View
from core.config import LoopConfig
from core.errors import Conflict, DataMissing, InvalidConfig, NotFound
from core.motion import Motion
from core.names import plain_name
from core.protocols import Tick, silent
from model.datasets import deepmimic, npz_files

BUILT_IN = "deepmimic"
"""What can be looked at like an imported data set, under this id."""
ID_LETTERS = 16
IMPORT_TIMEOUT_S = 1800.0
MOST_CLIPS = 500  # in one answer


class DatasetView(View):
    """An imported data set. ``loops``: how many name it, deleted ones included."""

    id: str
    name: str
    digest: str
    size: int
    card: dict[str, Any]
    owner: str
    loops: int
    created_at: datetime
    deleted_at: datetime | None

    @property
    def usable(self) -> bool:
        """Whether a loop can learn from it."""
        return UNUSABLE not in self.card["notes"]


class ClipView(View):
    """One clip of a data set."""

    index: int
    name: str
    label: str
    subject: str
    split: str
    text: str
    seconds: float


def import_path(backend: Backend, path: str | Path, options: ImportOptions, tick: Tick = silent) -> DatasetView:
    """Import a file, folder or zip of this machine, in this process.

    Raises:
        DataMissing, InvalidMotion, InvalidConfig: as :func:`backend.importing.work.make`; nothing is kept then.
        Conflict: when another data set has that name.
    """
    backend.gate.require("runner")
    check_space(backend.settings)
    _check_name(options)
    return publish(backend, make(path, options, tick), named=bool(options.name.strip()))


def import_upload(backend: Backend, path: Path, options: ImportOptions, *, named: bool) -> DatasetView:
    """The same of files that a person has sent, read in a process of its own: whatever they do to it, the server goes
    on.

    Args:
        named: as for :func:`publish`.

    Raises:
        TookTooLong: and as :func:`import_path`.
    """
    backend.gate.require("runner")
    if options.labels not in ("auto", "folder", "file", "none"):
        raise InvalidConfig(
            "Labels of uploads are auto, folder, file or none.",
            "Send a table as labels.csv beside the files.",
            "labels",
        )
    check_space(backend.settings)
    _check_name(options)
    made: Made = run_apart("backend.importing.work:make", IMPORT_TIMEOUT_S, path=path, options=options)
    return publish(backend, made, named=named)


def publish(backend: Backend, made: Made, *, named: bool) -> DatasetView:
    """Keep a data set that was made; the one that is here when it is the same.

    Args:
        named: whether a person chose the name; else another one is made of it where it is taken.
    """
    actor = backend.gate.require("runner")
    name = plain_name(str(made.card["name"])) or "data"
    if not named:
        name = _free_name(backend, name, made)
    card = made.card | {"name": name}
    made = Made(made.files | {CARD: _plain(card)}, card)
    stored = backend.store.write(to_bytes(packed(made.files)))
    with backend.database.write() as session:
        bump(session)  # first: who imports at the same time waits here
        dataset_id = stored.digest[:ID_LETTERS]
        row = session.get(ImportedData, dataset_id)
        if _named(session, name) not in (None, dataset_id):
            raise Conflict(f"There is a data set named {name!r} already.", "Choose another name, or delete that one.")
        if row is None:
            session.add(ImportedData(
                id=dataset_id, name=name, digest=stored.digest, size=stored.size, card=card, owner=actor.name,
                created_at=utc_now(),
            ))  # fmt: skip
        else:
            row.deleted_at = None
    return show(backend, dataset_id)


def list_datasets(backend: Backend, *, deleted: bool = False) -> list[DatasetView]:
    """Imported data sets, newest first; deleted ones instead where asked for."""
    query = select(ImportedData).where(
        ImportedData.deleted_at.is_not(None) if deleted else ImportedData.deleted_at.is_(None)
    )
    with backend.database.read() as session:
        rows = session.scalars(query.order_by(ImportedData.created_at.desc(), ImportedData.id)).all()
        return _views(session, rows)


def show(backend: Backend, wanted: str) -> DatasetView:
    """One, by id or name.

    Raises:
        NotFound: as every function here that takes an id.
    """
    with backend.database.read() as session:
        return _views(session, [_get(session, wanted)])[0]


def delete(backend: Backend, wanted: str) -> DatasetView:
    """Take one away from the lists; loops that learn from it go on. It can be brought back for a while."""
    return _set_deleted(backend, wanted, utc_now())


def restore(backend: Backend, dataset_id: str) -> DatasetView:
    """Bring a deleted one back.

    Raises:
        Conflict: when another one has its name by now.
    """
    return _set_deleted(backend, dataset_id, None)


def check_not_deleted(backend: Backend, configs: Iterable[LoopConfig]) -> None:
    """Loops that learn from a deleted data set go on; new ones do not begin.

    Raises:
        InvalidConfig: naming it.
    """
    ids = {str(config.data.options.get("id")) for config in configs if config.data.kind == "stored"}
    if not ids:
        return
    with backend.database.read() as session:
        query = select(ImportedData).where(ImportedData.id.in_(ids), ImportedData.deleted_at.is_not(None)).limit(1)
        gone = session.scalar(query)
    if gone is not None:
        raise InvalidConfig(
            f"The data set {gone.name!r} was deleted.",
            f"Bring it back (on the Data page, or: loopscope data restore {gone.id}), or choose another.",
            "data.options.id",
        )  # fmt: skip


def clips(backend: Backend, wanted: str, *, label: str | None = None, limit: int = MOST_CLIPS) -> list[ClipView]:
    """Clips in the order of the index, of one class where asked for."""
    found = _builtin_clips() if wanted == BUILT_IN else _clips(_folder(backend, wanted))[0]
    return [clip for clip in found if label is None or clip.label == label][:limit]


def motion(backend: Backend, wanted: str, index: int) -> Motion:
    """One clip's motion."""
    if wanted == BUILT_IN:
        motions = _builtin()
        if not 0 <= index < len(motions):
            raise _no_clip(wanted, index, len(motions))
        return motions[index]
    views, motions = _clips(_folder(backend, wanted))
    if not 0 <= index < len(views):
        raise _no_clip(wanted, index, len(views))
    return motions[index]


def built_in_statistics() -> dict[str, dict[str, Any]]:
    """Statistics of the built-in data set by class; empty where it is not installed."""
    try:
        return _builtin_statistics()
    except DataMissing:
        return {}


def _set_deleted(backend: Backend, wanted: str, at: datetime | None) -> DatasetView:
    backend.gate.require("runner")
    with backend.database.write() as session:
        bump(session)
        row = _get(session, wanted)
        if at is None and _named(session, row.name) not in (None, row.id):
            raise Conflict(f"Another data set is named {row.name!r} now.", "Delete that one first.")
        row.deleted_at = at if at is None or row.deleted_at is None else row.deleted_at
        dataset_id = row.id
    return show(backend, dataset_id)


def _get(session: Session, wanted: str) -> ImportedData:
    row = session.get(ImportedData, wanted)
    if row is None:
        found = _named(session, wanted)
        row = session.get(ImportedData, found) if found else None
    if row is None:
        raise NotFound(f"There is no data set {wanted[:80]!r}.", "List them: loopscope data list, or the Data page.")
    return row


def _named(session: Session, name: str) -> str | None:
    """Id of the data set of a name, deleted ones aside."""
    return session.scalar(
        select(ImportedData.id).where(ImportedData.name == name, ImportedData.deleted_at.is_(None)).limit(1)
    )


def _check_name(options: ImportOptions) -> None:
    """A name that a person chose is none that stands for something else."""
    wanted = options.name.strip()
    if wanted in _reserved():
        raise InvalidConfig(f"{wanted!r} names a built-in data set.", "Choose another name.", "name")


def _reserved() -> tuple[str, ...]:
    from model.domains import all_data

    return tuple(all_data())


def _free_name(backend: Backend, name: str, made: Made) -> str:
    """The name, or with a number where another data set has it; the same files keep theirs."""
    with backend.database.read() as session:
        for number in range(1, 1000):
            candidate = name if number == 1 else f"{name} {number}"
            taken = _named(session, candidate)
            if candidate in _reserved():
                continue
            files = made.files | {CARD: _plain(made.card | {"name": candidate})}
            if taken is None or session.get_one(ImportedData, taken).digest == _digest(files):
                return candidate
    raise Conflict(f"There are very many data sets named {name!r}.", "Give a name of your own.")


def _digest(files: dict[str, bytes]) -> str:
    return hashlib.sha256(to_bytes(packed(files))).hexdigest()


def _plain(card: dict[str, Any]) -> bytes:
    return json.dumps(card, ensure_ascii=False, sort_keys=True, indent=1).encode()


def _views(session: Session, rows: Sequence[ImportedData]) -> list[DatasetView]:
    kind, named = Loop.config["data"]["kind"].as_string(), Loop.config["data"]["options"]["id"].as_string()
    counts = session.execute(
        select(named, func.count()).where(kind == "stored", named.in_([row.id for row in rows])).group_by(named)
    ).all()
    used: dict[str, int] = {str(dataset_id): count for dataset_id, count in counts}
    return [
        DatasetView(
            id=row.id, name=row.name, digest=row.digest, size=row.size, card=row.card, owner=row.owner,
            loops=used.get(row.id, 0), created_at=row.created_at, deleted_at=row.deleted_at,
        )
        for row in rows
    ]  # fmt: skip


def _folder(backend: Backend, wanted: str) -> Path:
    with backend.database.read() as session:
        row = _get(session, wanted)
    assert backend.library is not None
    return backend.library.files(row.id, row.digest)


@lru_cache(maxsize=4)
def _clips(folder: Path) -> tuple[list[ClipView], list[Motion]]:
    """Clips and motions of a folder, which never changes: its name follows from its content."""
    archive, index = npz_files.locate(folder / CLIPS)
    arrays = npz_files.load(archive)
    skeleton = npz_files.skeleton(archive, arrays)
    root, rotations, fps = npz_files.motion(archive, arrays, skeleton)
    rows = list(csv.DictReader(io.StringIO((folder / INDEX).read_text("utf-8"))))
    views, motions = [], []
    for k, (clip, row) in enumerate(zip(npz_files.read_index(index, len(root)), rows, strict=True)):
        part, said = slice(clip.start, clip.stop), clip.captions[0] if clip.captions else ""
        motions.append(Motion(skeleton, root[part], rotations[part], fps, clip.action, said))
        views.append(ClipView(
            index=k, name=row["clip"], label=clip.action, subject=clip.subject, split=clip.split, text=said,
            seconds=round((clip.stop - clip.start) / fps, 2),
        ))  # fmt: skip
    return views, motions


@lru_cache(maxsize=1)
def _builtin() -> list[Motion]:
    return deepmimic.whole_clips()


def _builtin_clips() -> list[ClipView]:
    return [
        ClipView(index=k, name=m.label, label=m.label, subject="", split="", text="", seconds=round(m.seconds, 2))
        for k, m in enumerate(_builtin())
    ]


@lru_cache(maxsize=1)
def _builtin_statistics() -> dict[str, dict[str, Any]]:
    return statistics([(motion.label, motion) for motion in _builtin()])


def _no_clip(wanted: str, index: int, count: int) -> NotFound:
    return NotFound(f"The data set {wanted} has clips 0 to {count - 1}; got {index}.")
