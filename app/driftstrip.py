"""What drifts, drawn under the FID curve: how many modes are in use, how much of FID is artefacts, and a sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.doubts import Doubts
from app.groups import Group
from app.plotaxes import PLOT_HEIGHT_PX
from app.plotlines import Line, mean_trace, noise_lines
from app.series import Curves, series_of
from backend.drift import Drift

STRIP_PX, TITLE_PX = 40, 24
STRIPS = (("mode_share", "modes in use, share of real"), ("validity_share", "artefacts, share of FID above its floor"))
MOST_SENTENCES = 6
DRAWN_FROM = ("fid_snapped", "multimodality", *(name for name, _ in STRIPS))
"""Metrics that strip and sentences need beside FID."""


def with_strip(
    chart: dict[str, Any],
    groups: Sequence[Group],
    curves: Curves,
    doubts: Doubts,
    verdicts: Mapping[str, Drift],
    *,
    log_x: bool = False,
) -> dict[str, Any]:
    """A chart of FID with the strips below it, on its own abscissa; as it was where no loop has their metrics."""
    shift = 1 if log_x else 0
    rows = [(name, title, _lines(groups, curves, name)) for name, title in STRIPS]
    rows = [row for row in rows if row[2]]
    if not rows:
        return chart
    below = len(rows) * (STRIP_PX + TITLE_PX)
    whole = PLOT_HEIGHT_PX + below
    layout = dict(chart["layout"])
    layout["height"] = layout["height"] + below
    layout["yaxis"] = layout["yaxis"] | {"domain": [below / whole, 1]}
    layout["xaxis"] = layout["xaxis"] | {"anchor": f"y{len(rows) + 1}"}
    layout["annotations"], layout["shapes"] = list(layout["annotations"]), list(layout["shapes"])
    data = list(chart["data"])
    for k, (name, title, lines) in enumerate(rows):
        top = (below - k * (STRIP_PX + TITLE_PX) - TITLE_PX) / whole
        axis = f"y{k + 2}"
        high = max(1.0, *(value for line in lines for value in line.extremes())) * 1.06
        layout[f"yaxis{k + 2}"] = {
            "domain": [top - STRIP_PX / whole, top], "range": [-0.04, high], "tickvals": [0, 1], "ticktext": ["0", "1"],
            "zeroline": False, "automargin": False, "fixedrange": True,
        }  # fmt: skip
        layout["annotations"].append(
            {
                "x": 0, "xref": "paper", "xanchor": "left", "y": top, "yref": "paper", "yanchor": "bottom",
                "text": title, "showarrow": False, "font": {"size": 11}, "captureevents": False, "name": name,
            }
        )  # fmt: skip
        layout["shapes"] += [shape for band in doubts.bands(name) for shape in noise_lines(band.low, band.high, axis)]
        for line in lines:
            trace = mean_trace(line, shift)
            trace["line"] = trace["line"] | {"width": 1.8}
            data.append(trace | {"yaxis": axis, "mode": "lines"})
    notes = [
        {"colour": group.colour, "title": group.title, "text": found.sentence, "detail": found.detail}
        for group in groups
        if (found := verdicts.get(group.title)) is not None
    ]
    more = len(notes) - MOST_SENTENCES
    last = [{"colour": "", "title": "", "text": f"and {more} more lines", "detail": ""}] if more > 0 else []
    return chart | {"data": data, "layout": layout, "notes": notes[:MOST_SENTENCES] + last}


def _lines(groups: Sequence[Group], curves: Curves, name: str) -> list[Line]:
    found = [(group, series_of(group, curves, name)) for group in groups]
    return [Line(group, series, "none") for group, series in found if series is not None]
