"""The report of a correction: what it draws is what the motions measure, and one file is all that it needs."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.correctreport import Trial, check_target, write_report
from backend.correctreport.canvas import Picture, Svg, thinned
from backend.correctreport.curves import Row, moved_mm, rows_of
from backend.correctreport.film import Film, film_of
from backend.correctreport.page import page_of
from backend.correctreport.plot import draw, layout_of, time_step, value_ticks
from backend.correctreport.trial import figure
from core.artefacts import tracks_of
from core.errors import InvalidConfig, LoopscopeError
from core.motion import Motion, batch_of
from core.records import Outcome
from corrector.contacts import stance_of
from tests.backend.walker import walker

EVIL = "</script><script>alert(1)</script>&\"'.bvh"
NO_FILM = Film(absent="The poses are not shown. There is no <display>.")
SIMULATION = {
    "residual_force_bw": 0.31, "residual_force_peak_bw": 1.4, "residual_torque_nm": 17.0, "limit_bw": 1.5,
    "residual_torque_peak_nm": 96.0, "at_limit_share": 0.03, "global_mm": 21.0, "root_relative_mm": 11.0,
}  # fmt: skip
FELL = "The simulated body fell: in frame 12 its joints are 0.62 m from the motion's on average (limit 0.5 m)."


def lowered(motion: Motion, by_m: float = 0.05) -> Motion:
    return replace(motion, root_position_m=motion.root_position_m - [0.0, by_m, 0.0])


def corrected(frames: int = 60, **changes: Any) -> Trial:
    """A motion lifted by 5 cm, with the tracks of a simulation."""
    motion = walker(frames)
    wave = np.abs(np.sin(np.linspace(0, 20, frames)))
    tracks = {"residual_force_bw": wave, "residual_torque_nm": 50 * wave, "tracking_error_m": 0.04 * wave}
    outcome = Outcome("corrected", "lifted by up to 5 cm, simulated", 0.05, 0.31, simulation=SIMULATION)
    trial = Trial(
        file="walk.bvh", form="BVH, lengths in cm", corrector="Physics", before=lowered(motion), after=motion,
        outcome=outcome, options={"mode": "full", "gain": 0.5, "ready": True}, chosen=("mode",), tracks=tracks,
        notes=("Lengths were read as cm.",), seconds=0.5,
    )  # fmt: skip
    return replace(trial, **changes)


def rejected(reason: str = FELL) -> Trial:
    return replace(corrected(), after=None, outcome=Outcome("rejected", reason, simulation=SIMULATION))


def by_title(rows: list[Row], word: str) -> Row:
    return next(row for row in rows if word in row.title)


def test_rows_are_what_the_motions_measure() -> None:
    trial = corrected()
    assert trial.after is not None
    rows = rows_of(trial)
    for foot, side in enumerate(("left", "right")):
        row = by_title(rows, f"{side} foot")
        for curve, motion in zip(row.curves, (trial.before, trial.after), strict=True):
            assert np.allclose(curve.values, 100 * tracks_of(motion).foot_height_m[:, foot])
        for (_, mask), motion in zip(row.stance, (trial.before, trial.after), strict=True):
            assert np.array_equal(mask, stance_of(batch_of([motion]))[0, :, foot])
    skate = by_title(rows, "skate")
    assert np.allclose(skate.curves[1].values, tracks_of(trial.after).skate_m_s.max(1))
    assert np.allclose(by_title(rows, "Moved").curves[0].values, 50.0)
    assert np.allclose(by_title(rows, "Tracking error").curves[0].values, 1000 * trial.tracks["tracking_error_m"])
    assert by_title(rows, "Residual force").limit == 1.5
    assert [row.unit for row in rows] == ["cm", "cm", "m/s", "cm", "mm", "mm", "body weights", "N m"]


def test_what_was_not_simulated_has_no_rows_of_a_simulation() -> None:
    nothing = {name: np.zeros(60) for name in ("residual_force_bw", "residual_torque_nm", "tracking_error_m")}
    titles = [row.title for row in rows_of(corrected(tracks=nothing))]
    assert not [title for title in titles if "Residual" in title or "Tracking" in title]
    unchanged = corrected(tracks={}, after=lowered(walker(60)), outcome=Outcome("unchanged"))
    assert len(rows_of(unchanged)) == 4


def test_a_rejected_motion_is_drawn_as_far_as_its_simulation_went() -> None:
    trial = rejected()
    rows = rows_of(trial)
    assert {curve.ink for row in rows for curve in row.curves} == {"before", "help"}
    assert by_title(rows, "Residual force").curves[0].values.any()
    page = page_of(trial, rows, NO_FILM)
    assert FELL.split(":")[1].rstrip(".")[:40] in page.replace("&#x27;", "'")
    assert "rejected: frame 12" in page and "No file was written" in page
    assert "rejected: frame" not in page_of(rejected("It is too fast."), rows, NO_FILM)
    assert "marks frame 12 (0.40 s, frame 17 of the file)" in " ".join(replace(trial, left_out=5).sentences())
    assert rejected("fell in frame 6000").rejected_frame is None


def test_every_axis_holds_its_values_and_zero() -> None:
    for row in rows_of(corrected()):
        low, high = row.span()
        for curve in row.curves:
            assert low <= min(0.0, curve.values.min()) and high >= curve.values.max()


def test_charts_lie_below_one_another_inside_the_drawing() -> None:
    layout = layout_of(rows_of(corrected()), 60, 30.0, 900.0)
    for above, below in zip(layout.placed, layout.placed[1:], strict=False):
        assert above.bottom < below.top
    assert layout.placed[-1].bottom < layout.height
    assert layout.x(0.0) < layout.x(30.0) < layout.x(59.0) < layout.width


def test_both_surfaces_take_the_same_drawing() -> None:
    trial = corrected()
    layout = layout_of(rows_of(trial), 60, 30.0, 700.0, marked=True)
    svg, picture = Svg(), Picture(layout.width, layout.height)
    for canvas in (svg, picture):
        draw(canvas, layout, mark=12, mark_words="here & now")
    markup = svg.markup(layout.width, layout.height, 'curves "over" time')
    assert "here &amp; now" in markup and 'aria-label="curves &quot;over&quot; time"' in markup
    image = picture.sharp()
    assert image.size == (1400, int(layout.height * 4) * 2 // 4)
    colors = {color for _, color in image.getcolors(2**24) or []}
    assert {(0xD5, 0x5E, 0x00), (0x00, 0x72, 0xB2)} <= colors


def test_long_lines_keep_their_extremes() -> None:
    x = np.arange(10_000.0)
    y = np.sin(x)
    y[[777, 4321]] = -50.0, 50.0
    points = thinned(x, y, 300)
    assert len(points) <= 602
    assert {777.0, 4321.0, 0.0, 9999.0} <= set(points[:, 0])
    assert (np.diff(points[:, 0]) > 0).all()
    assert len(thinned(x[:5], y[:5], 300)) == 5


@pytest.mark.parametrize(("low", "high"), [(-0.3, 12.0), (0.0, 0.02), (-90.0, 10.0), (0.0, 54_321.0)])
def test_ticks_are_few_round_and_hold_zero(low: float, high: float) -> None:
    ticks = value_ticks(low, high)
    assert 0.0 in ticks and 2 <= len(ticks) <= 5
    assert all(low <= tick <= high for tick in ticks)


def test_seconds_never_crowd() -> None:
    for seconds in (0.0, 0.03, 2.0, 47.0, 4000.0):
        assert seconds / time_step(seconds, 10.0) <= 10.0


def test_the_page_needs_nothing_else_and_runs_nothing_of_the_file() -> None:
    trial = corrected(file=EVIL, notes=(EVIL,), options={"name": EVIL}, chosen=("name",), form=EVIL)
    evil_joints = replace(trial.before.skeleton, joint_names=(*(f"{EVIL}{i}" for i in range(16)),))
    trial = replace(trial, before=replace(trial.before, skeleton=evil_joints))
    page = page_of(trial, rows_of(trial), NO_FILM)
    assert EVIL not in page and "<script>alert" not in page
    assert page.count("<script") == 2
    assert not re.search(r"""(src|href)=["']?(?!data:)""", page)
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", page)
    assert "no &lt;display&gt;" in page


def test_the_page_says_what_was_done_and_measured() -> None:
    trial = corrected()
    assert trial.after is not None
    page = page_of(trial, rows_of(trial), NO_FILM)
    said = (
        "walk.bvh", "60 frames, 2.00 s at 30 frames per second", "mode = full", "lifted by up to 5 cm",
        "Lengths were read as cm.", "0.31 body weights on average (1.4 at most)", "4.0 times real time",
    )  # fmt: skip
    assert [words for words in said if words not in page] == []
    data = json.loads(re.findall(r'id="data">(.*?)</script>', page, re.DOTALL)[0])
    assert data["frames"] == list(range(60))
    assert np.allclose(data["rows"][4]["curves"][0][1], moved_mm(trial.before, trial.after), rtol=0.01)


def test_measures_have_both_sides_where_there_are_two() -> None:
    rows = {title: (before, after) for title, _, before, after in corrected().measures()}
    assert float(rows["Floor penetration"][0]) > float(rows["Floor penetration"][1])
    assert rows["Residual force, mean"] == ("", "0.31")
    assert rows["Frames at the limit of help"] == ("", "3")
    assert all(after == "" for title, _, before, after in rejected().measures() if before)


def test_numbers_are_short() -> None:
    values = (None, float("nan"), 0.0, 0.01234, 1.234, 12.34, 1234.5)
    assert [figure(value) for value in values] == ["", "", "0", "0.012", "1.23", "12.3", "1,234"]


def test_a_long_motion_stays_a_small_page() -> None:
    trial = corrected(10_000)
    assert len(page_of(trial, rows_of(trial), NO_FILM)) < 600_000


def test_broken_frames_leave_gaps() -> None:
    motion = walker(40)
    root = motion.root_position_m.copy()
    root[10:13] = np.nan
    reason = "NaN or infinite values in 3 of 40 frames, first in frame 10."
    trial = replace(rejected(reason), before=replace(motion, root_position_m=root), tracks={})
    page = page_of(trial, rows_of(trial), NO_FILM)
    assert "rejected: frame 10" in page
    drawing = page[page.index("<svg") : page.index("</svg>")]
    assert "nan" not in drawing.lower()


@pytest.mark.parametrize("frames", [1, 2])
def test_the_shortest_motions(frames: int, tmp_path: Path) -> None:
    short = replace(rejected("The motion has one frame only."), before=walker(frames), tracks={})
    page = page_of(short, rows_of(short), NO_FILM)
    assert "Rejected" in page and "nan" not in page[page.index("<svg") : page.index("</svg>")].lower()


@pytest.mark.render
def test_poses_before_and_after() -> None:
    film = film_of(corrected())
    if film.absent:
        pytest.skip(film.absent)
    both, one = Image.open(io.BytesIO(film.png)), Image.open(io.BytesIO(film_of(rejected()).png))
    assert both.width == one.width and both.height > 1.5 * one.height


def test_a_picture_holds_it_all(tmp_path: Path) -> None:
    path = tmp_path / "report.PNG"
    write_report(corrected(file="Läufer " * 40), path)
    with Image.open(path) as picture:
        assert picture.format == "PNG" and picture.width == 2032 and picture.height > 2000


def test_targets_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"\.pdf"):
        check_target(tmp_path / "report.pdf")
    with pytest.raises(LoopscopeError, match="no folder"):
        write_report(corrected(), tmp_path / "nowhere" / "report.html")
    (tmp_path / "taken.html").mkdir()
    with pytest.raises(LoopscopeError, match="cannot be written"):
        write_report(corrected(), tmp_path / "taken.html")
