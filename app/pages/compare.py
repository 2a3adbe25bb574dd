"""Compare: metric curves of chosen loops, with the real data's values, theory, a table of finals and exports."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import gradio as gr

from app import widgets
from app.groups import GROUPINGS, group_loops
from app.optionmap import option_maps
from app.overlay import NOTHING, overlay_of, theory_fold
from app.pages.finals import finals_table, legend
from app.pages.page import Page, Query, ids_of, quiet
from app.plots import BANDS, small_multiples
from app.series import AUTO, Curves, TraceKeeper
from backend import loops as verbs
from backend import measures
from core.errors import LoopscopeError
from core.protocols import Metric
from model.domains import DOMAINS, all_metrics

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.views import LoopView

FIRST_METRICS = ["fid", "multimodality", "recall", "coverage", "tail", "penetration", "skate", "float", "jerk"]
MOST_FIRST, MOST_MAPS = 9, 3
EMPTY = 'No loops yet. Launch "Collapse and correction" on the Launch page; its curves appear here as it runs.'
NONE_CHOSEN = "Choose a group or some loops above."


@dataclass(frozen=True)
class Asked:
    """What the controls say, in their order."""

    loops: Sequence[str]
    by: str
    band: str
    metrics: Sequence[str]
    log: bool
    log_x: bool
    theory: bool

    def query(self) -> Query:
        found: Query = {"loops": ",".join(self.loops)} if self.loops else {}
        found |= {"by": self.by} if self.by != "setting" else {}
        found |= {"band": self.band} if self.band != AUTO else {}
        found |= {"metrics": ",".join(self.metrics)} if self.metrics else {}
        found |= {"log": "1"} if self.log else {}
        found |= {"logx": "1"} if self.log_x else {}
        return found | ({} if self.theory else {"theory": "0"})


def build(backend: "Backend", address: Any) -> Page:
    with gr.Column(elem_classes=["ls-form"]):
        with gr.Row():
            group = gr.Dropdown(choices=[], label="Group", elem_id="compare-group", scale=3, interactive=True)
            by = gr.Dropdown(
                choices=[(title, key) for key, (title, _) in GROUPINGS.items()], value="setting", label="One line per",
                elem_id="compare-by", scale=2, filterable=False, interactive=True,
            )  # fmt: skip
            band = gr.Dropdown(
                choices=[(title, key) for key, title in BANDS.items()], value=AUTO, label="Band over seeds",
                elem_id="compare-band", scale=2, filterable=False, interactive=True,
            )  # fmt: skip
            theory = gr.Checkbox(True, label="Theory", elem_id="compare-theory", scale=1, min_width=90)
            log = gr.Checkbox(label="Log y", elem_id="compare-log", scale=1, min_width=80, interactive=True)
            log_x = gr.Checkbox(label="Log x", elem_id="compare-log-x", scale=1, min_width=80, interactive=True)
        with gr.Accordion("Choose loops and metrics", open=False, elem_id="compare-choose"):
            loops = gr.Dropdown(choices=[], multiselect=True, label="Loops", elem_id="compare-loops", interactive=True)
            metrics = gr.Dropdown(
                choices=[], value=[], multiselect=True, elem_id="compare-metrics", interactive=True,
                label="Metrics (none chosen: the first ones of the loops' domain)",
            )  # fmt: skip
    key = widgets.live(elem_id="compare-legend")
    plot = widgets.charts(elem_id="compare-plot")
    maps = widgets.charts(elem_id="compare-map")
    told = widgets.live(elem_id="compare-told")
    table = widgets.live(elem_id="compare-finals")
    inputs: list[Any] = [loops, by, band, metrics, log, log_x, theory]
    drawn: list[Any] = [key, plot, maps, told, table]
    keeper = TraceKeeper()

    def show(asked: Asked) -> list[Any]:
        """The metrics to choose from, then legend, charts, maps over an option, theory in words, finals."""
        views = _views(backend, asked.loops)
        if not views:
            words = EMPTY if not verbs.list_loops(backend, limit=1) else NONE_CHOSEN
            return [gr.skip(), "", {"charts": [], "empty": words}, NO_CHARTS, "", ""]
        groups = group_loops(views, asked.by)
        curves = measures.curves(backend, [view.id for view in views])
        traces = keeper.of(backend, views)
        floors = _floors(backend, views)
        offered = offered_metrics(views, curves)
        wanted = [m for m in offered if m.name in asked.metrics] or first_metrics(views, offered)
        overlay = overlay_of(groups, curves) if asked.theory else NOTHING
        look: dict[str, Any] = {"log": asked.log, "band": asked.band, "traces": traces, "overlay": overlay}
        chart = small_multiples(groups, curves, floors, wanted, log_x=asked.log_x, **look)
        found = option_maps(groups, curves, floors, wanted[:MOST_MAPS], **look)
        return [
            gr.update(choices=[(m.title, m.name) for m in offered]), legend(groups, asked.band), chart, found,
            theory_fold(overlay, [m.name for m in wanted]), finals_table(groups, curves, floors, wanted, traces),
        ]  # fmt: skip

    def changed(*values: Any) -> list[Any]:
        asked = _asked(values)
        return [*show(asked), address_of(asked.query())]

    def pick_group(name: str | None) -> Any:
        ids = [view.id for view in verbs.list_loops(backend, group=name)][::-1] if name else []
        return ids or gr.skip()

    gr.on([c.change for c in inputs], changed, inputs, [metrics, *drawn, address],
          **quiet(trigger_mode="always_last"))  # fmt: skip
    group.input(pick_group, [group], [loops], **quiet())

    def choices() -> tuple[list[tuple[str, str]], list[str]]:
        views = verbs.list_loops(backend)
        names = [(f"{v.group}: {v.name}" if v.group else v.name, v.id) for v in views]
        return names, list(dict.fromkeys(v.group for v in views if v.group))

    def open_(query: Query) -> list[Any]:
        names, groups = choices()
        known = {loop_id for _, loop_id in names}
        chosen = [i for i in ids_of(query.get("loops")) if i in known] or latest_ids(backend)
        by, band = query.get("by", ""), query.get("band", "")
        asked = Asked(
            chosen, by if by in GROUPINGS else "setting", band if band in BANDS else AUTO,
            [m for m in ids_of(query.get("metrics")) if m in all_metrics()], query.get("log") == "1",
            query.get("logx") == "1", query.get("theory") != "0",
        )  # fmt: skip
        offered, *rest = show(asked)
        return [
            gr.update(choices=groups, value=_common_group(backend, chosen)), gr.update(choices=names, value=chosen),
            asked.by, asked.band, {**offered, "value": list(asked.metrics)} if "choices" in offered else offered,
            asked.log, asked.log_x, asked.theory, *rest,
        ]  # fmt: skip

    def refresh(*values: Any) -> list[Any]:
        names, groups = choices()
        asked, first = _asked(values), gr.update(choices=names)
        if not asked.loops:
            asked = _asked((latest_ids(backend), *values[1:]))
            first = gr.update(choices=names, value=asked.loops)
        offered, *rest = show(asked)
        return [gr.update(choices=groups), first, gr.skip(), gr.skip(), offered, *[gr.skip()] * 3, *rest]

    def query(*values: Any) -> Query:
        return _asked(values).query()

    return Page("compare", inputs, [group, *inputs, *drawn], open_, refresh, query)


NO_CHARTS: dict[str, Any] = {"charts": [], "empty": ""}


def address_of(query: Query) -> str:
    return urlencode({"tab": "compare", **query}, safe=",")


def offered_metrics(views: "Sequence[LoopView]", curves: Curves) -> list[Metric]:
    """The metrics that any of the loops has, in drawing order; before the first generation those of their domains."""
    known = {name: metric for part in _domains(views) for name, metric in part.metrics.items()}
    recorded = {name for view in views for name in curves.get(view.id, {})}
    return [metric for name, metric in (known | all_metrics()).items() if name in (recorded or known)]


def first_metrics(views: "Sequence[LoopView]", offered: Sequence[Metric]) -> list[Metric]:
    """What is drawn when nobody has chosen: the first metrics of the loops' domains."""
    names = [name for part in _domains(views) for name in (FIRST_METRICS if part.view == "motion" else part.metrics)]
    return [metric for metric in offered if metric.name in dict.fromkeys(names)][:MOST_FIRST] or list(offered)


def latest_ids(backend: "Backend") -> list[str]:
    """Loops of the group launched last (the last loop alone when it has no group), first launched first."""
    views = verbs.list_loops(backend)
    if not views:
        return []
    if not views[0].group:
        return [views[0].id]
    return [view.id for view in views if view.group == views[0].group][::-1]


def _asked(values: Sequence[Any]) -> Asked:
    loops, by, band, metrics, log, log_x, theory = values
    return Asked(loops or [], by or "setting", band or AUTO, metrics or [], bool(log), bool(log_x), bool(theory))


def _domains(views: "Sequence[LoopView]") -> list[Any]:
    kinds = dict.fromkeys(str(view.config.get("domain", "motion")) for view in views)
    return [DOMAINS[kind] for kind in kinds if kind in DOMAINS]


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
            found = measures.floor(backend, view.id)
        except LoopscopeError:
            continue
        if found:
            return found
    return {}
