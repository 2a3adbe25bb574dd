"""What is drawn in a chart: mean, band and seeds of a line; theory; the real data's value."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from math import log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.groups import Group
from app.overlay import DASHES, Drawn
from app.series import AUTO, BANDS, FEW_SEEDS, Floats, Series

MOST_POINTS, MOST_SEED_POINTS = 160, 80  # of one line: more than a small chart can show
EXACT = 60  # generations up to which numbers are sent in full
MOST_SEEDS, MOST_THIN_LINES = 20, 40  # thin lines of one group, of one chart
CROWD = 6  # more lines than this stand alone with their bands
INK = "ink"  # the page puts its text colour in its place


@dataclass(frozen=True, eq=False)
class Line:
    """One group's values of one metric, and the band that is drawn about them."""

    group: Group
    series: Series
    band: str

    @cached_property
    def drawn(self) -> Series:
        """The generations that are drawn."""
        return self.series.thinned(thin(self.series.generations, MOST_POINTS))

    @property
    def end(self) -> tuple[int, float]:
        """Last generation and the line's value there."""
        return int(self.series.generations[-1]), float(self.drawn.centre(self.band)[-1])

    def extremes(self) -> list[float]:
        """Lowest and highest value of line and band (of the seeds, where these are drawn in full)."""
        parts = [self.drawn.centre(self.band), *(self.drawn.band(self.band) or ())]
        return [float(min(part.min() for part in parts)), float(max(part.max() for part in parts))]


def thin(generations: NDArray[np.int64], most: int) -> NDArray[np.intp]:
    """Which generations of a long run are drawn: first and last, and evenly or (early ones) ever more closely spread
    ones between, so that linear and logarithmic axes show the same run."""
    count = len(generations)
    if count <= most:
        return np.arange(count)
    spread = np.concatenate([np.linspace(0, count - 1, most), np.geomspace(1, count, most // 4) - 1])
    return np.unique(spread.round().astype(np.intp))


def shown_seeds(series: Series, lines: int) -> NDArray[np.intp]:
    """Columns of the seeds drawn as thin lines: evenly spread, a few where there are many."""
    count, most = series.values.shape[1], most_seeds(lines)
    return np.arange(count) if count <= most else np.linspace(0, count - 1, most).round().astype(np.intp)


def most_seeds(lines: int) -> int:
    """How many thin lines a group has room for beside others."""
    return min(MOST_SEEDS, MOST_THIN_LINES // max(lines, 1)) if lines <= CROWD else 0


def band_trace(line: Line, shift: int, *, positive: bool) -> list[dict[str, Any]]:
    """A filled band; on a logarithmic axis it ends where values would not be positive."""
    series = line.drawn
    ends = series.band(line.band)
    if ends is None:
        return []
    low, high = ends
    if positive:
        low = np.maximum(low, series.centre(line.band) * 1e-3)
    x = (series.generations + shift).tolist()
    return [
        {
            "type": "scatter", "mode": "lines", "x": x + x[::-1], "y": numbers(high) + numbers(low[::-1]),
            "fill": "toself", "fillcolor": rgba(line.group.colour, 0.16), "line": {"width": 0},
            "hoverinfo": "skip", "name": f"{line.group.title} {line.band}", "meta": {"role": "band"},
        }
    ]  # fmt: skip


def seed_traces(line: Line, shift: int, lines: int) -> list[dict[str, Any]]:
    """Thin lines of single seeds: one trace per loop, gaps between its seeds."""
    group, series = line.group, line.series
    if series.values.shape[1] < 2:
        return []
    columns = shown_seeds(series, lines)
    if not len(columns):
        return []
    rows = series.thinned(thin(series.generations, MOST_SEED_POINTS)) if len(columns) > 3 else line.drawn
    alpha = 0.35 if len(columns) <= 6 else 0.2
    traces = []
    for view in group.loops:
        x: list[int | None] = []
        y: list[float | None] = []
        for column in columns:
            if series.owners[column] != view.id:
                continue
            known = np.flatnonzero(np.isfinite(rows.values[:, column]))
            x += [*([None] if x else []), *(rows.generations[known] + shift).tolist()]
            y += [*([None] if y else []), *numbers(rows.values[known, column])]
        if x:
            traces.append(
                {
                    "type": "scatter", "mode": "lines", "x": x, "y": y, "connectgaps": False,
                    "line": {"color": group.colour, "width": 1, "dash": group.dash}, "opacity": alpha,
                    "hovertemplate": f"{_safe(view.name)}<br>{when(shift)} %{{x}}: %{{y:.4g}}<extra></extra>",
                    "name": view.id, "meta": {"role": "seed", "loop": view.id, "shift": shift},
                }
            )  # fmt: skip
    return traces


def mean_trace(line: Line, shift: int) -> dict[str, Any]:
    """The line itself; markers where generations are few."""
    group, series = line.group, line.drawn
    count = len(line.series.generations)
    mode = "lines+markers" if count <= 60 else "lines"
    seeds = line.series.values.shape[1]
    what = "median" if line.band == "quartiles" else "mean"
    title = escape(group.title, quote=False)
    words = [title if seeds == 1 else f"{title}<br>{what} of {n} of {seeds}" for n in series.count.tolist()]
    return {
        "type": "scatter", "mode": mode, "x": (series.generations + shift).tolist(),
        "y": numbers(series.centre(line.band)), "line": {"color": group.colour, "width": 2.4, "dash": group.dash},
        "marker": {"size": 5 if count <= 30 else 3.5, "color": group.colour},
        "text": words[0] if len(set(words)) == 1 else words,
        "hovertemplate": f"%{{text}}<br>{when(shift)} %{{x}}: %{{y:.4g}}<extra></extra>",
        "name": group.title, "meta": {"role": "mean", "loop": group.loops[0].id, "shift": shift},
    }  # fmt: skip


def theory_trace(drawn: Drawn, shift: int, top: float) -> dict[str, Any]:
    """A predicted curve: thin, in the text's colour, its dashes by what kind of statement it is.

    Args:
        top: far above the chart; what lies beyond (a bound that explodes) is drawn there.
    """
    view = drawn.view
    rows = thin(np.array([t for t, _ in view.points]), MOST_POINTS)
    points = [view.points[int(i)] for i in rows]
    words = f"{_safe(view.title)} ({view.kind})<br>for {_safe(', '.join(drawn.titles))}"
    return {
        "type": "scatter", "mode": "lines", "x": [t + shift for t, _ in points], "y": [min(v, top) for _, v in points],
        "line": {"color": INK, "width": 1.3, "dash": DASHES.get(view.kind, "dash")},
        "hovertemplate": f"{words}<br>{when(shift)} %{{x}}: %{{y:.4g}}<extra></extra>",
        "name": view.title, "meta": {"role": "theory", "kind": view.kind},
    }  # fmt: skip


def end_label(line: Line, shift: int) -> tuple[dict[str, Any], float]:
    """A line's name at its end, and its value there."""
    t, value = line.end
    return _label(line.group.label, t, shift) | {"name": line.group.title}, value


def theory_label(drawn: Drawn, shift: int, several: bool) -> tuple[dict[str, Any], float]:
    """What kind of statement it is."""
    t, value = drawn.view.points[-1]
    kind = drawn.view.kind
    text = kind if several else f"theory ({kind})"
    return _label(text, t, shift) | {"name": drawn.view.title, "font": {"size": 10.5}}, value


def floor_line(value: float) -> dict[str, Any]:
    return {
        "type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": value, "y1": value, "layer": "below",
        "line": {"color": "#6B7280", "width": 1.3, "dash": "dash"}, "name": "floor",
    }  # fmt: skip


def floor_band(low: float, high: float) -> dict[str, Any]:
    return {
        "type": "rect", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": low, "y1": high, "layer": "below",
        "line": {"width": 0}, "fillcolor": "#6B7280", "opacity": 0.12, "name": "floor spread",
    }  # fmt: skip


def noise_lines(low: float, high: float, axis: str = "y") -> list[dict[str, Any]]:
    """Between dotted lines: where one more draw from generation 0 would lie."""
    edge = {
        "type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": axis, "layer": "below",
        "line": {"color": "#6B7280", "width": 1, "dash": "dot"}, "opacity": 0.7, "name": "noise of generation 0",
    }  # fmt: skip
    fill = {
        "type": "rect", "xref": "paper", "x0": 0, "x1": 1, "yref": axis, "y0": low, "y1": high, "layer": "below",
        "line": {"width": 0}, "fillcolor": "#6B7280", "opacity": 0.07, "name": "noise of generation 0",
    }  # fmt: skip
    return [fill, *(edge | {"y0": end, "y1": end} for end in (low, high))]


def short(title: str) -> str:
    return title if len(title) <= 16 else title[:15] + "…"


def rgba(colour: str, alpha: float) -> str:
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({r},{g},{b},{alpha})"


def _label(text: str, t: int, shift: int) -> dict[str, Any]:
    return {
        "x": log10(t + shift) if shift else t, "xref": "x", "yref": "y", "showarrow": False,
        "text": escape(short(text), quote=False), "xanchor": "left", "xshift": 7, "font": {"size": 11.5},
        "captureevents": False,
    }  # fmt: skip


def numbers(values: Floats) -> list[float]:
    """As a list; of long runs to five digits, which a small chart cannot show anyway."""
    if len(values) <= EXACT:
        return list(values.tolist())
    size = np.where(values == 0, 1.0, np.abs(values))
    scale = 10.0 ** np.minimum(4 - np.floor(np.log10(size)), 300)
    return list((np.round(values * scale) / scale).tolist())


def when(shift: int) -> str:
    return "iteration" if shift else "generation"


def _safe(text: str) -> str:
    """Text for a hover template: neither markup nor a placeholder."""
    return escape(text, quote=False).replace("%{", "% {")


def spread_words(groups: Sequence[Group], band: str) -> str:
    """What bands and thin lines are; "" where there is one seed each."""
    many = max((group.seeds for group in groups), default=0)
    if many < 2:
        return ""
    most = most_seeds(len(groups))
    if band == AUTO:
        band = "min-max" if many <= FEW_SEEDS else "ci95"
    words = "No band" if band == "none" else f"Band: {BANDS[band][0].lower()}{BANDS[band][1:]}"
    if many <= most:
        return f"{words}."
    return (
        f"{words}. {most} of {many} seeds drawn as thin lines." if most else f"{words}; too many lines to draw seeds."
    )
