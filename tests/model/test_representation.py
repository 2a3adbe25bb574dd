"""Motion -> numbers -> motion."""

import numpy as np
import pytest

from core import rotations as R
from core.errors import InvalidMotion
from core.motion import MotionBatch, joint_distances
from model.datasets.base import Dataset
from model.representation import Representation, _sixd_to_unitquat


def error_m(a: MotionBatch, b: MotionBatch) -> float:
    return float(np.linalg.norm(a.world()[0] - b.world()[0], axis=-1).mean())


def round_trip(representation: Representation, batch: MotionBatch) -> MotionBatch:
    return representation.decode(representation.encode(batch), batch.skeleton, batch.fps, batch.labels)


@pytest.mark.parametrize("name", ["deepmimic", "cmu"])
def test_frames_round_trip(name: str, request: pytest.FixtureRequest) -> None:
    dataset: Dataset = request.getfixturevalue(name)
    representation = Representation.fit(dataset.train(128))
    seen, unseen = dataset.train(32), dataset.held_out(32)
    assert error_m(round_trip(representation, seen), seen) < 1e-4
    moving_as_well = error_m(round_trip(representation, unseen), unseen)
    assert moving_as_well < 1e-3
    assert representation.encode(seen).dtype == np.float32
    assert round_trip(representation, seen).local_rotations_wxyz.dtype == np.float32


def test_latent_round_trip_is_exact_on_few_windows_and_better_with_more_components(deepmimic: Dataset) -> None:
    batch = deepmimic.train(96)
    errors = [error_m(round_trip(Representation.fit(batch, d), batch), batch) for d in (16, 48, 500)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-4
    assert Representation.fit(batch, 500).shape == (95,)  # one less than there are windows


def test_still_joints_are_left_out_and_come_back(deepmimic: Dataset) -> None:
    batch = deepmimic.train(64)
    representation = Representation.fit(batch)
    names = [batch.skeleton.joint_names[j] for j in representation.joints]
    assert len(names) == 12 and not any("wrist" in name for name in names)
    np.testing.assert_allclose(round_trip(representation, batch).local_rotations_wxyz[:, :, 8, 0], 1, atol=1e-6)


def test_heading_and_place_do_not_matter(deepmimic: Dataset) -> None:
    batch = deepmimic.train(30)
    turn = R.yaw_to_unitquat(np.array(1.2))
    rotations = batch.local_rotations_wxyz.copy()
    rotations[:, :, 0] = R.multiply(np.broadcast_to(turn, rotations[:, :, 0].shape), rotations[:, :, 0])
    root = R.rotate(turn, batch.root_position_m) + np.array([3.0, 0, -2.0])
    moved = MotionBatch(batch.skeleton, root, rotations, batch.fps, batch.labels)
    representation = Representation.fit(batch, 20)
    np.testing.assert_allclose(representation.encode(moved), representation.encode(batch), atol=1e-3)


def test_any_numbers_decode_to_valid_rotations(deepmimic: Dataset) -> None:
    batch = deepmimic.train(20)
    representation = Representation.fit(batch)
    noise = np.random.default_rng(0).normal(0, 5, (20, *representation.shape)).astype(np.float32)
    for values in (noise, np.zeros_like(noise)):
        decoded = representation.decode(values, batch.skeleton, batch.fps, batch.labels)
        np.testing.assert_allclose(np.linalg.norm(decoded.local_rotations_wxyz, axis=-1), 1, atol=1e-5)
        assert np.isfinite(decoded.root_position_m).all()


def test_sixd_agrees_with_the_general_conversion() -> None:
    sixd = np.random.default_rng(1).normal(size=(2000, 6)).astype(np.float32)
    fast, general = _sixd_to_unitquat(sixd), R.sixd_to_unitquat(sixd.astype(np.float64))
    np.testing.assert_allclose(np.abs((fast * general).sum(-1)), 1, atol=1e-5)
    degenerate = _sixd_to_unitquat(np.zeros((3, 6), np.float32))
    np.testing.assert_allclose(np.linalg.norm(degenerate, axis=-1), 1, atol=1e-6)


def test_arrays_bring_it_back(deepmimic: Dataset) -> None:
    batch = deepmimic.train(40)
    for components in (0, 16):
        fitted = Representation.fit(batch, components)
        again = Representation.from_arrays(fitted.arrays())
        assert again.shape == fitted.shape
        np.testing.assert_array_equal(again.encode(batch), fitted.encode(batch))


def test_one_window_is_too_few(deepmimic: Dataset) -> None:
    with pytest.raises(InvalidMotion, match="at least two"):
        Representation.fit(deepmimic.train(1))


def test_closest_in_latent_is_closest_in_joints(deepmimic: Dataset) -> None:
    """The latent keeps neighbourhoods: the nearest real window by joints is among the nearest by numbers."""
    batch, others = deepmimic.held_out(15), deepmimic.train(150)
    representation = Representation.fit(others, 64)
    gaps = np.linalg.norm(representation.encode(batch)[:, None] - representation.encode(others)[None], axis=-1)
    near = joint_distances(batch, others).argmin(1)
    rank = (gaps < gaps[np.arange(15), near][:, None]).sum(1)
    assert np.median(rank) < 5
