from typing import Any

import numpy as np
import pytest

from core.motion import MotionBatch
from corrector.contacts import soles_of, stance_of
from corrector.drift import drift_of
from corrector.features import surface_of
from tests.core.bodies import standing
from tests.corrector.conftest import slid


def drift(batch: MotionBatch) -> Any:
    return drift_of(soles_of(batch, surface_of(batch)), stance_of(batch), batch.fps, 1.0)


@pytest.mark.parametrize("speed", [0.25, 0.5])
def test_a_figure_that_is_slid_drifts_at_that_speed(speed: float) -> None:
    found = drift(slid(standing(2, 60), speed))
    assert found.shape == (2, 59, 2)
    np.testing.assert_allclose(found, np.broadcast_to([0.0, speed], found.shape), atol=0.02)


def test_slow_sliding_is_real() -> None:
    assert np.abs(drift(slid(standing(2, 60), 0.05))).max() == 0.0


def test_real_motion_hardly_drifts_and_slid_motion_does(dataset: Any) -> None:
    windows = dataset.held_out(45)
    real, broken = (np.linalg.norm(drift(b).mean(1), axis=-1) for b in (windows, slid(windows, 0.3)))
    assert real.mean() < 0.02
    assert broken.mean() > 0.1


def test_drift_may_change_on_the_way() -> None:
    batch = standing(1, 400)
    way = np.cumsum(np.where(np.arange(400) < 200, 0.0, 0.4)) / batch.fps
    root = batch.root_position_m.copy()
    root[0, :, 0] += way
    found = drift(MotionBatch(batch.skeleton, root, batch.local_rotations_wxyz, batch.fps))
    assert np.abs(found[0, :100]).max() < 0.01
    np.testing.assert_allclose(found[0, 300:, 0], 0.4, atol=0.02)


def test_nobody_stands_nothing_drifts() -> None:
    batch = slid(standing(2, 30), 0.3)
    soles = soles_of(batch, surface_of(batch))
    assert np.abs(drift_of(soles, np.zeros((2, 30, 2), dtype=np.bool_), batch.fps, 1.0)).max() == 0.0
