"""Compare: metric curves of chosen loops, with the real data's values, theory, a table of finals and exports."""

import time
from collections.abc import Callable, Container, Sequence
from dataclasses import astuple, dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import gradio as gr

from app import widgets
from app.doubts import NO_DOUBTS, doubts_of, verdicts
from app.driftstrip import DRAWN_FROM, with_strip
from app.groups import GROUPINGS, Group, group_loops
from app.kept import Keeper
from app.optionmap import option_maps
from app.overlay import NOTHING, overlay_of, theory_fold
from app.pages.finals import finals_table, legend
from app.pages.finalsgrid import finals_grid
from app.pages.page import Page, Query, ids_of, quiet
from app.plotcrowd import MOST_LINES
from app.plots import BANDS, small_multiples
from app.pulse import entries
from app.series import AUTO
from backend import measures, roster
from core.config import digest
from core.protocols import Metric
from model.domains import DOMAINS, all_metrics

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.roster import Entry
    from backend.views import LoopView

FIRST_METRICS = ["fid", "multimodality", "recall", "coverage", "tail", "penetration", "skate", "float", "jerk"]
MOST_FIRST, MOST_FIRST_OF_CROWD, MOST_MAPS = 9, 4, 3
MOST_CHIPS = 64  # loops named one by one in the chooser and in the address; a larger group stands for its loops
MOST_IDS = 5000  # of an address
MOST_THEORY = 64  # lines that theory is drawn for
EMPTY = 'No loops yet. Launch "Collapse and correction" on the Launch page; its curves appear here as it runs.'
NONE_CHOSEN = "Choose a group or some loops above."


@dataclass(frozen=True)
class Asked:
    """What the controls say, in their order. ``group``: whose loops are compared where none are chosen."""

    loops: Sequence[str]
    by: str
    band: str
    metrics: Sequence[str]
    log: bool
    log_x: bool
    theory: bool
    group: str

    def query(self) -> Query:
        found: Query = {"loops": ",".join(self.loops)} if self.loops else {}
        found |= {"group": self.group} if self.group and not self.loops else {}
        found |= {"by": self.by} if self.by != "setting" else {}
        found |= {"band": self.band} if self.band != AUTO else {}
        found |= {"metrics": ",".join(self.metrics)} if self.metrics else {}
        found |= {"log": "1"} if self.log else {}
        found |= {"logx": "1"} if self.log_x else {}
        return found | ({} if self.theory else {"theory": "0"})

    def of(self, known: "Sequence[Entry]") -> "list[Entry]":
        """The loops that it means, of those there are."""
        if self.loops:
            by_id = {entry.id: entry for entry in known}
            return [by_id[loop_id] for loop_id in dict.fromkeys(self.loops) if loop_id in by_id]
        return [entry for entry in known if self.group and entry.group == self.group][::-1]


@dataclass(frozen=True)
class Shown:
    """What is drawn: the metrics to choose from, then legend, charts, maps over an option, theory in words, finals.

    Attributes:
        offered: title and name.
        stamp: of everything that it depends on; "" for nothing that could change.
    """

    offered: tuple[tuple[str, str], ...]
    drawn: tuple[Any, ...]
    stamp: str

    def updates(self, chosen: Sequence[str] | None = None) -> list[Any]:
        """Of the metrics' control, of what is drawn, and of the stamp."""
        value: dict[str, Any] = {} if chosen is None else {"value": list(chosen)}
        metrics = gr.update(choices=list(self.offered), **value) if self.offered else gr.update(**value)
        return [metrics, *self.drawn, self.stamp]


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
            loops = gr.Dropdown(choices=[], multiselect=True, label="Loops (none chosen: all of the group)",
                                elem_id="compare-loops", interactive=True)  # fmt: skip
            metrics = gr.Dropdown(
                choices=[], value=[], multiselect=True, elem_id="compare-metrics", interactive=True,
                label="Metrics (none chosen: the first ones of the loops' domain)",
            )  # fmt: skip
    key = widgets.live(elem_id="compare-legend")
    plot = widgets.charts(elem_id="compare-plot")
    maps = widgets.charts(elem_id="compare-map")
    told = widgets.live(elem_id="compare-told")
    table = widgets.live(elem_id="compare-finals")
    # What the browser shows, so that it is sent again only when it changed.
    stamp = gr.Textbox("", visible="hidden", elem_id="compare-stamp")
    controls: list[Any] = [loops, by, band, metrics, log, log_x, theory]
    inputs: list[Any] = [*controls, group]
    drawn: list[Any] = [key, plot, maps, told, table, stamp]
    outputs: list[Any] = [group, *controls, *drawn]
    gallery = Gallery(backend)

    def changed(*values: Any) -> list[Any]:
        asked = _asked(values)
        return [*gallery.show(asked, roster.entries(backend)).updates(), address_of(asked.query())]

    def pick_group(name: str | None, *values: Any) -> list[Any]:
        """A small group's loops become the chosen ones (which draws them); a large one is drawn whole."""
        known = roster.entries(backend)
        ids = [entry.id for entry in known if name and entry.group == name][::-1]
        if not name or 0 < len(ids) <= MOST_CHIPS:
            return [ids or gr.skip(), *[gr.skip()] * (len(drawn) + 2)]
        asked = _asked(([], *values, name))
        return [[], *gallery.show(asked, known).updates(), address_of(asked.query())]

    gr.on([c.change for c in controls], changed, inputs, [metrics, *drawn, address],
          **quiet(trigger_mode="always_last"))  # fmt: skip
    group.input(pick_group, [group, *controls[1:]], [loops, metrics, *drawn, address], **quiet())

    def open_(query: Query) -> list[Any]:
        known = roster.entries(backend)
        loops_, of_group = chosen_by(query, known)
        by, band = query.get("by", ""), query.get("band", "")
        asked = Asked(
            loops_, by if by in GROUPINGS else "setting", band if band in BANDS else AUTO,
            [m for m in ids_of(query.get("metrics")) if m in all_metrics()], query.get("log") == "1",
            query.get("logx") == "1", query.get("theory") != "0", of_group,
        )  # fmt: skip
        offered, *rest = gallery.show(asked, known).updates(asked.metrics)
        return [
            gr.update(choices=roster.groups(known), value=of_group or None),
            gr.update(choices=_names(known), value=list(loops_)), asked.by, asked.band, offered,
            asked.log, asked.log_x, asked.theory, *rest,
        ]  # fmt: skip

    def refresh(*values: Any) -> list[Any]:
        known, asked, seen = entries(backend), _asked(values[:-1]), values[-1]
        first: dict[str, Any] = {}
        if not asked.of(known) and not asked.loops:
            loops_, of_group = chosen_by({}, known)
            asked = replace(asked, loops=loops_, group=of_group)
            first = {"value": list(loops_)}
        if not first and stamp_of(asked, known) == seen:
            return [gr.skip()] * len(outputs)
        offered, *rest = gallery.show(asked, known).updates()
        whose: dict[str, Any] = {"value": asked.group or None} if first else {}
        groups = gr.update(choices=roster.groups(known), **whose)
        names = gr.update(choices=_names(known), **first)
        return [groups, names, gr.skip(), gr.skip(), offered, *[gr.skip()] * 3, *rest]

    def query(*values: Any) -> Query:
        return _asked(values[: len(inputs)]).query()

    return Page("compare", [*inputs, stamp], outputs, open_, refresh, query, live=True)


REST = 4.0
"""While loops go on, a comparison is drawn anew at most for one part in REST + 1 of the time."""


class Gallery:
    """Comparisons as they were last drawn: browsers that look at the same loops in the same way share the work."""

    def __init__(self, backend: "Backend", most: int = 24, steady: Callable[[], float] = time.monotonic) -> None:
        self._backend, self._most = backend, most
        self._keeper = Keeper()
        self._drawn: dict[str, Shown] = {}
        self._last: dict[str, tuple[float, Shown]] = {}
        self._steady = steady
        self._lock = Lock()

    def show(self, asked: Asked, known: "Sequence[Entry]") -> Shown:
        """Draw, or find, what is asked for."""
        stamp = stamp_of(asked, known)
        found = self._drawn.get(stamp)
        if found is not None:
            return found
        with self._lock:  # many ask at once when a loop goes on: one draws
            if stamp not in self._drawn:
                what = digest([astuple(asked), [entry.id for entry in asked.of(known)]])
                last = self._last.get(what)
                if last is not None and self._steady() < last[0]:
                    return last[1]  # of a moment ago; its stamp is not today's, so the next look asks again
                began = self._steady()
                shown = self._drawn[stamp] = self._draw(asked, known, stamp)
                self._last[what] = (self._steady() + REST * (self._steady() - began), shown)
                for kept in (self._drawn, self._last):
                    for old in list(kept)[: -self._most]:
                        del kept[old]
            return self._drawn[stamp]

    def _draw(self, asked: Asked, known: "Sequence[Entry]", stamp: str) -> Shown:
        views = self._keeper.views(self._backend, asked.of(known))
        if not views:
            words = NONE_CHOSEN if known else EMPTY
            return Shown((), ("", {"charts": [], "empty": words}, NO_CHARTS, "", ""), stamp)
        groups = group_loops(views, asked.by)
        crowd = len(groups) > MOST_LINES
        offered = offered_metrics(views, self._keeper.names(self._backend, views))
        first = first_metrics(views, offered)[: MOST_FIRST_OF_CROWD if crowd else MOST_FIRST]
        wanted = [m for m in offered if m.name in asked.metrics] or first
        curves = self._keeper.curves(self._backend, views, [m.name for m in wanted])
        traces = self._keeper.traces(self._backend, views)
        floors = measures.first_floor(self._backend, [view.id for view in views if view.generation >= 0])
        doubts = NO_DOUBTS if crowd else doubts_of(groups, self._keeper.doubts(self._backend, views))
        overlay, told = NOTHING, ""
        if asked.theory and len(groups) > MOST_THEORY:
            told = f'<p class="ls-soft">Theory is drawn for up to {MOST_THEORY} lines; these are {len(groups):,}.</p>'
        elif asked.theory:
            overlay = overlay_of(groups, self._for_theory(groups))
            told = theory_fold(overlay, [m.name for m in wanted])
        look: dict[str, Any] = {"log": asked.log, "band": asked.band, "traces": traces, "overlay": overlay}
        chart = small_multiples(groups, curves, floors, wanted, log_x=asked.log_x, doubts=doubts, **look)
        if doubts.noise and wanted[0].name == "fid":
            curves = self._keeper.curves(self._backend, views, [*(m.name for m in wanted), *DRAWN_FROM])
            drifts = verdicts(groups, curves, doubts, floors)
            first_chart, *others = chart["charts"]
            strip = with_strip(first_chart, groups, curves, doubts, drifts, log_x=asked.log_x)
            chart = chart | {"charts": [strip, *others]}
        found = option_maps(groups, curves, floors, wanted[:MOST_MAPS], **look)
        table = finals_grid(groups, curves, wanted, traces)
        table += finals_table(groups, curves, floors, wanted, traces, doubts)
        names = tuple((metric.title, metric.name) for metric in offered)
        return Shown(names, (legend(groups, asked.band), chart, found, told, table), stamp)

    def _for_theory(self, groups: "Sequence[Group]") -> Any:
        """Every metric of each line's first loop: constants are estimated from it."""
        return measures.curves(self._backend, [group.loops[0].id for group in groups])


def stamp_of(asked: Asked, known: "Sequence[Entry]") -> str:
    """Changes with everything that a comparison shows: the controls, the loops chosen, and what there is to choose."""
    chosen = [(entry.id, entry.revision) for entry in asked.of(known)]
    return digest([astuple(asked), chosen, [entry.id for entry in known]])


def chosen_by(query: Query, known: "Sequence[Entry]") -> tuple[list[str], str]:
    """The loops that an address names, and their group: the loops alone where they are few, or not all of a group;
    the group launched last where it names none."""
    there = {entry.id: entry for entry in known}
    named = [there[i] for i in ids_of(query.get("loops"), MOST_IDS) if i in there]
    found = named or [entry for entry in known if query.get("group") and entry.group == query["group"]][::-1]
    found = found or roster.latest(known)
    groups = {entry.group for entry in found}
    group = groups.pop() if len(groups) == 1 else ""
    ids = [entry.id for entry in found]
    whole = group and len(ids) > MOST_CHIPS and len(ids) == sum(entry.group == group for entry in known)
    return ([] if whole else ids), group


def _names(known: "Sequence[Entry]") -> list[tuple[str, str]]:
    return [(f"{e.group}: {e.name}" if e.group else e.name, e.id) for e in known]


NO_CHARTS: dict[str, Any] = {"charts": [], "empty": ""}


def address_of(query: Query) -> str:
    return urlencode({"tab": "compare", **query}, safe=",")


def offered_metrics(views: "Sequence[LoopView]", recorded: Container[str]) -> list[Metric]:
    """The metrics that any of the loops has, in drawing order; before the first generation those of their domains."""
    known = {name: metric for part in _domains(views) for name, metric in part.metrics.items()}
    found = [metric for name, metric in (known | all_metrics()).items() if name in recorded]
    return found or list(known.values())


def first_metrics(views: "Sequence[LoopView]", offered: Sequence[Metric]) -> list[Metric]:
    """What is drawn when nobody has chosen: the first metrics of the loops' domains."""
    names = [name for part in _domains(views) for name in (FIRST_METRICS if part.view == "motion" else part.metrics)]
    return [metric for metric in offered if metric.name in dict.fromkeys(names)][:MOST_FIRST] or list(offered)


def _asked(values: Sequence[Any]) -> Asked:
    loops, by, band, metrics, log, log_x, theory, group = values
    return Asked(
        tuple(loops or ()), by or "setting", band or AUTO, tuple(metrics or ()), bool(log), bool(log_x), bool(theory),
        str(group or ""),
    )  # fmt: skip


def _domains(views: "Sequence[LoopView]") -> list[Any]:
    kinds = dict.fromkeys(str(view.config.get("domain", "motion")) for view in views)
    return [DOMAINS[kind] for kind in kinds if kind in DOMAINS]
