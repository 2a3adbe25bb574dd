"""The last generation's value against the one option that the chosen loops differ in: maps over lambda or gamma."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

from app.groups import Group, varied
from app.markup import number
from app.overlay import DASHES, NOTHING, Overlay
from app.plotaxes import PLOT_HEIGHT_PX, log_ticks, value_range
from app.plotlines import INK, floor_line, rgba
from app.series import Curves, Series, Traces, series_of
from app.variation import Varied
from core.config import digest
from core.protocols import Metric

FEWEST = 3  # values that make a map
EVEN_FROM = 12.0  # values that spread over more than this ratio stand at equal distances
LINE = "#0072B2"


@dataclass(frozen=True)
class Place:
    """Where the option's values stand on the abscissa: as they are, or evenly, in order, where they spread widely."""

    values: tuple[float, ...]
    even: bool

    @classmethod
    def of(cls, values: Sequence[float]) -> "Place":
        known = tuple(sorted(values))
        gaps = [b - a for a, b in pairwise(known)]
        return cls(known, max(gaps) > EVEN_FROM * min(gaps))

    def at(self, value: float) -> float | None:
        """None for what lies outside."""
        if not self.even:
            return value if self.values[0] <= value <= self.values[-1] else None
        for k, (low, high) in enumerate(pairwise(self.values)):
            if low <= value <= high:
                return k + (value - low) / (high - low)
        return None


def option_maps(
    groups: Sequence[Group],
    curves: Curves,
    floors: dict[str, list[float]],
    metrics: Sequence[Metric],
    *,
    log: bool = False,
    band: str = "min-max",
    traces: Traces | None = None,
    overlay: Overlay = NOTHING,
) -> dict[str, Any]:
    """Value of the charts component; no chart where the groups do not make a map."""
    found = varied(groups)
    if found is None or found.numbers is None or len(groups) < FEWEST:
        return {"charts": [], "empty": ""}
    charts = []
    for metric in metrics:
        series = [series_of(group, curves, metric.name, traces) for group in groups]
        known = [(g, s, v) for g, s, v in zip(groups, series, found.numbers, strict=True) if s is not None]
        if len(known) >= FEWEST:
            charts.append(_chart(metric, found, known, floors.get(metric.name, []), log, band, overlay))
    return {"charts": charts, "empty": ""}


def _chart(
    metric: Metric, option: Varied, known: Sequence[tuple[Group, Series, float]], floor: Sequence[float], log: bool,
    band: str, overlay: Overlay,
) -> dict[str, Any]:  # fmt: skip
    known = sorted(known, key=lambda one: one[2])
    t = min(int(series.generations[-1]) for _, series, _ in known)
    place = Place.of([value for *_, value in known])
    rows = [(group, one, value) for group, series, value in known if (one := series.at(t)) is not None]
    x = [place.at(value) for *_, value in rows]
    y = [float(one.centre(band)[0]) for _, one, _ in rows]
    ends = [_ends(one, band) for _, one, _ in rows]
    values = [*y, *(v for pair in ends for v in pair), *floor]
    logarithmic = log and min(values) > 0
    low, high = value_range(values, logarithmic)
    data: list[dict[str, Any]] = [
        {
            "type": "scatter", "mode": "lines+markers", "x": x, "y": y,
            "line": {"color": rgba(LINE, 0.55), "width": 1.6},
            "marker": {"size": 9, "color": [group.colour for group, *_ in rows]},
            "error_y": {
                "type": "data", "symmetric": False, "array": [h - v for v, (_, h) in zip(y, ends, strict=True)],
                "arrayminus": [v - low_ for v, (low_, _) in zip(y, ends, strict=True)], "thickness": 1.4, "width": 4,
                "color": LINE,
            },
            "text": [f"{escape(group.title, quote=False)}<br>{option.symbol} = {number(v)}" for group, _, v in rows],
            "hovertemplate": "%{text}: %{y:.4g}<extra></extra>", "name": metric.name, "meta": {"role": "map"},
        }
    ]  # fmt: skip
    top = 10.0**high if logarithmic else high
    data += _theory(metric, rows, place, t, overlay, top)
    shapes = [floor_line(sum(floor) / len(floor))] if floor else []
    annotations: list[dict[str, Any]] = []
    for end in overlay.thresholds:
        at = place.at(end.value) if end.option == option.path else None
        if at is not None:
            shapes.append(_threshold(at))
            annotations.append(_words(end.title, end.value, at, option))
    ticks = {"tickvals": x, "ticktext": [number(value) for *_, value in rows]}
    edge = 0.06 * ((x[-1] or 0) - (x[0] or 0))
    return {
        "key": f"map-{metric.name}", "title": f"{metric.title} at generation {t}, by {option.symbol}",
        "subtitle": "values stand at equal distances" if place.even else f"against {option.symbol}",
        "info": metric.description, "data": data,
        "layout": {
            "height": PLOT_HEIGHT_PX + 46, "margin": {"l": 46, "r": 16, "t": 14, "b": 34},
            "xaxis": {
                "title": {"text": option.symbol, "font": {"size": 12}, "standoff": 4}, "zeroline": False,
                "automargin": False, "range": [(x[0] or 0) - edge, (x[-1] or 0) + edge], "tickangle": 0, **ticks,
            },
            "yaxis": {
                "type": "log" if logarithmic else "linear", "range": [low, high], "nticks": 6, "zeroline": False,
                "automargin": False, **log_ticks(low, high, logarithmic),
            },
            "font": {"size": 11.5, "family": "system-ui, -apple-system, Segoe UI, Roboto, sans-serif"},
            "showlegend": False, "hovermode": "closest", "shapes": shapes, "annotations": annotations,
            "uirevision": "|".join(
                ["map", metric.name, str(logarithmic), digest([g.loops[0].id for g, *_ in rows])]
            ),
        },
    }  # fmt: skip


def _ends(one: Series, band: str) -> tuple[float, float]:
    """Of the error bar at the only generation of a series."""
    found = one.band(band)
    low, high = found if found is not None else (one.centre(band), one.centre(band))
    return float(low[0]), float(high[0])


def _theory(
    metric: Metric,
    rows: Sequence[tuple[Group, Series, float]],
    place: Place,
    t: int,
    overlay: Overlay,
    top: float,
) -> list[dict[str, Any]]:
    """Each closed form's value at that generation, where it speaks of the loops and fits into the chart."""
    by_key: dict[str, dict[str, Any]] = {}
    for drawn in overlay.of(metric.name):
        at = dict(drawn.view.points).get(t)
        for group, _, value in rows:
            if at is not None and at <= top and group.title in drawn.titles:
                kept = by_key.setdefault(drawn.view.key, {"view": drawn.view, "points": []})
                kept["points"].append((place.at(value), at))
    return [
        {
            "type": "scatter", "mode": "lines+markers", "x": [a for a, _ in sorted(kept["points"])],
            "y": [b for _, b in sorted(kept["points"])], "marker": {"size": 5, "symbol": "x-thin-open", "color": INK},
            "line": {"color": INK, "width": 1.3, "dash": DASHES.get(kept["view"].kind, "dash")},
            "hovertemplate": f"{escape(kept['view'].title, quote=False)}: %{{y:.4g}}<extra></extra>",
            "name": kept["view"].title, "meta": {"role": "theory", "kind": kept["view"].kind},
        }
        for kept in by_key.values()
    ]  # fmt: skip


def _threshold(at: float) -> dict[str, Any]:
    return {
        "type": "line", "xref": "x", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1, "layer": "below",
        "line": {"color": "#8a94a3", "width": 1.3, "dash": "6px,3px"}, "name": "threshold",
    }  # fmt: skip


def _words(title: str, value: float, at: float, option: Varied) -> dict[str, Any]:
    return {
        "x": at, "y": 1, "xref": "x", "yref": "paper", "text": f"{option.symbol} = {number(value)}", "showarrow": False,
        "xanchor": "left", "yanchor": "top", "xshift": 3, "font": {"size": 10.5}, "name": title,
        "captureevents": False,
    }  # fmt: skip
