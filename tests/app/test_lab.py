"""The Lab runs cards, shows what they measured beside what theory says, and explains what cannot be."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from app.labplot import Line, key_of, picture
from app.markup import esc
from app.pages import lab
from app.pages.labcards import arm_words, lab_page, tile
from app.pages.labedits import changes_of, edits_of, typed_value
from app.pages.labview import Lab, Said
from app.pages.page import Page
from backend import loops, theory
from backend.context import Backend, open_backend
from backend.lab import CARDS, Card
from backend.lab.findings import Findings, Verdict
from backend.presets import PRESETS
from backend.queue import ListQueue
from backend.settings import Settings
from worker.stage import drain

SMALL = {"domain": "gaussian", "n": 20, "generations": 3, "replicates": 4}
EVIL = "<img src=x onerror=alert(1)>"


def judged(findings: Findings) -> list[Verdict]:
    grown = {label: arm.at("spread", 3) for label, arm in findings.arms.items()}
    return [Verdict(claim="It ends", measured=str(len(grown)), agrees=True), Verdict(claim="No test", measured="-")]


CARD = Card(
    title="Small collapse",
    question="Does it collapse?",
    shows=f"What was measured {EVIL}.",
    minutes=0.5,
    paper="A paper",
    metric="spread",
    plans=(
        ("Replace", {**SMALL, "policy": {"kind": "replace", "options": {}}}),
        ("Accumulate", {**SMALL, "policy": {"kind": "accumulate", "options": {}}}),
    ),
    edits=("n", "data.options.d", "generations", "replicates"),
    verdicts=judged,
)
TEST_CARDS: Mapping[str, Card] = {"small": CARD, "other": replace(CARD, title="Other", topic="text")}


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    """A data folder whose loops run when they are told to."""
    opened = open_backend(Settings(home=tmp_path), queue=ListQueue())
    yield opened
    opened.close()


def page_of(backend: Backend, cards: Mapping[str, Card] = TEST_CARDS) -> Page:
    with gr.Blocks():
        return lab.build(backend, gr.Textbox(), cards)


def html_of(backend: Backend, **query: str) -> str:
    return str(page_of(backend).open(query)[-1])


def press(backend: Backend, action: str, **data: str) -> Said:
    return lab.act_on(backend, TEST_CARDS, "small", action, data)


def finished(backend: Backend, **data: str) -> Said:
    said = press(backend, "lab-change" if data else "lab-run", **data)
    drain(backend)
    return said


# ---- what is shown ---------------------------------------------------------------------------------------------


def test_before_a_run_a_card_asks_tells_minutes_and_draws_what_theory_predicts(backend: Backend) -> None:
    html = html_of(backend, card="small")
    assert CARD.question in html and "Run, about 30 s" in html and "A paper" in html
    assert "this is what theory predicts" in html and 'class="ls-labtheory"' in html


def test_closed_forms_come_with_symbols_assumptions_and_source(backend: Backend) -> None:
    html = html_of(backend, card="small")
    fold = html[html.index("<summary>Theory:") :]
    found = theory.lines(CARD.arms[0][1], 1)
    assert found
    for line in found:
        for words in (line.formula, line.source, *line.symbols.values(), *line.assumptions):
            assert esc(words) in fold
    assert "Not drawn, and why" in fold


def test_a_finished_run_shows_means_bands_theory_and_verdicts(backend: Backend) -> None:
    finished(backend)
    html = html_of(backend, card="small")
    assert "2 loops done in" in html and "over 4 seeds" in html
    assert html.count('stroke-width="2.2"') == 2 and html.count("fill-opacity") == 2
    assert 'class="ls-labtheory"' in html and "It ends" in html and 'data-agrees="open"' in html
    closed = tile("small", lab.Seen(backend).all(TEST_CARDS)["small"], Said())
    assert "1 of 1 claim agrees with this run" in closed and "<svg" in closed


def test_a_run_under_way_says_how_far_it_is(backend: Backend) -> None:
    press(backend, "lab-run")
    html = html_of(backend, card="small")
    assert "0 of 2 loops done. Replace: Queued" in html and 'role="progressbar"' in html and "Stop" in html


def test_a_finished_run_is_read_once(backend: Backend) -> None:
    finished(backend)
    seen = lab.Seen(backend)
    first, again = (seen.all(TEST_CARDS)["small"] for _ in range(2))
    assert first.result is again.result is not None


def test_topics_stand_in_their_order_and_motion_is_not_forgotten(backend: Backend) -> None:
    html = str(lab_page(Lab(lab.Seen(backend).all(TEST_CARDS), PRESETS), "", Said()))
    assert html.index("Theory</h2>") < html.index("Text</h2>") < html.index("Motion</h2>")
    assert PRESETS["demo"].title in html


def test_words_of_a_card_are_never_markup(backend: Backend) -> None:
    html = html_of(backend, card="small")
    assert "<img" not in html and "&lt;img" in html


def test_no_card_at_all_says_what_to_do(backend: Backend) -> None:
    assert "Launch page" in page_of(backend, {}).open({})[-1]


@pytest.mark.parametrize("key", list(CARDS))
def test_every_registered_card_opens_without_trouble(backend: Backend, key: str) -> None:
    html = str(page_of(backend, {key: CARDS[key]}).open({"card": key})[-1])
    assert "ls-labopen" in html and 'role="alert"' not in html
    assert html.count("<label>") == len(CARDS[key].edits)


# ---- what can be done ------------------------------------------------------------------------------------------


def test_a_second_run_offers_what_is_there_and_run_again_does_it_anew(backend: Backend) -> None:
    first = finished(backend)
    assert "has run already" in press(backend, "lab-run").text
    again = press(backend, "lab-again")
    assert again.text == "" and again.run != first.run
    assert len(loops.list_loops(backend)) == 4


def test_a_changed_number_is_a_run_of_its_own_and_says_how_it_differs(backend: Backend) -> None:
    first = finished(backend)
    changed = finished(backend, n="30", generations="3")
    html = html_of(backend, card="small", run=changed.run)
    assert "n = 30 instead of 20" in html
    assert f">{first.run}</a>" in html and f"<b>{changed.run}</b>" in html
    assert "instead of" not in html_of(backend, card="small", run=first.run)


@pytest.mark.parametrize(
    "path, typed, words",
    [("n", "3", "8"), ("n", "many", "many"), ("n", "inf", "inf"), ("replicates", "1", "at least 2 seeds"),
     ("generations", "-1", "0"), ("data.options.d", "0", "1")],
)  # fmt: skip
def test_a_number_that_cannot_be_is_refused_in_the_card_beside_its_field(
    backend: Backend, path: str, typed: str, words: str
) -> None:
    said = press(backend, "lab-change", **{path: typed})
    assert said.kind == "error" and said.field == path and words in said.text
    assert loops.list_loops(backend) == []
    shown = lab.Seen(backend).all(TEST_CARDS)
    html = lab_page(Lab(shown), "small", said)
    assert re.search(rf'<input name="{re.escape(path)}"[^>]*aria-invalid="true"', html)
    assert 'role="alert"' in html


def test_a_run_can_be_stopped_and_gone_on_with(backend: Backend) -> None:
    run = press(backend, "lab-run").run
    assert "stop" in press(backend, "lab-stop", run=run).text
    assert {view.state for view in loops.list_loops(backend)} == {"cancelled"}
    assert "Go on" in html_of(backend, card="small")
    press(backend, "lab-resume", run=run)
    drain(backend)
    assert {view.state for view in loops.list_loops(backend)} == {"done"}


@pytest.mark.parametrize("key, action", [("nowhere", "lab-run"), ("small", "explode")])
def test_what_there_is_not_is_an_error_in_words(backend: Backend, key: str, action: str) -> None:
    said = lab.act_on(backend, TEST_CARDS, key, action, {})
    assert said.kind == "error" and "There is no" in said.text


# ---- addresses and state ---------------------------------------------------------------------------------------


def test_the_chosen_card_and_run_give_their_address_back(backend: Backend) -> None:
    run = finished(backend).run
    page = page_of(backend)
    for asked in ({"card": "small", "run": run}, {"card": "other"}, {}):
        chosen, told, *_ = page.open(asked)
        assert page.query(chosen, told) == asked


def test_nonsense_in_the_hidden_boxes_is_nothing(backend: Backend) -> None:
    page = page_of(backend)
    for nonsense in ("", "x", "[1]", '{"wrong": 1}', "null"):
        assert lab.said_of(nonsense) == Said()
        assert len(page.refresh("gone", nonsense, "")) == len(page.outputs)


def test_what_was_said_survives_a_refresh(backend: Backend) -> None:
    said = Said("small", "error", "Too few.", "n")
    html = page_of(backend).refresh("small", json.dumps(vars(said)), "")[-1]
    assert "Too few." in html


def test_an_answer_from_before_a_choice_is_put_right(backend: Backend) -> None:
    page = page_of(backend)
    said = json.dumps(vars(Said("small", "info", "Asked its loops to stop.")))
    late = page.refresh("", "", "")[2]  # a poll that is answered after the button was
    assert page.behind("", said, late), "the next poll says it again"
    _, _, of, html = page.refresh("", said, late)
    assert "Asked its loops to stop." in html and not page.behind("", said, of)


# ---- numbers ---------------------------------------------------------------------------------------------------


def test_edits_have_the_titles_of_the_launch_form_and_published_values() -> None:
    found = {edit.path: edit for edit in edits_of(CARD)}
    assert found["n"].title == "Real training samples n" and found["n"].value == "20"
    assert found["data.options.d"].title == "Dimensions d" and found["data.options.d"].value == "1"


def test_only_what_was_changed_is_a_change() -> None:
    assert changes_of(CARD, {"n": "20", "generations": " 3 ", "replicates": "9", "act": "lab-change"}) == {
        "replicates": 9
    }


@pytest.mark.parametrize("text, value", [("3", 3), (" 2.5 ", 2.5), ("1e-3", 0.001), ("many", "many"), ("", "")])
def test_typed_values(text: str, value: Any) -> None:
    assert typed_value(text) == value and type(typed_value(text)) is type(value)


def test_arms_in_words() -> None:
    words = arm_words(CARD.arms[0][1].model_dump(mode="json"))
    assert words.startswith("replace") and "n 20" in words and "4 seeds at once" in words


# ---- picture ---------------------------------------------------------------------------------------------------


def line(values: list[float], **more: Any) -> Line:
    return Line("arm", "#D55E00", [(float(t), v) for t, v in enumerate(values)], **more)


def numbers_of(svg: str, part: str) -> list[float]:
    path = re.search(rf'd="([^"]*)"[^>]*{part}', svg)
    assert path is not None
    return [float(pair.split()[1]) for pair in re.findall(r"[\d.]+ [\d.]+", path[1])]


def test_a_rising_curve_rises_and_a_wide_range_is_logarithmic() -> None:
    even = numbers_of(picture([line([1.0, 2.0, 3.0])], "m"), 'stroke-width="2.2"')
    assert even[0] > even[1] > even[2] and even[0] - even[1] == pytest.approx(even[1] - even[2], abs=0.2)
    wide = numbers_of(picture([line([1.0, 10.0, 100.0])], "m"), 'stroke-width="2.2"')
    assert wide[0] - wide[1] == pytest.approx(wide[1] - wide[2], abs=0.2)


def test_nothing_leaves_the_frame_and_nothing_is_drawn_of_nothing() -> None:
    assert picture([], "m") == "" and picture([Line("a", "red", [])], "m") == ""
    svg = picture([line([1.0, float("nan"), 2.0], band=[50.0, 0.0, 50.0])], "m", height=210)
    assert all(10.0 <= y <= 180.0 for y in numbers_of(svg, "fill-opacity"))
    assert "nan" not in svg


def test_a_constant_curve_and_a_single_point_are_drawn() -> None:
    for values in ([0.0, 0.0, 0.0], [2.0], [-1.0, -2.0]):
        assert "<path" in picture([line(values)], "m")


def test_a_long_label_is_cut_and_escaped() -> None:
    svg = picture([Line("<b>" + "very " * 20, "red", [(0.0, 1.0), (1.0, 2.0)])], "m")
    assert "<b>" not in svg and "…" in svg


def test_the_key_names_only_what_is_drawn() -> None:
    theory = [("bound", [(0.0, 1.0), (1.0, 2.0)])]
    assert "upper bound" in key_of([line([1.0, 2.0], theory=theory)], 9) and "9 seeds" in key_of([line([1.0])], 9)
    assert "no band" in key_of([line([1.0])], 1) and key_of([], 1) == ""


def test_runs_are_told_apart_by_their_group(backend: Backend) -> None:
    del backend
    views: Any = [
        SimpleNamespace(group=group, name="Replace", created_at=0)
        for group in ("Small collapse 2", "Small collapse", "Small collapse of another")
    ]
    assert list(lab.runs_of(views, CARD)) == ["Small collapse 2", "Small collapse"]
