"""What the viewer is told to show."""

from typing import Any

import pytest

from app.theme import ARM_COLOURS
from app.viewer_embed import MOST_PANES, Choice, Start, across_loops, facts_of, one_loop
from backend import loops
from backend.context import Backend
from backend.presets import launch_preset
from backend.views import LoopView, PanelView
from tests.app.seeding import record


def demo(backend: Backend, last: int = 3) -> list[LoopView]:
    return [record(backend, view, last) for view in launch_preset(backend, "demo")]


def panel(backend: Backend, view: LoopView, t: int) -> PanelView:
    return loops.panel(backend, view.id, t)


def test_one_loop_shows_real_raw_and_corrected_in_their_colours(backend: Backend) -> None:
    view = demo(backend)[0]
    spec = one_loop(view, panel(backend, view, 2), 1, last=3)
    assert [pane["title"] for pane in spec["panes"]] == ["Real", "Raw", "Corrected"]
    assert [pane["color"] for pane in spec["panes"]] == list(ARM_COLOURS.values())
    base = f"/api/v1/loops/{view.id}/generations/2/panel"
    assert [pane["url"] for pane in spec["panes"]] == [f"{base}/{k}/1/motion.lsm" for k in ("real", "raw", "corrected")]


def test_the_raw_motion_is_the_ghost_inside_the_corrected_one(backend: Backend) -> None:
    view = demo(backend)[0]
    real, raw, corrected = one_loop(view, panel(backend, view, 2), 0, last=3)["panes"]
    assert corrected["ghost_url"] == raw["url"]
    assert real["ghost_url"] is None and raw["ghost_url"] is None


def test_samples_of_prompts_stand_beside_real_ones_of_any_class(backend: Backend) -> None:
    view = demo(backend)[0]
    found = panel(backend, view, 2)
    told = {**view.config, "evaluation": {**view.config["evaluation"], "prompts": ["a person walks"]}}
    asked = view.model_copy(update={"config": told})
    words = [one_loop(asked, found, i, last=3)["panes"][0]["subtitle"] for i in range(len(found.samples))]
    assert [each.endswith("any class") for each in words] == [False] * (len(words) - 1) + [True]
    assert one_loop(view, found, len(words) - 1, last=3)["panes"][0]["subtitle"].endswith("the class")


def test_only_what_was_corrected_has_facts(backend: Backend) -> None:
    view = demo(backend)[0]
    found = panel(backend, view, 2)
    real, raw, corrected = one_loop(view, found, 0, last=3)["panes"]
    assert real["facts"] is None and raw["facts"] is None
    assert corrected["facts"] == "Help from outside the physics: 0.06 body weights on average."
    across = across_loops([(view, "raw", found), (view, "corrected", found)], 2, 0, last=3)["panes"]
    assert [pane["facts"] for pane in across] == [None, corrected["facts"]]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ({}, "No corrector has looked at this sample."),
        ({"status": "unchanged"}, "Nothing was simulated."),
        ({"status": "corrected", "reason": "lifted by up to 3 cm"}, "Lifted by up to 3 cm. Nothing was simulated."),
        ({"status": "rejected", "reason": "It fell in frame 3."}, "Nothing was simulated."),
        (
            {"status": "corrected", "reason": "simulated", "simulation": {"residual_force_bw": 0.3}},
            "Simulated. Help from outside the physics: 0.3 body weights on average.",
        ),
    ],
)
def test_facts_say_what_was_done_and_how_much_help_it_took(outcome: dict[str, Any], words: str) -> None:
    assert facts_of(outcome) == words


def test_neighbouring_generations_are_fetched_ahead(backend: Backend) -> None:
    view = demo(backend)[0]
    urls = one_loop(view, panel(backend, view, 3), 0, last=3)["prefetch"]
    assert urls and all("/generations/2/" in url for url in urls)
    urls = one_loop(view, panel(backend, view, 1), 0, last=3)["prefetch"]
    assert {url.split("/generations/")[1][0] for url in urls} == {"0", "2"}


def test_the_same_sample_across_loops(backend: Backend) -> None:
    views = demo(backend)
    rows = [(view, Choice(view.id, "raw").kind, panel(backend, view, 1)) for view in views]
    spec = across_loops(rows, 1, 3, last=3)
    assert [pane["title"] for pane in spec["panes"]] == [view.name for view in views]
    assert all(pane["url"].endswith("/raw/3/motion.lsm") for pane in spec["panes"])
    assert len({pane["color"] for pane in spec["panes"]}) == len(views)


def test_a_generation_that_is_not_there_yet_is_said_in_words(backend: Backend) -> None:
    view = demo(backend)[0]
    pane = across_loops([(view, "raw", None)], 9, 0, last=9)["panes"][0]
    assert pane["url"] is None and "not there yet" in pane["note"]


def test_no_more_panes_than_the_viewer_has(backend: Backend) -> None:
    view = demo(backend)[0]
    rows = [(view, Choice(view.id, "raw").kind, panel(backend, view, 1))] * 6
    assert len(across_loops(rows, 1, 0, last=3)["panes"]) == MOST_PANES


@pytest.mark.parametrize("key", ["", "abc", "abc:", ":raw", "abc:html"])
def test_a_choice_that_is_none(key: str) -> None:
    assert Choice.of(key) is None


def test_a_choice_survives_its_key() -> None:
    assert Choice.of(Choice("abc", "corrected").key) == Choice("abc", "corrected")


@pytest.mark.parametrize(
    "text, start",
    [
        ("", Start()), (None, Start()), ("12;", Start(12)), ("x;1,2", Start()), (";a,b,c,d,e,f", Start()),
        ("3;1,2,3,4,5,6.5", Start(3, (1.0, 2.0, 3.0, 4.0, 5.0, 6.5))),
    ],
)  # fmt: skip
def test_where_the_viewer_begins(text: str | None, start: Start) -> None:
    assert Start.of(text) == start
