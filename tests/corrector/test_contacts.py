from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.body import body_of
from core.motion import MotionBatch, mirrored
from core.skeleton import Skeleton
from corrector.contacts import stance_of, tidy
from tests.core.bodies import standing
from tests.corrector.conftest import jittered, raised, slid


@pytest.fixture(scope="module")
def windows(dataset: Any) -> MotionBatch:
    batch: MotionBatch = dataset.held_out(45)
    return batch


def of_class(dataset: Any, batch: MotionBatch, name: str) -> MotionBatch:
    return batch.take(batch.labels == dataset.class_names.index(name))


def test_who_stands_still_stands_on_both_feet() -> None:
    stance = stance_of(standing())
    assert stance.shape == (3, 20, 2)
    assert stance.all()


def test_walking_alternates_with_double_support(dataset: Any, windows: MotionBatch) -> None:
    stance = stance_of(of_class(dataset, windows, "walk"))
    on = stance.sum(-1)
    assert (on > 0).all()
    assert {1, 2} == set(np.unique(on))
    assert (stance[..., 0] & ~stance[..., 1]).any()
    assert (stance[..., 1] & ~stance[..., 0]).any()


@pytest.mark.parametrize("name", ["run", "jump", "backflip", "spinkick"])
def test_there_is_flight_and_landing(dataset: Any, windows: MotionBatch, name: str) -> None:
    stance = np.asarray(stance_of(of_class(dataset, windows, name)).any(-1))
    assert (~stance).any(1).all()
    assert stance.any(1).all()


def test_height_and_slide_of_a_window_do_not_matter(windows: MotionBatch) -> None:
    stance = stance_of(windows)
    for height in (-0.05, 0.05):
        assert (stance_of(raised(windows, height)) == stance).mean() > 0.995
    assert (stance_of(slid(windows, 0.3)) == stance).mean() > 0.95


def test_noise_hides_some_stances_but_invents_few(windows: MotionBatch) -> None:
    stance, noisy = stance_of(windows), stance_of(jittered(windows, 0.05, 0.015))
    assert (noisy == stance).mean() > 0.75
    assert (noisy & ~stance).mean() < 0.1


def test_mirrored_motion_has_mirrored_stances(windows: MotionBatch) -> None:
    np.testing.assert_array_equal(stance_of(mirrored(windows, 2)), stance_of(windows)[..., ::-1])


def test_a_batch_is_its_motions_one_by_one(windows: MotionBatch) -> None:
    stance = stance_of(windows)
    for i in range(0, len(windows), 7):
        np.testing.assert_array_equal(stance_of(windows.take([i])), stance[i : i + 1])


def test_size_does_not_matter(windows: MotionBatch) -> None:
    body = windows.skeleton
    tips = tuple((x / 2, y / 2, z / 2) for x, y, z in body.toe_tips_m)
    half = Skeleton("half", body.joint_names, body.parents, body.offsets_m / 2, body.feet, tips)
    small = replace(windows, skeleton=half, root_position_m=windows.root_position_m / 2)
    assert (stance_of(small) == stance_of(windows)).mean() > 0.98


def test_there_are_no_blips_and_no_gaps(windows: MotionBatch) -> None:
    stance = stance_of(windows)
    np.testing.assert_array_equal(tidy(stance, 2), stance)
    changes = np.diff(stance.astype(int), axis=1)
    assert (np.abs(changes[:, 1:]) * np.abs(changes[:, :-1])).sum() == 0


def test_tidy_closes_gaps_before_it_removes_blips() -> None:
    text = "###.##..........##..........###.....#####"
    tidied = tidy(np.array([[[c == "#"] for c in text]]), 2)[0, :, 0]
    assert "".join("#" if on else "." for on in tidied) == "######......................###.....#####"


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_short_motions_have_stances_too(frames: int) -> None:
    assert stance_of(standing(2, 20).take([0, 1])).shape == (2, 20, 2)
    short = replace(
        standing(),
        root_position_m=standing().root_position_m[:, :frames],
        local_rotations_wxyz=standing().local_rotations_wxyz[:, :frames],
    )
    assert stance_of(short).shape == (3, frames, 2)
    assert stance_of(short).all()
    assert stance_of(standing().take([])).shape == (0, 20, 2)


def test_one_column_per_sole(windows: MotionBatch) -> None:
    assert stance_of(windows).shape[2] == len(body_of(windows.skeleton).sole_points)
