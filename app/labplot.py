"""The answer of an experiment as a small picture: means and bands over seeds, closed forms beside them. Plain SVG whose
colours follow the page, so that it is sharp at any size, in light and dark."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

from app.markup import esc, number
from app.plotaxes import apart

Point = tuple[float, float]
DASHES = {"exact": "7 4", "first order": "2 3", "bound": "1 4"}
KINDS = {"exact": "closed form", "first order": "closed form, to first order", "bound": "upper bound"}
LOG_FROM = 30.0
"""Ratio of the largest to the smallest mean from which on the axis is logarithmic."""
MOST_POINTS = 160
MANY = 4
"""Lines whose bands of one standard deviation can still be told apart."""
BAND_ROOM = 1.7
"""How far above the lines a band may reach, as a multiple of the highest line."""


@dataclass(frozen=True)
class Line:
    """One arm.

    Attributes:
        band: standard deviation over seeds at each point (standard error beside many lines), 0 for one seed.
        theory: (kind, points) of each closed form of the arm.
    """

    label: str
    colour: str
    points: Sequence[Point]
    band: Sequence[float] = ()
    theory: Sequence[tuple[str, Sequence[Point]]] = ()


@dataclass(frozen=True)
class Frame:
    """Pixels of the drawing and what its axes span; ``low`` and ``high`` are logarithms where ``log``."""

    width: float
    height: float
    right: float
    last: float
    low: float
    high: float
    log: bool
    left: float = 46.0
    top: float = 10.0
    bottom: float = 30.0

    def x(self, generation: float) -> float:
        return self.left + (self.width - self.left - self.right) * generation / max(self.last, 1e-9)

    def y(self, value: float) -> float:
        inner = self.height - self.top - self.bottom
        place = log10(max(value, 1e-300)) if self.log else value
        share = (place - self.low) / ((self.high - self.low) or 1.0)
        return self.top + inner * (1.0 - min(max(share, 0.0), 1.0))


def picture(lines: Sequence[Line], metric: str, *, width: float = 420.0, height: float = 210.0) -> str:
    """Curves by generation; "" where there is nothing to draw yet."""
    lines = [Line(a.label, a.colour, *_finite(a), a.theory) for a in lines]
    if not any(line.points or line.theory for line in lines):
        return ""
    frame = _frame(lines, width, height)
    bands = "".join(_band(frame, line) for line in lines)
    theory = "".join(_theory(frame, kind, points) for line in lines for kind, points in line.theory)
    curves = "".join(
        f'<path d="{_path(frame, line.points)}" style="stroke:{line.colour}" stroke-width="2.2"/>'
        for line in lines
        if line.points
    )
    told = "; ".join(
        f"{line.label} from {number(line.points[0][1])} to {number(line.points[-1][1])}"
        for line in lines
        if line.points
    )
    return (
        f'<svg class="ls-labplot" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{esc(metric)} by generation. {esc(told)}">{_axes(frame)}'
        f'<g fill="none" stroke-linejoin="round" stroke-linecap="round">{bands}{curves}{theory}</g>'
        f"{_labels(frame, lines)}</svg>"
    )


def key_of(lines: Sequence[Line], seeds: int) -> str:
    """What the strokes mean, in a line of text."""
    kinds = list(dict.fromkeys(kind for line in lines for kind, points in line.theory if points))
    drawn = any(line.points for line in lines)
    bits = []
    if drawn:
        band = "standard error" if len(lines) > MANY else "standard deviation"
        bits.append(f"mean and {band} over {seeds} seeds" if seeds > 1 else "one seed: no band")
    for kind in kinds:
        bits.append(
            f'<svg viewBox="0 0 30 8" aria-hidden="true"><path d="M1 4H29" stroke-dasharray="{DASHES[kind]}"/></svg>'
            f"{KINDS[kind]}"
        )
    return f'<p class="ls-labkey">{"; ".join(bits)}</p>' if bits else ""


def _finite(line: Line) -> tuple[list[Point], list[float]]:
    """Points that are numbers, thinned to what a small picture can show, and their bands."""
    spread = list(line.band) or [0.0] * len(line.points)
    kept = [(p, s) for p, s in zip(line.points, spread, strict=True) if isfinite(p[1])]
    step = max(1, ceil(len(kept) / MOST_POINTS))
    chosen = kept[::step] + ([kept[-1]] if kept and (len(kept) - 1) % step else [])
    return [p for p, _ in chosen], [s if isfinite(s) else 0.0 for _, s in chosen]


def _frame(lines: Sequence[Line], width: float, height: float) -> Frame:
    means = [v for line in lines for _, v in line.points]
    exact = [v for line in lines for kind, points in line.theory if kind != "bound" for _, v in points]
    curves = means + exact or [v for line in lines for _, points in line.theory for _, v in points]
    everything = curves + [v for line in lines for _, points in line.theory for _, v in points if v <= 2 * max(curves)]
    last = max([x for line in lines for x, _ in line.points] or
               [x for line in lines for _, points in line.theory for x, _ in points])  # fmt: skip
    longest = max(len(line.label) for line in lines)
    right = min(22.0 + 6.6 * longest, 0.36 * width)
    positive = [v for v in everything if v > 0]
    log = len(positive) == len(everything) and max(positive) / min(positive) > LOG_FROM
    if log:
        low, high = log10(min(positive)), log10(max(positive))
        air = 0.05 * (high - low)
        return Frame(width, height, right, last, low - air, high + air, True)
    top = max(everything)
    edges = [v + s for line in lines for (_, v), s in zip(line.points, line.band, strict=True)]
    high = min(max([top, *edges]), BAND_ROOM * top if top > 0 else top + 1.0)
    low = min(0.0, *everything)
    return Frame(width, height, right, last, low, high + 0.05 * ((high - low) or 1.0), False)


def _axes(frame: Frame) -> str:
    bits = []
    end = frame.width - frame.right
    for value in _ticks(frame):
        y = frame.y(value)
        bits.append(
            f'<path d="M{frame.left:g} {y:.1f}H{end:.1f}" style="stroke:var(--ls-grid)"/>'
            f'<text x="{frame.left - 6:g}" y="{y + 3.5:.1f}" text-anchor="end">{number(value)}</text>'
        )
    floor_y = frame.height - frame.bottom
    for value in _round_steps(0.0, frame.last, 4, whole=True):
        x = frame.x(value)
        bits.append(f'<text x="{x:.1f}" y="{floor_y + 14:g}" text-anchor="middle">{value:g}</text>')
    middle = (frame.left + end) / 2
    bits.append(f'<text x="{middle:.1f}" y="{frame.height - 3:g}" text-anchor="middle">generation</text>')
    line = f'<path d="M{frame.left:g} {floor_y:g}H{end:.1f}" style="stroke:var(--ls-soft)"/>'
    return f'<g class="ls-labaxes">{"".join(bits)}{line}</g>'


def _ticks(frame: Frame) -> list[float]:
    if not frame.log:
        return _round_steps(frame.low, frame.high, 4)
    decades = [10.0**k for k in range(ceil(frame.low), floor(frame.high) + 1)]
    if len(decades) >= 2:
        return decades[:: ceil(len(decades) / 5)]
    return [d * 10.0**k for k in range(floor(frame.low), ceil(frame.high) + 1) for d in (1, 2, 5)
            if frame.low <= log10(d * 10.0**k) <= frame.high]  # fmt: skip


def _round_steps(low: float, high: float, about: int, *, whole: bool = False) -> list[float]:
    """Round values from low to high, ``about`` many."""
    rough = ((high - low) or 1.0) / about
    unit = 10.0 ** floor(log10(rough))
    step = next(unit * d for d in (1, 2, 5, 10) if unit * d >= rough * 0.999)
    step = max(step, 1.0) if whole else step
    return [k * step for k in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def _path(frame: Frame, points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{frame.x(x):.1f} {frame.y(v):.1f}" for x, v in points)


def _band(frame: Frame, line: Line) -> str:
    if not any(line.band):
        return ""
    pairs = list(zip(line.points, line.band, strict=True))
    upper = [(x, v + s) for (x, v), s in pairs]
    lower = [(x, max(v - s, 1e-300) if frame.log else v - s) for (x, v), s in pairs]
    outline = _path(frame, upper + lower[::-1])
    return f'<path d="{outline}Z" style="fill:{line.colour}" fill-opacity="0.14"/>'


def _theory(frame: Frame, kind: str, points: Sequence[Point]) -> str:
    inside = [(x, v) for x, v in points if x <= frame.last and isfinite(v)]
    step = max(1, ceil(len(inside) / MOST_POINTS))
    if len(inside) < 2:
        return ""
    chosen = inside[::step] + ([inside[-1]] if (len(inside) - 1) % step else [])
    return (
        f'<path d="{_path(frame, chosen)}" class="ls-labtheory" stroke-width="1.5" '
        f'stroke-dasharray="{DASHES.get(kind, "4 4")}"/>'
    )


def _labels(frame: Frame, lines: Sequence[Line]) -> str:
    """Names at line ends, pushed apart where they would overlap."""
    ends = [(line, *(line.points or line.theory[0][1])[-1]) for line in lines if line.points or line.theory]
    floor_y = frame.height - frame.bottom
    wanted = apart([floor_y - frame.y(v) for _, _, v in ends], 13.0, floor_y - frame.top)
    bits = []
    for (line, x, _), place in zip(ends, wanted, strict=True):
        y = floor_y - place
        at = frame.x(min(x, frame.last)) + 7
        room = int((frame.width - at - 7) / 6.2)
        text = line.label if len(line.label) <= room else line.label[: max(room - 1, 3)] + "…"
        bits.append(
            f'<circle cx="{at:.1f}" cy="{y:.1f}" r="3.5" style="fill:{line.colour}"/>'
            f'<text x="{at + 7:.1f}" y="{y + 3.8:.1f}">{esc(text)}</text>'
        )
    return f'<g class="ls-lablabels">{"".join(bits)}</g>'
