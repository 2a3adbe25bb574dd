"""Compare: metric curves of chosen loops, with the real data's values, a table of finals and exports."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import gradio as gr

from app import widgets
from app.groups import GROUPINGS, group_loops
from app.pages.finals import finals_table, legend
from app.pages.page import Page, Query, ids_of, quiet
from app.plots import BANDS, small_multiples
from backend import loops as verbs
from core.errors import LoopscopeError
from model.domains import all_metrics

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.views import LoopView

METRICS = all_metrics()
FIRST_METRICS = ["fid", "multimodality", "recall", "coverage", "penetration", "skate", "float", "jerk"]
EMPTY = 'No loops yet. Launch "Collapse and correction" on the Launch page; its curves appear here as it runs.'


def build(backend: "Backend", address: Any) -> Page:
    with gr.Column(elem_classes=["ls-form"]):
        with gr.Row():
            group = gr.Dropdown(choices=[], label="Group", elem_id="compare-group", scale=3, interactive=True)
            by = gr.Dropdown(
                choices=[(title, key) for key, (title, _) in GROUPINGS.items()], value="setting", label="One line per",
                elem_id="compare-by", scale=2, filterable=False, interactive=True,
            )  # fmt: skip
            band = gr.Dropdown(
                choices=[(title, key) for key, title in BANDS.items()], value="min-max", label="Band over seeds",
                elem_id="compare-band", scale=2, filterable=False, interactive=True,
            )  # fmt: skip
            log = gr.Checkbox(
                label="Log axis", info="FID and artefacts.", elem_id="compare-log", scale=1, interactive=True
            )
        with gr.Accordion("Choose loops and metrics", open=False, elem_id="compare-choose"):
            loops = gr.Dropdown(choices=[], multiselect=True, label="Loops", elem_id="compare-loops", interactive=True)
            metrics = gr.Dropdown(
                choices=[(m.title, m.name) for m in METRICS.values()], value=FIRST_METRICS, multiselect=True,
                label="Metrics", elem_id="compare-metrics", interactive=True,
            )  # fmt: skip
    key = widgets.live(elem_id="compare-legend")
    plot = widgets.charts(elem_id="compare-plot")
    table = widgets.live(elem_id="compare-finals")
    inputs: list[Any] = [loops, by, band, metrics, log]

    def show(chosen: Sequence[str], by: str, band: str, names: Sequence[str], log: bool) -> list[Any]:
        views = _views(backend, chosen)
        if not views:
            return ["", {"charts": [], "empty": EMPTY if not verbs.list_loops(backend, limit=1) else NONE_CHOSEN}, ""]
        ids = [view.id for view in views]
        groups = group_loops(views, by)
        curves = verbs.curves(backend, ids)
        wanted = [METRICS[name] for name in METRICS if name in (names or FIRST_METRICS)]
        floors = _floors(backend, views)
        chart = small_multiples(groups, curves, floors, wanted, log=log, band=band)
        return [legend(groups), chart, finals_table(groups, curves, floors, wanted)]

    def changed(chosen: Sequence[str], by: str, band: str, names: Sequence[str], log: bool) -> list[Any]:
        values = (chosen, by, band, names, log)
        return [*show(*values), address_of(query(*values))]

    def pick_group(name: str | None) -> Any:
        ids = [view.id for view in verbs.list_loops(backend, group=name)][::-1] if name else []
        return ids or gr.skip()

    gr.on([c.change for c in inputs], changed, inputs, [key, plot, table, address],
          **quiet(trigger_mode="always_last"))  # fmt: skip
    group.input(pick_group, [group], [loops], **quiet())

    def choices() -> tuple[list[tuple[str, str]], list[str]]:
        views = verbs.list_loops(backend)
        names = [(f"{v.group}: {v.name}" if v.group else v.name, v.id) for v in views]
        return names, list(dict.fromkeys(v.group for v in views if v.group))

    def open_(asked: Query) -> list[Any]:
        names, groups = choices()
        known = {loop_id for _, loop_id in names}
        chosen = [i for i in ids_of(asked.get("loops")) if i in known] or latest_ids(backend)
        shown_by = asked.get("by") if asked.get("by") in GROUPINGS else "setting"
        shown_band = asked.get("band") if asked.get("band") in BANDS else "min-max"
        metric_names = [m for m in ids_of(asked.get("metrics")) if m in METRICS] or FIRST_METRICS
        logarithmic = asked.get("log") == "1"
        values = (chosen, str(shown_by), str(shown_band), metric_names, logarithmic)
        return [
            gr.update(choices=groups, value=_common_group(backend, chosen)), gr.update(choices=names, value=chosen),
            *values[1:], *show(*values),
        ]  # fmt: skip

    def refresh(*values: Any) -> list[Any]:
        names, groups = choices()
        chosen = values[0]
        first = gr.update(choices=names)
        if not chosen:
            chosen = latest_ids(backend)
            first = gr.update(choices=names, value=chosen)
        return [gr.update(choices=groups), first, *[gr.skip()] * 4, *show(chosen, *values[1:])]

    def query(chosen: Sequence[str], by: str, band: str, names: Sequence[str], log: bool) -> Query:
        found: Query = {"loops": ",".join(chosen)} if chosen else {}
        found |= {"by": by} if by != "setting" else {}
        found |= {"band": band} if band != "min-max" else {}
        found |= {"metrics": ",".join(names)} if names and list(names) != FIRST_METRICS else {}
        return found | ({"log": "1"} if log else {})

    return Page("compare", inputs, [group, *inputs, key, plot, table], open_, refresh, query)


NONE_CHOSEN = "Choose a group or some loops above."


def address_of(query: Query) -> str:
    return urlencode({"tab": "compare", **query}, safe=",")


def latest_ids(backend: "Backend") -> list[str]:
    """Loops of the group launched last (the last loop alone when it has no group), first launched first."""
    views = verbs.list_loops(backend)
    if not views:
        return []
    if not views[0].group:
        return [views[0].id]
    return [view.id for view in views if view.group == views[0].group][::-1]


def _views(backend: "Backend", chosen: Sequence[str]) -> "list[LoopView]":
    by_id = {view.id: view for view in verbs.list_loops(backend)}
    return [by_id[loop_id] for loop_id in chosen or () if loop_id in by_id]


def _common_group(backend: "Backend", chosen: Sequence[str]) -> str | None:
    names = {view.group for view in _views(backend, chosen)}
    return (names.pop() or None) if len(names) == 1 else None


def _floors(backend: "Backend", views: "Sequence[LoopView]") -> dict[str, list[float]]:
    """The first floor that is known: loops that can be compared share it."""
    for view in views:
        if view.generation < 0:
            continue
        try:
            found = verbs.floor(backend, view.id)
        except LoopscopeError:
            continue
        if found:
            return found
    return {}
