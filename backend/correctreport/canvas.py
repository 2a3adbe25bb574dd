"""Two surfaces with the same strokes: SVG for the page, pixels for the picture."""

from collections.abc import Sequence
from html import escape
from typing import Literal, Protocol

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from core.rotations import Array

Anchor = Literal["start", "middle", "end"]

INKS = {
    "text": "#1F2733", "soft": "#586474", "grid": "#D3D9E0", "field": "#F4F6F9", "before": "#D55E00",
    "after": "#0072B2", "help": "#586474", "alarm": "#A8005C",
}  # fmt: skip
"""On white paper; before and after as everywhere in the product (Okabe-Ito)."""
DARK_INKS = {
    "text": "#E6EAF0", "soft": "#A3AEBD", "grid": "#3A424F", "field": "#1C212A", "before": "#F08A3C",
    "after": "#56B4E9", "help": "#A3AEBD", "alarm": "#FF7AB8",
}  # fmt: skip


class Canvas(Protocol):
    """Positions in pixels from the top left; inks by name."""

    def line(self, points: Array, ink: str, *, width: float = 1.0, dashed: bool = False) -> None: ...

    def area(self, points: Array, ink: str, *, opacity: float = 1.0) -> None: ...

    def text(
        self,
        x: float,
        y: float,
        words: str,
        ink: str,
        *,
        size: float = 12,
        anchor: Anchor = "start",
        bold: bool = False,
    ) -> None: ...


def rectangle(left: float, top: float, right: float, bottom: float) -> Array:
    """Its corners, for :meth:`Canvas.area`."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


class Svg:
    """Collects SVG elements; colours come from the page's style sheet, so that dark and print are its business."""

    def __init__(self) -> None:
        self.elements: list[str] = []

    def line(self, points: Array, ink: str, *, width: float = 1.0, dashed: bool = False) -> None:
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.elements.append(f'<path class="l {ink}" stroke-width="{width:g}"{dash} d="M{_path(points)}"/>')

    def area(self, points: Array, ink: str, *, opacity: float = 1.0) -> None:
        see_through = f' opacity="{opacity:g}"' if opacity < 1 else ""
        self.elements.append(f'<path class="f {ink}"{see_through} d="M{_path(points)}Z"/>')

    def text(
        self,
        x: float,
        y: float,
        words: str,
        ink: str,
        *,
        size: float = 12,
        anchor: Anchor = "start",
        bold: bool = False,
    ) -> None:
        weight = ' font-weight="600"' if bold else ""
        where = f' text-anchor="{anchor}"' if anchor != "start" else ""
        self.elements.append(
            f'<text class="f {ink}" x="{x:.1f}" y="{y:.1f}" font-size="{size:g}"{where}{weight}>{escape(words)}</text>'
        )

    def markup(self, width: float, height: float, label: str) -> str:
        """The ``<svg>`` element; ``label`` is what a screen reader says."""
        return (
            f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label, quote=True)}">'
            + "".join(self.elements)
            + "</svg>"
        )


class Picture:
    """Pixels. Lines have no smooth edges in Pillow, so it draws four times as large and shrinks to twice."""

    FINE, SHARP = 4, 2

    def __init__(self, width: float, height: float) -> None:
        self.image = Image.new("RGB", (round(width * self.FINE), round(height * self.FINE)), "#FFFFFF")
        self._draw = ImageDraw.Draw(self.image, "RGBA")

    def line(self, points: Array, ink: str, *, width: float = 1.0, dashed: bool = False) -> None:
        pieces = _dashes(points) if dashed else [points]
        for piece in pieces:
            self._draw.line(self._fine(piece), fill=INKS[ink], width=max(1, round(width * self.FINE)), joint="curve")

    def area(self, points: Array, ink: str, *, opacity: float = 1.0) -> None:
        self._draw.polygon(self._fine(points), fill=INKS[ink] + f"{round(255 * opacity):02X}")

    def text(
        self,
        x: float,
        y: float,
        words: str,
        ink: str,
        *,
        size: float = 12,
        anchor: Anchor = "start",
        bold: bool = False,
    ) -> None:
        corner = {"start": "ls", "middle": "ms", "end": "rs"}[anchor]
        where = (x * self.FINE, y * self.FINE)
        self._draw.text(where, words, fill=INKS[ink], font=font_of(size * self.FINE, bold=bold), anchor=corner)

    def sharp(self) -> Image.Image:
        """The picture at twice the nominal size."""
        size = self.image.width * self.SHARP // self.FINE, self.image.height * self.SHARP // self.FINE
        return self.image.resize(size, Image.Resampling.BOX)

    def _fine(self, points: Array) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in points * self.FINE]


def font_of(size: float, *, bold: bool = False) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """DejaVu where the system has it (it knows most scripts), else Pillow's own."""
    try:
        return ImageFont.truetype("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf", size)
    except OSError:
        return ImageFont.load_default(size)


def thinned(x: Array, y: Array, columns: int) -> Array:
    """(M, 2) points of a line: where frames are more than pixels, the lowest and highest of each column remain."""
    points = np.stack([x, y], axis=-1)
    if len(points) <= 2 * columns:
        return points
    parts = np.array_split(np.arange(len(points)), columns)
    kept = [sorted((int(part[y[part].argmin()]), int(part[y[part].argmax()]))) for part in parts]
    chosen: Array = points[np.unique(np.concatenate([[0], *kept, [len(points) - 1]]))]
    return chosen


def _path(points: Sequence[Sequence[float]] | Array) -> str:
    return "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _dashes(points: Array, on: float = 5.0, off: float = 4.0) -> list[Array]:
    """Pieces of a straight line from the first point to the last."""
    start, end = points[0], points[-1]
    length = float(np.linalg.norm(end - start))
    along = (end - start) / max(length, 1e-9)
    return [
        np.stack([start + along * at, start + along * min(at + on, length)]) for at in np.arange(0.0, length, on + off)
    ]
