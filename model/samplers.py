"""Ways from noise to a sample, all on the same schedule and the same x0 predictions.

``ddim`` is :func:`model.diffusion.ddim`. The others are schedulers of diffusers, whose import takes seconds and about
150 MB, so it waits until one of them is asked for: ``ddpm`` draws from q(x_s | x_t, x_0) at each step (Ho et al. 2020,
eq. 7), ``dpm-solver++`` is the deterministic multistep solver of second order (Lu et al. 2022, algorithm 2).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from core.config import SamplingConfig
from core.seeds import seed_for
from model.diffusion import Denoise, OnStep, ddim, timesteps

Solve = Callable[[Denoise, Tensor, Tensor, Tensor, OnStep | None], Tensor]
"""``(denoise, noise (N, ...), y (N,), abar (levels,), on_step) -> samples (N, ...)``."""


def solver(sampling: SamplingConfig, seed: int, first: int = 0) -> Solve:
    """The configured solver of samples ``first``, ``first + 1``...

    Whatever noise a solver adds on its way depends, as the start does, on the seed and on a sample's place only.
    """

    def solve(denoise: Denoise, noise: Tensor, y: Tensor, abar: Tensor, on_step: OnStep | None = None) -> Tensor:
        if sampling.solver == "ddim":
            return ddim(denoise, noise, y, abar, sampling.steps, on_step)
        scheduler, spread = SCHEDULERS[sampling.solver]
        levels = distinct(spread(sampling.steps, abar), abar)
        sources = [torch.Generator().manual_seed(seed_for(seed, 0, "solver", first + i)) for i in range(len(noise))]
        return scheduled(scheduler(abar), denoise, noise, y, levels, sources, on_step)

    return solve


@torch.no_grad()
def scheduled(
    scheduler: Any,
    denoise: Denoise,
    noise: Tensor,
    y: Tensor,
    levels: list[int],
    sources: list[torch.Generator],
    on_step: OnStep | None = None,
) -> Tensor:
    """Samples (N, ...) by a scheduler of diffusers, through ``levels`` from the noisiest down.

    Args:
        sources: of each sample's own noise, on the CPU: the same numbers on every device.
    """
    if not len(noise):
        return noise
    scheduler.set_timesteps(timesteps=levels)
    x, x0 = noise, noise
    for i, level in enumerate(levels):
        x0 = denoise(x, torch.full((len(x),), level, dtype=torch.long, device=x.device), y)
        x = scheduler.step(x0, level, x, generator=sources, return_dict=False)[0]
        if on_step is not None:
            on_step(i + 1, x0)
    return x0


def distinct(levels: list[int], abar: Tensor) -> list[int]:
    """Levels without those as noisy as the one before: at its ends the schedule is clamped and stands still."""
    values = abar.tolist()
    return [level for i, level in enumerate(levels) if i == 0 or values[level] > values[levels[i - 1]]]


def even_in_time(steps: int, abar: Tensor) -> list[int]:
    """See :func:`model.diffusion.timesteps`."""
    return timesteps(steps, len(abar))


def even_in_log_snr(steps: int, abar: Tensor) -> list[int]:
    """At most ``steps`` levels from the noisiest down to 0, evenly spread in log(abar / (1 - abar)).

    A solver of higher order extrapolates along that axis; evenly in time its first step there is so long that it ends
    further off than DDIM. Where the levels are coarser than the spread, two steps fall together.
    """
    snr = torch.logit(abar.double().cpu())
    wanted = torch.linspace(float(snr[-1]), float(snr[0]), min(steps, len(abar)), dtype=torch.float64)
    nearest = (snr[None] - wanted[:, None]).abs().argmin(1)
    return list(dict.fromkeys([len(abar) - 1, *nearest.tolist()[1:]]))


def betas_of(abar: Tensor) -> list[float]:
    """beta_t of abar_t = prod (1 - beta_s), s = 0..t."""
    values = abar.double()
    before = torch.cat([torch.ones(1, dtype=torch.float64, device=values.device), values[:-1]])
    found: list[float] = (1 - values / before).tolist()
    return found


def _ddpm(abar: Tensor) -> Any:
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    return DDPMScheduler(len(abar), trained_betas=betas_of(abar), prediction_type="sample", clip_sample=False)


def _dpm_solver(abar: Tensor) -> Any:
    from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

    return DPMSolverMultistepScheduler(len(abar), trained_betas=betas_of(abar), prediction_type="sample")


SCHEDULERS: dict[str, tuple[Callable[[Tensor], Any], Callable[[int, Tensor], list[int]]]] = {
    "ddpm": (_ddpm, even_in_time),
    "dpm-solver++": (_dpm_solver, even_in_log_snr),
}
"""Of each solver: the scheduler for a schedule, and the levels of so many steps."""
