"""Denoising diffusion: noise schedule, noising, and the sampler, as plain functions on tensors.

Networks predict the clean sample x0 (Ho et al. 2020 predict the noise; MDM predicts x0). Symbols as in Song et al.
2021: x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

STEPS = 50
"""Noise levels t = 0 (least noise) .. STEPS - 1 (almost pure noise), unless a model says otherwise."""

Denoise = Callable[[Tensor, Tensor, Tensor], Tensor]
"""``(x (N, ...), t (N,), y (N, ...)) -> x0 (N, ...)``; y is what the network is told, a class or a sentence."""

OnStep = Callable[[int, Tensor], None]
"""Told the number of steps done and the present estimate of x_0."""


def cosine_schedule(steps: int = STEPS) -> Tensor:
    """(steps,) abar_t, falling (Nichol & Dhariwal 2021, eq. 17), kept off 0 and 1."""
    t = torch.arange(steps + 1, dtype=torch.float64) / steps
    abar = torch.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2
    return (abar / abar[0])[1:].clamp(1e-4, 0.9999).float()


def add_noise(x0: Tensor, eps: Tensor, t: Tensor, abar: Tensor) -> Tensor:
    """Sample of q(x_t | x_0) for t (N,)."""
    a = abar[t].view(-1, *([1] * (x0.dim() - 1)))
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def guided(denoise: Denoise, scale: float, null: int) -> Denoise:
    """Classifier-free guidance (Ho & Salimans 2022): x0 = u + scale (c - u). At 1 it is the conditional model.

    Args:
        null: fills the y that says nothing: the number after the last class, or 0 for sentences.
    """
    if scale == 1.0:
        return denoise

    def combined(x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        both = denoise(torch.cat([x, x]), torch.cat([t, t]), torch.cat([y, torch.full_like(y, null)]))
        conditional, unconditional = both.chunk(2)
        return unconditional + scale * (conditional - unconditional)

    return combined


def timesteps(steps: int, available: int = STEPS) -> list[int]:
    """``steps`` levels from the noisiest down to 0, evenly spread; never more than there are."""
    return torch.linspace(available - 1, 0, min(steps, available)).round().long().tolist()


@torch.no_grad()
def ddim(
    denoise: Denoise,
    noise: Tensor,
    y: Tensor,
    abar: Tensor,
    steps: int,
    on_step: OnStep | None = None,
) -> Tensor:
    """Deterministic DDIM (Song et al. 2021, eq. 12 with eta = 0).

    Args:
        noise: (N, ...) start x_T.
        y: (N, ...) what the network is told.

    Returns:
        (N, ...) samples.
    """
    levels = timesteps(steps, len(abar))
    x, x0 = noise, noise
    for i, level in enumerate(levels):
        x0 = denoise(x, torch.full((len(x),), level, dtype=torch.long, device=x.device), y)
        if i + 1 < len(levels):
            a, after = abar[level], abar[levels[i + 1]]
            eps = (x - a.sqrt() * x0) / (1 - a).sqrt()
            x = after.sqrt() * x0 + (1 - after).sqrt() * eps
        if on_step is not None:
            on_step(i + 1, x0)
    return x0
