"""An audit in one picture: FID before and after, an arrow per input, with floor and ceiling. Plain Plotly data."""

from html import escape
from math import log10
from typing import TYPE_CHECKING, Any

from app.markup import number
from app.plots import log_ticks
from app.theme import ARM_COLOURS, FURTHER_COLOURS

if TYPE_CHECKING:
    from corrector.audit import Audit

ROW_PX = 27
AROUND_PX = 92
LEAST_FID = 0.05


def chart(found: "Audit") -> dict[str, Any]:
    """Value of the charts component."""
    picture = figure(found)
    return {
        "charts": [
            {
                "key": "audit-fid",
                "title": f"FID before and after correction, n = {found.windows}",
                "subtitle": "lower is better; arrows that point left bring the windows nearer to real motion",
                "info": "Frechet distance to held-out real windows. The floor is what real windows themselves reach at "
                "this n; the ceiling is what replacing every window by its nearest real one reaches.",
                **picture,
            }
        ],
        "empty": "",
    }  # fmt: skip


def figure(found: "Audit") -> dict[str, Any]:
    """``data`` and ``layout``."""
    effects = found.effects
    places = list(range(len(effects)))
    before = [max(e.fid[0], LEAST_FID) for e in effects]
    after = [max(e.fid[1], LEAST_FID) for e in effects]
    ceiling = [max(e.ceiling_fid, LEAST_FID) for e in effects]
    titles = [escape(e.title, quote=False) for e in effects]
    floor = max(found.floor_fid, LEAST_FID)
    low, high = (log10(f([*before, *after, *ceiling, *found.floor])) for f in (min, max))
    low, high = low - 0.06 * (high - low + 0.2), high + 0.06 * (high - low + 0.2)
    words = [
        f"{title}<br>FID {number(e.fid[0])} → {number(e.fid[1])}<br>ceiling {number(e.ceiling_fid)}"
        for title, e in zip(titles, effects, strict=True)
    ]

    def dots(name: str, values: list[float], **marker: Any) -> dict[str, Any]:
        return {
            "type": "scatter", "mode": "markers", "name": name, "x": values, "y": places, "text": words,
            "hovertemplate": "%{text}<extra></extra>", "marker": marker,
        }  # fmt: skip

    ceiling_line = {"width": 2.5, "color": FURTHER_COLOURS[0]}
    data = [
        dots("before", before, symbol="circle-open", size=10, color=ARM_COLOURS["raw"], line={"width": 2.2}),
        dots("after", after, symbol="circle", size=10, color=ARM_COLOURS["corrected"]),
        dots("ceiling (nearest real)", ceiling, symbol="line-ns", size=15, line=ceiling_line),
    ]
    arrows = [
        {
            "x": log10(b), "y": i, "ax": log10(a), "ay": i, "xref": "x", "yref": "y", "axref": "x", "ayref": "y",
            "text": "", "showarrow": True, "arrowhead": 2, "arrowsize": 1.1, "arrowwidth": 1.6, "standoff": 6,
            "startstandoff": 6, "arrowcolor": ARM_COLOURS["real"], "name": effects[i].name,
        }
        for i, (a, b) in enumerate(zip(before, after, strict=True))
        if abs(log10(a) - log10(b)) > 0.035 * (high - low)
    ]  # fmt: skip
    spread = [max(value, LEAST_FID) for value in found.floor]
    return {
        "data": data,
        "layout": {
            "height": AROUND_PX + ROW_PX * len(effects),
            "margin": {"l": 12, "r": 16, "t": 34, "b": 40},
            "xaxis": {
                "type": "log", "range": [low, high], "title": {"text": "FID", "font": {"size": 12}, "standoff": 4},
                "zeroline": False, **log_ticks(low, high, True),
            },
            "yaxis": {
                "range": [len(effects) - 0.4, -0.6], "tickvals": places, "ticktext": titles, "zeroline": False,
                "automargin": True, "fixedrange": True,
            },
            "font": {"size": 12.5, "family": "system-ui, -apple-system, Segoe UI, Roboto, sans-serif"},
            "showlegend": True,
            "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom"},
            "hovermode": "closest",
            "shapes": [
                _line(floor),
                {
                    "type": "rect", "xref": "x", "x0": min(spread), "x1": max(spread), "yref": "paper", "y0": 0,
                    "y1": 1, "layer": "below", "line": {"width": 0}, "fillcolor": "#6B7280", "opacity": 0.14,
                    "name": "floor spread",
                },
            ],
            "annotations": [
                *arrows,
                {
                    "x": log10(floor), "y": 1, "xref": "x", "yref": "paper", "yanchor": "bottom", "xanchor": "left",
                    "text": f"floor {number(found.floor_fid)}", "showarrow": False, "name": "floor",
                    "font": {"size": 12},
                },
            ],
            "uirevision": "audit",
        },
    }  # fmt: skip


def _line(value: float) -> dict[str, Any]:
    return {
        "type": "line", "xref": "x", "x0": value, "x1": value, "yref": "paper", "y0": 0, "y1": 1, "layer": "below",
        "line": {"color": "#6B7280", "width": 1.3, "dash": "dash"}, "name": "floor",
    }  # fmt: skip
