"""What there is to choose from: parts with their options, metrics, presets, data sets; and what a choice would cost."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from backend import datacards, parts, presets
from backend.api.context import Context
from backend.api.loops import Body
from backend.datacards import DataView
from backend.estimate import Estimate, estimate
from backend.paths import confined
from backend.presence import device_found
from backend.presets import PresetEstimate, PresetView
from backend.views import LoopView
from core.config import LoopConfig
from model.domains import all_metrics

router = APIRouter(tags=["catalogue"])


class PartView(BaseModel):
    """A registry entry; ``options`` is the JSON schema of its options."""

    title: str
    description: str
    options: dict[str, Any]


class MetricView(BaseModel):
    """A number that generations are judged by. ``direction``: which way is better; ``real`` = like the real data's."""

    name: str
    title: str
    unit: str
    direction: str
    group: str
    description: str


class ChoicesBody(Body):
    choices: dict[str, Any] = Field(
        default_factory=dict, description="Where the preset leaves choices (its `choices` is their schema)."
    )


class PresetBody(ChoicesBody):
    again: bool = Field(False, description="Launch anew even if its loops are here already.")


class EstimateBody(Body):
    configs: list[dict[str, Any]] = Field(min_length=1, max_length=1000, description="Loops launched together.")


@router.get("/parts", summary="Policies, correctors, data sets, models, domains, with the schemas of their options")
def list_parts() -> dict[str, dict[str, PartView]]:
    return {
        group: {
            kind: PartView(title=part.title, description=part.description, options=part.options.model_json_schema())
            for kind, part in entries.items()
        }
        for group, entries in parts.catalogue().items()
    }


@router.get("/schema", summary="JSON schema of a loop's configuration")
def schema() -> dict[str, Any]:
    return LoopConfig.model_json_schema()


@router.get("/metrics", summary="Metrics: name, unit, direction, meaning")
def list_metrics() -> list[MetricView]:
    return [MetricView.model_validate(metric, from_attributes=True) for metric in all_metrics().values()]


@router.get("/presets", summary="Experiments at one click")
def list_presets(backend: Context) -> list[PresetView]:
    return presets.views(device_found(backend))


@router.post("/presets/{key}/estimate", summary="What a preset would launch with these choices, and how long it takes")
def estimate_preset(backend: Context, key: str, body: ChoicesBody | None = None) -> PresetEstimate:
    return presets.look(backend, key, body.choices if body else {})


@router.post("/presets/{key}/launch", status_code=201, summary="Launch a preset's loops as one group")
def launch_preset(backend: Context, key: str, body: PresetBody | None = None) -> list[LoopView]:
    asked = body or PresetBody()
    return presets.launch_preset(backend, key, asked.choices, again=asked.again)


@router.get("/data", summary="Data sets and their cards")
def list_data() -> list[DataView]:
    return datacards.cards()


@router.post("/estimate", summary="Time and space that loops would take")
def estimate_loops(backend: Context, body: EstimateBody) -> Estimate:
    configs = [parts.read_config(plain, f"configs.{i}") for i, plain in enumerate(body.configs)]
    return estimate(backend, [confined(backend, config) for config in configs])
