import numpy as np

from core.motion import MotionBatch, lateral_axis, mirrored
from core.protocols import Reference
from corrector.bounds import Bounds, builtin_bounds, learn_bounds
from corrector.features import noise_scales
from tests.core.bodies import small_body


def test_all_training_windows_and_their_mirror_images_are_inside(reference: Reference) -> None:
    real: MotionBatch = reference.real
    bounds = learn_bounds(real)
    for batch in (real, mirrored(real, lateral_axis(real.skeleton))):
        assert (noise_scales(batch) <= bounds.noise_limit[bounds.rows_of(batch.labels)]).all()


def test_bounds_survive_storage(reference: Reference) -> None:
    bounds = learn_bounds(reference.real)
    back = Bounds.from_item(bounds.as_item())
    assert np.array_equal(back.slide_radius_m_s, bounds.slide_radius_m_s)
    assert np.array_equal(back.classes, bounds.classes)


def test_unknown_labels_get_the_open_row(reference: Reference) -> None:
    bounds = learn_bounds(reference.real)
    rows = bounds.rows_of(np.array([-1, 0, 3, 999]))
    assert rows.tolist() == [len(bounds.classes), 0, 3, len(bounds.classes)]
    assert builtin_bounds(small_body(), 20.0).rows_of(np.array([0, -1])).tolist() == [0, 0]


def test_one_window_per_class_is_enough(reference: Reference) -> None:
    bounds = learn_bounds(reference.real.take(slice(0, 3)))
    assert np.isfinite(bounds.noise_limit).all()
    assert np.isfinite(bounds.floor_radius_m).all()
