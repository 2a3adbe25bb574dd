from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core import rotations as R
from core.motion import MotionBatch, mirrored
from corrector.contacts import stance_of
from corrector.features import surface_of, window_artefacts
from corrector.footing import foot_lock, level_soles, step_to
from corrector.legs import legs_of
from corrector.report import moved_m
from tests.core.bodies import standing
from tests.corrector.conftest import jittered


@pytest.fixture(scope="module")
def windows(dataset: Any) -> MotionBatch:
    batch: MotionBatch = dataset.held_out(30)
    return batch


def test_a_lock_of_no_weight_moves_nothing(windows: MotionBatch) -> None:
    assert foot_lock(windows, stance_of(windows), np.zeros(len(windows))) is windows
    half = np.zeros(len(windows))
    half[::2] = 1.0
    locked = foot_lock(windows, stance_of(windows), half)
    assert moved_m(windows, locked)[1::2].max() < 1e-6
    assert moved_m(windows, locked)[::2].max() > 1e-3


def test_locked_feet_skate_less_the_more_weight_they_get(windows: MotionBatch) -> None:
    stance = stance_of(windows)
    skate = [
        window_artefacts(foot_lock(windows, stance, np.full(len(windows), w)))["skate_m_s"].mean()
        for w in (0.0, 0.5, 1.0)
    ]
    assert skate[2] < 0.9 * skate[0]
    assert skate[2] < skate[1] < skate[0]


def test_only_legs_move(windows: MotionBatch) -> None:
    locked = foot_lock(windows, stance_of(windows), np.ones(len(windows)))
    np.testing.assert_array_equal(locked.root_position_m, windows.root_position_m)
    legs = {j for leg in legs_of(windows.skeleton) if leg is not None for j in (leg.hip, leg.knee, leg.ankle)}
    others = [j for j in range(windows.skeleton.joint_count) if j not in legs]
    np.testing.assert_array_equal(locked.local_rotations_wxyz[:, :, others], windows.local_rotations_wxyz[:, :, others])


def test_heights_stay_unless_they_are_to_be_levelled(windows: MotionBatch) -> None:
    ones = np.ones(len(windows))
    kept = foot_lock(windows, stance_of(windows), ones, level=False)
    legs = [leg for leg in legs_of(windows.skeleton) if leg is not None]
    before, after = windows.world()[0], kept.world()[0]
    for leg in legs:
        height = np.abs(before[:, :, leg.ankle, 1] - after[:, :, leg.ankle, 1])
        assert np.median(height) < 1e-6
    levelled = foot_lock(windows, stance_of(windows), ones)
    assert window_artefacts(levelled)["penetration_mm"].mean() < window_artefacts(windows)["penetration_mm"].mean()


def test_no_jerk_is_added(windows: MotionBatch) -> None:
    locked = foot_lock(windows, stance_of(windows), np.ones(len(windows)))
    assert window_artefacts(locked)["jerk_m_s3"].mean() < 1.05 * window_artefacts(windows)["jerk_m_s3"].mean()


def test_mirror_images_are_locked_alike(windows: MotionBatch) -> None:
    ones = np.ones(len(windows))
    locked = foot_lock(windows, stance_of(windows), ones)
    image = mirrored(windows, 2)
    again = mirrored(foot_lock(image, stance_of(image), ones), 2)
    assert moved_m(locked, again).max() < 1e-5


def test_noise_gives_finite_motion(windows: MotionBatch) -> None:
    noisy = jittered(windows, 0.5, 0.2)
    locked = foot_lock(noisy, np.ones_like(stance_of(noisy)), np.ones(len(noisy)))
    assert np.isfinite(locked.local_rotations_wxyz).all()


def test_a_foot_goes_where_it_is_told() -> None:
    batch = standing(2, 10)
    ways = np.zeros((2, 10, 2, 3))
    ways[..., 0, 1] = 0.05
    ways[..., 0, 0] = 0.02
    moved, missed = step_to(batch, ways)
    lift = surface_of(moved)[..., 1].min(-1)
    assert missed.max() < 1e-9
    np.testing.assert_allclose(lift, 0.0, atol=1e-9)  # the other foot still stands
    foot = legs_of(batch.skeleton)[0]
    assert foot is not None
    np.testing.assert_allclose(
        moved.world()[0][:, :, foot.ankle] - batch.world()[0][:, :, foot.ankle], ways[:, :, 0], atol=1e-9
    )


def test_standing_soles_become_level_and_toe_stands_stay() -> None:
    batch = standing(2, 20)
    local = batch.local_rotations_wxyz.copy()
    ankle = batch.skeleton.feet[0]
    local[0, :, ankle] = R.rotvec_to_unitquat(np.array([0.1, 0.0, 0.15]))
    local[1, :, ankle] = R.rotvec_to_unitquat(np.array([0.0, 0.0, -0.9]))
    tilted = replace(batch, local_rotations_wxyz=local)
    level, turn = level_soles(tilted, np.ones((2, 20, 2), dtype=np.bool_))
    up = R.rotate(level.world()[1][:, :, ankle], np.array([0.0, 1.0, 0.0]))
    assert up[0, :, 1].min() > np.cos(0.01)
    assert turn[0] == pytest.approx(0.18, abs=0.01)
    assert moved_m(tilted, level)[1] < 1e-6
    assert turn[1] < 1e-6
