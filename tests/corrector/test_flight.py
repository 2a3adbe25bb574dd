import numpy as np

from core.body import body_of
from corrector.flight import GRAVITY_M_S2, calmed, center_of_mass, flight_of
from corrector.masses import joint_masses_kg
from tests.core.bodies import STANDING_HEIGHT_M, random_motion, standing

FPS = 30.0


def thrown(frames: int = 40, take_off: int = 12, landing: int = 27) -> tuple[np.ndarray, np.ndarray]:
    """A path (1, T, 3) that rises straight and falls straight, too slowly, and when it is in the air."""
    flying = np.zeros((1, frames), dtype=np.bool_)
    flying[0, take_off:landing] = True
    center = np.zeros((1, frames, 3))
    center[..., 1] = 1.0
    seconds = (np.arange(frames) - take_off + 1) / FPS
    duration = (landing - take_off + 1) / FPS
    rise = 0.5 * 9.81 * seconds * (duration - seconds)
    center[0, :, 1] += np.where(flying[0], 0.7 * rise, 0.0)
    center[0, :, 0] = 1.5 * np.arange(frames) / FPS
    return center, flying


def test_the_center_of_mass_goes_where_the_body_goes() -> None:
    batch = random_motion()
    center = center_of_mass(batch, *batch.world())
    assert center.shape == (4, 12, 3)
    positions, rotations = batch.world()
    moved = center_of_mass(batch, positions + np.array([1.0, 2.0, 3.0]), rotations)
    np.testing.assert_allclose(moved, center + np.array([1.0, 2.0, 3.0]))
    assert joint_masses_kg(body_of(batch.skeleton)).sum() > 1.0


def test_it_is_in_the_middle_of_who_stands() -> None:
    batch = standing()
    center = center_of_mass(batch, *batch.world())
    np.testing.assert_allclose(center[..., 2], 0.0, atol=1e-9)
    assert 0.9 * STANDING_HEIGHT_M < center[..., 1].mean() < 1.3 * STANDING_HEIGHT_M


def test_flight_needs_both_feet_and_the_body_in_the_air() -> None:
    stance = np.array([[[False, False], [True, False], [False, False]]])
    assert flight_of(stance, np.array([[0.2, 0.2, 0.0]]), 1.0).tolist() == [[True, False, False]]


def test_flight_becomes_free_fall() -> None:
    center, flying = thrown()
    after = center + calmed(center, flying, FPS, calm=False)
    inside = np.diff(after, n=2, axis=1)[0, 13:24] * FPS**2
    np.testing.assert_allclose(inside, np.broadcast_to(GRAVITY_M_S2, inside.shape), atol=0.7)
    assert np.abs(after - center)[~flying].max() < 0.04


def test_free_fall_stays_as_it_is() -> None:
    frames = 30
    seconds = np.arange(frames) / FPS
    center = (
        np.zeros((1, frames, 3))
        + GRAVITY_M_S2 / 2 * seconds[:, None] ** 2
        + np.array([1.0, 4.0, 0.0]) * seconds[:, None]
    )
    flying = np.ones((1, frames), dtype=np.bool_)
    assert np.abs(calmed(center, flying, FPS)).max() < 1e-6


def test_what_hangs_in_the_air_is_no_flight() -> None:
    center = np.zeros((1, 30, 3))
    center[..., 1] = 1.5
    flying = np.ones((1, 30), dtype=np.bool_)
    assert np.abs(calmed(center, flying, FPS)).max() < 1e-6


def test_noise_leaves_the_path_and_speed_stays() -> None:
    rng = np.random.default_rng(0)
    frames = 60
    smooth = np.stack([1.2 * np.arange(frames) / FPS, 1.0 + 0.02 * np.sin(np.arange(frames) / 4), np.zeros(frames)], -1)
    noisy = (smooth + rng.normal(scale=0.002, size=smooth.shape))[None]
    flying = np.zeros((1, frames), dtype=np.bool_)
    after = noisy + calmed(noisy, flying, FPS)
    jerk = [np.linalg.norm(np.diff(p, n=3, axis=1), axis=-1).mean() for p in (noisy, after)]
    assert jerk[1] < 0.3 * jerk[0]
    assert np.abs(after - smooth).mean() < np.abs(noisy - smooth).mean()
    assert np.abs(calmed(noisy, flying, FPS, calm=False)).max() == 0.0


def test_a_flight_that_would_have_to_move_far_is_left_as_it_is() -> None:
    seconds = np.arange(45) / FPS
    center = np.zeros((1, 45, 3))
    center[0, :, 1] = 3.0 - 0.7 * 9.81 / 2 * seconds**2  # 1.5 s in the air, 30 % too slowly: over a metre apart
    flying = np.zeros((1, 45), dtype=np.bool_)
    flying[0, 2:-2] = True
    assert np.abs(calmed(center, flying, FPS, calm=False)).max() < 1e-6
