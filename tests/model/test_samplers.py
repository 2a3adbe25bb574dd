"""Every solver samples what the ideal denoiser knows, and its noise belongs to a sample's place."""

from typing import get_args

import pytest
import torch
from torch import Tensor

from core.config import SamplingConfig
from model.diffusion import Denoise, cosine_schedule, ddim, timesteps
from model.samplers import SCHEDULERS, Solve, betas_of, distinct, even_in_log_snr, solver

SOLVERS = get_args(SamplingConfig.model_fields["solver"].annotation)
MEAN, STD = 2.0, 0.5


def solve(kind: str, steps: int, seed: int = 0, first: int = 0) -> Solve:
    return solver(SamplingConfig.model_validate({"solver": kind, "steps": steps}), seed, first)


def ideal(abar: Tensor, mean: float = MEAN, std: float = STD) -> Denoise:
    """Of data N(mean, std^2) the best prediction of x0 is linear in x."""

    def denoise(x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        a = abar[t].view(-1, 1)
        return mean + std**2 * a.sqrt() / (a * std**2 + 1 - a) * (x - a.sqrt() * mean)

    return denoise


def noise(count: int, width: int = 1) -> Tensor:
    return torch.randn((count, width), generator=torch.Generator().manual_seed(0))


def drawn(kind: str, steps: int, levels: int = 50, count: int = 2000, std: float = STD) -> Tensor:
    abar = cosine_schedule(levels)
    return solve(kind, steps)(ideal(abar, std=std), noise(count), torch.zeros(count).long(), abar, None)


def test_every_solver_but_our_own_has_its_scheduler() -> None:
    assert set(SOLVERS) == {"ddim", *SCHEDULERS}


@pytest.mark.parametrize("levels", [50, 1000])
@pytest.mark.parametrize("kind", SOLVERS)
def test_the_ideal_denoiser_of_a_gaussian_samples_that_gaussian(kind: str, levels: int) -> None:
    found = drawn(kind, 50, levels)
    assert found.mean().item() == pytest.approx(MEAN, abs=0.05)
    assert found.std().item() == pytest.approx(STD, rel=0.12)


@pytest.mark.parametrize("levels", [50, 1000])
def test_the_second_order_is_nearer_with_as_many_steps(levels: int) -> None:
    """DDIM is first order: with 10 steps its spread is further from the data's."""
    right = STD * noise(2000).std()
    of_first, of_second = (abs(drawn(kind, 10, levels).std() - right) for kind in ("ddim", "dpm-solver++"))
    assert of_second < 0.5 * of_first


@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("kind", SOLVERS)
def test_a_perfect_denoiser_of_one_point_gives_that_point_and_tells_each_step(kind: str, steps: int) -> None:
    point, told = torch.tensor([1.0, -2.0, 3.0]), list[int]()
    found = solve(kind, steps)(
        lambda x, t, y: point.expand(len(x), 3), torch.randn(4, 3), torch.zeros(4).long(), cosine_schedule(),
        lambda done, _: told.append(done),
    )  # fmt: skip
    torch.testing.assert_close(found, point.expand(4, 3))
    assert told == list(range(1, len(told) + 1)) and 1 <= len(told) <= steps


@pytest.mark.parametrize("kind", SOLVERS)
def test_noise_belongs_to_seed_and_place(kind: str) -> None:
    abar, start = cosine_schedule(), noise(6, 3)

    def rows(first: int, last: int, seed: int = 0) -> Tensor:
        return solve(kind, 12, seed, first)(
            ideal(abar), start[first:last], torch.zeros(last - first).long(), abar, None
        )

    whole = rows(0, 6)
    torch.testing.assert_close(rows(0, 2), whole[:2])
    torch.testing.assert_close(rows(4, 6), whole[4:])
    assert torch.equal(whole, rows(0, 6, seed=1)) == (kind != "ddpm")  # only ddpm adds noise on its way
    assert rows(0, 0).shape == (0, 3)


def test_ddim_is_what_it_was() -> None:
    abar, start, y = cosine_schedule(), noise(5, 2), torch.zeros(5).long()
    assert torch.equal(solve("ddim", 10)(ideal(abar), start, y, abar, None), ddim(ideal(abar), start, y, abar, 10))
    assert "solver" not in SamplingConfig().model_dump()  # configs from before keep their digest


@pytest.mark.parametrize("levels", [50, 1000])
def test_betas_give_the_schedule_back(levels: int) -> None:
    abar = cosine_schedule(levels)
    found = torch.cumprod(1 - torch.tensor(betas_of(abar), dtype=torch.float64), 0)
    torch.testing.assert_close(found.float(), abar)


@pytest.mark.parametrize("levels", [50, 1000])
@pytest.mark.parametrize("steps", [1, 2, 10, 2000])
def test_levels_even_in_log_snr_go_from_noise_to_zero(steps: int, levels: int) -> None:
    found = even_in_log_snr(steps, cosine_schedule(levels))
    assert found[0] == levels - 1 and (steps == 1 or found[-1] == 0)
    assert found == sorted(set(found), reverse=True) and len(found) <= steps


def test_levels_that_are_alike_are_taken_once() -> None:
    abar = cosine_schedule(1000)
    levels = distinct(timesteps(1000, 1000), abar)
    assert levels[0] == 999 and len(levels) < 1000
    assert (abar[levels].diff() > 0).all()
    assert distinct(timesteps(10), cosine_schedule()) == timesteps(10)
