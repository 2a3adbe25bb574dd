from dataclasses import replace

import numpy as np

from core import rotations as R
from core.motion import MotionBatch
from corrector.coordinates import channel_variance, coordinates, from_coordinates
from corrector.report import moved_m, precise


def test_there_and_back(clean: MotionBatch) -> None:
    batch = precise(clean)
    assert moved_m(batch, from_coordinates(batch, coordinates(batch))).max() < 1e-9


def test_place_and_heading_do_not_matter(clean: MotionBatch) -> None:
    batch = precise(clean)
    turn = R.yaw_to_unitquat(np.array(1.2))
    rotations = batch.local_rotations_wxyz.copy()
    rotations[:, :, 0] = R.multiply(turn, rotations[:, :, 0])
    root = R.rotate(turn, batch.root_position_m) + np.array([3.0, 0.0, -2.0])
    elsewhere = replace(batch, root_position_m=root, local_rotations_wxyz=rotations)
    assert np.allclose(coordinates(batch).values, coordinates(elsewhere).values, atol=1e-9)


def test_noise_has_the_variance_that_is_said(clean: MotionBatch) -> None:
    batch = precise(clean)
    rng = np.random.default_rng(2)
    noise = R.rotvec_to_unitquat(rng.normal(0, 0.05, (*batch.local_rotations_wxyz.shape[:-1], 3)))
    noisy = replace(batch, local_rotations_wxyz=R.multiply(batch.local_rotations_wxyz, noise))
    off = R.unitquat_to_sixd(noisy.local_rotations_wxyz) - R.unitquat_to_sixd(batch.local_rotations_wxyz)
    said = channel_variance(np.full((1, 1 + batch.skeleton.joint_count), 0.05**2))[0, 3]
    assert np.isclose((off**2).mean(), said, rtol=0.05)
