"""One generation's panel: what became of its samples, and each of them as a file.

A published generation never changes, so its files may be kept by browsers for as long as they like.
"""

from functools import partial

from fastapi import APIRouter, Response

from backend import loops, rendering
from backend.api.context import Context, Generation, Kind, LoopId, SampleIndex
from backend.api.files import Form, IfNoneMatch, file, motion_file, not_modified
from backend.context import Backend
from backend.playing import PanelMotion
from backend.views import PanelView

router = APIRouter(prefix="/loops/{loop_id}/generations/{generation}/panel", tags=["panel"])


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
    form: Form,
    if_none_match: IfNoneMatch = "",
) -> Response:
    name = f"{loop_id}-{generation}-{kind}-{index}"
    if cached := not_modified(name, form, if_none_match):
        return cached
    found = loops.panel_motion(backend, loop_id, generation, kind, index)
    return motion_file(found, name, form, f"{index}, {kind}, generation {generation}")


@router.get("/{index}/side-by-side.mp4", response_class=Response, summary="Real, raw and corrected beside each other")
def video(
    backend: Context, loop_id: LoopId, generation: Generation, index: SampleIndex, if_none_match: IfNoneMatch = ""
) -> Response:
    name = f"{loop_id}-{generation}-{index}-side-by-side"
    if cached := not_modified(name, "mp4", if_none_match):
        return cached
    shown = partial(_shown, backend, loop_id, generation, index)
    return file(rendering.side_by_side(backend, f"{loop_id}-{generation}-{index}", shown), name, "mp4")


@router.get("/{index}/contact-sheet.png", response_class=Response, summary="The same as a sheet of still frames")
def sheet(
    backend: Context, loop_id: LoopId, generation: Generation, index: SampleIndex, if_none_match: IfNoneMatch = ""
) -> Response:
    name = f"{loop_id}-{generation}-{index}-contact-sheet"
    if cached := not_modified(name, "png", if_none_match):
        return cached
    shown = partial(_shown, backend, loop_id, generation, index)
    return file(rendering.contact_sheet(backend, f"{loop_id}-{generation}-{index}", shown), name, "png")


def _shown(backend: Backend, loop_id: str, generation: int, index: int, kind: Kind) -> PanelMotion:
    return loops.panel_motion(backend, loop_id, generation, kind, index)
