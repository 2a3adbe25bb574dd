"""One generation's panel: what became of its samples, and each of them as a file.

A published generation never changes, so its files may be kept by browsers for as long as they like.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Response

from backend import loops, lsm1, rendering
from backend.api.context import Context, Generation, Kind, LoopId, SampleIndex
from backend.motionfiles import write_motion
from backend.views import PanelView

router = APIRouter(prefix="/loops/{loop_id}/generations/{generation}/panel", tags=["panel"])

FORMAT = 2  # of the files below: part of their ETag, so that an upgrade is seen
MEDIA_TYPES: Mapping[str, str] = {
    "lsm": "application/octet-stream",
    "npz": "application/octet-stream",
    "bvh": "text/plain; charset=utf-8",
    "mp4": "video/mp4",
    "png": "image/png",
}
IfNoneMatch = Annotated[str, Header(max_length=500)]


@router.get("", summary="The panel's samples: labels, and what the corrector did")
def panel(backend: Context, loop_id: LoopId, generation: Generation) -> PanelView:
    return loops.panel(backend, loop_id, generation)


@router.get("/{kind}/{index}/motion.{form}", response_class=Response, summary="One motion: for the viewer, NPZ or BVH")
def motion(
    backend: Context,
    loop_id: LoopId,
    generation: Generation,
    kind: Kind,
    index: SampleIndex,
    form: Literal["lsm", "npz", "bvh"],
    if_none_match: IfNoneMatch = "",
) -> Response:
    name = f"{loop_id}-{generation}-{kind}-{index}"
    if cached := _not_modified(name, form, if_none_match):
        return cached
    found = loops.panel_motion(backend, loop_id, generation, kind, index)
    if form == "lsm":
        title = f"{found.motion.label or 'sample'} {index}, {kind}, generation {generation}"
        content = lsm1.encode(found.motion, title=title, outcome=found.outcome, tracks=found.tracks)
    else:
        content = write_motion(found.motion, form)
    return _file(content, name, form, download=form != "lsm")


@router.get("/{index}/side-by-side.mp4", response_class=Response, summary="Real, raw and corrected beside each other")
def video(
    backend: Context, loop_id: LoopId, generation: Generation, index: SampleIndex, if_none_match: IfNoneMatch = ""
) -> Response:
    name = f"{loop_id}-{generation}-{index}-side-by-side"
    if cached := _not_modified(name, "mp4", if_none_match):
        return cached
    return _file(rendering.side_by_side(backend, loop_id, generation, index), name, "mp4")


@router.get("/{index}/contact-sheet.png", response_class=Response, summary="The same as a sheet of still frames")
def sheet(
    backend: Context, loop_id: LoopId, generation: Generation, index: SampleIndex, if_none_match: IfNoneMatch = ""
) -> Response:
    name = f"{loop_id}-{generation}-{index}-contact-sheet"
    if cached := _not_modified(name, "png", if_none_match):
        return cached
    return _file(rendering.contact_sheet(backend, loop_id, generation, index), name, "png")


def _etag(name: str, form: str) -> str:
    return f'"{FORMAT}-{name}.{form}"'


def _headers(name: str, form: str) -> dict[str, str]:
    return {"etag": _etag(name, form), "cache-control": "private, max-age=604800, immutable"}


def _not_modified(name: str, form: str, if_none_match: str) -> Response | None:
    known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return Response(status_code=304, headers=_headers(name, form)) if _etag(name, form) in known else None


def _file(content: bytes, name: str, form: str, *, download: bool = True) -> Response:
    headers = _headers(name, form) | {"x-content-type-options": "nosniff"}
    if download:
        headers["content-disposition"] = f'attachment; filename="loopscope-{name}.{form}"'
    return Response(content, media_type=MEDIA_TYPES[form], headers=headers)
