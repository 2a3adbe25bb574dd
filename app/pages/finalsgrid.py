"""The last generation's values as a grid, where loops differ in two options: rows of one, columns of the other."""

from collections.abc import Sequence

from app.groups import Group, grid
from app.markup import colour_mark, esc, measured
from app.plots import DIRECTIONS
from app.series import Curves, Traces, series_of
from app.variation import Value
from core.protocols import Metric

MOST_GRIDS = 4


def finals_grid(
    groups: Sequence[Group], curves: Curves, metrics: Sequence[Metric], traces: Traces | None = None
) -> str:
    """A table per metric (the first few): mean ± standard deviation over seeds; "" where the groups make no grid."""
    found = grid(groups)
    if found is None:
        return ""
    rows, columns = found
    at = {(a, b): group for group, a, b in zip(groups, rows.values, columns.values, strict=True)}
    tables = []
    for metric in metrics:
        cells = {}
        for point, group in at.items():
            series = series_of(group, curves, metric.name, traces)
            if series is not None:
                cells[point] = (float(series.mean[-1]), float(series.std[-1]), int(series.count[-1]))
        if not cells:
            continue
        heads = "".join(f'<th class="ls-right">{esc(columns.said(b))}</th>' for b in columns.levels)
        best = _best(metric, cells)
        body = "".join(
            f'<tr data-key="{esc(rows.said(a))}"><td>{_mark(at, a)}{esc(rows.said(a))}</td>'
            + "".join(_cell(cells.get((a, b)), bold=(a, b) == best) for b in columns.levels)
            + "</tr>"
            for a in rows.levels
        )
        unit = f", {esc(metric.unit)}" if metric.unit else ""
        tables.append(
            f'<div data-key="{esc(metric.name)}"><h4 title="{esc(metric.description)}">{esc(metric.title)}{unit} '
            f'<small class="ls-soft">{DIRECTIONS[metric.direction]}</small></h4>'
            f'<table class="ls-finals" aria-label="{esc(f"{metric.title} by {rows.symbol} and {columns.symbol}")}">'
            f"<thead><tr><th></th>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
        )
        if len(tables) == MOST_GRIDS:
            break
    if not tables:
        return ""
    title = f"At the last generation, {rows.symbol} by {columns.symbol}"
    return (
        f'<div data-key="grid"><h3 class="ls-section-title">{esc(title)}</h3>'
        f'<div class="ls-finalsgrid">{"".join(tables)}</div>'
        '<p class="ls-soft" style="font-size:12.5px;margin:6px 0 14px">Mean ± standard deviation over seeds; the best '
        "of a table is bold where it leads the next by more than that. "
        "Colour says the row, line style the column.</p></div>"
    )


def _mark(at: "dict[tuple[Value, Value], Group]", row: Value) -> str:
    """The row's colour."""
    return next((colour_mark(group.colour) for (a, _), group in at.items() if a == row), "")


def _best(metric: Metric, cells: "dict[tuple[Value, Value], tuple[float, float, int]]") -> "tuple[Value, Value] | None":
    """Where the best value is, if it leads the next by more than both vary over seeds; nowhere of a metric whose best
    is the real data's."""
    if metric.direction == "real" or len(cells) < 2:
        return None
    best, second = sorted(cells, key=lambda point: cells[point][0], reverse=metric.direction == "higher")[:2]
    lead = abs(cells[best][0] - cells[second][0])
    return best if lead > max(cells[best][1], cells[second][1]) else None


def _cell(value: tuple[float, float, int] | None, *, bold: bool) -> str:
    if value is None:
        return '<td class="ls-right">-</td>'
    mean, std, seeds = value
    text = f"<b>{measured(mean)}</b>" if bold else measured(mean)
    spread = f' <small class="ls-soft">± {measured(std, 2)}</small>' if seeds > 1 else ""
    return f'<td class="ls-right ls-num" title="{seeds} seed{"s" if seeds > 1 else ""}">{text}{spread}</td>'
