from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.errors import Cancelled
from core.motion import MotionBatch, lateral_axis, mirrored
from core.protocols import Reference
from corrector.report import moved_m
from tests.core.bodies import standing
from tests.corrector.conftest import CountingMemo, Make, jittered, raised, same, slid


def test_real_training_windows_are_left_alone(make: Make, reference: Reference) -> None:
    result = make("kinematic").correct(reference.real)
    left = np.array([o.status == "unchanged" for o in result.outcomes])
    assert left.mean() > 0.9
    assert same(result.samples.take(left), reference.real.take(left))
    assert moved_m(reference.real, result.samples).mean() < 0.001


def test_held_out_windows_hardly_move(make: Make, dataset: Any) -> None:
    windows = dataset.held_out(90)
    moved = moved_m(windows, make("kinematic").correct(windows).samples)
    assert moved.mean() < 0.004
    assert np.median(moved) == 0


@pytest.mark.parametrize("height", [-0.05, 0.05])
def test_wrong_heights_come_back(make: Make, dataset: Any, height: float) -> None:
    windows = dataset.held_out(60)
    result = make("kinematic").correct(raised(windows, height))
    assert moved_m(windows, result.samples).mean() < 0.012


def test_jitter_is_smoothed_towards_the_clean_motion(make: Make, clean: MotionBatch) -> None:
    noisy = jittered(clean)
    result = make("kinematic").correct(noisy)
    assert moved_m(clean, result.samples).mean() < 0.55 * moved_m(clean, noisy).mean()
    for outcome in result.outcomes:
        assert outcome.status == "corrected"
        assert outcome.after["jerk_m_s3"] < 0.3 * outcome.before["jerk_m_s3"]


def test_slides_are_reduced(make: Make, clean: MotionBatch) -> None:
    moving = slid(clean, 0.3)
    result = make("kinematic").correct(moving)
    assert moved_m(clean, result.samples).mean() < 0.4 * moved_m(clean, moving).mean()


def test_mirror_images_are_corrected_alike(make: Make, clean: MotionBatch) -> None:
    broken, axis = raised(slid(clean, 0.3), -0.05), lateral_axis(clean.skeleton)
    one = mirrored(make("kinematic").correct(broken).samples, axis)
    two = make("kinematic").correct(mirrored(broken, axis)).samples
    assert np.median(moved_m(one, two)) < 0.002


def test_other_lengths_are_corrected_without_a_prior(make: Make, clean: MotionBatch) -> None:
    root, rotations = clean.root_position_m[:, :30], clean.local_rotations_wxyz[:, :30]
    shorter = replace(clean, root_position_m=root, local_rotations_wxyz=rotations)
    low = raised(shorter, -0.1)
    assert moved_m(shorter, make("kinematic").correct(low).samples).mean() < 0.03


def test_a_second_pass_moves_little(make: Make, clean: MotionBatch) -> None:
    corrector = make("kinematic")
    for broken in (jittered(clean), raised(clean, -0.05), slid(clean, 0.3)):
        once = corrector.correct(broken).samples
        twice = corrector.correct(once).samples
        assert moved_m(once, twice).mean() < 0.005


def test_switched_off_steps_do_nothing(make: Make, clean: MotionBatch) -> None:
    broken = jittered(raised(slid(clean, 0.3), 0.2))
    result = make("kinematic", denoise=False, floor=False, anchor=False, lock=False).correct(broken)
    assert same(result.samples, broken)


def test_bounds_are_learned_once_and_kept(reference: Reference, make: Make, clean: MotionBatch) -> None:
    memo = reference.memo
    assert isinstance(memo, CountingMemo)
    for _ in range(2):
        make("kinematic").correct(clean)
        make("physics").correct(clean.take([0]))
    assert sum(key.startswith("bounds-") for key in memo.computed) == 1


@pytest.mark.parametrize("learned", [True, False])
def test_results_do_not_depend_on_the_batch(make: Make, clean: MotionBatch, learned: bool) -> None:
    broken = jittered(raised(slid(clean, 0.3), -0.04))
    corrector = make("kinematic", learned=learned)
    whole = corrector.correct(broken)
    parts = [corrector.correct(broken, rows=slice(k, k + 4)) for k in range(0, len(broken), 4)]
    assert same(whole.samples, parts[0].samples.concat([p.samples for p in parts[1:]]))
    assert whole.outcomes == tuple(o for p in parts for o in p.outcomes)


@pytest.mark.parametrize("fps", [20.0, 30.0, 120.0])
def test_unseen_bodies_get_built_in_bounds(make: Make, fps: float) -> None:
    still = standing(2, 60, fps)
    result = make("kinematic").correct(still)
    assert {o.status for o in result.outcomes} == {"unchanged"}
    sunk = make("kinematic").correct(raised(still, -0.2))
    assert np.abs(sunk.samples.root_position_m[..., 1] - still.root_position_m[..., 1]).max() < 0.06


def test_two_frames_are_enough(make: Make) -> None:
    assert [o.status for o in make("kinematic").correct(standing(2, 2)).outcomes] == ["unchanged"] * 2


def test_cancelling_goes_through(make: Make, clean: MotionBatch) -> None:
    def cancel(fraction: float, sentence: str) -> None:
        raise Cancelled(f"{sentence} at {fraction}")

    with pytest.raises(Cancelled):
        make("kinematic").correct(clean, tick=cancel)
