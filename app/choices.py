"""Choices that only the installation knows, such as its data sets. An options class names where a field's come from
(``json_schema_extra={"choices_from": "datasets"}``); another source is one more entry of SOURCES."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.forms import Choices, Field, Form
from app.markup import link
from app.pulse import pulse_of
from backend import datasets
from core.errors import NotFound

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


def fields_of(form: Form) -> list[int]:
    """Indices of a form's fields whose choices come from a source."""
    return [i for i, field in enumerate(form.fields) if field.source]


def stamp(backend: "Backend", form: Form) -> str:
    """Says whether anything is offered that was not before."""
    return json.dumps([known(backend, form.fields[i].source) for i in fields_of(form)])
