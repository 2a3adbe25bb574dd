"""Markup under and above the curves: legend with exports, table of the last generation's values."""

from collections.abc import Sequence
from statistics import fmean, stdev

from app.groups import Group
from app.markup import colour_mark, download, esc, number
from app.plots import Curves, Floors, group_values
from core.protocols import Metric

DASH_ARRAYS = {"solid": "", "dash": "6 4", "dot": "2 3"}


def legend(groups: Sequence[Group]) -> str:
    """Colour and line style of every group, and what can be taken away."""
    items = "".join(
        f'<span data-key="{esc(g.title)}"><svg viewBox="0 0 30 10" aria-hidden="true">'
        f'<path d="M0 5 H30" stroke="{g.colour}" stroke-width="3" stroke-dasharray="{DASH_ARRAYS[g.dash]}"/></svg>'
        f"{esc(g.title)}</span>"
        for g in groups
    )
    ids = ",".join(view.id for group in groups for view in group.loops)
    tools = (
        download("CSV", f"/ui/curves.csv?loops={ids}") + download("JSON", f"/api/v1/curves?loops={ids}")
        + '<button type="button" class="ls-button" data-copy-link>Copy link</button>'
    )  # fmt: skip
    return (
        f'<div class="ls-row" style="justify-content:space-between"><div class="ls-legend">{items}</div>'
        f'<div class="ls-row"><span class="ls-soft">Click a point to see its motions.</span>{tools}</div></div>'
    )


def finals_table(groups: Sequence[Group], curves: Curves, floors: Floors, metrics: Sequence[Metric]) -> str:
    """Mean (and standard deviation) over a group's loops at its last generation; difference to real only below it."""
    shown = [m for m in metrics if any(group_values(g, curves, m.name) for g in groups)]
    if not shown:
        return ""
    control = next((g for g in groups if g.arm == "real"), None)
    heads = "".join(
        f'<th class="ls-right" title="{esc(m.description)}">{esc(m.title)}{f" ({esc(m.unit)})" if m.unit else ""}</th>'
        for m in shown
    )
    rows = []
    for group in groups:
        cells = "".join(_cell(group, control, curves, metric) for metric in shown)
        last = max((max(v) for m in shown if (v := group_values(group, curves, m.name))), default=None)
        rows.append(
            f'<tr data-key="{esc(group.title)}"><td>{colour_mark(group.colour)}{esc(group.title)}</td>'
            f'<td class="ls-right ls-num">{"-" if last is None else last}</td>{cells}</tr>'
        )
    if floors:
        cells = "".join(
            f'<td class="ls-right ls-num">{number(fmean(floors[m.name])) if floors.get(m.name) else "-"}</td>'
            for m in shown
        )
        rows.append(
            f'<tr data-key="floor"><td class="ls-soft">Held-out real data, as many samples</td><td></td>{cells}</tr>'
        )
    note = " Second line: difference to real only." if control is not None and len(groups) > 1 else ""
    return (
        f'<h3 class="ls-section-title" style="margin-bottom:8px">At the last generation</h3>'
        f'<div class="ls-scroll"><table class="ls-finals" aria-label="Values at the last generation">'
        "<thead><tr><th>Line</th>"
        f'<th class="ls-right">gen.</th>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        f'<p class="ls-soft" style="font-size:12.5px;margin-top:6px">Mean ± standard deviation over seeds.{note}</p>'
    )


def _cell(group: Group, control: Group | None, curves: Curves, metric: Metric) -> str:
    values = group_values(group, curves, metric.name)
    if not values:
        return '<td class="ls-right">-</td>'
    last = max(values)
    text = number(fmean(values[last]))
    if len(values[last]) > 1:
        text += f" ± {number(stdev(values[last]), 2)}"
    below = ""
    if control is not None and control is not group:
        real = group_values(control, curves, metric.name).get(last)
        if real:
            difference = fmean(values[last]) - fmean(real)
            worse = difference > 0 if metric.direction == "lower" else difference < 0
            kind = "" if metric.direction == "real" else "ls-delta-worse" if worse else "ls-delta-better"
            sign = "+" if difference >= 0 else "-"
            below = f'<br><small class="{kind or "ls-soft"}">{sign}{number(abs(difference))}</small>'
    return f'<td class="ls-right ls-num">{text}{below}</td>'
