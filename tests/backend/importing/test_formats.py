"""What each format's files say is what the takes are."""

import io
import json
from pathlib import Path

import numpy as np
import pytest

from backend.importing import amass, bvh, deepmimic, layout, smpl
from backend.importing.registry import IMPORTERS, importer_of
from backend.importing.take import Reading, Take
from backend.importing.work import Made
from backend.motionfiles import read_motion, write_motion
from backend.motionfiles.source import UNIT_M
from core import rotations as R
from core.protocols import silent
from core.skeleton import Skeleton, forward_kinematics
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

GOLDEN = Path(__file__).resolve().parents[4] / "shared" / "data" / "cmu" / "bvh_raw"
golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the golden BVH files are not on this machine")


def reading() -> Reading:
    return Reading(silent)


def write(kind: str, folder: Path) -> Path:
    """A folder of that format."""
    if kind == "bvh":
        return write_bvh(folder, {"walk_1": 10, "walk_2": 10})
    if kind == "amass":
        write_amass(folder / "1" / "walk_poses.npz", smpl_motion())
    elif kind == "humanml3d":
        write_humanml(folder, "000001", encode_humanml(smpl_motion()))
    elif kind == "deepmimic":
        write_deepmimic(folder / "humanoid3d_stand.txt")
    elif kind == "motion":
        folder.mkdir(exist_ok=True)
        (folder / "one.npz").write_bytes(write_motion(walker(), ".npz"))
    else:
        folder.mkdir(exist_ok=True)
        for name, data in made(people(folder / "raw")).files.items():
            (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize("kind", IMPORTERS)
def test_every_format_is_recognized_and_read(kind: str, tmp_path: Path) -> None:
    folder = write(kind, tmp_path / "x")
    found, importer = importer_of("auto", source_of(folder))
    assert found == kind
    source = source_of(folder)
    takes = [take for file in importer.files(source) for take in importer.read(source, file, reading())]
    assert takes and all(np.isfinite(take.motion.world()[0]).all() for take in takes)


@golden
@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.bvh")), ids=lambda path: path.stem)
def test_stored_frames_of_real_files_are_at_the_golden_places(path: Path) -> None:
    take = bvh.read(source_of(GOLDEN), path.name, reading())[0]
    files = made(path, fps=round(take.motion.fps, 6), floor=False)
    archive = np.load(io.BytesIO(files.files["clips.npz"]))
    dropped = len(read_motion(path)) - len(archive["root_pos"])
    with np.load(path.with_suffix(".golden.npz"), allow_pickle=False) as expected:
        names = [str(n) for n, end in zip(expected["names"], expected["is_end_site"], strict=True) if not end]
        units = UNIT_M["cm" if "daz" in path.stem or "iclone" in path.stem else "cmu"]
        world = expected["world"][:, ~expected["is_end_site"]] * units
        frames = expected["frames"]
    kept = [names.index(str(name)) for name in archive["joint_names"]]
    there = frames >= dropped
    at = frames[there] - dropped
    assert there.any()
    motion = take.motion
    assert np.abs(motion.world()[0][at] - world[there][:, kept]).max() < 1e-6
    position, rotations = archive["root_pos"][at], archive["quats"][at].astype(np.float64)
    body = Skeleton("x", motion.skeleton.joint_names, motion.skeleton.parents, archive["offsets"])
    stored, _ = forward_kinematics(body, position.astype(np.float64), R.normalize(rotations))
    assert np.abs(stored - world[there][:, kept]).max() < 2e-6  # kept in float32


def test_amass_turns_up_to_y_and_puts_the_pelvis_where_it_is(tmp_path: Path) -> None:
    motion = smpl_motion()
    write_amass(tmp_path / "7" / "sway_poses.npz", motion)
    take = amass.read(source_of(tmp_path), "7/sway_poses.npz", reading())[0]
    assert np.abs(take.motion.world()[0] - motion.world()[0]).max() < 1e-9
    assert (take.motion.fps, take.subject) == (120.0, "7")
    assert any("mean SMPL body" in note for note in take.notes)


def test_amass_of_smplx_is_read_by_its_own_keys(tmp_path: Path) -> None:
    motion = smpl_motion()
    path = write_amass(tmp_path / "x.npz", motion)
    with np.load(path) as plain:
        poses = plain["poses"]
    write_amass(
        tmp_path / "x_stageii.npz", motion, poses=None, root_orient=poses[:, :3], pose_body=poses[:, 3:66],
        mocap_framerate=None, mocap_frame_rate=np.array(60.0),
    )  # fmt: skip
    take = amass.read(source_of(tmp_path), "x_stageii.npz", reading())[0]
    assert np.abs(take.motion.world()[0] - motion.world()[0]).max() < 1e-9
    assert take.motion.fps == 60.0


def test_amass_of_smplx_is_cut_to_the_body(tmp_path: Path) -> None:
    """165 numbers: root, 21 body joints, jaw, eyes, hands. Keys that are not needed may hold what they like."""
    motion = smpl_motion()
    with np.load(write_amass(tmp_path / "plain.npz", motion)) as plain:
        poses = np.concatenate([plain["poses"][:, :66], np.full((len(motion), 99), 0.5)], axis=1)
    write_amass(
        tmp_path / "x_stageii.npz", motion, poses=poses, mocap_framerate=None, mocap_frame_rate=np.array(59.97),
        surface_model_type=np.array(["smplx"], object), gender=np.array("female", object), dmpls=None,
    )  # fmt: skip
    take = amass.read(source_of(tmp_path), "x_stageii.npz", reading())[0]
    assert np.abs(take.motion.world()[0] - motion.world()[0]).max() < 1e-9
    assert take.motion.fps == 59.97


def test_amass_shapes_beside_recordings_are_left_out_and_listed(tmp_path: Path) -> None:
    for subject in ("rub001", "rub002"):
        for action in ("treadmill_norm", "jumping1"):
            write_amass(tmp_path / "BMLrub" / subject / f"{action}_poses.npz", smpl_motion(200, 120.0))
        np.savez(tmp_path / "BMLrub" / subject / "male_stagei.npz", betas=np.zeros(16), gender=np.array("male"))
    np.savez(tmp_path / "BMLrub" / "rub001" / "body.npz", betas=np.zeros(16))
    (tmp_path / "BMLrub" / "rub002" / "shape.npz").write_bytes(b"damaged, and of no interest")
    card = made(tmp_path).card
    assert card["subjects"] == ["rub001", "rub002"] and card["classes"] == {"jumping": 2, "treadmill_norm": 2}
    assert len(card["left_out"]) == 4 and "rub001/body.npz holds a body's shape" in card["left_out"][0]


def test_the_many_shapes_of_amass_are_counted(tmp_path: Path) -> None:
    write_amass(tmp_path / "1" / "a_poses.npz", smpl_motion(200, 120.0))
    for k in range(20):
        np.savez(tmp_path / "1" / f"{k}_stagei.npz", betas=np.zeros(16))
    assert made(tmp_path).card["left_out"][-1] == "And 8 more files like these."


@pytest.mark.parametrize(
    ("folder", "subject"),
    [
        ("ACCAD/Female1General_c3d", "Female1"), ("ACCAD/Male2Running_c3d", "Male2"), ("BMLrub/rub001", "rub001"),
        ("DanceDB/20120731_StefanosTheodorou", "StefanosTheodorou"), ("Transitions/mazen_c3d", "mazen_c3d"),
    ],
)  # fmt: skip
def test_a_person_of_amass_is_one_subject_in_every_folder(folder: str, subject: str, tmp_path: Path) -> None:
    write_amass(tmp_path / folder / "A1 - Stand_poses.npz", smpl_motion())
    assert amass.read(source_of(tmp_path), f"{folder}/A1 - Stand_poses.npz", reading())[0].subject == subject


@pytest.mark.parametrize("rate", [120.00004, 100.0, 60.0, 59.97, 250.0])
def test_amass_comes_to_30_frames_a_second_from_any_rate(rate: float, tmp_path: Path) -> None:
    write_amass(tmp_path / "1" / "a_poses.npz", smpl_motion(200, rate), mocap_framerate=np.array(rate))
    card = made(tmp_path).card
    assert card["fps"] == 30.0 and card["seconds"] == pytest.approx(200 / rate, abs=0.1)


def test_amass_takes_a_skeleton_that_lies_beside(tmp_path: Path) -> None:
    write_amass(tmp_path / "x.npz", smpl_motion())
    offsets = 1.1 * smpl.MEAN_OFFSETS_M
    (tmp_path / "skeleton.json").write_text(
        json.dumps({"joint_names": list(smpl.JOINTS), "offsets_m": offsets.tolist()})
    )
    take = amass.read(source_of(tmp_path), "x.npz", reading())[0]
    assert np.allclose(take.motion.skeleton.offsets_m, offsets)


def test_deepmimic_frames_become_even(tmp_path: Path) -> None:
    path = write_deepmimic(tmp_path / "humanoid3d_stand.txt")
    take = deepmimic.read(source_of(tmp_path), path.name, reading())[0]
    assert (take.label, take.motion.fps) == ("stand", 30.0)
    assert np.allclose(np.diff(take.motion.root_position_m[:, 0]), 0.01 * (1 / 30) / 0.0334, atol=1e-9)


def rows(made_one: Made) -> list[list[bytes]]:
    """The index without the last column, which says how far takes were raised."""
    return [line.split(b",")[:-1] for line in made_one.files["index.csv"].splitlines()]


def test_our_own_layout_comes_back_equal(tmp_path: Path) -> None:
    first = made(people(tmp_path / "raw"), name="x")
    for name, data in first.files.items():
        (tmp_path / name).write_bytes(data)
    again = made(tmp_path / "clips.npz", name="x")
    takes: list[Take] = layout.read(source_of(tmp_path), "clips.npz", reading())
    assert len(takes) == 10 and {take.label for take in takes} == {"walk", "run"}
    assert rows(again) == rows(first)
    with np.load(io.BytesIO(first.files["clips.npz"])) as a, np.load(io.BytesIO(again.files["clips.npz"])) as b:
        assert np.abs(a["root_pos"] - b["root_pos"]).max() < 1e-6
        assert np.abs(a["quats"] - b["quats"]).max() < 1e-6


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    people(tmp_path)
    assert made(tmp_path, name="x").files == made(tmp_path, name="x").files
