"""Charts: one line per group in its colour, bands over seeds with the raw traces, floors, labels at line ends."""

from math import log10
from typing import Any

import pytest

from app.groups import group_loops
from app.pages.finals import legend
from app.plots import apart, small_multiples
from app.series import TraceKeeper
from backend import loops, measures
from backend.context import Backend
from backend.presets import launch_preset
from backend.views import LoopView
from core.config import EvaluationConfig
from model.domains import all_metrics
from model.metrics import METRICS
from tests.app.seeding import FLOOR, record, small
from tests.app.seedloops import gaussian, keep_seeds

FID, COVERAGE = METRICS["fid"], METRICS["coverage"]


def recorded(backend: Backend, key: str, last: int = 3) -> list[LoopView]:
    return [record(backend, view, last) for view in launch_preset(backend, key)]


def chart(backend: Backend, views: list[LoopView], name: str = "fid", **options: Any) -> dict[str, Any]:
    curves = measures.curves(backend, [view.id for view in views])
    found = small_multiples(group_loops(views), curves, FLOOR, [METRICS[name]], **options)["charts"]
    assert len(found) == 1
    one: dict[str, Any] = found[0]
    return one


def role(figure: dict[str, Any], wanted: str) -> list[dict[str, Any]]:
    return [trace for trace in figure["data"] if trace["meta"]["role"] == wanted]


def test_one_mean_line_per_group_in_the_groups_colour(backend: Backend) -> None:
    views = recorded(backend, "demo")
    lines = role(chart(backend, views), "mean")
    assert [line["line"]["color"] for line in lines] == [group.colour for group in group_loops(views)]
    assert lines[0]["x"] == [0, 1, 2, 3]
    assert lines[0]["y"] == [y for _, y in measures.curves(backend, [views[0].id])[views[0].id]["fid"]]


def test_seeds_are_drawn_behind_their_mean_with_a_band(backend: Backend) -> None:
    figure = chart(backend, recorded(backend, "paper-regime"))
    assert (len(role(figure, "mean")), len(role(figure, "seed")), len(role(figure, "band"))) == (4, 12, 4)
    mean, band = role(figure, "mean")[0], role(figure, "band")[0]
    half = len(band["y"]) // 2
    high, low = band["y"][:half], band["y"][half:][::-1]
    assert all(a <= m <= b for a, m, b in zip(low, mean["y"], high, strict=True))
    seeds = role(figure, "seed")[:3]
    assert high == [max(values) for values in zip(*(seed["y"] for seed in seeds), strict=True)]


def test_no_band_when_none_is_wanted_and_none_for_a_single_loop(backend: Backend) -> None:
    assert not role(chart(backend, recorded(backend, "paper-regime"), band="none"), "band")
    assert not role(chart(backend, recorded(backend, "demo")), "band")


def test_the_floor_is_a_dashed_line_at_its_mean(backend: Backend) -> None:
    figure = chart(backend, recorded(backend, "demo"))
    line = next(shape for shape in figure["layout"]["shapes"] if shape["type"] == "line")
    assert line["y0"] == line["y1"] == pytest.approx(2.2)
    assert line["line"]["dash"] == "dash"


def test_fid_is_titled_with_its_n_and_floor(backend: Backend) -> None:
    figure = chart(backend, recorded(backend, "demo"))
    assert "n = 300" in figure["title"]
    assert "floor 2.2" in figure["subtitle"] and "lower is better" in figure["subtitle"]
    assert figure["info"] == FID.description


def test_fid_on_different_n_says_do_not_compare(backend: Backend) -> None:
    views = [
        record(backend, loops.launch(backend, small(evaluation=EvaluationConfig(samples=n)), name=str(n)), 1)
        for n in (100, 300)
    ]
    assert "do not compare" in chart(backend, views)["subtitle"]


def test_a_name_stands_at_the_end_of_its_line(backend: Backend) -> None:
    views = recorded(backend, "demo")
    figure = chart(backend, views)
    for view, label, line in zip(views, figure["layout"]["annotations"], role(figure, "mean"), strict=True):
        assert (label["text"], label["x"], label["y"]) == (view.name, line["x"][-1], line["y"][-1])


def test_log_axes_where_all_values_are_positive(backend: Backend) -> None:
    views = recorded(backend, "demo")
    axis = chart(backend, views, log=True)["layout"]["yaxis"]
    assert axis["type"] == "log"
    assert axis["range"][0] < log10(2.0) and all(value > 0 for value in axis["tickvals"])
    curves = {view.id: {"recall": [(0, 0.5), (1, 0.0)]} for view in views}
    found = small_multiples(group_loops(views), curves, {}, [METRICS["recall"]], log=True)["charts"][0]
    assert found["layout"]["yaxis"]["type"] == "linear" and "not all values are positive" in found["subtitle"]


def test_a_logarithmic_abscissa_counts_iterations_and_leads_to_generations(backend: Backend) -> None:
    figure = chart(backend, recorded(backend, "demo"), log_x=True)
    line = role(figure, "mean")[0]
    assert figure["layout"]["xaxis"]["type"] == "log" and "iteration" in figure["layout"]["xaxis"]["title"]["text"]
    assert line["x"] == [1, 2, 3, 4] and line["meta"]["shift"] == 1
    assert figure["layout"]["annotations"][0]["x"] == pytest.approx(log10(4))


def test_of_many_seeds_some_are_drawn_and_it_is_said(backend: Backend) -> None:
    view = keep_seeds(backend, gaussian(), "many", last=3)
    groups, traces = group_loops([view]), TraceKeeper().of(backend, [view])
    curves = measures.curves(backend, [view.id])
    metric = all_metrics()["w2"]
    figure = small_multiples(groups, curves, {}, [metric], band="auto", traces=traces)["charts"][0]
    (seeds,) = role(figure, "seed")
    assert seeds["y"].count(None) + 1 == 20 and len(seeds["y"]) == 20 * 4 + 19
    assert "20 of 40 seeds" in legend(groups, "auto") and "95 %" in legend(groups, "auto")
    assert f"{view.id}&amp;seeds=1" in legend(groups, "auto")


def test_many_lines_stand_alone_with_their_bands(backend: Backend) -> None:
    views = [keep_seeds(backend, gaussian(lam=0.1 * (k + 1)), "sweep", last=2) for k in range(7)]
    groups, traces = group_loops(views), TraceKeeper().of(backend, views)
    curves = measures.curves(backend, [view.id for view in views])
    figure = small_multiples(groups, curves, {}, [all_metrics()["w2"]], traces=traces)["charts"][0]
    assert not role(figure, "seed") and len(role(figure, "band")) == 7
    assert "too many lines" in legend(groups)


def test_a_long_run_is_thinned_and_keeps_its_ends(backend: Backend) -> None:
    views = recorded(backend, "demo")
    curves = {view.id: {"fid": [(t, 1.0 + t) for t in range(501)]} for view in views}
    figure = small_multiples(group_loops(views), curves, FLOOR, [FID])["charts"][0]
    line = role(figure, "mean")[0]
    assert (line["x"][0], line["x"][-1]) == (0, 500) and len(line["x"]) <= 260 and line["mode"] == "lines"
    assert line["y"] == pytest.approx([1.0 + t for t in line["x"]], rel=1e-4)
    assert figure["layout"]["xaxis"]["dtick"] == 100


def test_of_too_many_lines_some_are_named(backend: Backend) -> None:
    views = [loops.launch(backend, gaussian(lam=0.1 * (k + 1)), name="sweep") for k in range(20)]
    curves = {view.id: {"w2": [(0, 1.0), (1, 1.0 + k)]} for k, view in enumerate(views)}
    figure = small_multiples(group_loops(views), curves, {}, [all_metrics()["w2"]])["charts"][0]
    labels = figure["layout"]["annotations"]
    assert len(labels) == 10 and len(role(figure, "mean")) == 20
    heights = sorted(label["y"] / 20 * 190 + label["yshift"] for label in labels)
    assert all(b - a >= 12 for a, b in zip(heights, heights[1:], strict=False))


def test_zoom_survives_new_generations_but_not_another_choice(backend: Backend) -> None:
    views = recorded(backend, "demo", 2)
    before = chart(backend, views)["layout"]["uirevision"]
    record(backend, views[0], 3, state="running")
    assert chart(backend, views)["layout"]["uirevision"] == before
    assert chart(backend, views[:2])["layout"]["uirevision"] != before
    assert chart(backend, views, log=True)["layout"]["uirevision"] != before


def test_a_users_name_is_no_markup_in_a_chart(backend: Backend) -> None:
    view = record(backend, loops.launch(backend, small(), name="<b>x</b>"), 1)
    figure = chart(backend, [view])
    assert "<b>" not in str(figure["layout"]["annotations"][0]["text"])
    assert all("<b>" not in text for text in figure["data"][-1]["text"])
    assert "x</b>" not in figure["data"][-1]["hovertemplate"]


def test_without_generations_there_is_a_sentence() -> None:
    value = small_multiples([], {}, {}, [FID, COVERAGE])
    assert value["charts"] == [] and value["empty"]


@pytest.mark.parametrize("pixels", [[10, 12, 11], [0, 0, 0, 0], [188, 189, 190], [50.0], []])
def test_labels_are_pushed_apart_in_order_and_inside(pixels: list[float]) -> None:
    placed = apart(pixels, 14, 190)
    ordered = sorted(placed)
    assert all(b - a >= 14 - 1e-9 for a, b in zip(ordered, ordered[1:], strict=False))
    assert all(value <= 190 for value in placed)
    assert sorted(range(len(placed)), key=lambda i: placed[i]) == sorted(range(len(pixels)), key=lambda i: pixels[i])
