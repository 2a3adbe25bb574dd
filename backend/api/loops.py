"""Launch, list, show; cancel, resume, retry, clone, extend, roll back, prioritize, delete, restore."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from backend import drifts, loops, measures, parts, rollback
from backend.api.context import Context, LoopId
from backend.drifts import DriftView
from backend.paths import confined
from backend.views import EventView, GenerationView, LoopView
from core.config import LoopConfig, with_changes
from core.errors import InvalidConfig

router = APIRouter(tags=["loops"])

Name = Annotated[str, Field(max_length=200)]


class Body(BaseModel):
    """Base of request bodies: unknown fields are refused, so that a typing error is not silently a default."""

    model_config = ConfigDict(extra="forbid")


class LaunchBody(Body):
    config: dict[str, Any] = Field(description="A LoopConfig; what is left out takes its default.")
    name: Name = ""
    group: Name = Field("", description="Loops of one comparison carry the same group.")


class CloneBody(Body):
    changes: dict[str, Any] = Field(
        default_factory=dict, description='Dotted path -> value, e.g. {"sampling.guidance_synthesis": 1}.'
    )
    name: Name = ""


class ExtendBody(Body):
    generations: int = Field(ge=1, le=10_000, description="How many more.")
    seen: int | None = Field(
        None, ge=0, le=1_000_000, description="How many it is taken to have: 409 where it has others by now."
    )


class RollbackBody(Body):
    to: Annotated[int, Field(ge=0, le=1_000_000)] | Literal["best"] = Field(
        "best", description="The last generation to keep; best: of a metric."
    )
    metric: str = Field("", max_length=64, description="Which metric is meant by best (default: the domain's first).")


class PriorityBody(Body):
    priority: int = Field(ge=loops.LOWEST, le=loops.HIGHEST, description="Higher ones go first; 0 is usual.")


@router.get("/loops", summary="Loops, newest first")
def list_loops(
    backend: Context,
    group: Annotated[str | None, Query(max_length=200)] = None,
    deleted: bool = False,
    limit: Annotated[int, Query(ge=1, le=5000)] = 500,
) -> list[LoopView]:
    return loops.list_loops(backend, group=group, deleted=deleted, limit=limit)


@router.post("/loops", status_code=201, summary="Launch a loop")
def launch(backend: Context, body: LaunchBody) -> LoopView:
    config = confined(backend, parts.read_config(body.config, "config"))
    return loops.launch(backend, config, name=body.name, group=body.group)


@router.get("/loops/{loop_id}", summary="One loop: state, progress, configuration, error")
def show_loop(backend: Context, loop_id: LoopId) -> LoopView:
    return loops.show_loop(backend, loop_id)


@router.delete("/loops/{loop_id}", summary="Delete a loop; it can be restored for a while")
def delete(backend: Context, loop_id: LoopId) -> LoopView:
    return loops.delete(backend, loop_id)


@router.post("/loops/{loop_id}/cancel", summary="Stop a loop; what it recorded stays")
def cancel(backend: Context, loop_id: LoopId) -> LoopView:
    return loops.cancel(backend, loop_id)


@router.post("/loops/{loop_id}/resume", summary="Go on with a cancelled, stopped or failed loop")
def resume(backend: Context, loop_id: LoopId) -> LoopView:
    return loops.resume(backend, loop_id)


@router.post("/loops/{loop_id}/retry", summary="Try a failed loop again, with all attempts of every stage")
def retry(backend: Context, loop_id: LoopId) -> LoopView:
    return loops.retry(backend, loop_id)


@router.post("/loops/{loop_id}/rollback", summary="Forget what a loop made after a generation, or after its best one")
def roll_back(backend: Context, loop_id: LoopId, body: RollbackBody) -> LoopView:
    return rollback.rollback(backend, loop_id, body.to, body.metric)


@router.post("/loops/{loop_id}/prioritize", summary="Let a loop go before others")
def prioritize(backend: Context, loop_id: LoopId, body: PriorityBody) -> LoopView:
    return loops.prioritize(backend, loop_id, body.priority)


@router.post("/loops/{loop_id}/restore", summary="Bring a deleted loop back")
def restore(backend: Context, loop_id: LoopId) -> LoopView:
    return loops.restore(backend, loop_id)


@router.post("/loops/{loop_id}/clone", status_code=201, summary="Launch a copy with edits")
def clone(backend: Context, loop_id: LoopId, body: CloneBody) -> LoopView:
    source = LoopConfig.model_validate(loops.show_loop(backend, loop_id).config)
    confined(backend, with_changes(source, body.changes))
    return loops.clone(backend, loop_id, body.changes, name=body.name)


@router.post("/loops/{loop_id}/extend", summary="Run more generations")
def extend(backend: Context, loop_id: LoopId, body: ExtendBody) -> LoopView:
    return loops.extend(backend, loop_id, body.generations, seen=body.seen)


@router.get("/loops/{loop_id}/generations", summary="Recorded generations: metrics, counts, seconds")
def generations(backend: Context, loop_id: LoopId) -> list[GenerationView]:
    return loops.generations(backend, loop_id)


@router.get("/loops/{loop_id}/events", summary="What happened, in words, oldest first")
def events(backend: Context, loop_id: LoopId, limit: Annotated[int, Query(ge=1, le=5000)] = 200) -> list[EventView]:
    return loops.events(backend, loop_id, limit=limit)


@router.get("/loops/{loop_id}/floor", summary="Metrics of held-out real samples: what a perfect model would reach")
def floor(backend: Context, loop_id: LoopId) -> dict[str, list[float]]:
    return measures.floor(backend, loop_id)


@router.get("/loops/{loop_id}/drift", summary="What has drifted in each generation, artefacts or modes, and the cure")
def drift(backend: Context, loop_id: LoopId) -> DriftView:
    return drifts.drift(backend, loop_id)


@router.get("/loops/{loop_id}/traces", summary="Metrics of each seed that runs in one loop, by generation")
def traces(
    backend: Context,
    loop_id: LoopId,
    metric: Annotated[str | None, Query(max_length=64, description="Only this one.")] = None,
) -> dict[str, list[tuple[int, list[float | None]]]]:
    loops.show_loop(backend, loop_id)  # says so where there is none
    return measures.traces(backend, [loop_id], metric).get(loop_id, {})


@router.get("/curves", summary="Metrics by generation of several loops")
def curves(
    backend: Context,
    wanted: Annotated[str, Query(alias="loops", max_length=20_000, description="Identifiers, comma-separated.")],
) -> dict[str, dict[str, list[tuple[int, float]]]]:
    ids = [part.strip() for part in wanted.split(",") if part.strip()]
    if not ids:
        raise InvalidConfig("No loop is named.", "Give identifiers as ?loops=a,b.", "loops")
    return measures.curves(backend, ids)
