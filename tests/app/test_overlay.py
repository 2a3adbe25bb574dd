"""Theory over the lines it speaks of, explained; what it does not speak of, and why."""

from pathlib import Path

import pytest

from app.groups import group_loops
from app.overlay import NOTHING, Overlay, overlay_of, theory_fold
from app.plots import small_multiples
from backend import measures
from backend.context import Backend
from backend.theory import lines
from model.domains import all_metrics
from tests.app.seedloops import gaussian, keep_seeds

METRICS = all_metrics()


@pytest.fixture
def overlay(backend: Backend) -> Overlay:
    """Of a loop that replaces (theory speaks of it) and one that augments with correction."""
    views = [keep_seeds(backend, gaussian(), "replace"), keep_seeds(backend, gaussian(lam=0.5, gamma=1.0), "<b>toy")]
    return overlay_of(group_loops(views), measures.curves(backend, [view.id for view in views]))


def test_a_curve_is_what_the_theory_says_for_the_loop(overlay: Overlay) -> None:
    told = {drawn.view.key: drawn for drawn in overlay.lines}
    for line in lines(gaussian(), 4):
        if line.key in told and told[line.key].labels[0] == "replace":
            assert told[line.key].view.points == line.points
    assert any(drawn.view.metric == "variance" for drawn in overlay.lines)


def test_the_fold_explains_what_is_drawn_and_what_is_not(overlay: Overlay) -> None:
    html = theory_fold(overlay, ["w2", "variance"])
    for drawn in overlay.of("variance"):
        assert drawn.view.source[:20] in html.replace("&#x27;", "'")
    assert "Assumes" in html and "Symbols" in html and "Not drawn" in html
    assert "<b>toy" not in html and "&lt;b&gt;toy" in html


def test_only_curves_of_the_charts_shown_are_explained(overlay: Overlay) -> None:
    titles = {drawn.view.title for drawn in overlay.of("variance")} - {drawn.view.title for drawn in overlay.of("w2")}
    html = theory_fold(Overlay(overlay.lines), ["w2"])
    assert titles and not any(title in html for title in titles)


def test_nothing_to_say_is_nothing() -> None:
    assert theory_fold(NOTHING, ["w2"]) == ""


def test_arms_of_which_the_same_is_predicted_share_a_curve(backend: Backend) -> None:
    views = [keep_seeds(backend, gaussian(seed=k, replicates=2 + k), f"arm {k}") for k in (0, 1)]
    found = overlay_of(group_loops(views, "name"), {})
    exact = [drawn for drawn in found.of("variance") if drawn.view.kind == "exact"]
    assert len(exact) == 1 and len(exact[0].titles) == 2


def test_mixed_settings_in_one_line_have_no_theory(backend: Backend) -> None:
    views = [keep_seeds(backend, gaussian(n=n), f"n {n}") for n in (50, 100)]
    assert overlay_of(group_loops(views, "arm"), {}) == NOTHING


def test_a_chart_draws_theory_in_ink_with_dashes_by_kind(backend: Backend) -> None:
    view = keep_seeds(backend, gaussian(), "replace")
    groups, curves = group_loops([view]), measures.curves(backend, [view.id])
    chart = small_multiples(groups, curves, {}, [METRICS["variance"]], overlay=overlay_of(groups, curves))["charts"][0]
    drawn = [trace for trace in chart["data"] if trace["meta"]["role"] == "theory"]
    assert drawn and {trace["line"]["color"] for trace in drawn} == {"ink"}
    dashes = {trace["meta"]["kind"]: trace["line"]["dash"] for trace in drawn}
    assert len(set(dashes.values())) == len(dashes)
    page = (Path(__file__).parents[2] / "app" / "static" / "ui.js").read_text()
    assert '=== "ink"' in page, "the page puts its colour in its place"
    assert any("exact" in label["text"] for label in chart["layout"]["annotations"])


def test_a_bound_that_explodes_does_not_press_the_lines_flat(backend: Backend) -> None:
    views = [keep_seeds(backend, gaussian(lam=0.9, gamma=0.0, data={"kind": "normal", "options": {}}), "far", last=20)]
    groups, curves = group_loops(views), measures.curves(backend, [views[0].id])
    overlay = overlay_of(groups, curves)
    top = max(value for drawn in overlay.of("w2") for _, value in drawn.view.points)
    highest = max(value for _, value in curves[views[0].id]["w2"])
    assert top > 10 * highest, "this bound does explode"
    chart = small_multiples(groups, curves, {}, [METRICS["w2"]], overlay=overlay)["charts"][0]
    assert chart["layout"]["yaxis"]["range"][1] < 2 * highest
