"""The card of the paper's protocol: what its controls stand for, and what they say that it would cost."""

from pathlib import Path

import gradio as gr
import pytest

from app.pages import launch
from app.pages.protocolcard import choices_form, choices_of, data_offered, looked_at
from app.pulse import pulse_of
from backend import datasets
from backend.context import Backend
from backend.datasets import DatasetView
from core.errors import DataMissing, InvalidConfig
from tests.backend.datafolders import imported


@pytest.fixture
def people(backend: Backend, tmp_path: Path) -> DatasetView:
    return imported(backend, tmp_path / "people")


def test_an_imported_data_set_is_chosen_by_name_and_launched_by_id(backend: Backend, people: DatasetView) -> None:
    markup = choices_form("", data_offered(backend))
    assert f'value="stored:{people.id}">people (10 clips, 2 classes)</option>' in markup
    choices = choices_of({"data": f"stored:{people.id}", "place": "/left/from/before", "n": "32", "scale": "small"})
    assert choices["data"] == {"kind": "stored", "options": {"id": people.id}}
    assert "4 loops of 10 generations" in looked_at(backend, choices)


def test_the_path_goes_to_what_takes_one() -> None:
    assert choices_of({"data": "npz", "place": " /data/cmu "})["data"]["options"] == {"path": "/data/cmu"}
    assert choices_of({"data": "deepmimic", "place": "/data/cmu"})["data"]["options"] == {}
    assert choices_of({})["data"]["kind"] == "deepmimic"


def test_what_is_gone_is_refused_in_words(backend: Backend, people: DatasetView) -> None:
    datasets.delete(backend, people.id)
    with pytest.raises(InvalidConfig, match="'people' was deleted"):
        looked_at(backend, choices_of({"data": f"stored:{people.id}"}))
    with pytest.raises(DataMissing, match="no imported data set 'nowhere'"):
        looked_at(backend, choices_of({"data": "stored:nowhere"}))
    with pytest.raises(InvalidConfig, match="No imported data set is named"):
        looked_at(backend, choices_of({"data": "stored:"}))


def test_the_cards_offer_what_was_imported_since(backend: Backend, tmp_path: Path) -> None:
    with gr.Blocks():
        page = launch.build(backend, gr.Textbox())
    assert "stored:" in page.open({})[0] and "people (" not in page.open({})[0]
    people = imported(backend, tmp_path / "people")
    pulse_of(backend)._beaten_at = float("-inf")  # the next beat
    assert f"stored:{people.id}" in page.refresh("", "motion", "", None)[0]
