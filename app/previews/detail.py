"""Markup below the pictures: a generation's numbers beside the real data's, what the corrector did, and files."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from app.markup import colour_mark, download, esc, number
from app.previews.spec import shows_corrected, values_url
from app.viewer_embed import Kind, pane_colours
from core.protocols import Metric
from model.domains import DOMAINS, all_metrics

if TYPE_CHECKING:
    from backend.views import LoopView, PanelView

Measured = Mapping[str, float]
Floors = Mapping[str, Sequence[float]]


def generation_detail(
    view: "LoopView", generation: int, panel: "PanelView | None", measured: Measured, floor: Floors
) -> str:
    """One loop at one generation."""
    numbers = _numbers(view, measured, floor)
    return (
        '<div class="ls-inspect-below">'
        f'<section class="ls-card"><h3>Generation {generation} in numbers</h3>{numbers}</section>'
        f'<section class="ls-card"><h3>What the corrector did</h3>{_outcomes(view, panel)}'
        f'<h3 style="margin-top:14px">Take it away</h3>{_files(view, generation)}</section></div>'
    )


def loops_detail(rows: "Sequence[tuple[LoopView, Kind, Measured]]", generation: int) -> str:
    """The same generation of several loops in numbers."""
    colours = pane_colours([(view, kind) for view, kind, _ in rows])
    known = {metric.name: metric for view, *_ in rows for metric in metrics_of(view)} | all_metrics()
    names = [metric for name, metric in known.items() if any(name in measured for *_, measured in rows)]
    heads = "".join(f'<th class="ls-right" title="{esc(m.description)}">{esc(m.title)}</th>' for m in names)
    body = ""
    for (view, kind, measured), colour in zip(rows, colours, strict=False):
        cells = "".join(f'<td class="ls-right ls-num">{number(measured.get(m.name))}</td>' for m in names)
        body += f"<tr><td>{colour_mark(colour)}{esc(view.name)}</td><td>{esc(kind)}</td>{cells}</tr>"
    return (
        f'<div class="ls-scroll"><table aria-label="Generation {generation} across loops"><thead><tr>'
        f"<th>Loop</th><th>shown</th>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def metrics_of(view: "LoopView") -> list[Metric]:
    """A loop's metrics in drawing order."""
    part = DOMAINS.get(str(view.config.get("domain", "motion")))
    return list(part.metrics.values()) if part is not None else []


def _numbers(view: "LoopView", measured: Measured, floor: Floors) -> str:
    known = {metric.name: metric for metric in metrics_of(view)} | all_metrics()
    shown = [metric for name, metric in known.items() if name in measured]
    if not shown:
        return '<p class="ls-soft">Not measured yet.</p>'
    rows = "".join(
        f'<tr><td title="{esc(m.description)}">{esc(m.title)}{f" ({esc(m.unit)})" if m.unit else ""}</td>'
        f'<td class="ls-right ls-num">{number(measured[m.name])}</td>'
        f'<td class="ls-right ls-num ls-soft">{number(fmean(floor[m.name])) if floor.get(m.name) else "-"}</td></tr>'
        for m in shown
    )
    seeds = int(view.config.get("replicates", 1))
    note = f'<p class="ls-soft" style="font-size:12.5px;margin-top:6px">Means over {seeds} seeds.</p>'
    return (
        '<table aria-label="Measures of this generation"><thead><tr><th>This generation</th>'
        '<th class="ls-right">value</th><th class="ls-right">held-out real data</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>{note if seeds > 1 else ''}"
    )


def _outcomes(view: "LoopView", panel: "PanelView | None") -> str:
    if not shows_corrected(view):
        return '<p class="ls-soft">Nothing: this loop corrects nothing, and neither does its panel.</p>'
    if panel is None:
        return '<p class="ls-soft">The panel is not drawn yet.</p>'
    counts = Counter(str(sample.outcome.get("status", "")) for sample in panel.samples)
    words = ", ".join(f"{counts[status]} {status}" for status in ("corrected", "unchanged", "rejected"))
    reasons = Counter(str(s.outcome["reason"]) for s in panel.samples if s.outcome.get("reason"))
    told = "".join(f"<li>{count} x {esc(reason)}</li>" for reason, count in reasons.most_common(4))
    return f"<p>Of {len(panel.samples)} panel samples: {words}.</p>" + (
        f"<ul class=ls-findings>{told}</ul>" if told else ""
    )


def _files(view: "LoopView", generation: int) -> str:
    links = download("Panel, JSON", values_url(view.id, generation))
    links += download("Metrics, CSV", f"/ui/curves.csv?loops={view.id}")
    if int(view.config.get("replicates", 1)) > 1:
        links += download("Metrics of every seed, CSV", f"/ui/curves.csv?loops={view.id}&seeds=1")
    return f'<div class="ls-row" style="margin-top:8px">{links}</div>'
