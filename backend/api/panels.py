"""Panels that are no motions, as numbers and words: points, curves, images, text; and what vanished."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from backend import panels
from backend.api.context import Context, Generation, LoopId
from backend.panels import PanelValues, RealValues, TailsView

router = APIRouter(prefix="/loops/{loop_id}", tags=["panel"])

KEPT = {"cache-control": "private, max-age=604800, immutable"}  # a published generation never changes
Count = Annotated[int, Query(ge=1, le=5000, description="How many at most.")]


@router.get("/generations/{generation}/panel/values", summary="The panel's samples: points, a curve, images or text")
def values(backend: Context, loop_id: LoopId, generation: Generation, response: Response) -> PanelValues:
    found = panels.panel_values(backend, loop_id, generation)
    response.headers.update(KEPT)
    return found


@router.get("/generations/{generation}/tails", summary="Shares beyond quantiles of the real data")
def tails(backend: Context, loop_id: LoopId, generation: Generation, response: Response) -> TailsView:
    found = panels.tails(backend, loop_id, generation)
    response.headers.update(KEPT)
    return found


@router.get("/real", summary="Real training samples of the loop's first seed, where they are points or a curve")
def real(backend: Context, loop_id: LoopId, response: Response, count: Count = panels.MOST_REAL) -> RealValues:
    found = panels.real_values(backend, loop_id, count)
    response.headers.update(KEPT)
    return found
