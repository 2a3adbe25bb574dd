"""The reference of benchmarks/model.py: a denoiser trained and sampled as textbooks write it down.

fp32 with attention by explicit softmax, 1000 noise levels, an optimizer that goes from parameter to parameter, an EMA
in Python, ancestral sampling through all levels with two passes for guidance.
"""

import copy
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import mse_loss

from core.config import TrainingConfig
from model.diffusion import add_noise, cosine_schedule
from model.learning import rate_at

LEVELS = 1000
CLIP_NORM = 1.0


def explicit_softmax() -> AbstractContextManager[None]:
    """Within, attention is softmax(q k^T / sqrt(d)) v in separate operations."""
    return sdpa_kernel(SDPBackend.MATH)


def train(
    network: nn.Module, x: Tensor, y: Tensor, classes: int, steps: int, options: TrainingConfig, seed: int = 0
) -> nn.Module:
    """Train in place with warm-up and cosine decay; the averaged network."""
    torch.manual_seed(seed)
    average = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, foreach=False)
    abar, batch = cosine_schedule(LEVELS).to(x.device), options.batch_size
    network.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * rate_at(step, steps)
        rows = torch.randint(0, len(x), (batch,), device=x.device)
        t = torch.randint(0, LEVELS, (batch,), device=x.device)
        dropped = torch.rand(batch, device=x.device) < options.label_dropout
        noisy = add_noise(x[rows], torch.randn_like(x[rows]), t, abar)
        with explicit_softmax():
            loss = mse_loss(network(noisy, t, y[rows].masked_fill(dropped, classes)), x[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
        if not torch.isfinite(loss).item():
            raise FloatingPointError(f"the reference's loss was {loss.item()} at step {step}")
        nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM, foreach=False)
        optimizer.step()
        decay = min(options.ema_decay, (step + 10) / (step + 20))
        with torch.no_grad():
            for (_, follower), (_, weight) in zip(average.named_parameters(), network.named_parameters(), strict=True):
                follower.copy_(decay * follower + (1 - decay) * weight)
    return average


@torch.no_grad()
def sample(
    network: nn.Module, shape: tuple[int, ...], y: Tensor, classes: int, guidance: float, seed: int = 0
) -> Tensor:
    """(N, *shape) from q(x_s | x_t, x_0) level by level (Ho et al. 2020, eq. 7)."""
    torch.manual_seed(seed)
    abar = torch.cat([torch.ones(1), cosine_schedule(LEVELS)]).to(y.device)
    x = torch.randn(len(y), *shape, device=y.device)
    for level in range(LEVELS, 0, -1):
        t = torch.full((len(y),), level - 1, device=y.device)
        with explicit_softmax():
            unconditional = network(x, t, torch.full_like(y, classes))
            x0 = unconditional + guidance * (network(x, t, y) - unconditional)
        alpha, before = abar[level] / abar[level - 1], abar[level - 1]
        mean = (before.sqrt() * (1 - alpha) * x0 + alpha.sqrt() * (1 - before) * x) / (1 - abar[level])
        x = mean + ((1 - before) / (1 - abar[level]) * (1 - alpha)).sqrt() * torch.randn_like(x)
    return x
