"""Published experiments: what there is, launching one, what it measured."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from backend import lab
from backend.api.context import Context
from backend.api.loops import Body
from backend.lab import CardView, LabResult
from backend.lab.launching import configured
from backend.paths import confined
from backend.views import LoopView

router = APIRouter(tags=["lab"], prefix="/lab")

Key = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,64}$", description="Key of an experiment.")]


class CardBody(Body):
    changes: dict[str, Any] = Field(
        default_factory=dict, description='Dotted path -> value for all its loops, e.g. {"n": 200}.'
    )
    again: bool = Field(False, description="Launch anew even if its loops are here already.")


@router.get("", summary="Published experiments")
def list_cards() -> list[CardView]:
    return lab.views()


@router.post("/{key}/launch", status_code=201, summary="Launch an experiment's loops as one group")
def launch(backend: Context, key: Key, body: CardBody | None = None) -> list[LoopView]:
    body = body if body is not None else CardBody()
    for _, config in configured(lab.card(key), body.changes):
        confined(backend, config)
    return lab.launch_card(backend, key, body.changes, again=body.again)


@router.get("/{key}/result", summary="Curves with bands over seeds, closed forms, and how the claims fared")
def result(
    backend: Context, key: Key, group: Annotated[str, Query(max_length=200, description="Not the newest.")] = ""
) -> LabResult:
    return lab.result(backend, key, group)
