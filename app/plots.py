"""Curves by generation as Plotly figures in plain data: one small chart per metric, lines by group of loops."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite, log10
from statistics import fmean
from typing import Any

from app.doubts import NO_DOUBTS, Doubts
from app.groups import Group
from app.markup import number
from app.overlay import NOTHING, Drawn, Overlay
from app.plotaxes import LABEL_HEIGHT_PX, PLOT_HEIGHT_PX, apart, generation_axis, log_ticks, value_range
from app.plotcrowd import MOST_LINES, crowd_traces, crowd_words
from app.plotlines import (
    Line,
    band_trace,
    end_label,
    floor_band,
    floor_line,
    mean_trace,
    noise_lines,
    seed_traces,
    theory_label,
    theory_trace,
)
from app.series import BANDS, Curves, Traces, series_of
from core.config import digest
from core.protocols import Metric

Floors = dict[str, list[float]]
"""metric -> the same metric of real held-out samples, a few draws."""

__all__ = ["BANDS", "Curves", "Floors", "Look", "apart", "log_ticks", "samples_measured", "small_multiples"]

MOST_LABELS = 13  # names that fit beside a chart
MOST_THEORY_LABELS = 6
NOISE_WORDS = "Between the dotted lines one more draw of samples from generation 0 would lie with a chance of 95 %."
DIRECTIONS = {
    "lower": "lower is better",
    "higher": "higher is better",
    "real": "closer to real data is better",
}


@dataclass(frozen=True)
class Look:
    """How charts are drawn. ``log``, ``log_x``: logarithmic axes; ``band``: one of BANDS."""

    log: bool = False
    band: str = "min-max"
    log_x: bool = False


def small_multiples(
    groups: Sequence[Group],
    curves: Curves,
    floors: Floors,
    metrics: Sequence[Metric],
    *,
    log: bool = False,
    band: str = "min-max",
    log_x: bool = False,
    traces: Traces | None = None,
    overlay: Overlay = NOTHING,
    doubts: Doubts = NO_DOUBTS,
) -> dict[str, Any]:
    """Value of the charts component: one chart for each metric that any loop has.

    Args:
        floors: of one of the loops; drawn as a dashed line at their mean, with their spread behind it.
        log: logarithmic axes wherever all values are positive.
        traces: values of the seeds that ran at once, where loops have several.
        overlay: theory to draw over the lines.
        doubts: noise of generation 0, drawn as a dotted band, and of what too few samples were measured.
    """
    look = Look(log, band if band in BANDS else "min-max", log_x)
    charts = []
    for metric in metrics:
        found = [(group, series_of(group, curves, metric.name, traces)) for group in groups]
        lines = [Line(group, series, look.band) for group, series in found if series is not None]
        if lines:
            told = overlay.of(metric.name)
            charts.append(_chart(metric, groups, lines, floors.get(metric.name, ()), told, look, doubts))
    return {"charts": charts, "empty": "No generation is recorded yet. Curves appear with the first one."}


def samples_measured(groups: Sequence[Group]) -> list[int]:
    """The sample counts behind the metrics; more than one means that they must not be compared."""
    return sorted({int(view.config["evaluation"]["samples"]) for group in groups for view in group.loops})


def _chart(
    metric: Metric,
    groups: Sequence[Group],
    lines: Sequence[Line],
    floor: Sequence[float],
    theory: Sequence[Drawn],
    look: Look,
    doubts: Doubts,
) -> dict[str, Any]:
    noise = doubts.bands(metric.name)
    values = [value for line in lines for value in line.extremes()] + [v for v in floor if isfinite(v)]
    logarithmic = look.log and min(values) > 0
    if min(values) >= 0:  # of a share or a distance, the noise ends at 0 too
        noise = [replace(band, low=max(band.low, 0.0)) for band in noise]
    edges = [end for band in noise for end in (band.low, band.high) if end > 0 or not logarithmic]
    low, high = value_range(values + edges + _theory_values(theory, values, logarithmic), logarithmic)
    last = max(int(line.series.generations[-1]) for line in lines)
    shift = 1 if look.log_x else 0
    data: list[dict[str, Any]] = []
    crowd = len(lines) > MOST_LINES
    if crowd:
        data += crowd_traces(lines, shift, positive=logarithmic)
    for line in [] if crowd else lines:
        data += band_trace(line, shift, positive=logarithmic) + seed_traces(line, shift, len(lines))
    data += [] if crowd else [mean_trace(line, shift) for line in lines]
    data += [theory_trace(drawn, shift, 10.0 ** (high + 1) if logarithmic else 10 * max(high, 0.0)) for drawn in theory]
    shapes = [floor_line(fmean(floor))] if floor else []
    shapes += [floor_band(min(floor), max(floor))] if len(floor) > 1 else []
    shapes += [shape for band in noise for shape in noise_lines(_above(band.low, low, logarithmic), band.high)]
    labels = _labels([] if crowd else lines, theory, shift, low, high, logarithmic)
    ids = digest(sorted(view.id for line in lines for view in line.group.loops))
    longest = max([len(label["text"]) for label in labels], default=0)
    title, subtitle = _words(metric, groups, floor, look.log and not logarithmic, look)
    caveat = doubts.caveats.get(metric.name, "")
    subtitle = f"{'too few samples; ' if caveat else ''}{subtitle}{'; noise dotted' if noise else ''}"
    subtitle += f"; {crowd_words(len(lines))}" if crowd else ""
    return {
        "key": metric.name, "title": title, "subtitle": subtitle, "data": data,
        "info": " ".join(filter(None, [metric.description, NOISE_WORDS if noise else "", caveat])),
        "layout": {
            "height": PLOT_HEIGHT_PX + 46,
            "margin": {"l": 46, "r": min(122, 16 + 7 * min(longest, 16)), "t": 12, "b": 34},
            "xaxis": generation_axis(0, last, look.log_x),
            "yaxis": {
                "type": "log" if logarithmic else "linear", "range": [low, high], "nticks": 6, "zeroline": False,
                "automargin": False, **log_ticks(low, high, logarithmic),
            },
            "font": {"size": 11.5, "family": "system-ui, -apple-system, Segoe UI, Roboto, sans-serif"},
            "showlegend": False, "hovermode": "closest", "shapes": shapes, "annotations": labels,
            "uirevision": "|".join([metric.name, str(logarithmic), str(look.log_x), ids]),
        },
    }  # fmt: skip


def _above(value: float, low: float, logarithmic: bool) -> float:
    """A band's lower end, on a logarithmic axis not below the axis."""
    return max(value, 10.0**low) if logarithmic else value


def _theory_values(theory: Sequence[Drawn], values: Sequence[float], logarithmic: bool) -> list[float]:
    """What theory adds to the range of an axis: all of it, unless it would press the measured lines flat."""
    top = max(values) * (20 if logarithmic else 1.6) if max(values) > 0 else max(values)
    told = [value for drawn in theory for _, value in drawn.view.points]
    return [value for value in told if value <= top and (not logarithmic or value >= min(values) / 20)]


def _words(
    metric: Metric, groups: Sequence[Group], floor: Sequence[float], not_log: bool, look: Look
) -> tuple[str, str]:
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
    if look.band == "quartiles" and any(group.seeds > 1 for group in groups):
        parts.append("medians")
    if not_log:
        parts.append("linear axis: not all values are positive")
    return title, "; ".join(parts)


def _labels(
    lines: Sequence[Line], theory: Sequence[Drawn], shift: int, low: float, high: float, logarithmic: bool
) -> list[dict[str, Any]]:
    """Names at line ends, pushed apart where they would overlap; of too many lines every second, third...."""
    every = max(-(-len(lines) // MOST_LABELS), 1)
    wanted: list[tuple[dict[str, Any], float]] = [end_label(line, shift) for line in lines[::every]]
    if len(theory) <= MOST_THEORY_LABELS and len(lines) + len(theory) <= MOST_LABELS:
        several = len(theory) > 1
        told: list[tuple[dict[str, Any], float]] = []
        for label, value in (theory_label(drawn, shift, several) for drawn in theory):
            same = (one for one, at in told if one["text"] == label["text"] and abs(at - value) <= 0.02 * (high - low))
            if next(same, None) is None and (logarithmic or low <= value <= high):
                told.append((label, value))
        wanted += told
    pixels = []
    for _, value in wanted:
        y = (log10(value) if value > 0 else low) if logarithmic else value
        pixels.append(min(max((y - low) / ((high - low) or 1.0), 0.0), 1.0) * PLOT_HEIGHT_PX)
    places = apart(pixels, LABEL_HEIGHT_PX, PLOT_HEIGHT_PX)
    found = []
    for (label, value), pixel, place in zip(wanted, pixels, places, strict=True):
        y = (log10(value) if value > 0 else low) if logarithmic else value
        found.append(label | {"y": min(max(y, low), high), "yshift": round(place - pixel)})
    return found
