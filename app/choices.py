"""Choices that only the installation knows, such as its data sets. An options class names where a field's come from
(``json_schema_extra={"choices_from": "datasets"}``); another source is one more entry of SOURCES."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.forms import Choices, Field, Form, field_of
from app.markup import link
from app.pulse import pulse_of
from backend import datasets
from core.config import PartConfig
from core.errors import NotFound
from core.protocols import Part

if TYPE_CHECKING:
    from backend.context import Backend


@dataclass(frozen=True)
class Source:
    """Where choices come from.

    Attributes:
        known: what there is now, the likeliest first.
        strange: what a value is called that is not among it.
        empty: markup of the sentence where there is nothing.
    """

    known: "Callable[[Backend], Choices]"
    strange: "Callable[[Backend, str], str]"
    empty: str


def _datasets(backend: "Backend") -> Choices:
    return tuple(
        (f"{view.name} ({view.card['clips']} clips, {len(view.card['classes'])} classes)", view.id)
        for view in datasets.list_datasets(backend)
    )


def _strange_dataset(backend: "Backend", dataset_id: str) -> str:
    try:
        view = datasets.show(backend, dataset_id)
    except NotFound:
        return f"{dataset_id[:40]} (not here)"
    return f"{view.name} (deleted)" if view.deleted_at else view.name


SOURCES: dict[str, Source] = {
    "datasets": Source(
        _datasets,
        _strange_dataset,
        f"There is none yet. {link('Import motion on the Data page', tab='data')}, and it can be chosen here.",
    ),
}


def known(backend: "Backend", source: str) -> Choices:
    """What a source offers, as of the last beat."""
    return pulse_of(backend).shared(backend, ("choices", source), lambda: SOURCES[source].known(backend))


def offered(backend: "Backend", field: Field, value: str) -> tuple[Choices, str]:
    """What a field offers, and its value: where nothing is chosen yet the first choice; one that is not among the
    choices is added to them, so that it is seen."""
    found = known(backend, field.source)
    if not value:
        return found, found[0][1] if found else ""
    if any(value == each for _, each in found):
        return found, value
    return (*found, (SOURCES[field.source].strange(backend, value), value)), value


def parts_offered(backend: "Backend", entries: Mapping[str, Part], value: str = "") -> Choices:
    """Parts to choose from in one list. A part that has an option from a source stands there once for each of its
    choices, as ``kind:choice``, or under its own title where there are none (choosing it is refused in words). A value
    that is not among them is added, so that it is seen."""
    found: list[tuple[str, str]] = []
    for kind, entry in entries.items():
        field = _sourced(entry)
        if field is None:
            found.append((entry.title, kind))
            continue
        of, _, choice = value.partition(":")
        choices, _ = offered(backend, field, choice if of == kind else "")
        found += [(title, f"{kind}:{each}") for title, each in choices or ((entry.title, ""),)]
    return tuple(found)


def value_of(entries: Mapping[str, Part], part: PartConfig) -> str:
    """The value of :func:`parts_offered` that stands for a part."""
    field = _sourced(entries[part.kind])
    return part.kind if field is None else f"{part.kind}:{part.options.get(field.path, '')}"


def part_of(entries: Mapping[str, Part], value: str) -> dict[str, Any]:
    """The part that a value of :func:`parts_offered` stands for, as plain data, with what that says of its options."""
    kind, _, choice = value.partition(":")
    field = _sourced(entries[kind]) if kind in entries else None
    return {"kind": kind, "options": {} if field is None else {field.path: choice}}


def _sourced(entry: Part) -> Field | None:
    """The option of a part whose choices come from a source."""
    fields = (field_of(name, info) for name, info in entry.options.model_fields.items())
    return next((field for field in fields if field.source), None)


def fields_of(form: Form) -> list[int]:
    """Indices of a form's fields whose choices come from a source."""
    return [i for i, field in enumerate(form.fields) if field.source]


def stamp(backend: "Backend", form: Form) -> str:
    """Says whether anything is offered that was not before."""
    return json.dumps([known(backend, form.fields[i].source) for i in fields_of(form)])
