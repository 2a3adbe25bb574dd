"""Axes of the charts: ranges with a little air, round ticks, labels that do not touch."""

from collections.abc import Sequence
from math import ceil, log10
from math import floor as floor_int
from typing import Any

from app.markup import number

PLOT_HEIGHT_PX = 190
LABEL_HEIGHT_PX = 14
STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000)


def generation_axis(first: int, last: int, log: bool) -> dict[str, Any]:
    """Abscissa of a chart; logarithmic ones count the papers' iterations (generation + 1), because 0 has no place."""
    axis: dict[str, Any] = {
        "title": {"text": "iteration (generation + 1)" if log else "generation", "font": {"size": 12}, "standoff": 4},
        "tickformat": "d", "tickangle": 0, "zeroline": False, "automargin": False,
    }  # fmt: skip
    if not log:
        step = next((s for s in STEPS if s * 7 >= last - first), 5000)
        return axis | {"range": [first - 0.012 * max(last, 25), max(last, 1) + 0.012 * max(last, 25)], "dtick": step}
    low, high = 0.0, log10(max(last + 1, 2))
    return axis | {"type": "log", "range": [low - 0.03, high + 0.03], **log_ticks(low, high, True)}


def value_range(values: Sequence[float], logarithmic: bool) -> tuple[float, float]:
    """Axis range with a little air. Linear axes begin at zero (most metrics are magnitudes) unless that hides all."""
    low, high = min(values), max(values)
    if logarithmic:
        bottom, top = log10(max(low, 1e-300)), log10(max(high, 1e-300))
        air = 0.06 * max(top - bottom, 0.1)
        return bottom - air, top + air
    if high <= 0 and low < 0:  # a log-likelihood
        air = 0.07 * ((high - low) or 1.0)
        return low - air, high + air
    low = min(0.0, low)
    return low, high + 0.07 * ((high - low) or 1.0)


def log_ticks(low: float, high: float, logarithmic: bool) -> dict[str, Any]:
    """Round values to label on a logarithmic axis: 1, 2, 5 of every decade, or even steps where the range is narrow."""
    if not logarithmic:
        return {}
    bottom, top = 10.0**low, 10.0**high
    if high - low > 4:
        every = ceil((high - low) / 6)
        values = [10.0**k for k in range(ceil(low), floor_int(high) + 1) if k % every == 0]
    else:
        values = [d * 10.0**k for k in range(floor_int(low), ceil(high) + 1) for d in (1, 2, 5)]
        values = [value for value in values if bottom <= value <= top]
    if len(values) < 4 and high - low <= 4:
        rough = (top - bottom) / 5
        unit = 10.0 ** floor_int(log10(rough))
        step = next(unit * d for d in (1, 2, 5, 10) if unit * d >= rough)
        values = [k * step for k in range(ceil(bottom / step), floor_int(top / step) + 1)]
    shown = values[:: ceil(len(values) / 7)] if values else []
    return {"tickvals": shown, "ticktext": [number(value) for value in shown]}


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
