"""A denoiser trained and sampled as papers write it down: what benchmarks/model.py measures against.

fp32, attention as softmax(q k^T / sqrt d) v, an optimizer and an average that walk the weights one by one, 1000 levels
of noise, ancestral sampling through all of them with two passes per step for guidance. Learning rate, batch and average
are the configured ones: what differs is how the same thing is computed.
"""

import copy
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from core.config import TrainingConfig
from model.diffusion import add_noise, cosine_schedule
from model.learning import CLIP_NORM, decay_at, rate_at

LEVELS = 1000


def plain_attention() -> AbstractContextManager[None]:
    """Within, attention is computed as it is written, with the whole matrix of weights in memory."""
    found: AbstractContextManager[None] = sdpa_kernel(SDPBackend.MATH)
    return found


def train(network: nn.Module, x: Tensor, y: Tensor, null: int, options: TrainingConfig, seed: int) -> nn.Module:
    """Train in place on samples x (N, ...) of classes y (N,); the averaged network, whose weights samples are drawn
    with."""
    torch.manual_seed(seed)
    average = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(network.parameters(), betas=(0.9, 0.99), weight_decay=0.0, foreach=False)
    abar, device, batch = cosine_schedule(LEVELS).to(x.device), x.device, options.batch_size
    network.train()
    with plain_attention():
        for step in range(options.initial_steps):
            for group in optimizer.param_groups:
                group["lr"] = options.learning_rate * rate_at(step, options.initial_steps)
            rows = torch.randint(0, len(x), (batch,), device=device)
            t = torch.randint(0, LEVELS, (batch,), device=device)
            told = torch.where(torch.rand(batch, device=device) < options.label_dropout, null, y[rows])
            x0 = x[rows]
            loss = F.mse_loss(network(add_noise(x0, torch.randn_like(x0), t, abar), t, told), x0)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM, foreach=False)
            optimizer.step()
            decay = decay_at(step, options.ema_decay, fresh=True)
            with torch.no_grad():
                for follower, weight in zip(average.parameters(), network.parameters(), strict=True):
                    follower.copy_(decay * follower + (1 - decay) * weight)
    return average


@torch.no_grad()
def sample(network: nn.Module, shape: tuple[int, ...], y: Tensor, null: int, guidance: float, seed: int) -> Tensor:
    """(N, *shape) samples of classes y (N,), drawn from q(x_s | x_t, x_0) level by level (Ho et al. 2020, eq. 7)."""
    torch.manual_seed(seed)
    abar = torch.cat([torch.ones(1), cosine_schedule(LEVELS)]).to(y.device)
    x = torch.randn(len(y), *shape, device=y.device)
    with plain_attention():
        for level in range(LEVELS, 0, -1):
            t = torch.full((len(y),), level - 1, device=y.device)
            unconditional = network(x, t, torch.full_like(y, null))
            x0 = unconditional + guidance * (network(x, t, y) - unconditional)
            alpha, before = abar[level] / abar[level - 1], abar[level - 1]
            mean = (before.sqrt() * (1 - alpha) * x0 + alpha.sqrt() * (1 - before) * x) / (1 - abar[level])
            x = mean + ((1 - before) / (1 - abar[level]) * (1 - alpha)).sqrt() * torch.randn_like(x)
    return x
