"""Sweeps: a grid over fields of a config, times seeds, launched as one group; and verbs for a whole group."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field, JsonValue

from backend import grouped, parts, sweep
from backend.api.context import Context
from backend.api.loops import Body, Name
from backend.axisvalues import seeds_of
from backend.context import Backend
from backend.grouped import GroupOutcome, GroupVerb
from backend.paths import confined
from backend.sweep import Sweep, SweepView
from backend.views import LoopView

router = APIRouter(tags=["sweeps"])

Values = Annotated[str, Field(max_length=10_000)] | list[JsonValue]


class LookBody(Body):
    config: dict[str, Any] = Field(default_factory=dict, description="What the loops have in common: a LoopConfig.")
    vary: dict[str, Values] = Field(
        default_factory=dict,
        description='Dotted path -> values, e.g. {"corrector.kind": ["none", "physics"]}.',
    )
    seeds: Annotated[str, Field(max_length=1000)] | list[Annotated[int, Field(ge=0, le=2**31 - 1)]] = Field(
        "0", description="Each combination once per seed: [0, 1, 2] or 0-2."
    )
    title: Name = Field("", description="Of the group; made from the axes where it is left out.")


class SweepBody(LookBody):
    again: bool = Field(False, description="Launch anew even if its loops are here already.")


class GroupBody(Body):
    group: Name


@router.post("/sweeps/estimate", summary="What a sweep would launch, and how long it would take")
def look(backend: Context, body: LookBody) -> SweepView:
    return sweep.look(backend, _asked(backend, body), body.title)


@router.post("/sweeps", status_code=201, summary="Launch a grid of loops as one group, all or none")
def launch(backend: Context, body: SweepBody) -> list[LoopView]:
    return sweep.launch_sweep(backend, _asked(backend, body), body.title, again=body.again)


@router.post("/groups/{verb}", summary="Cancel, resume, retry, delete or restore all loops of a group")
def to_group(backend: Context, verb: GroupVerb, body: GroupBody) -> GroupOutcome:
    return grouped.to_group(backend, verb, body.group)


def _asked(backend: Backend, body: LookBody) -> Sweep:
    seeds = seeds_of(body.seeds) if isinstance(body.seeds, str) else body.seeds
    wanted = sweep.sweep_of(parts.read_config(body.config, "config"), body.vary, seeds)
    for _, config in wanted.combinations():  # a path may be varied, or stand in what has no loop yet
        confined(backend, config)
    return wanted
