from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import rotations as R
from core.motion import MotionBatch, mirrored
from core.skeleton import Skeleton
from corrector.features import surface_of, window_artefacts
from corrector.reference import ContactOptions, Planned, plan_reference
from corrector.report import moved_m
from model.datasets import npz
from tests.core.bodies import standing
from tests.corrector.conftest import jittered, raised, slid
from tests.corrector.test_legs import mixamo

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "cmu"
ALL = ContactOptions()
NONE = ContactOptions(**{name: False for name in ContactOptions.model_fields})


@pytest.fixture(scope="module")
def windows(dataset: Any) -> MotionBatch:
    batch: MotionBatch = dataset.held_out(45)
    return replace(batch, root_position_m=batch.root_position_m.astype(np.float64))


@pytest.fixture(scope="module")
def planned(windows: MotionBatch) -> Planned:
    return plan_reference(windows, ALL)


def means(batch: MotionBatch) -> dict[str, float]:
    return {name: float(values.mean()) for name, values in window_artefacts(batch).items()}


def test_real_motion_becomes_cleaner_and_stays_near(windows: MotionBatch, planned: Planned) -> None:
    before, after = means(windows), means(planned.batch)
    assert after["skate_m_s"] < 0.9 * before["skate_m_s"]
    assert after["penetration_mm"] < 0.3 * before["penetration_mm"]
    assert after["jerk_m_s3"] < before["jerk_m_s3"]
    assert moved_m(windows, planned.batch).mean() < 0.04
    assert planned.stance.shape == (45, 40, 2)
    assert len(planned.notes) == 45


def test_no_step_no_change(windows: MotionBatch) -> None:
    result = plan_reference(windows, NONE)
    assert moved_m(windows, result.batch).max() < 1e-6
    assert not any(result.notes)


@pytest.mark.parametrize("step", list(ContactOptions.model_fields))
def test_every_step_can_be_taken_alone(windows: MotionBatch, step: str) -> None:
    result = plan_reference(windows, NONE.model_copy(update={step: True}))
    assert np.isfinite(result.batch.root_position_m).all()
    field = ContactOptions.model_fields[step]
    assert field.title
    assert field.description


def test_a_second_pass_moves_little(planned: Planned) -> None:
    assert moved_m(planned.batch, plan_reference(planned.batch, ALL).batch).mean() < 0.015


def test_who_stands_and_is_slid_stands_still_again() -> None:
    still = standing(2, 60)
    result = plan_reference(slid(still, 0.3), ALL)
    points = surface_of(result.batch)
    assert result.stance.all()
    speed = np.linalg.norm(np.diff(points[..., [0, 2]], axis=1), axis=-1) * still.fps
    assert speed.max() < 0.02
    assert all("drift" in note for note in result.notes)


@pytest.mark.parametrize("height", [-0.05, 0.05])
def test_height_is_settled(windows: MotionBatch, planned: Planned, height: float) -> None:
    result = plan_reference(raised(windows, height), ALL)
    assert moved_m(planned.batch, result.batch).mean() < 0.002


def test_standing_soles_are_on_the_floor(windows: MotionBatch) -> None:
    result = plan_reference(standing(3, 40), ALL)
    heights = surface_of(result.batch)[..., 1].min(-1)
    np.testing.assert_allclose(heights, 0.0, atol=0.002)
    assert moved_m(standing(3, 40), result.batch).max() < 0.002


def test_mirror_images_are_planned_alike(windows: MotionBatch, planned: Planned) -> None:
    again = plan_reference(mirrored(windows, 2), ALL)
    np.testing.assert_array_equal(again.stance[..., ::-1], planned.stance)
    assert moved_m(planned.batch, mirrored(again.batch, 2)).max() < 1e-4


def test_heading_and_place_do_not_matter(windows: MotionBatch, planned: Planned) -> None:
    turn = R.yaw_to_unitquat(np.array(0.8))
    place = np.array([3.0, 0.0, -2.0])
    rotations = windows.local_rotations_wxyz.astype(np.float64)
    rotations[:, :, 0] = R.multiply(np.broadcast_to(turn, rotations[:, :, 0].shape), rotations[:, :, 0])
    moved = replace(
        windows, root_position_m=R.rotate(turn, windows.root_position_m) + place, local_rotations_wxyz=rotations
    )
    expected = R.rotate(turn, planned.batch.root_position_m) + place
    np.testing.assert_allclose(plan_reference(moved, ALL).batch.root_position_m, expected, atol=1e-4)


def test_a_batch_is_its_motions_one_by_one(windows: MotionBatch, planned: Planned) -> None:
    for i in range(0, len(windows), 11):
        alone = plan_reference(windows.take([i]), ALL)
        assert moved_m(planned.batch.take([i]), alone.batch).max() < 1e-6
        assert alone.notes[0] == planned.notes[i]


@pytest.mark.parametrize("frames", [0, 1, 2, 4, 5, 6, 9])
def test_motions_of_any_length(windows: MotionBatch, frames: int) -> None:
    short = replace(
        windows,
        root_position_m=windows.root_position_m[:, :frames],
        local_rotations_wxyz=windows.local_rotations_wxyz[:, :frames],
    )
    result = plan_reference(short, ALL)
    assert result.batch.frames == frames
    assert np.isfinite(result.batch.local_rotations_wxyz).all()
    if frames < 5:
        assert result.batch is short


def test_no_motions_at_all(windows: MotionBatch) -> None:
    result = plan_reference(windows.take([]), ALL)
    assert len(result.batch) == 0
    assert result.notes == []


def test_noise_stays_finite(windows: MotionBatch) -> None:
    result = plan_reference(jittered(windows, 1.0, 0.5), ALL)
    assert np.isfinite(result.batch.root_position_m).all()
    assert np.isfinite(result.batch.local_rotations_wxyz).all()


def test_a_body_without_legs_keeps_its_pose() -> None:
    offsets = np.array([[0, 0, 0], [0, -0.8, 0]], dtype=float)
    stump = Skeleton("stump", ("root", "foot"), (-1, 0), offsets)
    root = np.zeros((1, 30, 3))
    root[..., 1] = 0.9
    batch = MotionBatch(stump, root, np.tile(R.IDENTITY_WXYZ, (1, 30, 2, 1)), 30.0)
    result = plan_reference(batch, ALL)
    np.testing.assert_allclose(result.batch.local_rotations_wxyz, batch.local_rotations_wxyz)
    assert "legs" in result.notes[0]


def test_large_bodies_are_planned_too() -> None:
    body = mixamo(True)
    root = np.zeros((2, 40, 3))
    root[..., 1] = 1.0
    batch = MotionBatch(body, root, np.tile(R.IDENTITY_WXYZ, (2, 40, body.joint_count, 1)), 30.0)
    result = plan_reference(slid(batch, 0.2), ALL)
    heights = surface_of(result.batch)[..., 1].min(-1)
    np.testing.assert_allclose(heights, 0.0, atol=0.01)
    assert np.ptp(result.batch.root_position_m[..., 2]) < 0.02


def test_motion_capture_of_another_body_is_planned_close_by() -> None:
    if not (FOLDER / "clips.npz").is_file():
        pytest.skip(f"no motion capture in {FOLDER.name}")
    windows = npz.build(npz.NpzOptions(path=str(FOLDER))).train(32)
    result = plan_reference(windows, ALL)
    before, after = means(windows), means(result.batch)
    assert after["penetration_mm"] < 0.5 * before["penetration_mm"]
    assert after["jerk_m_s3"] < before["jerk_m_s3"]
    assert moved_m(windows, result.batch).mean() < 0.03
    assert moved_m(plan_reference(raised(windows, 0.05), ALL).batch, result.batch).mean() < 0.01
