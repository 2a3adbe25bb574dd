"""Motion files: what is read equals golden positions, what is written reads back, what is damaged is named."""

import io
import json
import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.motionfiles import read_motion, read_motion_file, write_motion
from backend.motionfiles import source as limits
from backend.motionfiles.source import UNIT_M, Unit, find_unit
from core import rotations as R
from core.errors import InvalidMotion
from core.motion import Motion
from core.skeleton import Skeleton
from tests.backend.walker import TOES, walker

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "data" / "cmu" / "bvh_raw"
golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the golden BVH files are not on this machine")

MINIMAL = """HIERARCHY
ROOT Hips
{{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition {order}
  JOINT Spine
  {{
    OFFSET 0 0.3 0
    CHANNELS 3 {order}
    JOINT Head
    {{
      OFFSET 0 0.4 0
      CHANNELS 3 {order}
      End Site
      {{
        OFFSET 0 0.2 0
      }}
    }}
  }}
  JOINT LeftUpLeg
  {{
    OFFSET 0.1 -0.02 0
    CHANNELS {leg}
    JOINT LeftLeg
    {{
      OFFSET 0 -0.4 0
      CHANNELS 1 Xrotation
      JOINT LeftFoot
      {{
        OFFSET 0 -0.4 0
        CHANNELS 0
        End Site
        {{
          OFFSET 0 0 0
        }}
        End Site
        {{
          OFFSET 0 -0.05 0.15
        }}
      }}
    }}
  }}
}}
MOTION
Frames: 2
Frame Time: .0333333
"""


def minimal(rows: Sequence[Sequence[float]], *, order: str = "Zrotation Xrotation Yrotation", leg: str = "") -> str:
    head = MINIMAL.format(order=order, leg=leg or f"3 {order}")
    return head + "".join(" ".join(str(value) for value in row) + "\n" for row in rows)


def read(text: str, unit: Unit = "auto") -> Motion:
    return read_motion(text.encode(), "clip.bvh", unit=unit)


def refused(data: bytes, *words: str, name: str = "clip.bvh") -> None:
    with pytest.raises(InvalidMotion) as caught:
        read_motion(data, name)
    for word in (name, *words):
        assert word in str(caught.value)
    assert caught.value.__cause__ is None or not str(caught.value).startswith("Traceback")


def axis_turn(axis: str, degrees: float) -> np.ndarray:
    vector = np.zeros(3)
    vector["XYZ".index(axis)] = np.deg2rad(degrees)
    return R.rotvec_to_unitquat(vector)


@golden
@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.bvh")), ids=lambda path: path.stem)
def test_world_positions_equal_the_golden_ones(path: Path) -> None:
    file = read_motion_file(path)
    with np.load(path.with_suffix(".golden.npz"), allow_pickle=False) as expected:
        names = [str(n) for n, end in zip(expected["names"], expected["is_end_site"], strict=True) if not end]
        world = expected["world"][:, ~expected["is_end_site"]] * UNIT_M[file.unit]
        frames, count = expected["frames"], int(expected["num_frames"])
    kept = [names.index(name) for name in file.motion.skeleton.joint_names]
    assert len(names) - len(kept) <= 1  # a root that only carries the hips
    assert len(file.motion) == count
    assert np.abs(file.motion.world()[0][frames] - world[:, kept]).max() < 1e-6


@golden
def test_foreign_conventions_become_ours_and_are_noted() -> None:
    file = read_motion_file(GOLDEN / "iclone_07_01_walk_101joints.bvh")
    skeleton = file.motion.skeleton
    assert skeleton.segments[0] == "pelvis" and skeleton.joint_names[0] == "CC_Base_Hip"
    head = next(j for j, segment in enumerate(skeleton.segments) if segment == "head")
    assert skeleton.rest_positions_m[head, 1] > 0.4 > -0.4 > skeleton.rest_positions_m[skeleton.feet[0], 1]
    assert len(file.notes) == 3


@golden
@pytest.mark.parametrize(("name", "unit", "fps"), [("daz_02_01_walk", "cm", 120), ("mb30_jumping_jacks", "cmu", 30)])
def test_unit_and_rate_of_real_files(name: str, unit: str, fps: float) -> None:
    file = read_motion_file(GOLDEN / f"{name}.bvh")
    assert (file.unit, file.motion.fps) == (unit, fps)
    assert 0.8 < file.motion.skeleton.leg_length_m < 1.1


@pytest.mark.parametrize("suffix", [".bvh", ".npz"])
@pytest.mark.parametrize("toes", [True, False])
def test_written_motion_reads_back(suffix: str, toes: bool) -> None:
    motion = walker(toes=toes)
    back = read_motion(write_motion(motion, suffix), f"clip{suffix}")
    assert back.skeleton == motion.skeleton and back.fps == motion.fps
    assert back.skeleton.toe_tips_m == (TOES if toes else ())
    assert np.abs(back.world()[0] - motion.world()[0]).max() < (1e-4 if suffix == ".bvh" else 1e-12)
    assert R.geodesic_angle(back.local_rotations_wxyz, motion.local_rotations_wxyz).max() < 1e-5


def test_npz_keeps_words_and_precision() -> None:
    motion = walker()
    single = Motion(
        motion.skeleton, motion.root_position_m.astype(np.float32), motion.local_rotations_wxyz.astype(np.float32),
        29.97, "walk", "steps",
    )  # fmt: skip
    back = read_motion(write_motion(single, "npz"), "clip.npz")
    assert (back.label, back.text, back.fps) == ("walk", "steps", 29.97)
    assert back.root_position_m.dtype == np.float32
    assert np.array_equal(back.root_position_m, single.root_position_m)


def test_rotations_at_the_pole_survive_bvh() -> None:
    motion = walker(3)
    turns = motion.local_rotations_wxyz.copy()
    turns[0, 0] = R.multiply(axis_turn("Z", 30), axis_turn("X", 90))
    turns[1, 0] = R.multiply(axis_turn("Y", 170), axis_turn("X", -90))
    turns[2, 0] = axis_turn("X", 89.9999)
    wild = Motion(motion.skeleton, motion.root_position_m, turns, motion.fps)
    back = read_motion(write_motion(wild, "bvh"), "clip.bvh")
    assert np.abs(back.world()[0] - wild.world()[0]).max() < 1e-4


@pytest.mark.parametrize("order", ["ZXY", "ZYX", "YXZ", "XYZ"])
def test_rotation_is_the_product_of_channels_in_listed_order(order: str) -> None:
    row = [0, 0.9, 0, 10, 20, 30, 15, -25, 35, 0, 0, 0, 5, 6, 7, 40]
    motion = read(minimal([row, row], order=" ".join(f"{axis}rotation" for axis in order)))
    expected = axis_turn(order[0], 15)
    for axis, degrees in zip(order[1:], (-25, 35), strict=True):
        expected = R.multiply(expected, axis_turn(axis, degrees))
    assert R.geodesic_angle(motion.local_rotations_wxyz[0, 1], expected) < 1e-7
    assert R.geodesic_angle(motion.local_rotations_wxyz[0, 4], axis_turn("X", 40)) < 1e-7
    assert motion.fps == 30.0


def test_the_longest_end_site_of_an_ankle_is_its_toe_tip() -> None:
    motion = read(minimal([[0.0] * 16] * 2))
    assert motion.skeleton.toe_tips_m == ((0.0, -0.05, 0.15),)


@pytest.mark.parametrize("ending", ["\r", "\r\n"])
def test_line_ends_do_not_matter(ending: str) -> None:
    row = [1, 2, 3, 10, 20, 30, 0, 0, 0, 0, 0, 0, 5, 6, 7, 40]
    text = minimal([row, row])
    assert np.array_equal(read(text.replace("\n", ending)).world()[0], read(text).world()[0])


@pytest.mark.parametrize(("shift", "length"), [((0.0, 0.0, 0.0), 0.02), ((0.1, -0.3, 0.0), 0.3)])
def test_position_channels_on_joints_are_the_offset(shift: tuple[float, ...], length: float) -> None:
    """All zero adds nothing; anything else stands in the offset's place."""
    leg = "6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"
    row = [0, 0.9, 0, *[0.0] * 9, *shift, 5, 6, 7, 40]
    motion = read(minimal([row, row], leg=leg))
    assert np.allclose(motion.skeleton.offsets_m[3], (0.1, -length, 0.0))


def test_a_z_up_world_is_turned() -> None:
    motion, turn = walker(), axis_turn("X", 90)
    old = motion.skeleton
    toes = tuple(tuple(float(v) for v in R.rotate(turn, np.array(tip))) for tip in TOES)
    skeleton = Skeleton("z", old.joint_names, old.parents, R.rotate(turn, old.offsets_m), old.feet, toes)  # type: ignore[arg-type]
    rotations = R.multiply(R.multiply(turn, motion.local_rotations_wxyz), R.conjugate(turn))
    z_up = Motion(skeleton, R.rotate(turn, motion.root_position_m), rotations, motion.fps)
    file = read_motion_file(write_motion(z_up, "bvh"), "clip.bvh")
    assert any("Up was z" in note for note in file.notes)
    assert np.abs(file.motion.world()[0] - motion.world()[0]).max() < 1e-4
    assert np.allclose(file.motion.skeleton.toe_tips_m, TOES, atol=1e-6)


@pytest.mark.parametrize(
    ("height", "unit"),
    [(1.7, "m"), (170.0, "cm"), (1700.0, "mm"), (30.0, "cmu"), (65.0, "inch"), (0.95, "m"), (215.0, "cm")],
)
def test_unit_by_the_height_of_the_body(height: float, unit: str) -> None:
    found, note = find_unit(height, "auto", "clip.bvh")
    assert found == unit and bool(note) == (unit != "m")


@pytest.mark.parametrize("height", [83.0, 10.0, 0.2, 350.0, 0.85, 231.0])
def test_an_unclear_unit_asks_for_it_with_the_height_in_each(height: float) -> None:
    with pytest.raises(InvalidMotion, match="--unit cm") as caught:
        find_unit(height, "auto", "clip.bvh")
    for unit, factor in UNIT_M.items():
        assert f"{height * factor:.3g} m in {unit}" in str(caught.value)


def test_a_stated_unit_is_believed_within_reason() -> None:
    assert find_unit(170.0, "cm", "clip.bvh") == ("cm", "")
    assert find_unit(0.85, "m", "clip.bvh") == ("m", "The body is 0.85 m tall; the physics is made for people.")
    with pytest.raises(InvalidMotion, match=r"In m, the body of clip\.bvh would be 170 m tall.*1\.7 m in cm"):
        find_unit(170.0, "m", "clip.bvh")
    with pytest.raises(InvalidMotion, match="no unit 'ft'"):
        find_unit(1.7, "ft", "clip.bvh")  # type: ignore[arg-type]


@pytest.mark.parametrize(("unit", "factor"), [("cm", 100.0), ("mm", 1000.0), ("inch", 1 / 0.0254)])
def test_a_motion_in_another_unit_is_noticed_and_read_when_it_is_stated(unit: Unit, factor: float) -> None:
    motion = walker()
    scaled = Motion(
        motion.skeleton.scaled(factor), motion.root_position_m * factor, motion.local_rotations_wxyz, motion.fps
    )
    data = write_motion(scaled, "npz")
    with pytest.raises(InvalidMotion, match=rf"clip\.npz would be .* tall .*1\.67 m in {unit}.*--unit"):
        read_motion(data, "clip.npz")
    file = read_motion_file(data, "clip.npz", unit=unit)
    assert file.unit == unit and not file.notes
    assert np.abs(file.motion.world()[0] - motion.world()[0]).max() < 1e-6
    assert np.allclose(file.motion.skeleton.toe_tips_m, motion.skeleton.toe_tips_m)
    text = read_motion_file(write_motion(scaled, "bvh"), "clip.bvh")  # BVH states no unit: one is found
    assert text.unit == unit and any("turned into metres" in note for note in text.notes)
    assert np.abs(text.motion.world()[0] - motion.world()[0]).max() < 1e-3


def test_a_small_child_is_asked_about_and_kept_when_metres_are_stated() -> None:
    motion = walker()
    child = Motion(motion.skeleton.scaled(0.45), motion.root_position_m * 0.45, motion.local_rotations_wxyz, motion.fps)
    for suffix in ("npz", "bvh"):
        data = write_motion(child, suffix)
        with pytest.raises(InvalidMotion, match=r"0\.75\d* m"):
            read_motion(data, f"clip.{suffix}")
        file = read_motion_file(data, f"clip.{suffix}", unit="m")
        assert file.motion.skeleton.leg_length_m == pytest.approx(0.45 * motion.skeleton.leg_length_m, rel=1e-4)
        assert any("made for people" in note for note in file.notes)


@golden
@pytest.mark.parametrize(
    ("name", "unit"),
    [("daz_02_01_walk", "cm"), ("mb_02_01_walk", "cmu"), ("mb30_jumping_jacks", "cmu"),
     ("iclone_07_01_walk_101joints", "cm")],
)  # fmt: skip
def test_units_of_four_exporters(name: str, unit: str) -> None:
    file = read_motion_file(GOLDEN / f"{name}.bvh")
    assert file.unit == unit
    assert 1.55 < file.motion.skeleton.stature_m < 2.05
    with pytest.raises(InvalidMotion, match="tall"):
        read_motion_file(GOLDEN / f"{name}.bvh", unit="m")


ROW = [0.0] * 16


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["neither"]),
        ("HIERARCHY\nROOT Hips\n{\n", ["no MOTION"]),
        (minimal([ROW, ROW]).replace("OFFSET 0 0.3 0", "OFFSET 0 0.3"), ["line 8", "three numbers"]),
        (minimal([ROW, ROW]).replace("OFFSET 0 0.3 0", "OFFSET 0 nan 0"), ["line 8"]),
        (minimal([ROW, ROW]).replace("CHANNELS 1 Xrotation", "CHANNELS 1 Wrotation"), ["line 27", "Wrotation"]),
        (minimal([ROW, ROW]).replace("CHANNELS 1 Xrotation", "CHANNELS 2 Xrotation"), ["line 27"]),
        (minimal([ROW, ROW]).replace("}\nMOTION", "MOTION"), ["brace"]),
        (minimal([ROW, ROW]).replace("}\nMOTION", "}\n}\nMOTION"), ["brace"]),
        (minimal([ROW, ROW]).replace("JOINT Spine", "JOYNT Spine"), ["line 6", "JOYNT"]),
        (minimal([ROW, ROW]).replace("Frames: 2", "Frames: two"), ["Frames:"]),
        (minimal([ROW, ROW]).replace("Frame Time: .0333333", "Frame Time: 0"), ["Frame Time"]),
        (minimal([ROW, ROW]).replace("Frames: 2", "Frames: 999999999"), ["999999999 frames"]),
        (minimal([ROW]), ["declares 2 frames", "holds 1"]),
        (minimal([ROW, ROW, ROW]), ["declares 2 frames", "holds 3"]),
        (minimal([ROW, ROW[:7]]), ["frame 1", "7 values", "cut short"]),
        (minimal([ROW, [*ROW[:15], float("nan")]]), ["frame 1", "NaN"]),
        (minimal([ROW, ROW]).replace("0.0 0.0\n", "0.0 abc\n", 1), ["frame 0", "not a number"]),
    ],
)  # fmt: skip
def test_a_damaged_bvh_is_refused_by_name_and_place(text: str, words: list[str]) -> None:
    name = "clip.bvh" if text else "clip"
    refused(text.encode(), *words, name=name)


def test_every_cut_of_a_bvh_is_refused_in_words() -> None:
    data = write_motion(walker(4), "bvh")
    for cut in range(0, len(data) - 12, 97):
        with pytest.raises(InvalidMotion):
            read_motion(data[:cut], "clip.bvh")


def test_too_many_joints_are_refused() -> None:
    joints = "".join(f"JOINT j{k}\n{{\nOFFSET 0 0.01 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n" for k in range(301))
    head = "HIERARCHY\nROOT Hips\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
    text = f"{head}{joints}{'}' + chr(10)}" + "}\n" * 301 + "MOTION\nFrames: 1\nFrame Time: 0.1\n" + "0 " * 906
    refused(text.encode(), "line 1202", "more than 300 joints")


def npz(**changes: object) -> bytes:
    motion = walker()
    arrays: dict[str, Any] = {
        "root_position_m": motion.root_position_m,
        "local_rotations_wxyz": motion.local_rotations_wxyz,
        "fps": 30.0,
        "skeleton": json.dumps(motion.skeleton.as_dict()),
    }
    out = io.BytesIO()
    kept: dict[str, Any] = {name: np.asarray(value) for name, value in (arrays | changes).items() if value is not None}
    np.savez(out, **kept)
    return out.getvalue()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fps": None}, ["no fps"]),
        ({"fps": [30.0, 60.0]}, ["one number"]),
        ({"fps": 0.0}, ["frame rate"]),
        ({"root_position_m": np.zeros((29, 3))}, ["29"]),
        ({"root_position_m": np.full((30, 3), np.nan)}, ["NaN", "frame 0"]),
        ({"root_position_m": np.array([["a", "b", "c"]])}, ["numbers"]),
        ({"local_rotations_wxyz": np.zeros((30, 16, 4))}, ["norm is 0", "frame 0"]),
        ({"local_rotations_wxyz": np.ones((30, 16, 3))}, ["(T, J, 4)"]),
        ({"skeleton": "{"}, ["skeleton"]),
        ({"skeleton": json.dumps({"name": "x"})}, ["skeleton", "joint_names"]),
        ({"text": np.array([{}], dtype=object)}, ["pickled", "run code"]),
    ],
)  # fmt: skip
def test_a_wrong_npz_is_refused_by_name_and_array(changes: dict[str, object], words: list[str]) -> None:
    refused(npz(**changes), *words, name="clip.npz")


def test_cut_forged_and_pickled_files_are_refused() -> None:
    data = npz()
    for cut in (3, 100, len(data) // 2, len(data) - 5):
        refused(data[:cut], name="clip.npz")
    refused(pickle.dumps({"poses": [1]}), "run code", name="clip.pkl")
    forged = io.BytesIO()
    with zipfile.ZipFile(forged, "w") as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40, 3)})
        archive.writestr("root_position_m.npy", header.getvalue() + b"\0" * 24)
    refused(forged.getvalue(), "fewer bytes", name="clip.npz")


def test_a_zip_bomb_is_refused_before_unpacking(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    np.savez_compressed(out, root_position_m=np.zeros((200_000, 3)))
    monkeypatch.setattr("backend.motionfiles.npz.MAX_BYTES", 2**20)
    refused(out.getvalue(), "unpack", name="clip.npz")


def test_large_files_and_unknown_kinds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidMotion, match="cannot be read"):
        read_motion(tmp_path / "nothing.bvh")
    (tmp_path / "clip.fbx").write_bytes(b"Kaydara FBX Binary")
    with pytest.raises(InvalidMotion, match=r"clip\.fbx.*BVH"):
        read_motion(tmp_path / "clip.fbx")
    with pytest.raises(InvalidMotion, match="glb"):
        write_motion(walker(), "glb")
    monkeypatch.setattr("backend.motionfiles.MAX_BYTES", 4)
    with pytest.raises(InvalidMotion, match="MiB"):
        read_motion(tmp_path / "clip.fbx")
    assert limits.MAX_FRAMES == 200_000 and limits.MAX_JOINTS == 300


def test_the_reader_agrees_with_pybvh(tmp_path: Path) -> None:
    """An independent reader, where the file is one that it accepts."""
    from pybvh import read_bvh_file

    motion = walker()
    path = tmp_path / "clip.bvh"
    path.write_bytes(write_motion(motion, "bvh"))
    other = read_bvh_file(path, world_up="+y")
    joints = [other.node_index[name] for name in motion.skeleton.joint_names]
    assert np.abs(other.node_positions()[:, joints] - motion.world()[0]).max() < 1e-5
