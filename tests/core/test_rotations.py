"""Laws of the rotation group, and one test that fixes the conventions."""

import numpy as np
import pytest

from core import rotations as R


@pytest.fixture
def quats() -> R.Array:
    rng = np.random.default_rng(0)
    return R.normalize(rng.normal(size=(7, 5, 4)))


def same_rotation(a: R.Array, b: R.Array) -> bool:
    return bool(np.allclose(np.abs((a * b).sum(-1)), 1.0, atol=1e-9))


def test_conventions() -> None:
    quarter = R.rotvec_to_unitquat(np.array([0.0, np.pi / 2, 0.0]))  # +90 degrees about y takes z to x
    assert np.allclose(R.rotate(quarter, np.array([0.0, 0.0, 1.0])), [1.0, 0.0, 0.0])
    assert np.allclose(R.yaw_to_unitquat(np.array(np.pi / 2)), quarter)
    about_x = R.rotvec_to_unitquat(np.array([np.pi / 2, 0.0, 0.0]))
    first_x_then_y = R.multiply(quarter, about_x)
    assert np.allclose(R.rotate(first_x_then_y, np.array([0.0, 1.0, 0.0])), [1.0, 0.0, 0.0])


def test_rotation_agrees_with_matrix(quats: R.Array) -> None:
    vector = np.random.default_rng(1).normal(size=(7, 5, 3))
    by_matrix = np.einsum("...ij,...j->...i", R.unitquat_to_rotmat(quats), vector)
    assert np.allclose(R.rotate(quats, vector), by_matrix)


def test_multiplication_is_composition(quats: R.Array) -> None:
    other = quats[::-1]
    product = R.unitquat_to_rotmat(quats) @ R.unitquat_to_rotmat(other)
    assert np.allclose(R.unitquat_to_rotmat(R.multiply(quats, other)), product)


def test_conjugate_is_inverse(quats: R.Array) -> None:
    assert same_rotation(R.multiply(quats, R.conjugate(quats)), np.broadcast_to(R.IDENTITY_WXYZ, quats.shape))


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (R.unitquat_to_rotmat, R.rotmat_to_unitquat),
        (R.unitquat_to_rotvec, R.rotvec_to_unitquat),
        (R.unitquat_to_sixd, R.sixd_to_unitquat),
    ],
)
def test_round_trips(quats: R.Array, there, back) -> None:  # type: ignore[no-untyped-def]
    assert same_rotation(back(there(quats)), quats)


def test_half_turns_survive_the_matrix() -> None:
    half_turns = np.eye(4)[1:]
    assert same_rotation(R.rotmat_to_unitquat(R.unitquat_to_rotmat(half_turns)), half_turns)


def test_zero_quaternion_is_the_identity() -> None:
    assert np.array_equal(R.normalize(np.zeros((2, 4))), np.tile(R.IDENTITY_WXYZ, (2, 1)))


def test_slerp_meets_its_ends_and_goes_the_short_way(quats: R.Array) -> None:
    other = -np.roll(quats, 1, axis=0)
    assert same_rotation(R.slerp(quats, other, np.zeros((7, 5))), quats)
    assert same_rotation(R.slerp(quats, other, np.ones((7, 5))), other)
    half = R.slerp(quats, other, np.full((7, 5), 0.5))
    assert np.allclose(R.geodesic_angle(quats, half), R.geodesic_angle(quats, other) / 2)


def test_resample_keeps_the_given_frames() -> None:
    track = R.make_continuous(R.normalize(np.random.default_rng(2).normal(size=(6, 3, 4))))
    times = np.arange(6) / 20.0
    assert same_rotation(R.resample(track, times, times), track)
    assert (((track[1:] * track[:-1]).sum(-1)) >= 0).all()
