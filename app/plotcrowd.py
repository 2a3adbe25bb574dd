"""More lines in one chart than can be told apart: all of them thin, and what they do together."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from app.plotlines import Line, numbers, rgba, thin, when
from app.series import side_by_side
from app.theme import ARM_COLOURS

MOST_LINES = 60  # more than this are a crowd
MOST_CROWD_POINTS = 60_000  # of one arm's thin lines; beyond, generations between are left out, lines never
COLOUR = "#0072B2"
SHARE = 0.9


def crowd_words(lines: int) -> str:
    share = round(100 * SHARE)
    return (
        f"{lines:,} lines, all drawn thin; the band holds the middle {share} % of them, the thick line is their median"
    )


def crowd_traces(lines: Sequence[Line], shift: int, *, positive: bool) -> list[dict[str, Any]]:
    """Of the lines of each arm: all of them in one trace with gaps between, a band that holds most, their median."""
    by_arm: dict[str, list[Line]] = {}
    for line in lines:
        by_arm.setdefault(line.group.arm, []).append(line)
    return [trace for arm, members in by_arm.items() for trace in _arm(arm, members, shift, positive)]


def _arm(arm: str, lines: Sequence[Line], shift: int, positive: bool) -> list[dict[str, Any]]:
    colour = lines[0].group.colour if len({line.group.colour for line in lines}) == 1 else ARM_COLOURS.get(arm, COLOUR)
    centres = [(line.series.generations, line.series.centre(line.band)[:, None]) for line in lines]
    generations, values = side_by_side(centres)  # (T,), (T, lines)
    rows = thin(generations, max(MOST_CROWD_POINTS // len(lines), 2))
    at, few = generations[rows] + shift, values[rows]
    gap = np.full((1, len(lines)), np.nan)
    x = np.concatenate([np.broadcast_to(at[:, None], few.shape), gap]).T.ravel()
    y = np.concatenate([few, gap]).T.ravel()
    low, median, high = np.nanquantile(few, [(1 - SHARE) / 2, 0.5, (1 + SHARE) / 2], axis=1)
    if positive:
        low = np.maximum(low, median * 1e-3)
    told = f"{len(lines):,} lines" + (f" of the arm {arm}" if arm else "")
    return [
        {
            "type": "scatter", "mode": "lines", "x": _gapped(x, whole=True), "y": _gapped(y), "connectgaps": False,
            "line": {"color": colour, "width": 0.7}, "opacity": 0.25, "hoverinfo": "skip", "name": told,
            "meta": {"role": "crowd"},
        },
        {
            "type": "scatter", "mode": "lines", "x": [*at.tolist(), *at[::-1].tolist()],
            "y": numbers(high) + numbers(low[::-1]), "fill": "toself", "fillcolor": rgba(colour, 0.2),
            "line": {"width": 0}, "hoverinfo": "skip", "name": f"{told} band", "meta": {"role": "band"},
        },
        {
            "type": "scatter", "mode": "lines", "x": at.tolist(), "y": numbers(median),
            "line": {"color": colour, "width": 2.4}, "name": told, "meta": {"role": "median"},
            "hovertemplate": f"median of {told}<br>{when(shift)} %{{x}}: %{{y:.4g}}<extra></extra>",
        },
    ]  # fmt: skip


def _gapped(values: Any, *, whole: bool = False) -> list[float | None]:
    """As a list, None for the gaps; four digits are more than a thin line shows."""
    known = np.isfinite(values)
    if whole:
        return [int(v) if k else None for v, k in zip(values.tolist(), known.tolist(), strict=True)]
    shown = numbers(np.where(known, values, 1.0))
    return [v if k else None for v, k in zip(shown, known.tolist(), strict=True)]
