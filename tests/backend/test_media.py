"""Pictures: meshes are closed and posed by the kinematics, the camera sees everything, files are what they claim."""

import io
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from backend.media import ARM_COLORS, Pane, RenderFailed, contact_sheet, render_side_by_side, thumbnail
from backend.media.camera import YFOV_RAD, camera_for
from backend.media.figure import ALARM_DEPTH_M, figure_of, linear_rgb
from backend.media.ground import floor_of, shadow_map
from core.artefacts import tracks_of
from core.errors import InvalidMotion
from core.motion import Motion
from tests.backend.walker import walker


@pytest.fixture(scope="module")
def egl() -> Iterator[None]:
    try:
        thumbnail(walker(1), width=16, height=16)
    except RenderFailed as error:
        if "cannot render off-screen" not in error.message:
            raise
        pytest.skip(f"no off-screen OpenGL: {error.message}")
    yield


def sunken(motion: Motion, depth_m: float) -> Motion:
    return replace(motion, root_position_m=motion.root_position_m - [0.0, depth_m, 0.0])


def lifted(motion: Motion) -> Motion:
    """Everything at least 1 cm above the floor."""
    return sunken(motion, float(tracks_of(motion).lowest_m.min()) - 0.01)


def alarm_pixels(picture: NDArray[np.uint8]) -> int:
    red, green, blue = (picture[..., k].astype(int) for k in range(3))
    return int(((red > 130) & (green < 70) & (blue > 70)).sum())


def test_meshes_are_closed_and_face_outwards() -> None:
    figure = figure_of(walker(2), "#808080")
    edges = np.sort(figure.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    corners = figure.vertex_m[figure.triangles]
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((area * figure.normal[figure.triangles].sum(1)).sum(-1) >= -1e-12).all()
    assert np.allclose(np.linalg.norm(figure.normal, axis=-1), 1.0)
    volume = (corners[:, 0] * area).sum() / 6  # divergence theorem: outward faces give a positive volume
    assert volume > 0.01 and edges.max() < len(figure.vertex_m)


def test_the_mesh_reaches_as_low_as_the_artefacts_say() -> None:
    motion = walker(5)
    figure, lowest = figure_of(motion, "#808080"), tracks_of(motion).lowest_m
    for frame in range(5):
        assert figure.pose(frame)[0][:, 1].min() == pytest.approx(lowest[frame], abs=5e-3)


def test_points_under_the_floor_are_in_alarm_colour() -> None:
    figure = figure_of(sunken(lifted(walker(3)), 0.06), "#808080")
    vertices, _, colors = figure.pose(1)
    under = vertices[:, 1] < -ALARM_DEPTH_M
    assert under.any() and not under.all()
    assert np.allclose(colors[under], linear_rgb("#E6007E"))
    assert np.allclose(colors[~under], figure.colors[~under])


def test_left_and_right_limbs_differ_in_shade() -> None:
    motion = walker(1)
    figure = figure_of(motion, ARM_COLORS["real"])
    brightness = {
        side: figure.colors[[motion.skeleton.sides[j] == side for j in figure.vertex_joint]].mean()
        for side in ("left", "center", "right")
    }
    assert brightness["left"] < brightness["center"] < brightness["right"]


def test_broken_frames_show_the_one_before() -> None:
    motion = walker(4)
    position = motion.root_position_m.copy()
    position[[0, 2]] = np.nan
    figure = figure_of(replace(motion, root_position_m=position), "#808080")
    whole = figure_of(motion, "#808080")
    assert np.allclose(figure.positions_m, whole.positions_m[[1, 1, 1, 3]])


@pytest.mark.parametrize("aspect", [0.6, 1.5])
@pytest.mark.parametrize("speed", [0.0, 1.0, 3.0])
def test_the_camera_sees_every_joint_of_every_motion(aspect: float, speed: float) -> None:
    motion = walker(60)
    path = motion.root_position_m * [1.0, 1.0, speed]
    figures = [figure_of(replace(motion, root_position_m=path + [x, 0.0, 0.0]), "#808080") for x in (0.0, 0.4)]
    index = np.arange(60)
    camera = camera_for(figures, [index, index], index / 30, aspect, aim="film")
    for moment in index:
        view = np.linalg.inv(camera.pose(int(moment)))
        for figure in figures:
            seen = figure.positions_m[moment] @ view[:3, :3].T + view[:3, 3]
            reach = np.tan(YFOV_RAD / 2) * -seen[:, 2]
            assert (np.abs(seen[:, 1]) < reach).all()
            assert (np.abs(seen[:, 0]) < reach * aspect).all()


def test_floor_and_shadow_lie_where_they_should() -> None:
    figure = figure_of(walker(1), "#808080")
    index = np.zeros(1, dtype=np.int64)
    camera = camera_for([figure], [index], np.zeros(1), 1.0, aim="still")
    floor = floor_of(camera.pose(0), YFOV_RAD, 64, 64)
    assert not floor.seen[0].any() and floor.seen[-1].all()  # horizon above, floor below
    below = np.array([[x, 0.4, z] for x in (-0.2, 0.2) for z in (-0.2, 0.2)]) + [
        floor.center_m[0],
        0,
        floor.center_m[1],
    ]
    dark = np.asarray(shadow_map([below], np.array([0.0, -1.0, 0.0]), floor.center_m))
    half = dark.shape[0] // 2
    assert dark[half, half] == 255 and dark[half, half + 15] == 0
    assert (floor.shaded(Image.fromarray(dark)) <= floor.picture + 1e-3).all()


@pytest.mark.render
def test_a_film_has_every_frame_and_both_figures(egl: None, tmp_path: Path) -> None:
    motion = lifted(walker(30))
    panes = [
        Pane(motion, "Raw", ARM_COLORS["raw"]),
        Pane(replace(sunken(motion, 0.08), fps=60.0), "Corrected", ARM_COLORS["corrected"], "Rejected: it fell"),
    ]
    path = tmp_path / "film.mp4"
    path.write_bytes(render_side_by_side(panes, width=321, height=240, fps=8))
    tool = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path)]
    stream = subprocess.run(tool, capture_output=True, text=True).stderr
    assert "h264" in stream and "yuv420p" in stream and "320x240" in stream and "8 fps" in stream
    decoded = subprocess.run([*tool, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True).stdout
    frames = np.frombuffer(decoded, np.uint8).reshape(-1, 240, 320, 3)
    assert len(frames) == 8  # one second, the longer motion's
    left, right = frames[4][70:210, :156].astype(int), frames[4][70:210, 164:].astype(int)
    assert (left[..., 0] - left[..., 2]).max() > 80 > (left[..., 2] - left[..., 0]).max()  # orange, no blue
    assert (right[..., 2] - right[..., 0]).max() > 80
    assert alarm_pixels(frames[4][70:210, 164:]) > 5 and alarm_pixels(frames[4][70:210, :156]) == 0
    assert np.abs(frames[0].astype(int) - frames[5]).max() > 50  # it moves


@pytest.mark.render
def test_a_contact_sheet_has_a_row_per_motion(egl: None) -> None:
    one = Image.open(io.BytesIO(contact_sheet([Pane(walker(10), "A")], columns=3)))
    two = Image.open(io.BytesIO(contact_sheet([Pane(walker(10), "A"), Pane(walker(20), "B")], columns=3)))
    assert one.format == "PNG" and one.width == two.width
    assert one.height < two.height < 2 * one.height


@pytest.mark.render
def test_a_thumbnail_shows_even_a_broken_motion(egl: None) -> None:
    motion = walker(9)
    position = motion.root_position_m.copy()
    position[4] = np.nan
    picture = Image.open(
        io.BytesIO(thumbnail(replace(motion, root_position_m=position), color="#0072B2", width=96, height=64))
    )
    assert picture.size == (96, 64)
    pixels = np.asarray(picture).astype(int)
    assert (pixels[..., 2] - pixels[..., 0]).max() > 60


@pytest.mark.render
def test_a_machine_without_egl_is_told_what_to_install(egl: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", "/nonexistent.json")
    with pytest.raises(RenderFailed, match="libegl1"):
        thumbnail(walker(2))


@pytest.mark.render
def test_panes_that_do_not_fit_are_refused_in_words(egl: None) -> None:
    with pytest.raises(RenderFailed, match="do not fit"):
        render_side_by_side([Pane(walker(2), "A")] * 9, width=100, height=100)


def test_nothing_and_too_much_are_refused() -> None:
    for panes in ([], [Pane(walker(0), "A")]):
        with pytest.raises(InvalidMotion, match="no motion"):
            contact_sheet(panes)
    with pytest.raises(InvalidMotion, match="too long"):
        render_side_by_side([Pane(walker(200, fps=2.0), "A")])


def test_importing_is_cheap() -> None:
    code = "import sys, backend.media, backend.motionfiles, backend.correctfile, backend.lsm1; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pyrender", "OpenGL", "torch", "pybullet", "scipy", "PIL", "trimesh"} & set(loaded)
