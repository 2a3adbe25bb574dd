"""Features of HumanML3D and KIT-ML: what was encoded by the published definition comes back, and folders of them are
read as people have them."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from backend.importing import features, humanml, layout
from backend.importing.take import Reading, Take
from core import rotations as R
from core.errors import LoopscopeError
from core.motion import Motion
from core.protocols import silent
from model.datasets import npz_files
from tests.backend.importing.files import (
    Array,
    encode_humanml,
    encode_kit,
    encoded,
    kit_motion,
    made,
    smpl_motion,
    source_of,
    write_humanml,
)


def read(folder: Path, name: str = "000001", reading: Reading | None = None) -> list[Take]:
    return humanml.read(source_of(folder), f"new_joint_vecs/{name}.npy", reading or Reading(silent))


def turned_to(positions: Array, first: Array) -> Array:
    """Positions with the yaw that brings the first frame's to ``first``: a smoothed heading does not begin at +z."""
    a, b = (each[0, 1:] - each[0, :1] for each in (positions, first))
    cross, dot = (a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2]).sum(), (a[:, [0, 2]] * b[:, [0, 2]]).sum()
    return R.rotate(R.yaw_to_unitquat(np.array([[np.arctan2(cross, dot)]])), positions)


@pytest.mark.parametrize("smooth", [0.0, 20.0])
@pytest.mark.parametrize("seed", range(3))
def test_humanml_features_come_back_as_the_positions_that_were_encoded(seed: int, smooth: float) -> None:
    form = features.HUMANML
    rows, wanted = encoded(smpl_motion(61, seed=seed).world()[0], form, (2, 1, 17, 16), smooth)
    decoded = features.joint_positions(rows, form)
    assert np.abs(turned_to(wanted[:-1], decoded) - decoded).max() < 1e-9
    found = features.decode(rows, form, "x")
    assert found.off_rad < 1e-6 and not found.mirrored and not found.scaled
    assert np.abs(found.motion.world()[0] - decoded).max() < 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_kit_features_come_back_in_metres_and_not_mirrored(seed: int, tmp_path: Path) -> None:
    motion = kit_motion(61, seed)
    rows, wanted = encode_kit(motion.world()[0])
    assert rows.shape == (60, 251)
    take = read(write_humanml(tmp_path, "000001", rows))[0]
    decoded = take.motion.world()[0]
    assert np.abs(turned_to(wanted[:-1], decoded) - decoded).max() < 1e-4
    assert take.motion.fps == 12.5 and take.motion.skeleton.stature_m == pytest.approx(1.75, abs=1e-3)
    assert humanml.NOTES["mirrored"] in take.notes and humanml.NOTES["scaled"] in take.notes
    body = take.motion.skeleton
    assert [body.joint_names[foot] for foot in body.feet] == ["left_ankle", "right_ankle"]
    assert body.mirror is not None and body.rest_positions_m[11, 0] > 0


def test_a_kit_body_that_is_as_it_should_be_stays() -> None:
    """In metres, left on the left: as somebody may have repaired it."""
    rows, wanted = encoded(kit_motion(61).world()[0], features.KIT, (11, 16, 5, 8))
    found = features.decode(rows, features.KIT, "x")
    assert not found.mirrored and not found.scaled
    assert np.abs(found.motion.world()[0] - wanted[:-1]).max() < 1e-6


def walking(frames: int = 60, stride: int = 6) -> Motion:
    """A person of 1.75 m who walks on stiff legs: the foot that stands does not move, the other knee is bent."""
    still = kit_motion(frames)
    angles = np.zeros((frames, len(still.skeleton.joint_names), 3))
    left, right, knees = 11, 16, (12, 17)
    stands = np.arange(frames) // stride % 2  # left, right, left...
    swing = 0.4 * (2 * (np.arange(frames) % stride) / (stride - 1) - 1)
    angles[:, left, 0], angles[:, right, 0] = np.where(stands == 0, swing, -swing), np.where(stands == 1, swing, -swing)
    for side, knee in enumerate(knees):
        angles[:, knee, 0] = np.where(stands == side, 0.0, 0.9)
    local = R.rotvec_to_unitquat(angles)
    feet = Motion(still.skeleton, np.zeros((frames, 3)), local, 12.5).world()[0][:, (14, 19)]
    root = -feet[np.arange(frames), stands]
    for k in range(1, frames):
        side = stands[k] if stands[k] == stands[k - 1] else stands[k - 1]
        root[k, 2] = root[k - 1, 2] - feet[k, side, 2] + feet[k - 1, side, 2]
    return Motion(still.skeleton, root * [0.0, 1.0, 1.0], local, 12.5)


@pytest.mark.parametrize("of_its_own", [False, True])
def test_kit_feet_stand_where_the_way_is_of_the_subject(of_its_own: bool, tmp_path: Path) -> None:
    """Published conversions keep the root's way in the subject's millimetres beside bones of a body of 1 m."""
    positions = walking().world()[0]
    root = positions[:, :1]
    published = positions - root + (1.75 if of_its_own else 1.0) * root
    published[..., 1] -= published[..., 1].min()
    for k in range(2):
        write_humanml(tmp_path, f"00000{k}", encode_kit(published)[0])
    take = read(tmp_path)[0]
    assert (humanml.NOTES["way"] in take.notes) is of_its_own
    decoded = take.motion.world()[0]
    assert decoded[..., 1].min() == pytest.approx(0.0, abs=1e-5)
    positions = positions[:-1] - positions[:1, :1] * [1.0, 0.0, 1.0]
    positions[..., 1] -= positions[..., 1].min()
    assert np.abs(turned_to(positions, decoded) - decoded).max() < 1e-4


TEXTS = "a person sways#a/DET person/NOUN#0.0#0.0\nsomeone sways#x#nan#nan\nthe end#x#1.0#2.5\n"


def test_texts_and_splits_come_along(tmp_path: Path) -> None:
    write_humanml(tmp_path, "000001", encode_humanml(smpl_motion(61)), TEXTS)
    (tmp_path / "test.txt").write_text("000001\n")
    takes = read(tmp_path)
    assert [(take.name, take.texts, len(take.motion), take.split) for take in takes] == [
        ("000001", ("a person sways", "someone sways"), 60, "test"), ("000001@1-2.5", ("the end",), 30, "test"),
    ]  # fmt: skip


def test_every_caption_is_learned_from_and_comes_back(tmp_path: Path) -> None:
    write_humanml(tmp_path / "in", "000001", encode_humanml(smpl_motion(61)), TEXTS)
    for name, data in made(tmp_path / "in").files.items():
        (tmp_path / name).write_bytes(data)
    clips = npz_files.read_index(tmp_path / "index.csv", 90)
    assert [clip.captions for clip in clips] == [("a person sways", "someone sways"), ("the end",)]
    again = layout.read(source_of(tmp_path), "clips.npz", Reading(silent))
    assert [take.texts for take in again] == [clip.captions for clip in clips]


def test_parts_of_kit_are_counted_at_its_own_rate(tmp_path: Path) -> None:
    write_humanml(tmp_path, "000001", encode_kit(kit_motion(61).world()[0])[0], "the end#x#2.0#4.0\n")
    assert [len(take.motion) for take in read(tmp_path)] == [25]


@pytest.mark.parametrize("tags", ["9.0#9.5", "2.0#1.0", "2.0#0.0", "-1.0#2.0", "inf#inf"])
def test_a_caption_of_a_part_that_is_not_there_is_of_nothing(tags: str, tmp_path: Path) -> None:
    write_humanml(tmp_path, "000001", encode_humanml(smpl_motion(61)), f"all#x#0.0#0.0\nnothing#x#{tags}\n")
    takes = read(tmp_path)
    assert [take.texts for take in takes] == [("all",)] and humanml.NOTES["lost"] in takes[0].notes


def test_a_recording_without_captions_is_taken_and_told(tmp_path: Path) -> None:
    write_humanml(tmp_path, "000001", encode_humanml(smpl_motion(61)))
    takes = read(tmp_path)
    assert [take.texts for take in takes] == [()] and humanml.NOTES["silent"] in takes[0].notes


def folder_of(folder: Path, count: int = 10, **texts: str) -> Path:
    """Recordings with their mirror images, as HumanML3D has them; every one with a caption of a part."""
    rows = encode_humanml(smpl_motion(101))
    for k in range(count):
        for name in (f"{k:06d}", f"M{k:06d}"):
            write_humanml(folder, name, rows + 0.0, texts.get(name, "sways#x#0.0#0.0\nends#x#2.0#5.0\n"))
    return folder


def splits(folder: Path) -> dict[str, str]:
    lines = made(folder).files["index.csv"].decode().splitlines()[1:]
    return {line.split(",")[0]: line.split(",")[2] for line in lines}


def test_parts_and_mirror_images_stay_in_the_split_of_their_recording(tmp_path: Path) -> None:
    found = splits(folder_of(tmp_path))
    assert len(found) == 40 and set(found.values()) == {"train", "test"}
    for k in range(10):
        assert len({split for name, split in found.items() if f"{k:06d}" in name}) == 1


def test_what_no_list_names_goes_with_its_recording(tmp_path: Path) -> None:
    folder_of(tmp_path, 4)
    (tmp_path / "train.txt").write_text("000000\nM000000\n000001\n")
    (tmp_path / "test.txt").write_text("000002\n")
    found = splits(tmp_path)
    assert {found["M000002"], found["M000002@2-5"]} == {"test"}
    assert "so for training: 4 takes" in made(tmp_path).card["split"]  # 000003 and its mirror image, two parts each


def test_mirror_images_in_the_other_split_are_refused(tmp_path: Path) -> None:
    folder_of(tmp_path, 3)
    (tmp_path / "train.txt").write_text("000000\n000001\nM000001\n000002\nM000002\n")
    (tmp_path / "test.txt").write_text("M000000\n")
    with pytest.raises(LoopscopeError, match="000000 is listed for train, M000000 for test"):
        made(tmp_path)


def test_recordings_are_no_classes(tmp_path: Path) -> None:
    card = made(folder_of(tmp_path, 3)).card
    assert card["classes"] == {"motion": 12} and card["labels"] == "one for all"


@pytest.mark.parametrize(("name", "refused"), [("007975", False), ("M007975", False), ("007976", True)])
def test_the_two_broken_recordings_of_humanml_are_left_out_and_listed(name: str, refused: bool, tmp_path: Path) -> None:
    rows = encode_humanml(smpl_motion(101))
    for k in range(3):
        write_humanml(tmp_path, f"{k:06d}", rows)
    write_humanml(tmp_path, name, rows * np.nan)
    if refused:
        with pytest.raises(LoopscopeError, match=f"{name}.npy, frame 0: a feature is NaN"):
            made(tmp_path)
        assert made(tmp_path, skip_bad=True).card["clips"] == 3
    else:
        card = made(tmp_path).card
        assert card["clips"] == 3 and f"{name}.npy holds NaN" in card["left_out"][0]


def normalised(folder: Path, rows: Array, root_factor: float = 1.0) -> Path:
    mean, std = rows.mean(0), rows.std(0) + 0.3
    write_humanml(folder, "000001", (rows - mean) / std)
    std[:4] *= root_factor
    np.save(folder / "Mean.npy", mean)
    np.save(folder / "Std.npy", std)
    return folder


def test_normalised_features_are_brought_back_by_mean_and_std(tmp_path: Path) -> None:
    rows = encode_humanml(smpl_motion())
    take = read(normalised(tmp_path, rows))[0]
    assert np.abs(take.motion.world()[0] - features.joint_positions(rows, features.HUMANML)).max() < 1e-3


def test_mean_and_std_of_another_normalisation_are_refused(tmp_path: Path) -> None:
    """Models divide the root's deviation by 5, so that it weighs more."""
    with pytest.raises(LoopscopeError, match="Std.npy, the root has another speed"):
        read(normalised(tmp_path, encode_humanml(smpl_motion()), 5.0))


def test_plain_features_stay_though_mean_and_std_are_there(tmp_path: Path) -> None:
    rows = encode_humanml(smpl_motion())
    write_humanml(normalised(tmp_path, rows), "000001", rows)
    take = read(tmp_path)[0]
    assert np.abs(take.motion.world()[0] - features.joint_positions(rows, features.HUMANML)).max() < 1e-3


def test_a_zip_of_the_whole_folder_is_read_with_its_texts_and_lists(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "HumanML3D", 5)
    (folder / "new_joints").mkdir()
    np.save(folder / "new_joints" / "000000.npy", np.zeros((3, 22, 3)))
    (folder / "train.txt").write_text("".join(f"{k:06d}\nM{k:06d}\n" for k in range(4)))
    (folder / "test.txt").write_text("000004\nM000004\n")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(tmp_path))
    card = made(tmp_path / "x.zip").card
    assert (card["kind"], card["clips"], card["texts"], card["split"]) == ("humanml3d", 20, 20, "As the source says.")


def test_texts_and_lists_are_found_when_the_folder_above_is_given(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "dataset" / "HumanML3D", 5)
    (folder / "train.txt").write_text("".join(f"{k:06d}\n" for k in range(4)))
    (folder / "test.txt").write_text("000004\n")
    card = made(tmp_path / "dataset").card
    assert card["texts"] == 20 and card["split"] == "As the source says."


def test_kit_is_made_a_data_set(tmp_path: Path) -> None:
    for k in range(10):
        write_humanml(tmp_path, f"{k:05d}", encode_kit(kit_motion(64, k).world()[0])[0], "a person walks#x#0.0#0.0\n")
    card = made(tmp_path).card
    assert (card["fps"], card["skeleton"]["joints"], card["texts"]) == (12.5, 21, 10)
    assert card["skeleton"]["mirrored"] and card["skeleton"]["stature_m"] == pytest.approx(1.75, abs=0.01)
    assert any("bodies were made 1.75 m tall" in note for note in card["notes"])


def test_kit_and_humanml_are_told_apart(tmp_path: Path) -> None:
    write_humanml(tmp_path, "000001", encode_humanml(smpl_motion()))
    write_humanml(tmp_path, "00001", encode_kit(kit_motion().world()[0])[0])
    with pytest.raises(LoopscopeError, match="import them apart"):
        made(tmp_path)
