"""Imported data sets: send files, look at what is there, play clips, delete and bring back."""

import tempfile
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Query, Response, UploadFile
from fastapi import Path as PathParameter

from backend import datasets, lsm1
from backend.api.context import Context
from backend.api.files import MEDIA_TYPES
from backend.datasets import ClipView, DatasetView
from backend.importing.work import ImportOptions
from backend.motionfiles import write_motion
from core.config import parse
from core.errors import InvalidConfig

router = APIRouter(prefix="/datasets", tags=["data sets"])

DatasetId = Annotated[str, PathParameter(pattern=r"^[0-9a-z]{1,32}$", description="Identifier of a data set.")]
ClipIndex = Annotated[int, PathParameter(ge=0, le=1_000_000, description="Position in the index.")]
LONGEST_NAME = 200
KEPT = {"cache-control": "private, max-age=604800, immutable", "x-content-type-options": "nosniff"}


@router.get("", summary="Imported data sets, newest first")
def list_datasets(backend: Context, deleted: bool = False) -> list[DatasetView]:
    return datasets.list_datasets(backend, deleted=deleted)


@router.post("", status_code=201, summary="Import motion files as a data set: one zip, or single files")
def import_files(
    backend: Context,
    files: Annotated[list[UploadFile], File(description="A zip, or files; folders in their names are kept.")],
    kind: Annotated[str, Form(max_length=32, description="auto, or one of the formats.")] = "auto",
    name: Annotated[str, Form(max_length=80, description="Empty = the first file's.")] = "",
    licence: Annotated[str, Form(max_length=500)] = "",
    source: Annotated[str, Form(max_length=500)] = "",
    labels: Annotated[str, Form(max_length=16, description="auto, folder, file or none.")] = "auto",
    unit: Annotated[str, Form(max_length=8, description="Of lengths in BVH files, which state none.")] = "auto",
    fps: Annotated[float, Form(ge=0, le=240, description="0 = as the files, at most 30.")] = 0.0,
    floor: Annotated[bool, Form(description="Move takes whose feet are off the floor.")] = True,
    skip_bad: Annotated[bool, Form(description="Leave out files that cannot be read.")] = False,
) -> DatasetView:
    names = [_inner(file.filename or "") for file in files]
    given = {
        "kind": kind, "name": name or _title(names), "licence": licence, "source": source, "labels": labels,
        "unit": unit, "fps": fps, "floor": floor, "skip_bad": skip_bad,
    }  # fmt: skip
    options = parse(ImportOptions, given)
    zipped = [inner for inner in names if inner.suffix.lower() == ".zip"]
    if zipped and len(names) > 1:
        raise InvalidConfig("A zip is imported alone.", "Put the other files into it.", "files")
    if len(set(names)) < len(names):
        raise InvalidConfig("Two of the files have the same name.", "Send them in one zip, in their folders.", "files")
    with tempfile.TemporaryDirectory(prefix="loopscope-") as scratch:
        folder = Path(scratch, "upload")
        folder.mkdir()
        for inner, file in zip(names, files, strict=True):
            path = Path(folder, inner)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as kept:
                while piece := file.file.read(1 << 20):
                    kept.write(piece)
        whole = Path(folder, zipped[0]) if zipped else folder
        return datasets.import_upload(backend, whole, options, named=bool(name.strip()))


@router.get("/{dataset_id}", summary="One data set: its card")
def show(backend: Context, dataset_id: DatasetId) -> DatasetView:
    return datasets.show(backend, dataset_id)


@router.delete("/{dataset_id}", summary="Delete a data set; loops that learn from it go on")
def delete(backend: Context, dataset_id: DatasetId) -> DatasetView:
    return datasets.delete(backend, dataset_id)


@router.post("/{dataset_id}/restore", summary="Bring a deleted data set back")
def restore(backend: Context, dataset_id: DatasetId) -> DatasetView:
    return datasets.restore(backend, dataset_id)


@router.get("/{dataset_id}/clips", summary="Clips, of one class where asked for; also of the built-in deepmimic")
def clips(
    backend: Context,
    dataset_id: DatasetId,
    label: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = datasets.MOST_CLIPS,
) -> list[ClipView]:
    return datasets.clips(backend, dataset_id, label=label, limit=limit)


@router.get(
    "/{dataset_id}/clips/{index}/motion.{form}", response_class=Response, summary="One clip: for the viewer, NPZ or BVH"
)
def motion(backend: Context, dataset_id: DatasetId, index: ClipIndex, form: Literal["lsm", "npz", "bvh"]) -> Response:
    found = datasets.motion(backend, dataset_id, index)
    if form == "lsm":
        content = lsm1.encode(found, title=found.label or f"clip {index}")
        return Response(content, media_type=MEDIA_TYPES[form], headers=KEPT)
    headers = KEPT | {"content-disposition": f'attachment; filename="loopscope-{dataset_id}-{index}.{form}"'}
    return Response(write_motion(found, form), media_type=MEDIA_TYPES[form], headers=headers)


def _title(names: list[PurePosixPath]) -> str:
    """What to call files that nobody named."""
    return names[0].stem[:60] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _inner(name: str) -> PurePosixPath:
    """The place of an uploaded file in its folder.

    Raises:
        InvalidConfig: when it would lie elsewhere.
    """
    inner = PurePosixPath(name.replace("\\", "/"))
    bad = inner.is_absolute() or ".." in inner.parts or not inner.parts or not name.isprintable()
    if bad or len(name) > LONGEST_NAME or len(inner.parts) > 8 or any(len(part.encode()) > 240 for part in inner.parts):
        raise InvalidConfig(f"No file of a data set can be named {name[:80]!r}.", "Rename it.", "files")
    return inner
