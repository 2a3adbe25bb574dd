"""New samples of a generation: ask for them, follow the drawing, take the motions."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from backend import drawing, rendering
from backend.api.context import Context, Kind, LoopId
from backend.api.files import Form, IfNoneMatch, file, motion_file, not_modified
from backend.api.loops import Body
from backend.context import Backend
from backend.drawing import Askable, DrawRequest, DrawView
from backend.playing import PanelMotion
from core.config import parse

router = APIRouter(prefix="/loops/{loop_id}/draws", tags=["draws"])

DrawId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,32}$", description="Identifier of a draw.")]
DrawIndex = Annotated[int, Path(ge=0, lt=drawing.MOST_SAMPLES, description="Position among the drawn samples.")]


class DrawBody(Body):
    request: dict[str, Any] = Field(
        description="A DrawRequest without the loop: generation, and label or prompt; what is left out is default."
    )


@router.get("", summary="A loop's draws, newest first")
def list_draws(
    backend: Context,
    loop_id: LoopId,
    generation: Annotated[int | None, Query(ge=0, le=10_000)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[DrawView]:
    return drawing.list_draws(backend, loop_id, generation, limit)


@router.post("", status_code=201, summary="Draw new samples; the same request is drawn once")
def start(backend: Context, loop_id: LoopId, body: DrawBody) -> DrawView:
    return drawing.start(backend, parse(DrawRequest, {**body.request, "loop": loop_id}, "request"))


@router.get("/askable", summary="What can be asked for: classes, sentences, the usual guidance")
def askable(backend: Context, loop_id: LoopId) -> Askable:
    return drawing.askable(backend, loop_id)


@router.get("/{draw_id}", summary="One draw: state, progress, labels and outcomes")
def show(backend: Context, loop_id: LoopId, draw_id: DrawId) -> DrawView:
    return drawing.show(backend, loop_id, draw_id)


@router.delete("/{draw_id}", status_code=204, summary="Forget a draw; one that waits or is at work ends")
def delete(backend: Context, loop_id: LoopId, draw_id: DrawId) -> None:
    drawing.delete(backend, loop_id, draw_id)


@router.get("/{draw_id}/{kind}/{index}/motion.{form}", response_class=Response, summary="One motion, as of a panel")
def motion(
    backend: Context,
    loop_id: LoopId,
    draw_id: DrawId,
    kind: Kind,
    index: DrawIndex,
    form: Form,
    if_none_match: IfNoneMatch = "",
) -> Response:
    name = f"draw-{draw_id}-{kind}-{index}"
    if cached := not_modified(name, form, if_none_match):
        return cached
    return motion_file(drawing.motion(backend, loop_id, draw_id, kind, index), name, form, f"{index}, {kind}, drawn")


@router.get("/{draw_id}/{index}/side-by-side.mp4", response_class=Response, summary="Real, raw and corrected")
def video(
    backend: Context, loop_id: LoopId, draw_id: DrawId, index: DrawIndex, if_none_match: IfNoneMatch = ""
) -> Response:
    name = f"draw-{draw_id}-{index}-side-by-side"
    if cached := not_modified(name, "mp4", if_none_match):
        return cached
    shown = partial(_shown, backend, loop_id, draw_id, index)
    return file(rendering.side_by_side(backend, f"draw-{draw_id}-{index}", shown), name, "mp4")


@router.get("/{draw_id}/{index}/contact-sheet.png", response_class=Response, summary="The same as still frames")
def sheet(
    backend: Context, loop_id: LoopId, draw_id: DrawId, index: DrawIndex, if_none_match: IfNoneMatch = ""
) -> Response:
    name = f"draw-{draw_id}-{index}-contact-sheet"
    if cached := not_modified(name, "png", if_none_match):
        return cached
    shown = partial(_shown, backend, loop_id, draw_id, index)
    return file(rendering.contact_sheet(backend, f"draw-{draw_id}-{index}", shown), name, "png")


def _shown(backend: Backend, loop_id: str, draw_id: str, index: int, kind: Kind) -> PanelMotion:
    return drawing.motion(backend, loop_id, draw_id, kind, index)
