"""The report as one PNG: head, measures, curves and poses."""

import io
from dataclasses import dataclass

from PIL import Image

from backend.correctreport.canvas import Anchor, Picture, font_of, rectangle
from backend.correctreport.curves import Row, legend_of
from backend.correctreport.film import Film
from backend.correctreport.plot import LEFT_PX, draw, layout_of
from backend.correctreport.trial import Trial

WIDTH_PX, MARGIN_PX = 960.0, 28.0
LINE_PX, SIZE_PX = 19.0, 12.5


@dataclass(frozen=True)
class _Line:
    """One piece of text of the head."""

    x: float
    y: float
    words: str
    ink: str = "text"
    bold: bool = False
    anchor: Anchor = "start"
    size: float = SIZE_PX


def picture_of(trial: Trial, rows: list[Row], film: Film) -> bytes:
    """PNG bytes, at twice the nominal 1016 pixels of width."""
    mark = trial.rejected_frame
    layout = layout_of(rows, len(trial.before), trial.before.fps, WIDTH_PX, marked=mark is not None)
    lines, bottom = _head(trial, film)
    width = WIDTH_PX + 2 * MARGIN_PX
    head = Picture(width, bottom)
    for line in lines:
        head.text(line.x, line.y, line.words, line.ink, size=line.size, anchor=line.anchor, bold=line.bold)
    left = MARGIN_PX + LEFT_PX
    for ink, words in legend_of(rows):
        head.area(rectangle(left, bottom - 16, left + 18, bottom - 13), ink)
        head.text(left + 25, bottom - 10, words, "soft")
        left += 100
    chart = Picture(layout.width, layout.height)
    draw(chart, layout, mark=mark, mark_words=f"rejected: frame {mark}")
    parts = [(head.sharp(), 0), (chart.sharp(), round(MARGIN_PX * Picture.SHARP))]
    if film.png:
        poses = Image.open(io.BytesIO(film.png)).convert("RGB")
        wide = round(WIDTH_PX * Picture.SHARP)
        tall = round(poses.height * wide / poses.width)
        parts.append((poses.resize((wide, tall), Image.Resampling.LANCZOS), parts[1][1]))
    gap = round(14 * Picture.SHARP)
    page = Image.new("RGB", (parts[0][0].width, sum(part.height + gap for part, _ in parts)), "#FFFFFF")
    top = 0
    for part, at in parts:
        page.paste(part, (at, top))
        top += part.height + gap
    out = io.BytesIO()
    page.save(out, "PNG", optimize=True)
    return out.getvalue()


def _head(trial: Trial, film: Film) -> tuple[list[_Line], float]:
    """Texts, and the height that they take: the verdict, then facts at the left and measures at the right."""
    left, right = MARGIN_PX, MARGIN_PX + WIDTH_PX
    lines = [_Line(left, 42, _fitted(f"Correction of {trial.file}", right - left, 19), bold=True, size=19)]
    y = 68.0
    rejected = trial.after is None
    for words in _wrapped(trial.verdict, right - left, bold=True):
        lines.append(_Line(left, y, words, "alarm" if rejected else "text", bold=True))
        y += LINE_PX
    for sentence in [*trial.sentences(), *([film.absent] if film.absent else [])]:
        for words in _wrapped(sentence, right - left):
            lines.append(_Line(left, y, words))
            y += LINE_PX
    y += 10
    middle, top = left + WIDTH_PX * 0.5, y
    for name, value in trial.facts():
        lines.append(_Line(left, y, name, "soft"))
        for words in _wrapped(value, middle - left - 100):
            lines.append(_Line(left + 76, y, words))
            y += LINE_PX
    columns = (right - 80, right)
    lines += [_Line(x, top, words, "soft", anchor="end") for x, words in zip(columns, ("before", "after"), strict=True)]
    row = top
    for title, unit, *values in trial.measures():
        row += LINE_PX
        lines.append(_Line(middle, row, f"{title} ({unit})", "soft"))
        lines += [_Line(x, row, value, anchor="end") for x, value in zip(columns, values, strict=True)]
    return lines, max(y, row + LINE_PX) + 30


def _wrapped(text: str, width: float, *, bold: bool = False) -> list[str]:
    font = font_of(SIZE_PX, bold=bold)
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [_fitted(line, width, SIZE_PX, bold=bold) for line in lines]


def _fitted(text: str, width: float, size: float, *, bold: bool = True) -> str:
    font = font_of(size, bold=bold)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}...") > width:
        text = text[:-1]
    return f"{text}..."
