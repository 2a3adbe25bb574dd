"""Sweeps by command line, by REST and as typed on the Launch page; two varied options in Compare."""

import json
from typing import Any

from app import forms
from app.groups import group_loops
from app.pages.finalsgrid import finals_grid
from app.pages.launchstatus import Typed, launch_typed, status
from app.pages.sweeprow import offered_fields
from backend import loops, parts
from backend.context import Backend
from backend.parts import read_config
from backend.presets import launch_preset
from backend.sweep import launch_sweep, sweep_of
from model.domains import all_metrics
from tests.app.commandline import Run, backend, home, run

__all__ = ["backend", "home", "run"]
VARY = ("--vary", "policy.options.lam=.5,1", "--vary", "corrector.kind=none,quality", "--seeds", "0-1")
BASE = ("--set", "domain=gaussian", "--set", "policy.kind=augment")


def test_the_command_line_says_then_launches_then_cancels(run: Run, backend: Backend) -> None:
    assert "8 loops" in run("loops", "sweep", *BASE, *VARY, "--dry-run").output
    assert loops.list_loops(backend) == []
    made = json.loads(run("loops", "sweep", *BASE, *VARY, "--json").stdout)
    assert len(made) == 8 == len(loops.list_loops(backend, group="Sweep of λ x corrector"))
    assert "Asked 8 loops to stop." in run("loops", "group", "cancel", "Sweep of λ x corrector").output


def test_the_command_line_refuses_in_words(run: Run) -> None:
    assert "'much'" in run("loops", "sweep", *BASE, "--vary", "n=much", status=2).output
    assert "varied twice" in run("loops", "sweep", "--vary", "n=64", "--vary", "n=65", status=2).output
    assert "no verb" in run("loops", "group", "burn", "x", status=2).output


def typed(*varied: Any, seeds: str = "0") -> Typed:
    form = forms.form_of(parts.catalogue())
    return Typed(form, "", seeds, form.defaults(), varied)


def test_the_page_says_how_many_loops_and_marks_the_axis_that_is_wrong(backend: Backend) -> None:
    line, button = status(backend, typed("policy.options.lam", ".5, 1", "corrector.kind", "none, physics", seeds="0-2"))
    assert "λ over 2 x corrector over 2 x 3 seeds = 12 loops" in line and button["interactive"]
    line, button = status(backend, typed("n", "64", "policy.options.lam", ".5, x"))
    assert 'data-invalid="field-sweep-1-values"' in line and not button["interactive"]
    assert "1 loop of" in status(backend, typed("n", "", None, "5"))[0], "half an axis is none yet"


def test_the_page_launches_the_grid_as_one_group(backend: Backend) -> None:
    views = launch_typed(backend, typed("policy.options.lam", ".5, 1", None, ""), "mine")
    assert [view.name for view in views] == ["λ = 0.5, seed 0", "λ = 1, seed 0"]
    assert {view.group for view in views} == {"mine"}


def test_what_is_offered_can_be_varied() -> None:
    form = forms.form_of(parts.catalogue())
    found = dict((path, title) for title, path in offered_fields(form, form.defaults()))
    assert {"policy.options.lam", "corrector.kind", "n", "sampling.steps", "model.options.width"} <= set(found)
    assert "domain" not in found and "policy.options.real_kept" not in found


def test_two_options_are_colour_and_line_style_and_a_grid(backend: Backend) -> None:
    base = read_config({"domain": "gaussian", "policy": {"kind": "augment"}, "replicates": 1})
    wanted = sweep_of(base, {"policy.options.lam": ".25,.5,1", "corrector.kind": "none,quality"}, (0, 1))
    views = launch_sweep(backend, wanted)
    groups = group_loops(views)
    assert len(groups) == 6 and groups[0].title == "λ = 0.25, no corrector (2 seeds)"
    assert len({g.colour for g in groups}) == 3 and {g.dash for g in groups} == {"solid", "dash"}
    assert len({(g.colour, g.dash) for g in groups}) == 6
    metric = next(iter(all_metrics().values()))
    curves = {view.id: {metric.name: [(0, 1.0), (1, 2.0 + i)]} for i, view in enumerate(views)}
    html = finals_grid(groups, curves, [metric])
    assert html.count("<tr") == 4 and "λ = 0.25" in html and "±" in html
    assert "<b>" not in html, "it leads by less than its seeds differ"
    apart = {view.id: {metric.name: [(0, 1.0), (1, 2.0 + i % 6 + i // 6 / 4)]} for i, view in enumerate(views)}
    assert finals_grid(groups, apart, [metric]).count("<b>") == 1
    assert finals_grid(group_loops(views[:5]), curves, [metric]) == "", "a combination is missing"


def test_the_demos_arms_keep_their_colours(backend: Backend) -> None:
    assert [g.arm for g in group_loops(launch_preset(backend, "demo"))] == ["raw", "corrected", "real"]
    assert [g.title for g in group_loops(launch_preset(backend, "demo"))] == ["Raw", "Corrected", "Real only"]
