"""Takes of several files become one data set: one body, one rate, classes, and a held-out part that is apart."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.importing.labels import read_table, subject_of
from backend.importing.split import divided
from backend.importing.take import Take
from backend.importing.uniform import at_rate, uniform
from core.errors import InvalidConfig
from core.motion import Motion
from core.rotations import geodesic_angle
from tests.backend.importing.files import made, people, write_bvh
from tests.backend.walker import walker


def takes(subjects: Sequence[str], label: str = "walk", frames: int = 60) -> list[Take]:
    return [Take(f"{k:02d}", walker(frames), label, subject) for k, subject in enumerate(subjects)]


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["02_01_walk", "02_02_walk", "03_01_run"], {"walk": 2, "run": 1}),
        (["walk1_subject1", "walk2_subject2", "dance1_subject3"], {"walk": 2, "dance": 1}),
        (["walking/a1", "walking/b7", "sitting/c"], {"walking": 2, "sitting": 1}),
        (["01_01", "02_01"], {"motion": 2}),
    ],
)
def test_classes_are_found_in_names_and_folders(names: list[str], classes: dict[str, int], tmp_path: Path) -> None:
    write_bvh(tmp_path, dict.fromkeys(names, 12))
    assert made(tmp_path).card["classes"] == classes


def test_a_table_says_what_names_do_not(tmp_path: Path) -> None:
    write_bvh(tmp_path, {"a": 12, "b": 12, "c": 12})
    (tmp_path / "labels.csv").write_text(
        'file,label,subject,split,text\na.bvh,walk,1,train,"slowly, ahead"\nb,walk,2,test,\n'
    )
    made_now = made(tmp_path)
    assert made_now.card["classes"] == {"c": 1, "walk": 2}
    assert made_now.card["subjects"] == ["1", "2"] and "so for training: 1 takes" in made_now.card["split"]
    assert b'"slowly, ahead"' in made_now.files["index.csv"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("a,b\n1,2\n", "needs the column file"), ("file,label,split\nx,y,z\n", "line 2: there is no split 'z'")],
)
def test_tables_that_cannot_be_are_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidConfig, match=words):
        read_table(text, "labels.csv")


def test_a_table_that_names_no_file_is_refused(tmp_path: Path) -> None:
    people(tmp_path)
    (tmp_path / "labels.csv").write_text("file,label\nzzz,walk\n")
    with pytest.raises(InvalidConfig, match="name none of the files"):
        made(tmp_path)


@pytest.mark.parametrize(
    ("name", "subject"), [("02_01", "2"), ("daz_02_01_walk", "2"), ("run2_subject4", "4"), ("walk", ""), ("walk_1", "")]
)
def test_subjects_are_found_in_names(name: str, subject: str) -> None:
    assert subject_of(name) == subject


def test_nobody_is_in_both_splits() -> None:
    found = divided(takes([str(k % 6) for k in range(24)]), 7).takes
    train, test = ({take.subject for take in found if take.split == split} for split in ("train", "test"))
    assert train and test and not train & test
    assert 0.1 < sum(take.split == "test" for take in found) / len(found) < 0.4


def test_without_subjects_takes_are_divided_within_each_class_alike_for_a_seed() -> None:
    several = takes([""] * 10) + [replace(t, name=f"r{t.name}") for t in takes([""] * 5, "run")]
    found = divided(several, 3).takes
    assert {(t.name, t.split) for t in found} == {(t.name, t.split) for t in divided(several, 3).takes}
    assert {label: sum(t.split == "test" for t in found if t.label == label) for label in ("walk", "run")} == {
        "walk": 2, "run": 1,
    }  # fmt: skip


def test_a_class_of_one_long_take_is_cut_in_time() -> None:
    found = divided(takes([""], frames=400), 0)
    assert [(take.split, len(take.motion)) for take in found.takes] == [("train", 300), ("test", 100)]
    assert "cut in time" in found.how


@pytest.mark.parametrize("fps", [30.0, 20.0, 45.0])
def test_rates_become_one(fps: float) -> None:
    a, b = walker(61, 60.0), walker(31, 30.0)
    found = uniform([Take("a", a), Take("b", b)], fps, floor=False).takes
    assert {take.motion.fps for take in found} == {fps}
    first, second = (take.motion for take in found)
    assert len(first) == len(second)
    assert np.abs(first.root_position_m - second.root_position_m).max() < 1e-6


def test_every_kth_frame_is_kept_as_it_is() -> None:
    motion = walker(60, 120.0)
    assert np.array_equal(at_rate(motion, 30.0).local_rotations_wxyz, motion.local_rotations_wxyz[::4])


def test_bodies_of_other_size_share_the_median_one() -> None:
    small, large = walker(), walker()
    large = Motion(large.skeleton.scaled(1.2), 1.2 * large.root_position_m, large.local_rotations_wxyz, large.fps)
    same = uniform([Take("a", small), Take("b", small), Take("c", large)], floor=False)
    assert same.takes[2].motion.skeleton == small.skeleton
    assert np.abs(same.takes[2].motion.root_position_m - small.root_position_m).max() < 1e-9
    assert geodesic_angle(same.takes[2].motion.local_rotations_wxyz, large.local_rotations_wxyz).max() < 1e-9
    assert "brought to the median one" in same.notes[0]


@pytest.mark.parametrize(("lift", "moved"), [(0.0, False), (-0.5, True), (0.15, True), (0.8, False)])
def test_feet_off_the_floor_come_down_to_it_and_climbers_stay(lift: float, moved: bool) -> None:
    motion = walker()
    level = uniform([Take("x", motion)]).takes[0].motion
    lifted = replace(level, root_position_m=level.root_position_m + [0.0, lift, 0.0])
    same = uniform([Take("x", lifted)])
    assert (same.floor_shift_m[0] != 0) is moved
    if moved:
        assert np.abs(same.takes[0].motion.root_position_m - level.root_position_m).max() < 0.04


def test_the_card_tells_what_no_loop_can_learn_from(tmp_path: Path) -> None:
    write_bvh(tmp_path, {"01_01_walk": 20})
    assert any("No loop can learn from it" in note for note in made(tmp_path).card["notes"])
