from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core import rotations as R
from core.motion import MotionBatch
from core.skeleton import forward_kinematics
from corrector.tracker import Simulated, TrackerOptions, track
from corrector.world import GRAVITY_M_S2, SolverOptions, World, world_of
from tests.core.bodies import standing
from tests.corrector.test_links import long_spine

OPTIONS = TrackerOptions()


@pytest.fixture(scope="module")
def world(dataset: Any) -> World:
    found = world_of(dataset.skeleton, SolverOptions())
    assert isinstance(found, World)
    return found


def motion_of(batch: MotionBatch, row: int) -> tuple[np.ndarray, np.ndarray]:
    return batch.root_position_m[row].astype(np.float64), batch.local_rotations_wxyz[row].astype(np.float64)


def error_m(batch: MotionBatch, row: int, found: Simulated) -> float:
    wanted, _ = forward_kinematics(batch.skeleton, *motion_of(batch, row))
    got, _ = forward_kinematics(batch.skeleton, found.root_position_m, found.local_rotations_wxyz)
    return float(np.linalg.norm(wanted - got, axis=-1).mean())


def test_tracks_have_a_value_per_frame_within_the_limits(world: World, clean: MotionBatch) -> None:
    root, rotations = motion_of(clean, 0)
    found = track(world, root, rotations, clean.fps, TrackerOptions(residual_force_bw=0.3, residual_torque_nm=50))
    for values in (found.residual_force_bw, found.residual_torque_nm, found.at_limit):
        assert values.shape == (clean.frames,)
    most_nm = 50 * world.body.mass_kg / 45
    assert found.limit_bw == 0.3
    assert 0 < found.residual_force_bw.max() <= 0.3 + 1e-9
    assert 0 < found.residual_torque_nm.max() <= most_nm + 1e-9
    unlimited = (found.residual_force_bw < 0.29) & (found.residual_torque_nm < 0.97 * most_nm)
    assert found.at_limit.any()
    assert found.at_limit[~unlimited].all()


def test_clean_clips_are_followed_without_a_fall(world: World, clean: MotionBatch) -> None:
    errors, forces = [], []
    for row in range(len(clean)):
        found = track(world, *motion_of(clean, row), clean.fps, OPTIONS)
        assert found.diverged is None
        errors.append(error_m(clean, row, found))
        forces.append(found.residual_force_bw.mean())
    assert max(errors) < 0.15
    assert np.mean(errors) < 0.06
    assert np.mean(forces) < 0.6


def test_a_body_at_rest_is_carried_by_its_feet(world: World) -> None:
    """The help is no crutch: who stands still needs next to none of it."""
    batch = standing(1, 40)
    own = world_of(batch.skeleton, SolverOptions())
    assert isinstance(own, World)
    found = track(own, *motion_of(batch, 0), batch.fps, OPTIONS)
    assert found.residual_force_bw[20:].mean() < 0.1


def test_a_floating_body_needs_its_weight(world: World) -> None:
    batch = standing(1, 40)
    own = world_of(batch.skeleton, SolverOptions())
    assert isinstance(own, World)
    root, rotations = motion_of(batch, 0)
    found = track(own, root + np.array([0.0, 1.0, 0.0]), rotations, batch.fps, OPTIONS)
    assert found.residual_force_bw[20:].mean() == pytest.approx(1.0, abs=0.1)


def test_planned_contacts_soften_the_help(world: World, clean: MotionBatch) -> None:
    root, rotations = motion_of(clean, 13)
    stands = np.ones((clean.frames, 2), dtype=bool)
    soft = track(world, root, rotations, clean.fps, OPTIONS, stance=stands)
    plain = track(world, root, rotations, clean.fps, OPTIONS)
    assert soft.residual_force_bw.mean() < plain.residual_force_bw.mean()


def test_without_help_gravity_is_all_there_is(world: World, clean: MotionBatch) -> None:
    """A motion in the air falls as bodies fall, and nothing is reported."""
    root, rotations = motion_of(clean, 0)
    rotations = np.repeat(rotations[:1], clean.frames, axis=0)
    root = np.repeat(root[:1], clean.frames, axis=0) + np.array([0.0, 40.0, 0.0])
    found = track(world, root, rotations, clean.fps, TrackerOptions(help="none"))
    assert not found.residual_force_bw.any()
    assert not found.residual_torque_nm.any()
    assert not found.at_limit.any()
    assert found.limit_bw == 0
    seconds = np.arange(clean.frames) / clean.fps
    fallen = root[:, 1] - found.root_position_m[:, 1]
    assert fallen[1:] == pytest.approx(GRAVITY_M_S2 / 2 * seconds[1:] * (seconds[1:] + 1 / OPTIONS.rate_hz), abs=0.05)


def test_a_reused_world_gives_the_same_bits(world: World, clean: MotionBatch) -> None:
    """Also after a motion without help, and after one that was cancelled under a strong pull."""

    def fail(fraction: float, sentence: str) -> None:
        raise InterruptedError

    root, rotations = motion_of(clean, 4)
    first = track(world, root, rotations, clean.fps, OPTIONS)
    track(world, *motion_of(clean, 0), clean.fps, TrackerOptions(help="none"))
    with pytest.raises(InterruptedError):
        track(world, root + np.array([0.0, 3.0, 0.0]), rotations, clean.fps, OPTIONS, fail)
    again = track(world, root, rotations, clean.fps, OPTIONS)
    for name in ("root_position_m", "local_rotations_wxyz", "residual_force_bw", "residual_torque_nm"):
        assert np.array_equal(getattr(first, name), getattr(again, name)), name


def test_one_frame_comes_back_as_it_is(world: World, clean: MotionBatch) -> None:
    root, rotations = motion_of(clean, 0)
    found = track(world, root[:1], rotations[:1], clean.fps, OPTIONS)
    assert np.array_equal(found.root_position_m, root[:1])
    assert found.residual_force_bw.shape == (1,)
    two = track(world, root[:2], rotations[:2], clean.fps, OPTIONS)
    assert np.isfinite(two.root_position_m).all()


def test_noise_and_leaps_stay_bounded(world: World, clean: MotionBatch) -> None:
    rng = np.random.default_rng(2)
    root, rotations = motion_of(clean, 0)
    noise = R.normalize(rng.normal(size=rotations.shape))
    leaping = root.copy()
    leaping[20:] += np.array([3.0, 0.0, 0.0])
    for case_root, case_rotations in (
        (root, noise),
        (leaping, rotations),
        (root + rng.normal(0, 1, root.shape), noise),
    ):
        found = track(world, case_root, case_rotations, clean.fps, OPTIONS)
        assert np.isfinite(found.root_position_m).all()
        assert np.isfinite(found.local_rotations_wxyz).all()
        assert np.abs(found.root_position_m - case_root).max() < 50
        assert found.residual_force_bw.max() <= 1 + 1e-9


def test_a_fast_frame_rate_and_a_slow_one(world: World, clean: MotionBatch) -> None:
    root, rotations = motion_of(clean, 13)
    slow = track(world, root[::2], rotations[::2], clean.fps / 2, OPTIONS)
    fast = track(world, root, rotations, 480.0, OPTIONS)
    for found in (slow, fast):
        assert found.diverged is None
        assert np.isfinite(found.root_position_m).all()


def test_small_and_tall_bodies_are_followed() -> None:
    small = standing(1, 20)
    for factor in (0.5, 1.5):
        skeleton = replace(small.skeleton, offsets_m=small.skeleton.offsets_m * factor, toe_tips_m=())
        world = world_of(skeleton, SolverOptions())
        assert isinstance(world, World)
        root, rotations = motion_of(small, 0)
        found = track(world, root * factor, rotations, small.fps, OPTIONS)
        assert np.abs(found.root_position_m - root * factor).max() < 0.1 * factor


def test_longer_bodies_get_more_solver_iterations(world: World, clean: MotionBatch) -> None:
    tall = world_of(long_spine(5), SolverOptions())
    assert isinstance(tall, World)
    assert world.solver.iterations == 20
    assert tall.solver.iterations > world.solver.iterations
    fixed = world_of(clean.skeleton, SolverOptions(iterations=7))
    assert isinstance(fixed, World)
    assert fixed.solver.iterations == 7
