from typing import Any

import numpy as np
import pytest

from core.motion import MotionBatch
from core.skeleton import forward_kinematics
from corrector.anneal import track_least
from corrector.tracker import Simulated, TrackerOptions, track
from corrector.world import SolverOptions, World, world_of

FALLEN_M = 0.5
ROWS = [3, 7, 13]  # clips that turn fast or leave the floor


@pytest.fixture(scope="module")
def world(dataset: Any) -> World:
    found = world_of(dataset.skeleton, SolverOptions())
    assert isinstance(found, World)
    return found


def motion_of(batch: MotionBatch, row: int) -> tuple[np.ndarray, np.ndarray]:
    return batch.root_position_m[row].astype(np.float64), batch.local_rotations_wxyz[row].astype(np.float64)


def errors_m(batch: MotionBatch, row: int, found: Simulated) -> np.ndarray:
    """(T,) mean joint distance."""
    wanted, _ = forward_kinematics(batch.skeleton, *motion_of(batch, row))
    got, _ = forward_kinematics(batch.skeleton, found.root_position_m, found.local_rotations_wxyz)
    return np.asarray(np.linalg.norm(wanted - got, axis=-1).mean(-1))


def test_one_pass_is_the_plain_simulation(world: World, clean: MotionBatch) -> None:
    options = TrackerOptions(passes=1)
    least = track_least(world, *motion_of(clean, 7), clean.fps, options)
    plain = track(world, *motion_of(clean, 7), clean.fps, options)
    assert np.array_equal(least.root_position_m, plain.root_position_m)
    assert np.array_equal(least.residual_force_bw, plain.residual_force_bw)


def test_more_passes_help_less_and_stay_with_the_motion(world: World, clean: MotionBatch) -> None:
    forces: dict[int, list[float]] = {1: [], 3: []}
    for row in ROWS:
        first = 0.0
        for passes, found_forces in forces.items():
            found = track_least(world, *motion_of(clean, row), clean.fps, TrackerOptions(passes=passes))
            error = errors_m(clean, row, found)
            assert error.max() < FALLEN_M
            assert error.mean() <= max(first, 0.03) or passes == 1
            first = error.mean()
            found_forces.append(float(found.residual_force_bw.mean()))
    assert np.mean(forces[3]) < np.mean(forces[1])


def test_passes_are_the_same_twice(world: World, clean: MotionBatch) -> None:
    options = TrackerOptions(passes=3)
    once, twice = (track_least(world, *motion_of(clean, 3), clean.fps, options) for _ in range(2))
    assert np.array_equal(once.root_position_m, twice.root_position_m)
    assert np.array_equal(once.local_rotations_wxyz, twice.local_rotations_wxyz)


def test_without_help_there_is_one_pass_and_a_flip_falls(world: World, dataset: Any, clean: MotionBatch) -> None:
    row = list(dataset.class_names).index("backflip")
    fractions: list[float] = []
    options = TrackerOptions(help="none", passes=4)
    found = track_least(
        world, *motion_of(clean, row), clean.fps, options, lambda fraction, sentence: fractions.append(fraction)
    )
    assert not found.residual_force_bw.any()
    assert errors_m(clean, row, found).max() > FALLEN_M
    assert max(fractions) <= 0.25


def test_a_body_that_falls_gets_stiffer_help_within_the_limits(world: World, clean: MotionBatch) -> None:
    root, rotations = motion_of(clean, 0)
    leaping = root.copy()
    leaping[20:] += np.array([2.0, 0.0, 0.0])
    options = TrackerOptions(residual_force_bw=0.5)
    found = track_least(world, leaping, rotations, clean.fps, options)
    assert np.isfinite(found.root_position_m).all()
    assert found.residual_force_bw.max() <= 0.5 + 1e-9


def test_progress_grows_over_the_passes(world: World, clean: MotionBatch) -> None:
    fractions: list[float] = []
    track_least(
        world, *motion_of(clean, 7), clean.fps, TrackerOptions(passes=2),
        lambda fraction, sentence: fractions.append(fraction),
    )  # fmt: skip
    assert fractions == sorted(fractions)
    assert 0.5 < max(fractions) <= 1.0
