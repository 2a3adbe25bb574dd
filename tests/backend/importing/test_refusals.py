"""What cannot be imported is refused in words that name the file and the place; nothing of it is run or kept."""

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.importing import source as sources
from backend.importing import take as limits
from backend.importing.registry import IMPORTERS
from core.errors import LoopscopeError
from core.motion import Motion
from core.protocols import silent
from tests.backend.importing.files import (
    encode_humanml,
    made,
    people,
    smpl_motion,
    source_of,
    write_amass,
    write_bvh,
    write_deepmimic,
    write_humanml,
)
from tests.backend.walker import walker


class Armed:
    """Unpickling it would be noticed."""

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return _explode, ("unpickled",)


def _explode(what: str) -> None:
    raise AssertionError(what)


def amass_with(folder: Path, **changes: object) -> Path:
    return write_amass(folder / "x.npz", smpl_motion(), **changes)


def nan_pose() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    poses = np.zeros((40, 156))
    poses[17, 5] = np.nan
    return poses


def bad_humanml(folder: Path, row: int, value: float) -> Path:
    features = encode_humanml(smpl_motion())
    features[row, 80] = value
    return write_humanml(folder, "000007", features)


def bvh_with(folder: Path, old: str, new: str, count: int = 1) -> Path:
    write_bvh(folder, {"walk": 20})
    path = folder / "walk.bvh"
    path.write_text(path.read_text().replace(old, new, count))
    return folder


def truncated(folder: Path, name: str, keep: float) -> Path:
    path = folder / name
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    return folder


def giant(folder: Path) -> Path:
    motion = smpl_motion()
    return write_amass(folder / "x.npz", Motion(motion.skeleton, 100 * motion.root_position_m,
                                                motion.local_rotations_wxyz, motion.fps))  # fmt: skip


def deepmimic_row(width: int, value: object = 0.0) -> list[list[object]]:
    return [[0.03, 0, 1, 0, 1, *[0.0] * 39], [0.03, *[value] * (width - 1)]]


WRONG: dict[str, tuple[Callable[[Path], Path], str]] = {
    "nothing": (lambda f: f, "no motions in a form that is known"),
    "pickle in amass": (lambda f: amass_with(f, trans=np.array([Armed()], object)), "x.npz: trans holds pickled"),
    "nan in amass": (lambda f: amass_with(f, poses=nan_pose()), "x.npz, frame 17: a pose is NaN"),
    "no rate in amass": (lambda f: amass_with(f, mocap_framerate=None), "x.npz does not say its frame rate"),
    "short poses": (lambda f: amass_with(f, poses=np.zeros((40, 60))), "x.npz: poses must be"),
    "other length": (lambda f: amass_with(f, trans=np.zeros((39, 3))), "40 frames and trans of shape"),
    "text poses": (lambda f: amass_with(f, poses=np.array(["a"])), "x.npz: poses holds no numbers"),
    "centimetres in amass": (giant, "x.npz.*no metres"),
    "nan in humanml": (lambda f: bad_humanml(f, 12, np.inf), "000007.npy, frame 12"),
    "wrong rotations": (lambda f: bad_humanml(f, 12, 3.0), "000007.npy.*normalised"),
    "wrong width": (lambda f: write_humanml(f, "1", np.zeros((9, 250))), r"1.npy: features must be \(T, 263.* or 251"),
    "bad caption": (
        lambda f: write_humanml(f, "1", encode_humanml(smpl_motion()), "ok#x#0#0\nx#y#a#b\n"), "texts/1.txt, line 2",
    ),
    "nan in bvh": (lambda f: bvh_with(f, "0.930000", "nan", 3), "walk.bvh, line .*frame 0.*NaN"),
    "cut bvh": (lambda f: truncated(write_bvh(f, {"walk": 20}), "walk.bvh", 0.8), "walk.bvh.*cut short|walk.bvh, line"),
    "no rate in bvh": (lambda f: bvh_with(f, "Frame Time: 0.0", "Frame Time: 0.00000"), "walk.bvh, line .*Frame Time"),
    "wide deepmimic": (
        lambda f: write_deepmimic(f / "x.txt", deepmimic_row(45)).parent,
        "x.txt, frame 1: a frame has 44 numbers; got 45",
    ),
    "words in deepmimic": (
        lambda f: write_deepmimic(f / "x.txt", deepmimic_row(44, "a")).parent, "x.txt, frame 1.*something else",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files_are_named(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write, words = WRONG[name]
    write(folder)
    with pytest.raises(LoopscopeError, match=words):
        made(folder)


@pytest.mark.parametrize("kind", IMPORTERS)
@pytest.mark.parametrize(
    "data", [b"", b"\x80\x04", b"PK\x03\x04" + b"\xff" * 60, pickle.dumps(Armed()), b"HIERARCHY\n"]
)
def test_no_importer_is_hurt_by_bytes_of_another_kind(kind: str, data: bytes, tmp_path: Path) -> None:
    for suffix in ("bvh", "npz", "npy", "txt"):
        (tmp_path / f"x.{suffix}").write_bytes(data)
    (tmp_path / "index.csv").write_bytes(data)
    with pytest.raises(LoopscopeError):
        made(tmp_path, kind=kind)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_are_refused_or_read(data: st.DataObject, tmp_path: Path) -> None:
    """One byte changed anywhere: words, never a traceback."""
    folder = tmp_path / "files"
    if not folder.is_dir():
        write_amass(folder / "a.npz", smpl_motion(4))
        write_humanml(folder, "b", encode_humanml(smpl_motion(4)))
        write_deepmimic(folder / "c.txt")
        write_bvh(folder, {"d": 3})
    kind, file = data.draw(st.sampled_from(
        [("amass", "a.npz"), ("humanml3d", "new_joint_vecs/b.npy"), ("deepmimic", "c.txt"), ("bvh", "d.bvh")]
    ))  # fmt: skip
    whole = bytearray((folder / file).read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    broken = tmp_path / "broken"
    (broken / file).parent.mkdir(parents=True, exist_ok=True)
    (broken / file).write_bytes(bytes(whole))
    importer = IMPORTERS[kind]
    source = source_of(broken)
    try:
        importer.read(source, file, limits.Reading(silent))
    except LoopscopeError as error:
        assert error.message


def test_bodies_that_differ_are_refused_by_name(tmp_path: Path) -> None:
    write_bvh(tmp_path, {"walk_1": 20})
    (tmp_path / "other_2.bvh").write_text((tmp_path / "walk_1.bvh").read_text().replace("JOINT Head", "JOINT Top"))
    with pytest.raises(LoopscopeError, match="walk_1 has another body than other_2"):
        made(tmp_path)


def test_bad_files_may_be_left_out_and_are_listed(tmp_path: Path) -> None:
    people(tmp_path)
    (tmp_path / "09_01_bad.bvh").write_bytes(b"HIERARCHY\nROOT")
    with pytest.raises(LoopscopeError, match="09_01_bad.bvh"):
        made(tmp_path)
    card = made(tmp_path, skip_bad=True).card
    assert card["clips"] == 10 and len(card["left_out"]) == 1 and "09_01_bad" in card["left_out"][0]


def archive(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (archive({"../out.bvh": b"x"}), "outside of it"),
        (archive({"/etc/out.bvh": b"x"}), "outside of it"),
        (archive({"a.bvh": bytes(30_000_000)}), "no data set|holds no|is no"),
        (archive({"a.txt": b"x"})[:-30], "cannot be read as a zip"),
        (b"not a zip", "cannot be read as a zip"),
        (archive({}), "no data set|no motions"),
    ],
    ids=["upwards", "absolute", "only zeros", "cut short", "no zip", "empty"],  # a zip's bytes hold the time
)
def test_zips_that_lie_are_refused(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(data)
    with pytest.raises(LoopscopeError, match=words):
        made(path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["x.zip"]


def test_limits_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people(tmp_path)
    monkeypatch.setattr(limits, "MAX_FRAMES", 200)
    with pytest.raises(LoopscopeError, match="more than 200 frames"):
        made(tmp_path)
    monkeypatch.setattr(sources, "MAX_FILES", 3)
    with pytest.raises(LoopscopeError, match="more than 3 files"):
        made(tmp_path)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    people(tmp_path / "in")
    secret = tmp_path / "secret.bvh"
    secret.write_bytes((tmp_path / "in" / "01_00_walk.bvh").read_bytes())
    (tmp_path / "in" / "06_00_walk.bvh").symlink_to(secret)
    assert made(tmp_path / "in").card["clips"] == 10


def test_metres_are_asked_for_where_a_motion_is_in_none(tmp_path: Path) -> None:
    big = walker()
    from backend.motionfiles import write_motion

    scaled = Motion(big.skeleton.scaled(100), 100 * big.root_position_m, big.local_rotations_wxyz, big.fps)
    (tmp_path / "cm.npz").write_bytes(write_motion(scaled, ".npz"))
    with pytest.raises(LoopscopeError, match="cm.npz"):
        made(tmp_path)
