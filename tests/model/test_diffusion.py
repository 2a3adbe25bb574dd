"""Laws of noising and of the sampler, on tensors that need no network."""

import numpy as np
import pytest
import torch
from torch import Tensor

from model.diffusion import STEPS, add_noise, cosine_schedule, ddim, guided, timesteps


def test_the_schedule_falls_from_almost_one_to_almost_zero() -> None:
    abar = cosine_schedule()
    assert abar.shape == (STEPS,)
    assert (abar.diff() < 0).all()
    assert 0.99 < abar[0] < 1 and 0 < abar[-1] < 0.01


def test_noising_keeps_unit_variance() -> None:
    source = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(20_000, 3, generator=source), torch.randn(20_000, 3, generator=source)
    for level in (0, 25, 49):
        noisy = add_noise(x0, eps, torch.full((20_000,), level), cosine_schedule())
        assert noisy.std().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("steps", [1, 2, 10, 50, 900])
def test_timesteps_go_from_noise_to_zero_without_repeating(steps: int) -> None:
    levels = timesteps(steps)
    assert levels[0] == STEPS - 1 and (steps == 1 or levels[-1] == 0)
    assert len(set(levels)) == len(levels) == min(steps, STEPS)
    assert levels == sorted(levels, reverse=True)


@pytest.mark.parametrize("steps", [1, 5, 50])
def test_a_perfect_denoiser_of_one_point_gives_that_point(steps: int) -> None:
    point = torch.tensor([1.0, -2.0, 3.0])
    found = ddim(
        lambda x, t, y: point.expand(len(x), 3), torch.randn(4, 3), torch.zeros(4).long(), cosine_schedule(), steps
    )
    torch.testing.assert_close(found, point.expand(4, 3))


def test_the_ideal_denoiser_of_a_gaussian_samples_that_gaussian() -> None:
    """For data N(mean, s^2) the best x0 prediction is linear, and DDIM must map unit noise to std s."""
    mean, std = 2.0, 0.5
    abar = cosine_schedule()

    def ideal(x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        del y
        a = abar[t].view(-1, 1)
        gain = std**2 * a.sqrt() / (a * std**2 + 1 - a)
        return mean + gain * (x - a.sqrt() * mean)

    noise = torch.randn(20_000, 1, generator=torch.Generator().manual_seed(0))
    found = ddim(ideal, noise, torch.zeros(20_000).long(), abar, 50)
    assert found.mean().item() == pytest.approx(mean, abs=0.02)
    assert found.std().item() == pytest.approx(std, abs=0.03)


def test_each_step_is_told() -> None:
    told: list[int] = []
    ddim(lambda x, t, y: x, torch.randn(2, 3), torch.zeros(2).long(), cosine_schedule(), 7, lambda i, _: told.append(i))
    assert told == list(range(1, 8))


def test_guidance_moves_away_from_the_unconditional() -> None:
    def denoise(x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        del t
        return x * 0 + torch.where(y == 9, 1.0, 3.0)[:, None]  # class 9 means none

    x, t, y = torch.randn(4, 2), torch.zeros(4).long(), torch.zeros(4).long()
    assert guided(denoise, 1.0, 9) is denoise
    for scale, expected in ((0.0, 1.0), (1.0, 3.0), (2.5, 6.0)):
        np.testing.assert_allclose(guided(denoise, scale, 9)(x, t, y), expected, rtol=1e-6)
