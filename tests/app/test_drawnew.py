"""Inspect's section of new samples: what it offers, what it says, and that names stay text."""

from dataclasses import replace
from typing import Any

import gradio as gr
import pytest

from app import viewer_embed
from app.pages import drawnew, inspect
from app.pages.page import Page
from backend import drawing, drawwork, loops
from backend.context import Backend
from backend.gate import Actor, Forbidden, Role
from backend.quotas import OverQuota
from core.errors import InvalidConfig, LoopscopeError
from tests.app.seeding import record, small
from tests.app.seedloops import gaussian, keep_seeds
from tests.backend.drawloops import CLASS, TEXT, drawable

EVIL = "<img src=x onerror=alert(1)>{{7*7}}"


class Looking:
    """The gate of a viewer."""

    def require(self, role: Role) -> Actor:
        if role != "viewer":
            raise Forbidden("A viewer may not do this.", "Ask an admin.")
        return Actor("eve", "viewer")


@pytest.fixture
def page(backend: Backend) -> Page:
    with gr.Blocks():
        return inspect.build(backend, gr.Textbox())


def at(page: Page, updates: list[Any], elem_id: str) -> Any:
    return updates[[c.elem_id for c in page.outputs].index(elem_id)]


def drawn(backend: Backend, loop_id: str, t: int = 0, **typed: Any) -> drawing.DrawView:
    values = {"label": "walk", "prompt": "", "guidance": 2.5, "count": 2, "seed": 0} | typed
    view = drawnew.start(backend, loop_id, t, list(values.values()))
    drawwork.work(backend, view.id, device="cpu")
    return drawing.show(backend, loop_id, view.id)


def test_the_form_offers_what_the_model_is_told(backend: Backend) -> None:
    form, label, prompt, guidance = drawnew.form_of(backend, drawable(backend))
    assert form["visible"] and "walk" in label["choices"] and not prompt["visible"] and guidance["value"] == 2.5
    _, label, prompt, _ = drawnew.form_of(backend, drawable(backend, TEXT), "walk")
    assert label["value"] == "walk" and "value" not in prompt, "what was chosen and typed stays"
    assert label["visible"] and prompt["visible"]
    _, label, prompt, guidance = drawnew.form_of(backend, drawable(backend, CLASS | {"condition": "none"}))
    assert not label["visible"] and not prompt["visible"] and not guidance["visible"]
    assert drawnew.form_of(backend, keep_seeds(backend, gaussian(), "light").id)[0]["visible"] is False
    assert drawnew.form_of(backend, "nobody")[0]["visible"] is False


def test_a_draw_takes_the_place_of_the_panel_and_the_address_names_it(backend: Backend, page: Page) -> None:
    loop_id = drawable(backend, TEXT)
    draw = drawn(backend, loop_id, prompt="a person walks in a circle")
    asked = {"loop": loop_id, "generation": "0", "sample": "3", "draw": draw.id}
    updates = page.open(asked)
    spec = at(page, updates, "inspect-viewer")
    base = f"/api/v1/loops/{loop_id}/draws/{draw.id}"
    assert [pane["url"] for pane in spec["panes"]] == [
        f"{base}/{kind}/1/motion.lsm" for kind in ("real", "raw", "corrected")
    ]
    assert "a person walks in a circle" in spec["panes"][1]["subtitle"]
    assert at(page, updates, "inspect-sample")["value"] == 1, "the draw has two samples only"
    banner = at(page, updates, "inspect-draw-banner")
    assert "Drawn on demand" in banner and "a person walks in a circle" in banner and "inspect-draw-back" in banner
    assert f"{base}/raw/1/motion.bvh" in at(page, updates, "inspect-details")
    assert page.query("one", loop_id, [], 1, 0, "", draw.id, "")["draw"] == draw.id
    assert "draw" not in page.query("one", loop_id, [], 1, 0, "", "", "")
    other = page.open(asked | {"generation": "1"})
    assert at(page, other, "inspect-draw") == "" and at(page, other, "inspect-draw-banner") == ""
    assert "/panel/" in at(page, other, "inspect-viewer")["panes"][0]["url"], "of another generation it is none"
    unknown = page.open(asked | {"draw": "nobody"})
    assert at(page, unknown, "inspect-draw") == ""


def test_an_answer_that_came_too_late_is_put_right(backend: Backend, page: Page) -> None:
    loop_id = drawable(backend)
    draw = drawn(backend, loop_id)
    updates = page.open({"loop": loop_id, "generation": "0", "draw": draw.id})
    held = {c.elem_id: at(page, updates, str(c.elem_id)) for c in page.inputs}
    held |= {"inspect-loop": loop_id, "inspect-loops": [], "inspect-sample": 0, "inspect-generation": 0}
    assert not page.behind(*held.values())
    late = page.refresh(*(held | {"inspect-draw": ""}).values())  # a poll that began before the draw was chosen
    assert "value" not in late[6], "the choice stays"
    assert page.behind(*(held | {"inspect-key": at(page, late, "inspect-key")}).values()), "and is shown again"


def test_too_many_at_once_are_refused_with_what_to_do(backend: Backend) -> None:
    backend = replace(backend, settings=backend.settings.model_copy(update={"max_active_draws": 1}))
    loop_id = drawable(backend)
    drawnew.start(backend, loop_id, 0, ["walk", "", 2.5, 2, 0])
    with pytest.raises(OverQuota) as caught:
        drawnew.start(backend, loop_id, 0, ["walk", "", 2.5, 2, 1])
    line = drawnew.refused(caught.value)
    assert 'data-state="invalid"' in line and "There is 1 draw queued or running" in line and "delete some" in line


def test_while_it_is_drawn_the_panel_stays_and_progress_is_told(backend: Backend, page: Page) -> None:
    loop_id = drawable(backend)
    view = drawnew.start(backend, loop_id, 0, ["walk", "", 2.5, 2, 0])
    updates = page.open({"loop": loop_id, "generation": "0", "draw": view.id})
    assert "/panel/" in at(page, updates, "inspect-viewer")["panes"][0]["url"]
    banner = at(page, updates, "inspect-draw-banner")
    assert "waits for a free worker" in banner and "progressbar" in banner and "Stop" in banner
    assert "waits for a free worker" in at(page, updates, "inspect-draw-status")
    assert view.id in at(page, updates, "inspect-draw-earlier")


@pytest.mark.parametrize(
    ("typed", "words", "control"),
    [
        ({"guidance": 99}, "at most 20", "inspect-draw-guidance"),
        ({"guidance": None}, "Guidance scale is empty", "inspect-draw-guidance"),
        ({"seed": ""}, "Seed is empty", "inspect-draw-seed"),
        ({"label": "moonwalk"}, "no class", "inspect-draw-class"),
        ({"label": None}, "Nothing is asked for", "inspect-draw-class"),
        ({"label": "", "prompt": "a person walks"}, "Nothing is asked for", "inspect-draw-class"),
        ({"count": 99}, "at most 8", "inspect-draw-count"),
    ],
)
def test_what_is_wrong_is_said_beside_its_control(
    backend: Backend, typed: dict[str, Any], words: str, control: str
) -> None:
    loop_id = drawable(backend)
    with pytest.raises(InvalidConfig, match=words) as raised:
        drawn(backend, loop_id, **typed)
    told = drawnew.refused(raised.value)
    assert f'data-invalid="{control}"' in told and "guidance_scale" not in told


def test_empty_lists_teach_and_sentences_are_never_markup(backend: Backend) -> None:
    loop_id = drawable(backend, TEXT)
    assert "Nothing has been drawn from generation 0 yet. Ask" in drawnew.earlier([], "", 0, True)
    draw = drawn(backend, loop_id, prompt=EVIL)
    view = loops.show_loop(backend, loop_id)
    for html in (drawnew.banner(draw, True), drawnew.earlier([draw], "", 0, True)):
        assert "<img" not in html and "&lt;img" in html
    assert EVIL in viewer_embed.drawn(view, draw, 0)["panes"][1]["subtitle"], "the viewer writes text"


def test_a_viewer_sees_draws_and_cannot_ask(backend: Backend) -> None:
    loop_id = drawable(backend)
    draw = drawn(backend, loop_id)
    looking = replace(backend, gate=Looking())
    with gr.Blocks():
        page = inspect.build(looking, gr.Textbox())
    updates = page.open({"loop": loop_id, "generation": "0", "draw": draw.id})
    assert at(page, updates, "inspect-viewer")["panes"][0]["url"].startswith(f"/api/v1/loops/{loop_id}/draws/")
    assert drawnew.ONLY_LOOKS in at(page, updates, "inspect-draw-earlier")
    assert "Delete" not in at(page, updates, "inspect-draw-banner")
    assert drawnew.form_of(looking, loop_id)[0]["visible"] is False
    with pytest.raises(LoopscopeError, match="may not"):
        drawnew.start(looking, loop_id, 0, ["walk", "", 2.5, 2, 1])


def test_the_section_is_there_for_motion_only(backend: Backend, page: Page) -> None:
    light, waiting = keep_seeds(backend, gaussian(), "light"), record(backend, loops.launch(backend, small()), 1)
    assert at(page, page.open({"loop": light.id}), "inspect-drawing")["visible"] is False
    assert at(page, page.open({"loop": waiting.id, "generation": "1"}), "inspect-drawing")["visible"] is True
    across = page.open({"mode": "loops", "loops": f"{waiting.id}:raw"})
    assert at(page, across, "inspect-drawing")["visible"] is False
