"""Markup under and above the curves: legend with exports, table of the last generation's values."""

from collections.abc import Sequence
from statistics import fmean

from app.doubts import NO_DOUBTS, Doubts
from app.groups import Group
from app.markup import change, colour_mark, download, esc, measured
from app.plotlines import spread_words
from app.plots import Floors
from app.series import Curves, Series, Traces, series_of
from core.protocols import Metric

MOST_NAMED, MOST_ROWS = 40, 100  # lines in the legend, in the table; the files for download hold all
MARK = '<span class="ls-warn" aria-label="too few samples">*</span>'
DASH_ARRAYS = {"solid": "", "dash": "6 4", "dot": "2 3", "longdash": "10 4", "dashdot": "8 3 2 3"}


def legend(groups: Sequence[Group], band: str = "min-max") -> str:
    """Colour and line style of every group, and what can be taken away."""
    items = "".join(
        f'<span data-key="{esc(g.title)}"><svg viewBox="0 0 30 10" aria-hidden="true">'
        f'<path d="M0 5 H30" stroke="{g.colour}" stroke-width="3" stroke-dasharray="{DASH_ARRAYS[g.dash]}"/></svg>'
        f"{esc(g.title)}</span>"
        for g in groups[:MOST_NAMED]
    )
    if len(groups) > MOST_NAMED:
        items += f'<span data-key="more" class="ls-soft">and {len(groups) - MOST_NAMED:,} more lines</span>'
    ids = ",".join(view.id for group in groups for view in group.loops)
    seeds = max((int(view.config.get("replicates", 1)) for group in groups for view in group.loops), default=1)
    every = download("CSV of every seed", f"/ui/curves.csv?loops={ids}&seeds=1") if seeds > 1 else ""
    tools = (
        download("CSV", f"/ui/curves.csv?loops={ids}") + every + download("JSON", f"/api/v1/curves?loops={ids}")
        + '<button type="button" class="ls-button" data-copy-link>Copy link</button>'
    )  # fmt: skip
    told = spread_words(groups, band)
    return (
        f'<div class="ls-row" style="justify-content:space-between"><div class="ls-legend">{items}</div>'
        f'<div class="ls-row"><span class="ls-soft">{told} Click a point to see its samples.</span>{tools}</div></div>'
    )


def finals_table(
    groups: Sequence[Group],
    curves: Curves,
    floors: Floors,
    metrics: Sequence[Metric],
    traces: Traces | None = None,
    doubts: Doubts = NO_DOUBTS,
) -> str:
    """Mean (and standard deviation) over a group's seeds at its last generation; difference to real only below it."""
    control = next((g for g in groups if g.arm == "real"), None)
    wanted = [*groups[:MOST_ROWS], *([control] if control is not None else [])]
    found = {(g.title, m.name): series_of(g, curves, m.name, traces) for g in wanted for m in metrics}
    shown = [m for m in metrics if any(found[g.title, m.name] is not None for g in wanted)]
    if not shown:
        return ""
    heads = "".join(_head(metric, doubts.caveats.get(metric.name, "")) for metric in shown)
    rows = []
    for group in groups[:MOST_ROWS]:
        mine = [found[group.title, m.name] for m in shown]
        theirs = [found[control.title, m.name] if control is not None and control is not group else None for m in shown]
        cells = "".join(_cell(*three) for three in zip(shown, mine, theirs, strict=True))
        last = max((int(one.generations[-1]) for one in mine if one is not None), default=None)
        rows.append(
            f'<tr data-key="{esc(group.title)}"><td>{colour_mark(group.colour)}{esc(group.title)}</td>'
            f'<td class="ls-right ls-num">{"-" if last is None else last}</td>{cells}</tr>'
        )
    if floors:
        cells = "".join(
            f'<td class="ls-right ls-num">{measured(fmean(floors[m.name])) if floors.get(m.name) else "-"}</td>'
            for m in shown
        )
        rows.append(
            f'<tr data-key="floor"><td class="ls-soft">Held-out real data, as many samples</td><td></td>{cells}</tr>'
        )
    few = f" The first {MOST_ROWS} of {len(groups):,} lines; the CSV has all." if len(groups) > MOST_ROWS else ""
    note = " Second line: difference to real only." if control is not None and len(groups) > 1 else ""
    return (
        f'<h3 class="ls-section-title" style="margin-bottom:8px">At the last generation</h3>'
        f'<div class="ls-scroll"><table class="ls-finals" aria-label="Values at the last generation">'
        "<thead><tr><th>Line</th>"
        f'<th class="ls-right">gen.</th>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        '<p class="ls-soft" style="font-size:12.5px;margin-top:6px">'
        f"Mean ± standard deviation over the seeds behind a line.{note}{few}</p>{_caveats(shown, doubts)}"
    )


def _head(metric: Metric, caveat: str) -> str:
    title = f"{metric.title} ({metric.unit})" if metric.unit else metric.title
    words = f"{metric.description} {caveat}" if caveat else metric.description
    return f'<th class="ls-right" title="{esc(words)}">{esc(title)}{MARK if caveat else ""}</th>'


def _caveats(shown: Sequence[Metric], doubts: Doubts) -> str:
    """A sentence for each reason, with the metrics that it is said of."""
    by_words: dict[str, list[str]] = {}
    for metric in shown:
        if metric.name in doubts.caveats:
            by_words.setdefault(doubts.caveats[metric.name], []).append(metric.title)
    return "".join(
        f'<p class="ls-soft" style="font-size:12.5px">{MARK} {esc(", ".join(titles))}: {esc(words)}</p>'
        for words, titles in by_words.items()
    )


def _cell(metric: Metric, series: Series | None, control: Series | None) -> str:
    if series is None:
        return '<td class="ls-right">-</td>'
    mean, seeds = float(series.mean[-1]), int(series.count[-1])
    text = measured(mean)
    if seeds > 1:
        text += f" ± {measured(float(series.std[-1]), 2)}"
    below = ""
    real = control.at(int(series.generations[-1])) if control is not None else None
    if real is not None:
        difference = mean - float(real.mean[0])
        worse = difference > 0 if metric.direction == "lower" else difference < 0
        kind = "" if metric.direction == "real" else "ls-delta-worse" if worse else "ls-delta-better"
        below = f'<br><small class="{kind or "ls-soft"}">{change(difference)}</small>'
    title = f' title="{seeds} seeds"' if seeds > 1 else ""
    return f'<td class="ls-right ls-num"{title}>{text}{below}</td>'
