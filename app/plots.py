"""Curves by generation as Plotly figures in plain data: one small chart per metric, lines by group of loops."""

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, isfinite, log10
from math import floor as floor_int
from statistics import fmean, stdev
from typing import Any

from app.groups import Group
from app.markup import number
from core.protocols import Metric

Curves = Mapping[str, Mapping[str, Sequence[tuple[int, float]]]]
"""loop id -> metric -> (generation, value), ascending."""
Floors = Mapping[str, Sequence[float]]
"""metric -> the same metric of real held-out samples, a few draws."""

BANDS = {"min-max": "Lowest to highest", "std": "Standard deviation", "none": "No band"}
PLOT_HEIGHT_PX = 190
LABEL_HEIGHT_PX = 14
DIRECTIONS = {
    "lower": "lower is better",
    "higher": "higher is better",
    "real": "closer to real data is better",
}


def small_multiples(
    groups: Sequence[Group],
    curves: Curves,
    floors: Floors,
    metrics: Sequence[Metric],
    *,
    log: bool = False,
    band: str = "min-max",
) -> dict[str, Any]:
    """Value of the charts component: one chart for each metric that any loop has.

    Args:
        floors: of one of the loops; drawn as a dashed line at their mean, with their spread behind it.
        log: logarithmic axes for FID and artefacts; shares and diversities stay linear.
    """
    ids = sorted(view.id for group in groups for view in group.loops)
    found = [m for m in metrics if any(curves.get(i, {}).get(m.name) for i in ids)]
    charts = [_chart(metric, groups, curves, floors.get(metric.name, ()), log=log, band=band) for metric in found]
    return {"charts": charts, "empty": "No generation is recorded yet. Curves appear with the first one."}


def group_values(group: Group, curves: Curves, metric: str) -> dict[int, list[float]]:
    """Generation -> finite values of the group's loops that have reached it."""
    values: dict[int, list[float]] = {}
    for view in group.loops:
        for t, value in curves.get(view.id, {}).get(metric, ()):
            if isfinite(value):
                values.setdefault(t, []).append(value)
    return dict(sorted(values.items()))


def samples_measured(groups: Sequence[Group]) -> list[int]:
    """The sample counts behind the metrics; more than one means that they must not be compared."""
    return sorted({int(view.config["evaluation"]["samples"]) for group in groups for view in group.loops})


def _chart(
    metric: Metric, groups: Sequence[Group], curves: Curves, floor: Sequence[float], *, log: bool, band: str
) -> dict[str, Any]:
    logarithmic = log and (metric.name == "fid" or metric.group == "physics")
    lines = [(group, values) for group in groups if (values := group_values(group, curves, metric.name))]
    if logarithmic and any(v <= 0 for _, values in lines for vs in values.values() for v in vs):
        logarithmic = False
    last = max(max(values) for _, values in lines)
    low, high = _range([v for _, values in lines for vs in values.values() for v in vs] + list(floor), logarithmic)
    data: list[dict[str, Any]] = []
    for group, values in lines:
        data += _traces(group, values, curves, metric.name, band)
    shapes: list[dict[str, Any]] = []
    if floor:
        shapes = [_floor_line(fmean(floor))]
        if len(floor) > 1:
            shapes.append(_floor_band(min(floor), max(floor)))
    revision = "|".join([metric.name, str(logarithmic), *sorted(v.id for g, _ in lines for v in g.loops)])
    longest = max(len(group.label) for group, _ in lines)
    layout = {
        "height": PLOT_HEIGHT_PX + 46,
        "margin": {"l": 46, "r": min(122, 16 + 7 * min(longest, 16)), "t": 12, "b": 34},
        "xaxis": {
            "title": {"text": "generation", "font": {"size": 12}, "standoff": 4},
            "range": [-0.3, max(last, 1) + 0.3],
            "dtick": max(1, ceil(last / 6)),
            "tickformat": "d",
            "tickangle": 0,
            "zeroline": False,
            "automargin": False,
        },
        "yaxis": {
            "type": "log" if logarithmic else "linear",
            "range": [low, high],
            "nticks": 6,
            "zeroline": False,
            "automargin": False,
            **log_ticks(low, high, logarithmic),
        },
        "font": {"size": 11.5, "family": "system-ui, -apple-system, Segoe UI, Roboto, sans-serif"},
        "showlegend": False,
        "hovermode": "closest",
        "shapes": shapes,
        "annotations": _line_labels(lines, low, high, logarithmic),
        "uirevision": revision,
    }
    title, subtitle = _words(metric, groups, floor)
    return {
        "key": metric.name, "title": title, "subtitle": subtitle, "info": metric.description,
        "data": data, "layout": layout,
    }  # fmt: skip


def _words(metric: Metric, groups: Sequence[Group], floor: Sequence[float]) -> tuple[str, str]:
    counts = samples_measured(groups)
    unit = f", {metric.unit}" if metric.unit else ""
    title = f"{metric.title}{unit}"
    if metric.name == "fid":
        title += f", n = {' / '.join(map(str, counts))}"
        if len(counts) > 1:
            return title, "loops measured on different n: do not compare their FID"
    parts = [DIRECTIONS[metric.direction]]
    if floor:
        parts.append(f"{'floor' if metric.direction == 'lower' else 'real data'} {number(fmean(floor))} (dashed)")
    elif metric.name == "fid":
        parts.append("floor not known yet")
    return title, "; ".join(parts)


def _traces(
    group: Group, values: dict[int, list[float]], curves: Curves, metric: str, band: str
) -> list[dict[str, Any]]:
    traces: list[dict[str, Any]] = []
    generations = list(values)
    means = [fmean(v) for v in values.values()]
    if len(group.loops) > 1:
        if band in ("min-max", "std"):
            spread = [_spread(v, band) for v in values.values()]
            low, high = [s[0] for s in spread], [s[1] for s in spread]
            traces.append(
                {
                    "type": "scatter", "mode": "lines", "x": generations + generations[::-1], "y": high + low[::-1],
                    "fill": "toself", "fillcolor": _rgba(group.colour, 0.16), "line": {"width": 0},
                    "hoverinfo": "skip", "name": f"{group.title} {band}", "meta": {"role": "band"},
                }
            )  # fmt: skip
        for view in group.loops:
            points = curves.get(view.id, {}).get(metric, ())
            traces.append(
                {
                    "type": "scatter", "mode": "lines", "x": [t for t, _ in points], "y": [v for _, v in points],
                    "line": {"color": group.colour, "width": 1, "dash": group.dash}, "opacity": 0.35,
                    "text": [escape(view.name, quote=False)] * len(points),
                    "hovertemplate": "%{text}<br>generation %{x}: %{y:.4g}<extra></extra>",
                    "name": view.id, "meta": {"role": "seed", "loop": view.id},
                }
            )  # fmt: skip
    traces.append(
        {
            "type": "scatter", "mode": "lines+markers", "x": generations, "y": means,
            "line": {"color": group.colour, "width": 2.4, "dash": group.dash},
            "marker": {"size": 5, "color": group.colour},
            "text": [_mean_words(group, v) for v in values.values()],
            "hovertemplate": "%{text}<br>generation %{x}: %{y:.4g}<extra></extra>",
            "name": group.title, "meta": {"role": "mean", "loop": group.loops[0].id},
        }
    )  # fmt: skip
    return traces


def _mean_words(group: Group, values: Sequence[float]) -> str:
    title = escape(group.title, quote=False)
    return title if len(group.loops) == 1 else f"{title}<br>mean of {len(values)} of {len(group.loops)}"


def _spread(values: Sequence[float], band: str) -> tuple[float, float]:
    if band == "std" and len(values) > 1:
        middle, sigma = fmean(values), stdev(values)
        return middle - sigma, middle + sigma
    return (min(values), max(values)) if band == "min-max" else (fmean(values), fmean(values))


def _range(values: Sequence[float], logarithmic: bool) -> tuple[float, float]:
    """Axis range with a little air; linear axes begin at zero (all metrics are magnitudes)."""
    low, high = min(values), max(values)
    if logarithmic:
        bottom, top = log10(max(low, 1e-12)), log10(max(high, 1e-12))
        air = 0.06 * max(top - bottom, 0.1)
        return bottom - air, top + air
    low = min(0.0, low)
    return low, high + 0.07 * ((high - low) or 1.0)


def log_ticks(low: float, high: float, logarithmic: bool) -> dict[str, Any]:
    """Round values to label on a logarithmic axis: 1, 2, 5 of every decade, or even steps where the range is narrow."""
    if not logarithmic:
        return {}
    bottom, top = 10.0**low, 10.0**high
    values = [d * 10.0**k for k in range(floor_int(low), ceil(high) + 1) for d in (1, 2, 5)]
    values = [value for value in values if bottom <= value <= top]
    if len(values) < 4:
        rough = (top - bottom) / 5
        unit = 10.0 ** floor_int(log10(rough))
        step = next(unit * d for d in (1, 2, 5, 10) if unit * d >= rough)
        values = [k * step for k in range(ceil(bottom / step), floor_int(top / step) + 1)]
    shown = values[:: ceil(len(values) / 7)] if values else []
    return {"tickvals": shown, "ticktext": [number(value) for value in shown]}


def _floor_line(value: float) -> dict[str, Any]:
    return {
        "type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": value, "y1": value, "layer": "below",
        "line": {"color": "#6B7280", "width": 1.3, "dash": "dash"}, "name": "floor",
    }  # fmt: skip


def _floor_band(low: float, high: float) -> dict[str, Any]:
    return {
        "type": "rect", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": low, "y1": high, "layer": "below",
        "line": {"width": 0}, "fillcolor": "#6B7280", "opacity": 0.12, "name": "floor spread",
    }  # fmt: skip


def _line_labels(
    lines: Sequence[tuple[Group, dict[int, list[float]]]], low: float, high: float, logarithmic: bool
) -> list[dict[str, Any]]:
    """Names at line ends, pushed apart where they would overlap."""
    ends = []
    for group, values in lines:
        t = max(values)
        value = fmean(values[t])
        y = log10(value) if logarithmic else value
        ends.append((group, t, y, (y - low) / ((high - low) or 1.0) * PLOT_HEIGHT_PX))
    wanted = apart([pixel for *_, pixel in ends], LABEL_HEIGHT_PX, PLOT_HEIGHT_PX)
    return [
        {
            "x": t, "y": y, "xref": "x", "yref": "y", "text": escape(_short(group.label), quote=False),
            "showarrow": False, "xanchor": "left", "xshift": 7, "yshift": round(place - pixel),
            "font": {"size": 11.5}, "name": group.title, "captureevents": False,
        }
        for (group, t, y, pixel), place in zip(ends, wanted, strict=True)
    ]  # fmt: skip


def apart(pixels: Sequence[float], gap: float, height: float) -> list[float]:
    """The positions nearest to ``pixels``, in the same order, that are ``gap`` apart and inside ``0..height``."""
    order = sorted(range(len(pixels)), key=lambda i: pixels[i])
    placed = [pixels[i] for i in order]
    for k in range(1, len(placed)):
        placed[k] = max(placed[k], placed[k - 1] + gap)
    if placed and placed[-1] > height:
        placed[-1] = height
        for k in range(len(placed) - 2, -1, -1):
            placed[k] = min(placed[k], placed[k + 1] - gap)
    result = [0.0] * len(pixels)
    for k, i in enumerate(order):
        result[i] = placed[k]
    return result


def _short(title: str) -> str:
    return title if len(title) <= 16 else title[:15] + "…"


def _rgba(colour: str, alpha: float) -> str:
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({r},{g},{b},{alpha})"
