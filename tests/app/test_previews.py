"""What Inspect shows of loops that are no motions, and says of them."""

from collections.abc import Callable
from typing import Any

import gradio as gr
import pytest

from app import previews
from app.pages import inspect
from app.pages.page import Page
from backend import loops
from backend.context import Backend
from backend.views import LoopView, PanelSampleView, PanelView
from core.config import EvaluationConfig, PartConfig
from tests.app.seeding import record, small
from tests.app.seedloops import gaussian, keep_seeds

EVIL = '<img src=x onerror="alert(1)">'


@pytest.fixture
def page(backend: Backend) -> Page:
    with gr.Blocks():
        return inspect.build(backend, gr.Textbox())


def value(page: Page, updates: list[Any], elem_id: str) -> Any:
    update = updates[[c.elem_id for c in page.outputs].index(elem_id)]
    return update["value"] if isinstance(update, dict) and update.get("__type__") == "update" else update


def test_a_loop_that_is_no_motion_shows_pictures_and_no_viewer(backend: Backend, page: Page) -> None:
    view = keep_seeds(backend, gaussian(), "one")
    updates = page.open({"loop": view.id, "generation": "2"})
    assert value(page, updates, "inspect-viewer")["hidden"]
    spec = value(page, updates, "inspect-pictures")
    assert (spec["view"], spec["generation"], spec["last"]) == ("points", 2, 4)
    assert [pane["id"] for pane in spec["panes"]] == ["real", "raw"], "nothing corrects, so nothing is shown corrected"
    assert all("{g}" in one["url"] for one in [*spec["panes"], *spec["tails"]])
    assert spec["panes"][0]["real"] == f"/api/v1/loops/{view.id}/real"
    sample = updates[[c.elem_id for c in page.outputs].index("inspect-sample")]
    assert sample["visible"] is False


def test_a_motion_shows_the_viewer_and_its_tails_below(backend: Backend, page: Page) -> None:
    view = record(backend, loops.launch(backend, small()), 2)
    updates = page.open({"loop": view.id, "generation": "1"})
    assert "hidden" not in value(page, updates, "inspect-viewer")
    spec = value(page, updates, "inspect-pictures")
    assert spec["panes"] == [] and [tail["title"] for tail in spec["tails"]] == [view.name]


def test_a_corrected_loop_has_a_corrected_pane(backend: Backend) -> None:
    view = keep_seeds(backend, gaussian(lam=0.5, gamma=1.0), "one")
    assert [pane["id"] for pane in previews.one_loop(view, 0, last=4)["panes"]] == ["real", "raw", "corrected"]
    eye = gaussian().model_copy(update={"evaluation": EvaluationConfig(panel_corrector=PartConfig(kind="idealized"))})
    spec = previews.one_loop(keep_seeds(backend, eye, "two"), 0, last=4)
    assert "for the eye only" in spec["panes"][2]["subtitle"]


def test_panes_across_loops_have_their_own_colours_and_one_tail_each(backend: Backend, page: Page) -> None:
    views = [keep_seeds(backend, gaussian(lam=lam), f"lam {lam}") for lam in (0.5, 1.0)]
    keys = f"{views[0].id}:raw,{views[1].id}:raw,{views[1].id}:real"
    updates = page.open({"mode": "loops", "loops": keys, "generation": "1"})
    spec = value(page, updates, "inspect-pictures")
    assert len({pane["color"] for pane in spec["panes"]}) == 3
    assert [tail["title"] for tail in spec["tails"]] == ["lam 0.5", "lam 1.0"]
    details = value(page, updates, "inspect-details")
    assert "lam 0.5" in details and "Wasserstein-2" in details


def test_loops_of_one_name_are_told_apart_by_their_number(backend: Backend) -> None:
    views = [keep_seeds(backend, gaussian(lam=lam), "sweep") for lam in (0.5, 1.0)]
    spec = previews.across_loops([(views[0], "raw"), (views[1], "raw"), (views[1], "real")], 0, last=4)
    assert [pane["title"] for pane in spec["panes"]] == ["sweep, λ = 0.5", "sweep, λ = 1", "sweep, λ = 1"]


def test_a_motion_beside_points_is_explained(backend: Backend) -> None:
    motion = record(backend, loops.launch(backend, small()), 1)
    points = keep_seeds(backend, gaussian(), "one")
    spec = previews.across_loops([(motion, "raw"), (points, "raw")], 0, last=4)
    assert spec["view"] == "points"
    assert "motions" in spec["panes"][0]["note"] and spec["panes"][1]["note"] == ""


def test_an_address_beyond_the_last_generation_shows_the_last(backend: Backend, page: Page) -> None:
    view = keep_seeds(backend, gaussian(), "one")
    updates = page.open({"loop": view.id, "generation": "99"})
    assert value(page, updates, "inspect-pictures")["generation"] == 4
    assert value(page, updates, "inspect-generation") == 4


@pytest.fixture
def panel() -> PanelView:
    outcomes = [{"status": "corrected"}, {"status": "rejected", "reason": EVIL}, {"status": "rejected", "reason": EVIL}]
    samples = [PanelSampleView(index=i, label="a", outcome=one) for i, one in enumerate(outcomes)]
    return PanelView(loop_id="x", generation=1, samples=samples)


def test_a_generation_in_numbers_beside_real_data(backend: Backend, panel: PanelView) -> None:
    view = keep_seeds(backend, gaussian(gamma=1.0, lam=0.5), "one")
    html = previews.generation_detail(view, 1, panel, {"w2": 0.25, "tail": 0.01}, {"tail": [0.04, 0.06]})
    assert "0.25" in html and "0.05" in html and "Means over 40 seeds" in html
    assert "1 corrected, 0 unchanged, 2 rejected" in html and "2 x &lt;img" in html
    assert f"/api/v1/loops/{view.id}/generations/1/panel/values" in html and "seeds=1" in html


MARKUP: dict[str, Callable[[LoopView, PanelView], str]] = {
    "one": lambda view, panel: previews.generation_detail(view, 1, panel, {}, {}),
    "several": lambda view, _: previews.loops_detail([(view, "raw", {"w2": 1.0})], 1),
}


@pytest.mark.parametrize("name", MARKUP)
def test_names_and_reasons_are_never_markup(backend: Backend, panel: PanelView, name: str) -> None:
    assert "<img" not in MARKUP[name](keep_seeds(backend, gaussian(gamma=1.0, lam=0.5), EVIL), panel)


def test_before_anything_is_measured_it_says_so(backend: Backend) -> None:
    html = previews.generation_detail(loops.launch(backend, gaussian()), 0, None, {}, {})
    assert "Not measured yet" in html and "corrects nothing" in html
