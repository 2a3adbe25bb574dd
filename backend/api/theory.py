"""What is known in closed form about a loop."""

from typing import Annotated

from fastapi import APIRouter, Query

from backend import theory
from backend.api.context import Context, LoopId
from backend.theory import TheoryAnswer

router = APIRouter(tags=["theory"])

Constant = Annotated[float | None, Query(allow_inf_nan=False, description="Estimated or derived where left out.")]


@router.get(
    "/loops/{loop_id}/theory", summary="Predicted curves with formula, assumptions and source; what is not drawn"
)
def of_loop(
    backend: Context, loop_id: LoopId, ratio: Constant = None, tau: Constant = None, start: Constant = None
) -> TheoryAnswer:
    given = {"ratio": ratio, "tau": tau, "start": start}
    return theory.of_loop(backend, loop_id, {name: value for name, value in given.items() if value is not None})
