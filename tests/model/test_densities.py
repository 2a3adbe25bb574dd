"""Densities in the plane."""

import numpy as np
import pytest

from model.analytic.sliced import SlicedW2, covered, directions
from model.domains.densities import SHAPES, Density, draw, table_of

every_shape = pytest.mark.parametrize("shape", SHAPES)


@every_shape
def test_points_come_from_the_density(shape: str) -> None:
    density = Density(shape, 0.15)
    points, modes = draw(shape, 3, (2, 20_000), 0.15)
    assert points.shape == (2, 20_000, 2) and modes.shape == (2, 20_000)
    np.testing.assert_allclose(np.bincount(modes[0]) / 20_000, 1 / SHAPES[shape].modes, atol=0.015)
    x, y, added = density.on_grid(0.05)
    assert added.sum() * 0.05**2 == pytest.approx(1.0, abs=1e-3)
    mean = np.einsum("mxy,x->", added, x) * 0.05**2, np.einsum("mxy,y->", added, y) * 0.05**2
    np.testing.assert_allclose(points.reshape(-1, 2).mean(0), mean, atol=0.03)
    second = np.einsum("mxy,x->", added, x**2) * 0.05**2, np.einsum("mxy,y->", added, y**2) * 0.05**2
    np.testing.assert_allclose((points.reshape(-1, 2) ** 2).mean(0), second, rtol=0.03)
    at_nodes = density.log_density(np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1))
    np.testing.assert_allclose(np.exp(at_nodes), added.sum(0), rtol=1e-6, atol=1e-9)


@every_shape
def test_seeds_draw_side_by_side_what_each_draws_alone(shape: str) -> None:
    both = draw(shape, ((1, 2), (2, 1)), (3, 50), 0.1)
    one, two = draw(shape, 1, (2, 50), 0.1), draw(shape, 2, (1, 50), 0.1)
    for together, first, second in zip(both, one, two, strict=True):
        np.testing.assert_array_equal(together, np.concatenate([first, second]))


@every_shape
def test_the_table_says_what_the_density_says(shape: str) -> None:
    density = Density(shape, 0.1)
    points, modes = draw(shape, 5, (1, 3000), 0.1)
    score, mode = table_of(density).look_up(points)
    np.testing.assert_allclose(score, -density.log_density(points), atol=0.05)
    assert np.abs(score + density.log_density(points)).mean() < 0.012
    assert (mode == modes).mean() > 0.85  # neighbouring pieces of a curve overlap
    far = table_of(density).look_up(np.array([[[50.0, 0.0], [np.nan, 0.0]]]))[0]
    assert np.isinf(far).all()


def test_sliced_distances_of_shifted_and_scaled_clouds() -> None:
    reference = np.random.default_rng(0).normal(size=(40_000, 2))
    distance = SlicedW2(reference)
    cloud = np.random.default_rng(1).normal(size=(1, 4000, 2))
    values = np.concatenate([cloud, cloud + [2.0, 0.0], cloud * 3.0])
    np.testing.assert_allclose(distance(values), [0.0, 2**0.5, 2.0], atol=0.06)
    assert distance(reference[None])[0] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("d", [1, 2, 7])
def test_directions_have_length_one(d: int) -> None:
    np.testing.assert_allclose(np.linalg.norm(directions(d), axis=1), 1.0)


def test_a_mode_counts_from_a_tenth_of_its_share_on() -> None:
    mode = np.repeat([[0, 1]], 100, axis=1)[:, :200]
    inside = np.ones((1, 200), bool)
    assert covered(mode, inside, 2).tolist() == [1.0]
    inside[0, np.flatnonzero(mode[0] == 1)[9:]] = False  # 9 of the 100 that would be fair
    assert covered(mode, inside, 2).tolist() == [0.5]
    assert covered(mode, np.zeros_like(inside), 2).tolist() == [0.0]
