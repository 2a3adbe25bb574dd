from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core import rotations as R
from core.errors import Cancelled
from core.motion import MotionBatch
from core.protocols import Reference
from core.skeleton import Skeleton
from corrector.report import moved_m
from tests.core.bodies import standing
from tests.corrector.conftest import Make, jittered, raised, same
from tests.corrector.test_links import long_spine, with_fingers

CHOSEN = [0, 4, 7, 13]  # a few classes: simulation takes its time


def of_body(skeleton: Skeleton, frames: int = 15, height_m: float = 0.88) -> MotionBatch:
    """One motion of a body that stands and lifts its arms."""
    root = np.zeros((1, frames, 3))
    root[..., 1] = height_m
    turn = np.zeros((1, frames, skeleton.joint_count, 3))
    turn[0, :, skeleton.joint_names.index("left_shoulder"), 2] = np.linspace(0, 0.8, frames)
    turn[0, :, -1, 0] = np.linspace(0, 0.3, frames)
    return MotionBatch(skeleton, root, R.rotvec_to_unitquat(turn), 20.0)


def test_windows_inside_all_bounds_are_not_simulated(make: Make, reference: Reference) -> None:
    result = make("physics").correct(reference.real)
    left = np.array([o.status == "unchanged" for o in result.outcomes])
    assert left.mean() > 0.9, "a few of the very windows that bounds were learned from may be touched"
    assert same(result.samples.take(left), reference.real.take(left))
    assert moved_m(reference.real, result.samples).mean() < 1e-3
    assert not result.tracks["residual_force_bw"].any()


def test_broken_windows_are_simulated_with_bounded_help(make: Make, clean: MotionBatch) -> None:
    low = raised(clean.take(CHOSEN), -0.05)
    result = make("physics", simulate="moved", residual_force_bw=0.8).correct(low)
    force = result.tracks["residual_force_bw"]
    assert force.shape == (len(low), low.frames)
    assert 0 < force.mean() and force.max() <= 0.8 + 1e-9
    for i, outcome in enumerate(result.outcomes):
        assert outcome.status == "corrected"
        assert outcome.residual_force_bw == pytest.approx(force[i].mean())
        assert "simulated" in outcome.reason
        assert outcome.after["penetration_mm"] < outcome.before["penetration_mm"]
    assert moved_m(clean.take(CHOSEN), result.samples).mean() < 0.02


def test_only_what_the_kinematic_steps_cannot_repair_is_simulated(make: Make, clean: MotionBatch) -> None:
    low = raised(clean.take(CHOSEN), -0.05)
    simulated = make("physics").correct(low).tracks["residual_force_bw"].any(axis=1)
    assert simulated.mean() <= 0.25, "sunken windows come back without simulation"
    swaying = raised(clean.take(CHOSEN), 0.0)
    swaying.root_position_m[..., 0] += 0.3 * np.sin(np.arange(clean.frames) * 0.8)
    outcomes = make("physics").correct(swaying).outcomes
    assert any("simulated" in o.reason for o in outcomes)


def test_a_second_pass_moves_little(make: Make, clean: MotionBatch) -> None:
    corrector = make("physics", simulate="moved")
    high = raised(clean.take(CHOSEN), 0.05)
    once = corrector.correct(high).samples
    second = moved_m(once, corrector.correct(once).samples).mean()
    assert second < 0.01
    assert second < 0.25 * moved_m(high, once).mean()


def test_full_mode_returns_what_was_simulated(make: Make, clean: MotionBatch) -> None:
    chosen = clean.take([13])
    result = make("physics", mode="full").correct(chosen)
    assert result.outcomes[0].status == "corrected"
    assert 0.005 < result.outcomes[0].moved_m < 0.08
    assert result.outcomes[0].after["penetration_mm"] < 3


def test_results_are_the_same_twice_and_in_any_split(make: Make, clean: MotionBatch) -> None:
    broken = jittered(clean.take(CHOSEN[:3]))
    corrector = make("physics", simulate="moved")
    whole = corrector.correct(broken)
    again = corrector.correct(broken)
    parts = [corrector.correct(broken, rows=slice(k, k + 1), seed=k) for k in (2, 0, 1)]
    assert same(whole.samples, again.samples)
    assert same(whole.samples, parts[1].samples.concat([parts[2].samples, parts[0].samples]))
    assert whole.outcomes == (*parts[1].outcomes, *parts[2].outcomes, *parts[0].outcomes)


def test_without_help_a_flip_is_rejected_as_fallen(make: Make, dataset: Any, clean: MotionBatch) -> None:
    names = list(dataset.class_names)
    flip = clean.take([names.index("backflip")])
    result = make("physics", mode="full", residual_force_bw=0.0, residual_torque_nm=0.0).correct(flip)
    outcome = result.outcomes[0]
    assert outcome.status == "rejected"
    assert "fell" in outcome.reason and "frame" in outcome.reason
    assert same(result.samples, flip)


@pytest.mark.parametrize("skeleton", [with_fingers(3), with_fingers(12)])
def test_bodies_with_fingers_are_simulated_and_fingers_keep_their_pose(make: Make, skeleton: Skeleton) -> None:
    motion = of_body(skeleton)
    result = make("physics", mode="full").correct(motion)
    assert result.outcomes[0].status == "corrected", result.outcomes[0].reason
    assert result.outcomes[0].moved_m < 0.1
    assert np.allclose(result.samples.local_rotations_wxyz[0, :, -1], motion.local_rotations_wxyz[0, :, -1])


def test_bodies_beyond_the_engine_are_rejected_in_words(make: Make) -> None:
    motion = of_body(long_spine(40))
    result = make("physics", mode="full").correct(motion)
    assert result.outcomes[0].status == "rejected"
    assert "30" in result.outcomes[0].reason
    assert same(result.samples, motion)


def test_bodies_of_all_sizes_stand(make: Make) -> None:
    small = standing(1, 20)
    for factor in (0.5, 1.5):
        body = replace(small.skeleton, offsets_m=small.skeleton.offsets_m * factor, toe_tips_m=())
        motion = replace(small, skeleton=body, root_position_m=small.root_position_m * factor)
        outcome = make("physics", mode="full").correct(motion).outcomes[0]
        assert outcome.status != "rejected", outcome.reason
        assert outcome.moved_m < 0.06 * factor


def test_cancelling_goes_through_the_simulation(make: Make, clean: MotionBatch) -> None:
    def cancel(fraction: float, sentence: str) -> None:
        if "Simulating" in sentence:
            raise Cancelled(f"at {fraction}")

    corrector = make("physics", mode="full")
    with pytest.raises(Cancelled):
        corrector.correct(clean.take([0]), tick=cancel)
    assert corrector.correct(clean.take([0])).outcomes[0].status == "corrected"  # the world's lock is free again
