"""Draws the rows of a report on a canvas: one time axis, charts below one another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.correctreport.canvas import Canvas, rectangle, thinned
from backend.correctreport.curves import Row
from core.rotations import Array

LEFT_PX, RIGHT_PX = 58.0, 14.0
INSET_PX = 6.0  # between a chart and its bars
TITLE_PX, CHART_PX, BAR_PX, GAP_PX, AXIS_PX = 22.0, 74.0, 8.0, 12.0, 26.0
MARK_PX = 16.0  # for the words above a marked frame
SECONDS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)


@dataclass(frozen=True)
class Placed:
    """Where a row's chart is: pixels from the top of the drawing, and the values at its edges."""

    row: Row
    top: float
    low: float
    high: float

    @property
    def bottom(self) -> float:
        return self.top + CHART_PX

    def y(self, values: Array) -> Array:
        share: Array = (values - self.low) / (self.high - self.low)
        return self.bottom - np.clip(share, 0.0, 1.0) * CHART_PX


@dataclass(frozen=True)
class Layout:
    """Where everything goes. ``frames`` at ``fps`` span the width between the gutters."""

    placed: tuple[Placed, ...]
    width: float
    height: float
    frames: int
    fps: float

    def x(self, frame: Array | float) -> Array:
        share: Array = np.asarray(frame, dtype=np.float64) / max(self.frames - 1, 1)
        return LEFT_PX + np.clip(share, 0.0, 1.0) * (self.width - LEFT_PX - RIGHT_PX)


def layout_of(rows: Sequence[Row], frames: int, fps: float, width: float, *, marked: bool = False) -> Layout:
    """Rows below one another; ``marked`` leaves room for words above."""
    placed, top = [], MARK_PX if marked else 0.0
    for row in rows:
        low, high = row.span()
        room = 0.06 * (high - low)
        placed.append(Placed(row, top + TITLE_PX, low - (room if low < 0 else 0.0), high + room))
        top += TITLE_PX + CHART_PX + BAR_PX * len(row.stance) + (INSET_PX if row.stance else 0.0) + GAP_PX
    return Layout(tuple(placed), width, top - GAP_PX + AXIS_PX, frames, fps)


def draw(canvas: Canvas, layout: Layout, *, mark: int | None = None, mark_words: str = "") -> None:
    """All rows, the time axis, and a line through a marked frame."""
    left, right = LEFT_PX, layout.width - RIGHT_PX
    bottom = layout.height - AXIS_PX
    seconds = (layout.frames - 1) / layout.fps
    ticks = [float(t) for t in np.arange(0.0, seconds + 1e-9, time_step(seconds, (right - left) / 80))]
    for placed in layout.placed:
        _draw_row(canvas, layout, placed, ticks)
    for second in ticks:
        x = float(layout.x(second * layout.fps))
        canvas.line(np.array([[x, bottom], [x, bottom + 4]]), "soft")
        canvas.text(x, bottom + 18, f"{second:g} s", "soft", anchor="end" if x > right - 12 else "middle")
    if mark is not None:
        x = float(layout.x(float(mark)))
        canvas.line(np.array([[x, 4.0], [x, bottom]]), "alarm", width=1.5, dashed=True)
        near_end = x > layout.width / 2
        canvas.text(
            x + (-6 if near_end else 6), 12, mark_words, "alarm", anchor="end" if near_end else "start", bold=True
        )


def _draw_row(canvas: Canvas, layout: Layout, placed: Placed, ticks: Sequence[float]) -> None:
    row, left, right = placed.row, LEFT_PX, layout.width - RIGHT_PX
    canvas.text(left, placed.top - 7, f"{row.title} ({row.unit})", "text", bold=True)
    canvas.area(rectangle(left, placed.top, right, placed.bottom), "field")
    for second in ticks:
        x = float(layout.x(second * layout.fps))
        canvas.line(np.array([[x, placed.top], [x, placed.bottom]]), "grid", width=0.6)
    for value in value_ticks(placed.low, placed.high):
        y = float(placed.y(np.array(value)))
        canvas.line(
            np.array([[left, y], [right, y]]), "soft" if value == 0 else "grid", width=0.8 if value == 0 else 0.6
        )
        canvas.text(left - 8, y + 4, f"{value:g}", "soft", anchor="end")
    if row.limit is not None and placed.low <= row.limit <= placed.high:
        y = float(placed.y(np.array(row.limit)))
        canvas.line(np.array([[left, y], [right, y]]), "alarm", dashed=True)
        canvas.text(right - 4, y + 13, "limit", "alarm", anchor="end", size=11)
    frames, columns = np.arange(float(layout.frames)), int(right - left)
    for curve in row.curves:
        for part in _runs(np.isfinite(curve.values)):
            points = thinned(layout.x(frames[part]), placed.y(curve.values[part]), columns)
            if row.filled:
                floor = float(placed.y(np.array(0.0)))
                ends = [[points[-1, 0], floor], [points[0, 0], floor]]
                canvas.area(np.concatenate([points, ends]), curve.ink, opacity=0.3)
            canvas.line(points, curve.ink, width=1.5)
    top = placed.bottom + INSET_PX
    for ink, mask in row.stance:
        canvas.area(rectangle(left, top, right, top + BAR_PX - 2), "field")
        for part in _runs(mask):
            begin, end = float(layout.x(part.start - 0.5)), float(layout.x(part.stop - 0.5))
            canvas.area(rectangle(begin, top, end, top + BAR_PX - 2), ink)
        top += BAR_PX
    if row.stance:
        canvas.text(left - 8, top + 3, "stance", "soft", size=11, anchor="end")


def time_step(seconds: float, most: float) -> float:
    """The smallest round step that gives at most ``most`` ticks."""
    return next((step for step in SECONDS if seconds / step <= max(most, 1.0)), max(seconds, 1e-3))


def value_ticks(low: float, high: float) -> list[float]:
    """0 and two or three round values."""
    rough = (high - low) / 3.2
    size = 10.0 ** np.floor(np.log10(rough))
    step = next(size * factor for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if size * factor >= rough)
    first, last = int(np.ceil(low / step)), int(np.floor(high / step))
    return [float(f"{k * step:.6g}") for k in range(first, last + 1)]


def _runs(mask: NDArray[np.bool_]) -> list[slice]:
    """Stretches of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [slice(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
