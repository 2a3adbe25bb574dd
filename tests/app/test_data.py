"""The Data page as the server sees it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import gradio as gr

from app.pages import data, datacards
from app.pages.datacards import tiles
from app.pages.page import Page
from backend import datasets, loops
from backend.context import Backend
from backend.datasets import BUILT_IN
from backend.importing.work import UNUSABLE
from tests.backend.datafolders import imported, learning_from


def build(backend: Backend) -> Page:
    with gr.Blocks():
        return data.build(backend, gr.Textbox())


def at(page: Page, updates: list[Any], elem_id: str) -> Any:
    return updates[[c.elem_id for c in page.outputs].index(elem_id)]


def test_an_answer_from_before_an_import_is_put_right(backend: Backend, tmp_path: Path) -> None:
    page = build(backend)
    late = page.refresh(BUILT_IN, "", 0, "1", BUILT_IN)  # a poll that is answered after the import was
    people = imported(backend, tmp_path / "people")
    updates = page.open({"dataset": people.id})
    assert at(page, updates, "data-chosen") == at(page, updates, "data-of") == people.id
    assert not page.behind(people.id, "", 0, "1", people.id)
    assert at(page, late, "data-of") == BUILT_IN and at(page, late, "data-chosen") == gr.skip()
    assert page.behind(people.id, "", 0, "1", BUILT_IN), "the next poll shows the imported ones again"
    again = page.refresh(people.id, "", 0, "1", BUILT_IN)
    assert at(page, again, "data-of") == people.id and "2 classes" in at(page, again, "data-list")


def test_what_was_deleted_elsewhere_gives_way_to_the_built_in_clips(backend: Backend) -> None:
    page = build(backend)
    updates = page.refresh("gone", "", 0, "1", "gone")
    assert at(page, updates, "data-chosen") == at(page, updates, "data-of") == BUILT_IN
    assert not page.behind("", "", 0, "", ""), "it has not been opened yet"


def test_what_no_loop_can_learn_from_offers_no_launch(backend: Backend, tmp_path: Path) -> None:
    people = imported(backend, tmp_path / "people")
    assert people.usable and "Launch a loop on it" in tiles([people], "", BUILT_IN)
    few = people.model_copy(update={"card": {**people.card, "notes": [UNUSABLE], "clips": 1}})
    html = tiles([few], "", BUILT_IN)
    assert "Launch a loop on it" not in html and "Too little for a loop" in html and "1 clip," in html


def test_deleted_ones_are_listed_until_they_are_restored(backend: Backend, tmp_path: Path) -> None:
    page = build(backend)
    people = imported(backend, tmp_path / "people")
    assert at(page, page.open({}), "data-deleted") == "", "nothing to say while nothing was deleted"
    datasets.delete(backend, people.id)
    listed = at(page, page.refresh(BUILT_IN, "", 0, "1", BUILT_IN), "data-deleted")
    assert "Deleted (1)" in listed and "people" in listed and "<details" in listed and "<details open" not in listed
    assert f'data-act="restore" data-dataset="{people.id}"' in listed and "kB" in listed
    datasets.restore(backend, people.id)
    updates = page.refresh(BUILT_IN, "", 0, "1", BUILT_IN)
    assert at(page, updates, "data-deleted") == "" and people.id in at(page, updates, "data-list")


def test_a_deleted_one_says_how_long_it_is_kept_and_the_latest_comes_first(backend: Backend, tmp_path: Path) -> None:
    first = imported(backend, tmp_path / "people", name="<b>first")
    second = imported(backend, tmp_path / "people", name="second", labels="none")
    loops.launch(backend, learning_from(second.id))
    gone = [datasets.delete(backend, view.id) for view in (second, first)]
    html = datacards.deleted(gone, kept_days=7.0)
    assert gone[1].deleted_at is not None
    assert f"at least until {gone[1].deleted_at + timedelta(days=7):%d %b %Y}" in html
    assert "as long as loops name it" in html and html.index("first") < html.index("second")
    assert "<b>first" not in html
