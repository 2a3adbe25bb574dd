import numpy as np

from core.motion import MotionBatch
from corrector.bounds import Bounds
from corrector.features import window_artefacts
from corrector.lock import lock, skate_of
from corrector.report import moved_m, precise
from tests.corrector.conftest import same, slid


def test_skate_is_the_artefact(clean: MotionBatch) -> None:
    assert np.allclose(skate_of(precise(clean)), window_artefacts(precise(clean))["skate_m_s"])


def test_feet_that_skate_like_real_ones_are_left_alone(clean: MotionBatch, bounds: Bounds) -> None:
    done, firmly = lock(precise(clean), bounds)
    assert (firmly > 0).sum() <= 2
    assert moved_m(clean, done).max() < 0.01
    free = firmly == 0
    assert same(done.take(free), precise(clean).take(free))


def test_feet_that_skate_more_are_held(clean: MotionBatch, bounds: Bounds) -> None:
    sliding = precise(slid(clean, 0.25))
    done, firmly = lock(sliding, bounds)
    held = firmly > 0
    assert held.sum() > 5
    assert (skate_of(done)[held] < skate_of(sliding)[held]).all()
    assert np.array_equal(done.root_position_m, sliding.root_position_m)


def test_how_firmly_does_not_depend_on_the_others(clean: MotionBatch, bounds: Bounds) -> None:
    sliding = precise(slid(clean, 0.25))
    whole = lock(sliding, bounds)[0]
    one = lock(sliding.take(slice(4, 5)), bounds)[0]
    assert np.allclose(one.local_rotations_wxyz, whole.local_rotations_wxyz[4:5], atol=1e-9)
