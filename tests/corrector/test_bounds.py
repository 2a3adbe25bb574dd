import numpy as np

from core.motion import MotionBatch, lateral_axis, mirrored
from core.protocols import Reference
from core.records import Item
from corrector.bounds import Bounds, builtin_bounds, learn_bounds
from corrector.features import noise_scales
from corrector.offsets import offsets_of
from tests.core.bodies import small_body


def test_all_training_windows_and_their_mirror_images_are_inside(reference: Reference, bounds: Bounds) -> None:
    real: MotionBatch = reference.real
    for batch in (real, mirrored(real, lateral_axis(real.skeleton))):
        rows = bounds.rows_of(batch.labels)
        assert (noise_scales(batch) <= bounds.noise_limit[rows]).all()
        offsets = offsets_of(batch, bounds.prior, rows)
        shift = bounds.height.excess(offsets.floor_m, offsets.pose_height_m, rows)[1]
        slide = bounds.slide.excess(offsets.slide.velocity_m_s, offsets.pose_slide_m_s, rows)[1]
        assert (shift > 0).mean() < 0.02
        assert (slide > 0).mean() < 0.02


def test_bounds_survive_storage(bounds: Bounds) -> None:
    item = bounds.as_item()
    back = Bounds.from_item(Item({name: array.copy() for name, array in item.arrays.items()}))
    for name, array in back.as_item().arrays.items():
        assert np.array_equal(array, item.arrays[name])


def test_unknown_labels_get_the_open_row(bounds: Bounds) -> None:
    rows = bounds.rows_of(np.array([-1, 0, 3, 999]))
    assert rows.tolist() == [len(bounds.classes), 0, 3, len(bounds.classes)]
    assert builtin_bounds(small_body(), 20.0).rows_of(np.array([0, -1])).tolist() == [0, 0]


def test_one_window_per_class_is_enough(reference: Reference) -> None:
    bounds = learn_bounds(reference.real.take(slice(0, 3)))
    assert np.isfinite(bounds.noise_limit).all()
    assert (bounds.height.radius > 0).all()
    for array in bounds.as_item().arrays.values():
        assert not np.isnan(array).any()


def test_learning_twice_gives_the_same(reference: Reference) -> None:
    few = reference.real.take(slice(0, 60))
    one, two = (learn_bounds(few).as_item().arrays for _ in range(2))
    assert all(np.array_equal(one[name], two[name]) for name in one)
