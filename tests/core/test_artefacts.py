from dataclasses import replace

import numpy as np
import pytest

from core.artefacts import measure, tracks_of
from core.motion import MotionBatch
from tests.core.bodies import standing


def shifted(batch: MotionBatch, offset: np.ndarray) -> MotionBatch:
    return replace(batch, root_position_m=batch.root_position_m + offset)


def test_standing_still_has_no_artefact() -> None:
    found = measure(standing())
    assert found.penetration_mm == pytest.approx(0.0, abs=1e-6)
    assert found.float_mm == 0.0
    assert found.skate_m_s == pytest.approx(0.0, abs=1e-9)
    assert found.jerk_m_s3 == pytest.approx(0.0, abs=1e-6)


def test_sinking_is_penetration_by_its_depth() -> None:
    found = measure(shifted(standing(), np.array([0.0, -0.04, 0.0])))
    assert found.penetration_mm == pytest.approx(40.0)
    assert found.float_mm == 0.0


def test_hovering_is_float_beyond_the_tolerance_and_no_contact() -> None:
    hovering = shifted(standing(), np.array([0.0, 0.1, 0.0]))
    found = measure(hovering)
    assert found.float_mm == pytest.approx(70.0)
    assert not tracks_of(hovering).contact.any()
    assert found.skate_m_s == 0.0


def test_sliding_on_the_floor_is_skate_at_its_speed() -> None:
    batch = standing(frames=30)
    slide = np.arange(30)[:, None] / batch.fps * np.array([0.3, 0.0, 0.4])
    found = measure(shifted(batch, slide))
    assert found.skate_m_s == pytest.approx(0.5)
    assert found.penetration_mm == pytest.approx(0.0, abs=1e-6)


def test_jerk_is_the_third_difference() -> None:
    batch = standing(frames=30)
    cubic = (np.arange(30)[:, None] / batch.fps) ** 3 * np.array([0.0, 2.0, 0.0])
    assert measure(shifted(batch, cubic)).jerk_m_s3 == pytest.approx(12.0)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_very_short_motions_are_measured(frames: int) -> None:
    found = tracks_of(standing(frames=frames))
    assert found.skate_m_s.shape == (3, frames, 2)
    assert found.jerk_m_s3.shape == (3, frames)


def test_a_batch_is_the_mean_of_its_motions() -> None:
    batch = standing(2)
    sunk = shifted(batch, np.array([[[0.0, 0.0, 0.0]], [[0.0, -0.02, 0.0]]]))
    assert measure(sunk).penetration_mm == pytest.approx((measure(sunk[0]).penetration_mm + 20.0) / 2)
