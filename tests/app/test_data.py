"""The Data page as the server sees it."""

from pathlib import Path
from typing import Any

import gradio as gr

from app.pages import data
from app.pages.datacards import tiles
from app.pages.page import Page
from backend.context import Backend
from backend.datasets import BUILT_IN
from backend.importing.work import UNUSABLE
from tests.backend.datafolders import imported


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
