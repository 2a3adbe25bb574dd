import numpy as np
import pytest

from core.motion import MotionBatch
from corrector.features import surface_of, turned, window_yaw
from corrector.slide import slide_of
from tests.core.bodies import standing
from tests.corrector.conftest import slid


@pytest.mark.parametrize("speed", [0.0, 0.4])
def test_the_slide_of_a_standing_body_is_its_slide(speed: float) -> None:
    batch = slid(standing(2, 30), speed)
    slide = slide_of(batch, surface_of(batch))
    assert np.allclose(np.linalg.norm(slide.velocity_m_s, axis=1), speed, atol=1e-9)
    assert np.allclose(slide.error_m_s, 0, atol=1e-9)
    assert np.allclose(slide.certainty, 1)


def test_a_slide_adds_itself_to_what_was_there(clean: MotionBatch) -> None:
    sliding = slid(clean, 0.3)
    before, after = (slide_of(b, surface_of(b)).velocity_m_s for b in (clean, sliding))
    added = turned(np.tile([0.0, 0.3], (len(clean), 1)), -window_yaw(clean))
    stands = np.isfinite(before[:, 0])
    assert stands.sum() > 10
    assert np.allclose((after - before)[stands], added[stands], atol=1e-5)


def test_a_body_in_the_air_does_not_slide() -> None:
    batch = standing(1, 30)
    batch.root_position_m[..., 1] += 1.0
    slide = slide_of(batch, surface_of(batch))
    assert np.isnan(slide.velocity_m_s).all()
    assert (slide.certainty == 0).all()


def test_long_motions_are_thinned_not_refused() -> None:
    batch = slid(standing(1, 3000), 0.2)
    assert np.allclose(np.linalg.norm(slide_of(batch, surface_of(batch)).velocity_m_s), 0.2)
