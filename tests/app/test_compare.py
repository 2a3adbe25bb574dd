"""Comparing very many loops: none is left out, and what cannot be shown whole says so."""

from typing import Any

import pytest

from app.groups import group_loops
from app.pages import compare
from app.pages.compare import REST, Asked, Gallery, chosen_by, stamp_of
from app.plotcrowd import MOST_LINES
from app.plots import small_multiples
from app.series import AUTO
from backend import loops, roster
from backend.context import Backend
from benchmarks._loadseed import GROUP, Size, fill, values_of
from model.domains import all_metrics
from tests.app.seedloops import gaussian, keep_seeds

MANY = Size(loops=80, generations=3, metrics=2, settings=8)


def asked(**changes: Any) -> Asked:
    given: dict[str, Any] = {"loops": (), "by": "setting", "band": AUTO, "metrics": (), "group": ""}
    return Asked(**(given | {"log": False, "log_x": False, "theory": True} | changes))


def roles(chart: dict[str, Any]) -> list[str]:
    return [trace["meta"]["role"] for trace in chart["data"]]


@pytest.fixture
def ids(backend: Backend) -> list[str]:
    return fill(backend, MANY)


def test_every_loop_of_a_large_group_is_in_the_means(backend: Backend, ids: list[str]) -> None:
    shown = Gallery(backend).show(asked(group=GROUP), roster.entries(backend))
    chart = shown.drawn[1]["charts"][0]
    assert chart["key"] == MANY.names[0]
    lines = [trace for trace in chart["data"] if trace["meta"]["role"] == "mean"]
    values = values_of(MANY)[:, :, 0].reshape(MANY.settings, -1, MANY.generations + 1)
    assert [trace["y"] for trace in lines] == [pytest.approx(of.mean(0).tolist()) for of in values]
    assert all("mean of 10 of 10" in trace["text"] for trace in lines) and len(ids) == 80


def test_a_crowd_is_drawn_whole(backend: Backend, ids: list[str]) -> None:
    gallery, known = Gallery(backend), roster.entries(backend)
    key, plots, _, told, table = gallery.show(asked(group=GROUP, by="name"), known).drawn
    chart = plots["charts"][0]
    assert len(ids) > MOST_LINES and "80 lines, all drawn thin" in chart["subtitle"]
    crowds = [trace for trace in chart["data"] if trace["meta"]["role"] == "crowd"]
    drawn = [y for trace in crowds for y in trace["y"] if y is not None]
    assert sorted(drawn) == pytest.approx(sorted(values_of(MANY)[:, :, 0].ravel().tolist()), rel=1e-3)
    assert sum(trace["y"].count(None) for trace in crowds) == len(ids)
    assert "band" in roles(chart) and "median" in roles(chart) and chart["layout"]["annotations"] == []
    assert "and 40 more lines" in key and "up to 64 lines; these are 80" in told
    assert table.count("<tr") == 1 + 80 + 1  # head, every loop, real data


def test_a_logarithmic_crowd_has_a_positive_band(backend: Backend, ids: list[str]) -> None:
    groups = group_loops(roster.views_of(backend, ids), "name")
    curves = {group.loops[0].id: {"fid": [(0, 10.0**-k), (1, 2.0)]} for k, group in enumerate(groups)}
    (chart,) = small_multiples(groups, curves, {}, [all_metrics()["fid"]], log=True)["charts"]
    band = next(trace for trace in chart["data"] if trace["meta"]["role"] == "band")
    assert min(band["y"]) > 0


def test_a_large_group_stands_for_its_loops(backend: Backend, ids: list[str]) -> None:
    known = roster.entries(backend)
    for query in ({}, {"group": GROUP}, {"loops": ",".join(ids)}):
        assert chosen_by(query, known) == ([], GROUP)
    assert chosen_by({"loops": ",".join([*ids[5:], "nobody"])}, known) == (ids[5:], GROUP)
    assert asked(group=GROUP).of(known) == [entry for i in ids for entry in known if entry.id == i]
    assert asked(group=GROUP).query() == {"group": GROUP}
    assert asked(group=GROUP, loops=ids[:2]).query() == {"loops": ",".join(ids[:2])}


def test_a_small_groups_loops_are_chosen_one_by_one(backend: Backend) -> None:
    a, b = (keep_seeds(backend, gaussian(seed=k, replicates=1), str(k), group="few").id for k in range(2))
    assert chosen_by({"group": "few"}, roster.entries(backend)) == ([a, b], "few")
    assert chosen_by({"group": "none such"}, roster.entries(backend)) == ([a, b], "few")
    assert chosen_by({}, []) == ([], "")


def test_two_browsers_share_a_drawing_until_something_changes(backend: Backend) -> None:
    view = keep_seeds(backend, gaussian(replicates=1), "a", group="g")
    other = keep_seeds(backend, gaussian(seed=1, replicates=1), "b")
    now = [0.0]

    def steady() -> float:
        now[0] += 1.0  # every look at the clock: drawing takes a second
        return now[0]

    gallery, wanted = Gallery(backend, steady=steady), asked(group="g")
    first = gallery.show(wanted, roster.entries(backend))
    assert gallery.show(wanted, roster.entries(backend)) is first
    loops.extend(backend, other.id, 1)  # of no concern to who looks at g
    assert gallery.show(wanted, roster.entries(backend)) is first
    loops.extend(backend, view.id, 1)
    known = roster.entries(backend)
    resting = gallery.show(wanted, known)
    assert resting is first and resting.stamp != stamp_of(wanted, known), "drawn a moment ago; the next look asks again"
    now[0] += 4 * REST
    assert gallery.show(wanted, known).stamp == stamp_of(wanted, known)


def test_what_is_shown_already_is_not_sent_again(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    import gradio as gr

    from app import widgets

    keep_seeds(backend, gaussian(replicates=1), "a", group="g")
    with gr.Blocks():
        page = compare.build(backend, widgets.address())
    opened = dict(zip([c.elem_id for c in page.outputs], page.open({}), strict=True))
    known = roster.entries(backend)
    assert opened["compare-stamp"] == stamp_of(asked(loops=(known[0].id,), group="g"), known)
    values = [opened[c.elem_id] for c in page.inputs]
    values = [value.get("value") if isinstance(value, dict) else value for value in values]
    assert page.refresh(*values) == [gr.skip()] * len(page.outputs)
    keep_seeds(backend, gaussian(seed=1, replicates=1), "b", group="g")
    monkeypatch.setattr("app.pulse.BEAT_S", 0.0)
    assert page.refresh(*values) != [gr.skip()] * len(page.outputs)
