"""What every denoiser is told: the noise level and the class."""

import math

import torch
from torch import Tensor, nn

from model.diffusion import STEPS


class Condition(nn.Module):
    """Diffusion step and class to one vector: (N,), (N,) -> (N, width). Class ``classes`` means none."""

    table: Tensor

    def __init__(self, classes: int, width: int, levels: int = STEPS) -> None:
        super().__init__()
        half = width // 2
        frequency = torch.exp(-math.log(1e4) * torch.arange(half) / half)
        angle = torch.arange(levels)[:, None] * frequency * 1000 / levels
        table = torch.cat([angle.sin(), angle.cos(), torch.zeros(levels, width - 2 * half)], dim=1)
        self.register_buffer("table", table, persistent=False)
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.label = nn.Embedding(classes + 1, width)

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        joined: Tensor = self.time(self.table[t]) + self.label(y)
        return joined
