"""A file in, a file out: the report tells what the files hold, and a rejected motion writes nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.correctfile import correct_file
from backend.motionfiles import read_motion, write_motion
from core import rotations as R
from core.artefacts import measure
from core.errors import InvalidConfig, InvalidMotion, LoopscopeError, UnknownPart
from core.motion import Motion
from tests.backend.walker import walker


def saved(motion: Motion, folder: Path, suffix: str = ".npz") -> Path:
    path = folder / f"in{suffix}"
    path.write_bytes(write_motion(motion, suffix))
    return path


def test_none_leaves_the_motion_as_it_is(tmp_path: Path) -> None:
    motion = walker(20)
    report = correct_file(saved(motion, tmp_path), tmp_path / "out.npz", kind="none")
    back = read_motion(tmp_path / "out.npz")
    assert report.status == "unchanged" and report.before == report.after
    assert back.skeleton == motion.skeleton and back.fps == motion.fps and back.label == "walk"
    assert np.allclose(back.world()[0], motion.world()[0])
    assert report.motion_seconds == pytest.approx(20 / 30)


@pytest.mark.parametrize("suffix", [".bvh", ".npz"])
def test_a_sunken_motion_is_lifted(suffix: str, tmp_path: Path) -> None:
    motion = walker(60)
    sunken = replace(motion, root_position_m=motion.root_position_m - [0.0, 0.12, 0.0])
    report = correct_file(saved(sunken, tmp_path, suffix), tmp_path / f"out{suffix}", kind="kinematic")
    back = read_motion(tmp_path / f"out{suffix}")
    assert report.status == "corrected" and report.after is not None
    assert report.before.penetration_mm == pytest.approx(measure(sunken).penetration_mm, abs=0.1)
    assert report.after.penetration_mm == pytest.approx(measure(back).penetration_mm, abs=0.1)
    assert report.after.penetration_mm < 0.3 * report.before.penetration_mm
    assert back.skeleton.joint_names == motion.skeleton.joint_names
    assert (back.fps, len(back)) == (motion.fps, len(motion))
    assert report.tracking_error_m > 0.01


def test_physics_reports_what_it_did(tmp_path: Path) -> None:
    motion = walker(30)
    sunken = replace(motion, root_position_m=motion.root_position_m - [0.0, 0.12, 0.0])
    report = correct_file(saved(sunken, tmp_path), tmp_path / "out.npz")
    assert report.status in ("corrected", "rejected")
    assert report.seconds > 0
    assert (tmp_path / "out.npz").exists() == (report.status == "corrected")


def test_a_rejected_motion_writes_nothing(tmp_path: Path) -> None:
    motion = walker(30)
    leaping = motion.root_position_m.copy()
    leaping[15:] += [0.0, 40.0, 0.0]
    path = saved(replace(motion, root_position_m=leaping), tmp_path)
    told = tmp_path / "report.html"
    report = correct_file(path, tmp_path / "out.npz", kind="physics", options={"simulate": "always"}, report_path=told)
    assert report.status == "rejected" and report.reason
    assert report.after is None
    assert not (tmp_path / "out.npz").exists()
    assert "rejected: frame 15" in told.read_text() and "simulate = always" in told.read_text()


def test_an_exporters_rest_pose_is_left_out(tmp_path: Path) -> None:
    motion = walker(40)
    rest = np.broadcast_to(R.IDENTITY_WXYZ, motion.local_rotations_wxyz[:1].shape)
    turns = np.concatenate([rest, R.multiply(motion.local_rotations_wxyz, R.rotvec_to_unitquat(np.full(3, 0.2)))])
    path = saved(Motion(motion.skeleton, np.repeat(motion.root_position_m[:1], 41, 0), turns, 30.0), tmp_path)
    report = correct_file(path, tmp_path / "out.npz", kind="none")
    assert len(read_motion(tmp_path / "out.npz")) == 40
    assert any("rest pose" in note for note in report.notes)


def test_a_floating_file_is_noted(tmp_path: Path) -> None:
    motion = walker(20)
    path = saved(replace(motion, root_position_m=motion.root_position_m + [0.0, 0.3, 0.0]), tmp_path)
    report = correct_file(path, tmp_path / "out.npz", kind="none")
    assert any("above the floor" in note for note in report.notes)


def test_a_report_stands_beside_the_motion(tmp_path: Path) -> None:
    motion = walker(40)
    sunken = replace(motion, root_position_m=motion.root_position_m - [0.0, 0.12, 0.0])
    path, told = saved(sunken, tmp_path), tmp_path / "report.html"
    report = correct_file(path, tmp_path / "out.npz", kind="kinematic", report_path=told, file_name="<mine>.npz")
    page = told.read_text()
    assert report.reason in page
    assert "&lt;mine&gt;.npz (NPZ, lengths in m)" in page
    assert f"{report.before.penetration_mm:.0f}" in page
    with pytest.raises(InvalidConfig, match=r"\.pdf"):
        correct_file(path, tmp_path / "other.npz", kind="kinematic", report_path=tmp_path / "report.pdf")
    assert not (tmp_path / "other.npz").exists()


def test_wrong_requests_are_refused_in_words(tmp_path: Path) -> None:
    path = saved(walker(10), tmp_path)
    with pytest.raises(UnknownPart, match="kinematic"):
        correct_file(path, tmp_path / "out.npz", kind="magic")
    with pytest.raises(InvalidConfig, match=r"options\.gama"):
        correct_file(path, tmp_path / "out.npz", kind="kinematic", options={"gama": 1})
    with pytest.raises(InvalidMotion, match=r"\.glb"):
        correct_file(path, tmp_path / "out.glb", kind="none")
    with pytest.raises(InvalidMotion, match="nothing"):
        correct_file(tmp_path / "nothing.bvh", tmp_path / "out.npz", kind="none")
    with pytest.raises(LoopscopeError, match="written"):
        correct_file(path, tmp_path / "no" / "out.npz", kind="none")
    with pytest.raises(LoopscopeError):
        correct_file(path, tmp_path / "out.npz", kind="idealized")
