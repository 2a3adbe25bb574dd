"""Motion capture from npz: what is read, and what is refused."""

import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib import format as npy

from core.config import parse
from core.errors import DataMissing, InvalidConfig
from model.datasets.base import Dataset, Split
from model.datasets.registry import DATASETS
from tests.model.npzfiles import JOINTS, rows_of, write_files

Writer = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    """Writes a small valid data set; keyword arguments replace members, ``rows`` the index."""
    return partial(write_files, tmp_path)


def build(path: Path | str, **options: Any) -> Dataset:
    part = DATASETS["npz"]
    dataset: Dataset = part.build(parse(part.options, {"path": str(path), **options}))
    return dataset


def test_reads_any_skeleton(write: Writer) -> None:
    dataset = build(write(), mirror=False)
    assert dataset.class_names == ("sit", "walk")
    np.testing.assert_allclose(dataset.skeleton.toe_tips_m, [[0, -0.05, 0.12], [0, -0.05, 0.13]])
    batch = dataset.train(8)
    assert batch.local_rotations_wxyz.shape == (8, 40, len(JOINTS), 4)
    assert build(write() / "clips.npz", mirror=False).digest == dataset.digest


def test_splits_are_respected(write: Writer) -> None:
    """Frames tell where they come from: root x runs from 0 to 1 over the file, before windows are moved."""
    dataset = build(write(), mirror=False)
    labels = np.repeat([0, 1], 200)
    where = np.tile(np.linspace(0, 0.9999, 200), 2)
    expected: list[tuple[Split, int, float]] = [
        ("train", 1, 0.0), ("train", 0, 0.5), ("held-out", 1, 0.25), ("held-out", 0, 0.75)
    ]  # fmt: skip
    for split, label, low in expected:
        root, _ = dataset.clips.cut(split, labels, where)
        x = root[labels == label][..., 0]
        assert low - 1e-3 <= x.min() and x.max() <= low + 0.25 + 1e-3
        assert np.ptp(x[:, 0]) > 0.05  # every position is drawn


def test_interpolates_between_frames(write: Writer) -> None:
    root, rotations = build(write(), mirror=False).clips.cut("train", np.array([1]), np.array([0.3]))
    np.testing.assert_allclose(np.diff(root[0, :, 0]), 1.5 / 399, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rotations, axis=-1), 1, atol=1e-5)


def test_a_clip_as_long_as_a_window_and_no_longer(write: Writer) -> None:
    rows = rows_of(400)
    rows[0]["stop"] = 60  # 59 intervals at 30 fps, of which a window takes 58.5
    rows[2]["stop"] = 200 + 59  # half a frame too short
    dataset = build(write(rows), mirror=False)
    assert dataset.class_names == ("walk",)
    assert len(dataset.train(5)) == 5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"quats": None}, "no member 'quats'"),
        ({"quats": np.ones((10, 6, 4))}, "must be numbers of shape"),
        ({"quats": np.full((400, 6, 4), 3.0)}, "length one"),
        ({"root_pos": np.full((400, 3), np.nan)}, "NaN"),
        ({"parents": np.array([0, 0, 0, 2, 0, 4])}, "Parents must start"),
        ({"parents": np.zeros((6, 2), int)}, "must be numbers of shape"),
        ({"joint_names": np.arange(6)}, "must be text"),
        ({"joint_names": np.array(JOINTS, dtype=object)}, "pickled"),
        ({"offsets": np.full((6, 3), 40.0)}, "no body"),
        ({"fps": np.float32(0)}, "fps"),
        ({"up": np.array("z")}, "up = 'z'"),
    ],
)
def test_wrong_members_are_refused_in_words(write: Writer, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataMissing, match=words):
        build(write(**changes))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"start": "x"}, "Line 2"),
        ({"stop": 500}, "outside"),
        ({"start": 90, "stop": 80}, "outside"),
        ({"subject": "2"}, "both train and test"),
        ({"split": "val"}, None),
    ],
)
def test_wrong_rows_are_refused_in_words(write: Writer, change: dict[str, Any], words: str | None) -> None:
    rows = rows_of(400)
    rows[0] |= change
    if words is None:  # an action without training clips is left out
        assert build(write(rows)).class_names == ("sit",)
    else:
        with pytest.raises(DataMissing, match=words):
            build(write(rows))


def test_missing_columns_and_files_are_refused_in_words(write: Writer, tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"no file .*clips\.npz"):
        build(tmp_path)
    with pytest.raises(InvalidConfig, match="needs a path"):
        build(" ")
    with pytest.raises(DataMissing, match="lacks the columns split"):
        build(write([{"action": "walk", "start": 0, "stop": 100}]))
    (tmp_path / "clips.npz").write_bytes(b"PK nonsense")
    with pytest.raises(DataMissing, match="cannot be read"):
        build(tmp_path)


def test_a_header_that_claims_too_much_is_refused_before_loading(write: Writer) -> None:
    folder = write()
    with zipfile.ZipFile(folder / "clips.npz", "a") as members, members.open("huge.npy", "w") as member:
        npy.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)})
    with pytest.raises(DataMissing, match="holds fewer bytes"):
        build(folder)


def test_mirroring_needs_names_that_pair(write: Writer) -> None:
    names = np.array(["hip", "spine", "lThigh", "foot_a", "rThigh", "foot_b"])
    unpaired = names.copy()
    unpaired[4] = "third"
    with pytest.raises(InvalidConfig, match="mirror"):
        build(write(joint_names=unpaired))
    assert build(write(joint_names=unpaired), mirror=False).class_names == ("sit", "walk")


def test_cmu(cmu: Dataset) -> None:
    assert cmu.skeleton.joint_count == 21 and len(cmu.skeleton.toe_tips_m) == 2
    assert {"walk", "dance", "jump"} <= set(cmu.class_names)
    batch = cmu.held_out(64)
    height = batch.world()[0][..., 1]
    assert -0.2 < height.min() and height.max() < 3
    assert "subjects 8, 11, 14, 94" in cmu.card["split"] or "subjects 8, 11" in cmu.card["split"]


def test_windows_have_the_frames_asked_for_and_defaults_keep_their_digest(write: Writer) -> None:
    path = write()
    usual, longer = build(path), build(path, frames=50, fps=25.0)
    assert usual.digest == build(path, frames=40, fps=20.0).digest != longer.digest
    assert longer.train(2).frames == 50 and longer.held_out(2).fps == 25.0
    assert set(parse(DATASETS["npz"].options, {"path": str(path)}).model_dump()) == {"path", "mirror"}


def test_clips_shorter_than_a_window_are_left_out_and_counted(write: Writer) -> None:
    rows = [*rows_of(400), {"split": "train", "action": "walk", "subject": "1", "start": 0, "stop": 30}]
    assert any("(1 of 5)" in note for note in build(write(rows)).card["notes"])
    with pytest.raises(DataMissing, match="of 9.75 s or more in both splits"):
        build(write(), frames=196)
