from typing import Any

import numpy as np
import pytest

from core import rotations as R
from core.motion import MotionBatch
from corrector.targets import FARTHEST_TARGET_RAD, FRICTION, SLIDING_FRICTION, plan_friction, plan_targets
from corrector.world import SolverOptions, World, world_of
from tests.core.bodies import standing

ERP, SUBSTEPS, FPS = 0.2, 4, 30.0


def turning(frames: int, rate_rad_s: float) -> np.ndarray:
    """(T, 2, 4): both joints turn about x."""
    angle = np.arange(frames) / FPS * rate_rad_s
    vector = np.zeros((frames, 2, 3))
    vector[..., 0] = angle[:, None]
    return R.rotvec_to_unitquat(vector)


def test_a_joint_that_closes_a_share_of_its_error_arrives_at_the_reference() -> None:
    """Simulate the motor's first-order lag: after every step the joint is where the reference is."""
    rate = 2.0
    found = plan_targets(np.zeros((20, 3)), turning(20, rate), [0, 1], FPS, SUBSTEPS, ERP)
    angle = 0.0
    for step, target in enumerate(found.joints_xyzw[:, 0]):
        angle += ERP * (2 * np.arctan2(target[0], target[3]) - angle)
        assert angle == pytest.approx(rate * (step + 1) / FPS / SUBSTEPS, abs=2e-3)


def test_the_root_goes_straight_where_the_motion_does() -> None:
    root = np.arange(20)[:, None] * np.array([0.1, 0.0, -0.05])
    found = plan_targets(root, turning(20, 0.0), [0, 1], FPS, SUBSTEPS, ERP)
    steps = (np.arange(19 * SUBSTEPS) + 1)[:, None] / SUBSTEPS
    assert found.root_position_m == pytest.approx(steps * np.array([0.1, 0.0, -0.05]), abs=1e-12)
    assert found.root_velocity_m_s == pytest.approx(np.broadcast_to([3.0, 0.0, -1.5], steps.shape[:1] + (3,)))
    assert np.abs(found.root_turning_rad_s).max() < 1e-9


def test_targets_stay_near_and_starts_are_slow_whatever_the_motion() -> None:
    rng = np.random.default_rng(0)
    noise = R.make_continuous(R.normalize(rng.normal(size=(15, 2, 4))))
    found = plan_targets(rng.normal(size=(15, 3)), noise, [0, 1], FPS, SUBSTEPS, ERP)
    assert np.linalg.norm(found.start_turning_rad_s, axis=-1).max() <= 20.0 + 1e-9
    assert np.isfinite(found.joints_xyzw).all()
    steps = found.of(slice(3, 5))
    assert [len(track) for track in steps] == [2] * 5
    fast = plan_targets(np.zeros((15, 3)), turning(15, 60.0), [0, 1], FPS, SUBSTEPS, ERP)
    angle = 2 * np.arctan2(fast.joints_xyzw[0, 0, 0], fast.joints_xyzw[0, 0, 3])
    assert angle <= FARTHEST_TARGET_RAD + 1e-9


def test_what_stands_sticks_and_what_sweeps_slides() -> None:
    batch = standing(1, 30)
    world: Any = world_of(batch.skeleton, SolverOptions())
    assert isinstance(world, World)
    root, rotations = batch.root_position_m[0].astype(float), batch.local_rotations_wxyz[0].astype(float)
    friction, lift = plan_friction(world.body, root, rotations, batch.fps)
    assert friction.shape == (30, len(world.body.plan.joints))
    assert (friction == FRICTION).all()
    assert lift >= 0
    sweeping = root + np.arange(30)[:, None] / batch.fps * np.array([2.0, 0.0, 0.0])
    assert (plan_friction(world.body, sweeping, rotations, batch.fps)[0] == SLIDING_FRICTION).any()
    _, sunken = plan_friction(world.body, root - np.array([0.0, 0.2, 0.0]), rotations, batch.fps)
    assert sunken == pytest.approx(lift + 0.2, abs=0.02)


def test_targets_of_real_motion_are_unit_quaternions(clean: MotionBatch) -> None:
    found = plan_targets(
        clean.root_position_m[0].astype(float), R.make_continuous(clean.local_rotations_wxyz[0].astype(float)),
        list(range(clean.skeleton.joint_count)), clean.fps, SUBSTEPS, ERP,
    )  # fmt: skip
    assert np.linalg.norm(found.joints_xyzw, axis=-1) == pytest.approx(1.0, abs=1e-9)
    assert np.linalg.norm(found.root_rotation_wxyz, axis=-1) == pytest.approx(1.0, abs=1e-9)
