"""Fields whose choices only the installation knows: the launch form's data sets."""

from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from pydantic import Field as PydanticField

from app import choices, forms, formvalues
from app.pages import launch
from app.pages.page import Page
from app.pulse import pulse_of
from backend import datasets, loops, parts
from backend.context import Backend
from backend.datasets import DatasetView
from core.config import LoopConfig, Options, PartConfig
from core.errors import InvalidConfig
from core.protocols import Part
from tests.backend.datafolders import imported, learning_from

PICKER = "field-data-stored-id"


def page(backend: Backend) -> Page:
    with gr.Blocks():
        return launch.build(backend, gr.Textbox())


def update_of(found: Page, updates: list[Any], elem_id: str) -> Any:
    return updates[[c.elem_id for c in found.outputs].index(elem_id)]


def ids(update: Any) -> list[str]:
    return [value for _, value in update["choices"]]


@pytest.fixture
def people(backend: Backend, tmp_path: Path) -> DatasetView:
    return imported(backend, tmp_path / "people")


class Named(Options):
    which: str = PydanticField("", json_schema_extra={forms.CHOICES_FROM: "datasets"})
    plain: str = PydanticField("", json_schema_extra={"examples": ["a"]})


def test_an_option_says_where_its_choices_come_from() -> None:
    new = Part("New", "For this test.", Named, lambda _: None)
    catalogue = parts.catalogue()
    form = forms.form_of({**catalogue, "model": {**catalogue["model"], "new": new}})
    which, plain = (form.fields[form.index(f"model/new/{name}")] for name in ("which", "plain"))
    assert (which.control, which.source) == ("offered", "datasets")
    assert (plain.control, plain.source) == ("text", "")
    assert form.index(which.path) in choices.fields_of(form)


def test_every_source_that_an_option_names_is_known() -> None:
    form = forms.form_of(parts.catalogue())
    assert {form.fields[i].source for i in choices.fields_of(form)} <= set(choices.SOURCES)


def test_data_sets_are_offered_by_name_and_the_first_is_chosen(backend: Backend, people: DatasetView) -> None:
    found = page(backend)
    first = found.open({})
    assert update_of(found, first, "launch-stamp") == "", "what the browser holds is asked with the next refresh"
    assert "value" not in update_of(found, first, PICKER)
    updates = found.refresh("", "motion", "", None)
    update = update_of(found, updates, PICKER)
    assert update["choices"] == [("people (10 clips, 2 classes)", people.id)] and update["visible"]
    assert update["value"] == people.id
    assert update_of(found, updates, f"{PICKER}-none") == ""


def test_a_refresh_leaves_what_was_chosen_and_what_is_known(
    backend: Backend, people: DatasetView, tmp_path: Path
) -> None:
    found = page(backend)
    stamp = update_of(found, found.refresh("", "motion", "", None), "launch-stamp")
    assert update_of(found, found.refresh("", "motion", stamp, people.id), PICKER) == gr.skip()
    second = imported(backend, tmp_path / "more", name="more", kind="bvh", labels="none")
    pulse_of(backend)._beaten_at = float("-inf")  # the next beat
    update = update_of(found, found.refresh("", "motion", stamp, people.id), PICKER)
    assert ids(update) == [second.id, people.id] and "value" not in update


def test_where_there_is_none_a_sentence_leads_to_the_data_page(backend: Backend) -> None:
    found = page(backend)
    updates = found.refresh("", "motion", "", None)
    update = update_of(found, updates, PICKER)
    assert update["choices"] == [] and not update["visible"]
    assert "tab=data" in update_of(found, updates, f"{PICKER}-none")


@pytest.mark.parametrize("by", ["id", "name"])
def test_a_link_opens_the_form_with_the_data_set(backend: Backend, people: DatasetView, by: str) -> None:
    found = page(backend)
    updates = found.open({"dataset": getattr(people, by)})
    assert update_of(found, updates, PICKER)["value"] == people.id
    assert update_of(found, updates, "field-data")["value"] == "stored"
    assert "Launch 1 loop" in update_of(found, updates, "launch-submit")["value"]
    named = update_of(found, updates, "launch-origin")
    assert found.query(named, "motion", "", people.id) == {"dataset": people.id}


def test_a_deleted_one_is_seen_and_refused_in_words(backend: Backend, people: DatasetView) -> None:
    found = page(backend)
    source = loops.launch(backend, learning_from(people.id), name="source")
    datasets.delete(backend, people.id)
    pulse_of(backend)._beaten_at = float("-inf")  # the next beat
    for asked in ({"dataset": people.id}, {"clone": source.id}):
        updates = found.open(asked)
        update = update_of(found, updates, PICKER)
        assert update["choices"] == [("people (deleted)", people.id)] and update["visible"]
        line = update_of(found, updates, "launch-status")
        assert "&#x27;people&#x27; was deleted" in line and f'data-invalid="{PICKER}"' in line
        assert update_of(found, updates, "launch-submit")["interactive"] is False
    with pytest.raises(InvalidConfig, match="was deleted"):
        loops.launch(backend, learning_from(people.id))
    with pytest.raises(InvalidConfig, match="was deleted"):
        loops.clone(backend, source.id, {"seed": 1})
    loops.extend(backend, source.id, 1)
    datasets.restore(backend, people.id)
    assert loops.clone(backend, source.id, {"seed": 1}).state == "queued"


def test_one_that_is_not_here_is_refused_in_words(backend: Backend, people: DatasetView) -> None:
    found = page(backend)
    assert "no data set" in update_of(found, found.open({"dataset": "<b>nowhere"}), "launch-notice")
    form = forms.form_of(parts.catalogue())
    field = form.fields[form.index("data/stored/id")]
    shown, value = choices.offered(backend, field, "0123456789abcdef")
    assert shown[-1] == ("0123456789abcdef (not here)", "0123456789abcdef") and value == "0123456789abcdef"


def test_an_empty_choice_is_no_text(backend: Backend) -> None:
    form = forms.form_of(parts.catalogue())
    plain = LoopConfig().model_dump(mode="json") | {"data": {"kind": "stored", "options": {}}}
    values = formvalues.values_of(form, plain)
    values[form.index("data/stored/id")] = None  # as the browser says it
    again = formvalues.config_of(form, values)
    assert again["data"]["options"]["id"] == ""
    with pytest.raises(InvalidConfig, match="No imported data set is named"):
        parts.check(parts.read_config(again))


DATA = parts.catalogue("motion")["data"]


def test_one_list_names_imported_data_sets_beside_the_built_in_ones(backend: Backend, people: DatasetView) -> None:
    offers = {value: title for title, value in choices.parts_offered(backend, DATA)}
    assert offers["deepmimic"] == DATA["deepmimic"].title and "stored" not in offers
    assert offers[f"stored:{people.id}"] == "people (10 clips, 2 classes)"
    for value in (f"stored:{people.id}", "npz"):
        assert choices.value_of(DATA, PartConfig(**choices.part_of(DATA, value))) == value
    with_lost = choices.parts_offered(backend, DATA, "stored:0123456789abcdef")
    assert with_lost[-1] == ("0123456789abcdef (not here)", "stored:0123456789abcdef")


def test_a_list_without_imported_ones_still_says_that_there_could_be(backend: Backend) -> None:
    offers = {value: title for title, value in choices.parts_offered(backend, DATA)}
    assert offers["stored:"] == DATA["stored"].title
    assert choices.part_of(DATA, "<b>:x") == {"kind": "<b>", "options": {}}
