"""Films, contact sheets and thumbnails: pictures of the renderer put together with Pillow. Child process only."""

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from backend.media.camera import camera_for
from backend.media.figure import Figure, figure_of
from backend.media.panes import Pane
from backend.media.renderer import Renderer
from core.rotations import Array

PAPER, INK, SOFT = "#FFFFFF", "#1F2733", "#586474"
ALARM_INK = "#A8005C"
HEAD_PX, FOOT_PX, GAP_PX, LINE_PX = 38, 26, 6, 20
NOTE_ROWS = 3
CELL_GAP_PX = 2
TRAIL = (0.15, 0.5, 0.85)  # moments of a thumbnail, as shares of the motion
TRAIL_FADE = (0.7, 0.45, 0.0)
TRAIL_TRAVEL_M = 0.5


def film(panes: Sequence[Pane], *, width: float, height: float, fps: float) -> bytes:
    """MP4 bytes."""
    import imageio_ffmpeg

    figures = [figure_of(pane.motion, pane.color) for pane in panes]
    times = np.arange(max(1, round(max(len(f) / f.fps for f in figures) * fps))) / fps
    frames = [_frames_at(figure, times) for figure in figures]
    wide, high = int(width) // 2 * 2, int(height) // 2 * 2
    pane_wide = (wide - GAP_PX * (len(panes) - 1)) // len(panes)
    notes = [_wrapped(pane.note, pane_wide - 16) for pane in panes]
    head = _head_px(notes)
    pane_high = high - head - FOOT_PX
    if pane_wide < 32 or pane_high < 32:
        raise ValueError(f"{len(panes)} panes do not fit into {wide} x {high} pixels")
    camera = camera_for(figures, frames, times, pane_wide / pane_high, aim="film")
    paper = Image.new("RGB", (wide, high), PAPER)
    lefts = [k * (pane_wide + GAP_PX) for k in range(len(panes))]
    for pane, note, left in zip(panes, notes, lefts, strict=True):
        _title(paper, pane, note, left, 0, pane_wide)
    small = ImageFont.load_default(15)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        writer = imageio_ffmpeg.write_frames(
            str(path), (wide, high), fps=fps, codec="libx264", pix_fmt_out="yuv420p", macro_block_size=2,
            output_params=["-crf", "20", "-preset", "veryfast", "-movflags", "+faststart"],
        )  # fmt: skip
        writer.send(None)
        with Renderer(pane_wide, pane_high) as renderer:
            for moment, second in enumerate(times):
                page = paper.copy()
                for figure, index, left in zip(figures, frames, lefts, strict=True):
                    drawn = renderer.draw([(figure, int(index[moment]), 0.0)], camera.pose(moment))
                    page.paste(drawn, (left, head))
                label = f"{second:5.2f} s of {times[-1]:.2f} s"
                ImageDraw.Draw(page).text((8, high - FOOT_PX + 4), label, font=small, fill=SOFT)
                writer.send(np.asarray(page).tobytes())
        writer.close()
        return path.read_bytes()


def sheet(panes: Sequence[Pane], *, columns: float, cell: int = 180) -> bytes:
    """PNG bytes: one row per pane, one column per moment."""
    figures = [figure_of(pane.motion, pane.color) for pane in panes]
    last = max((len(f) - 1) / f.fps for f in figures)
    times = np.linspace(0.0, last, max(1, int(columns)))
    frames = [_frames_at(figure, times) for figure in figures]
    high = round(cell * 1.15)
    camera = camera_for(figures, frames, times, cell / high, aim="each")
    wide = (cell + CELL_GAP_PX) * len(times) - CELL_GAP_PX
    notes = [_wrapped(pane.note, wide - 16) for pane in panes]
    head = _head_px(notes)
    page = Image.new("RGB", (wide, (head + high) * len(panes) + FOOT_PX), PAPER)
    with Renderer(cell, high) as renderer:
        for row, (pane, figure, index) in enumerate(zip(panes, figures, frames, strict=True)):
            top = row * (head + high)
            _title(page, pane, notes[row], 0, top, wide)
            for moment, frame in enumerate(index):
                shift = figure.positions_m[frame, 0] * [1.0, 0.0, 1.0]
                drawn = renderer.draw([(figure, int(frame), 0.0)], camera.pose(moment, shift))
                page.paste(drawn, (moment * (cell + CELL_GAP_PX), top + head))
    draw, small = ImageDraw.Draw(page), ImageFont.load_default(15)
    for moment, second in enumerate(times):
        draw.text(
            (moment * (cell + CELL_GAP_PX) + 8, page.height - FOOT_PX + 4), f"{second:.2f} s", font=small, fill=SOFT
        )
    return _png(page)


def thumbnail(panes: Sequence[Pane], *, width: float, height: float) -> bytes:
    """PNG bytes: the motion as fading poses where it travels, else its middle."""
    figure = figure_of(panes[0].motion, panes[0].color)
    shown = [int(share * (len(figure) - 1)) for share in TRAIL]
    travel = np.linalg.norm(np.ptp(figure.positions_m[shown, 0][:, [0, 2]], axis=0))
    fades = TRAIL_FADE if travel > TRAIL_TRAVEL_M else (0.0,)
    shown = shown if travel > TRAIL_TRAVEL_M else [shown[1]]
    index = np.array(shown)
    camera = camera_for([figure], [index], index / figure.fps, width / height, aim="still")
    with Renderer(int(width), int(height)) as renderer:
        poses = [(figure, frame, fade) for frame, fade in zip(shown, fades, strict=True)]
        return _png(renderer.draw(poses, camera.pose(len(index) // 2)))


def _frames_at(figure: Figure, times_s: Array) -> NDArray[np.int64]:
    return np.minimum(np.round(times_s * figure.fps).astype(np.int64), len(figure) - 1)


def _title(page: Image.Image, pane: Pane, note: list[str], left: int, top: int, width: int) -> None:
    """Swatch and title, and below them the note."""
    draw = ImageDraw.Draw(page)
    draw.rounded_rectangle((left + 8, top + 12, left + 22, top + 26), 3, fill=pane.color)
    font = ImageFont.load_default(18)
    draw.text((left + 30, top + 7), _fitted(pane.title, font, width - 38), font=font, fill=INK)
    small = ImageFont.load_default(15)
    for row, line in enumerate(note):
        draw.text((left + 8, top + HEAD_PX - 4 + LINE_PX * row), line, font=small, fill=ALARM_INK)


def _head_px(notes: list[list[str]]) -> int:
    """Height of the title line and of the longest note, the same for all panes."""
    return HEAD_PX + LINE_PX * max(len(note) for note in notes)


def _wrapped(text: str, width: int) -> list[str]:
    font = ImageFont.load_default(15)
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [_fitted(line, font, width) for line in lines[:NOTE_ROWS]]


def _fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."


def _png(page: Image.Image) -> bytes:
    out = io.BytesIO()
    page.save(out, "PNG", optimize=True)
    return out.getvalue()
