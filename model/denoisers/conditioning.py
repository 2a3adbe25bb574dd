"""What every denoiser is told: the noise level, and a class or a sentence."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from model.diffusion import STEPS

Kind = Literal["class", "text", "none"]


class Condition(nn.Module):
    """Diffusion step t (N,) and condition y to one vector (N, width).

    Args:
        size: ``class``: how many classes; y (N,) in 0..size, the last one means none. ``text``: numbers of a sentence;
            y (N, size), zeros mean none, so that the bias is the null condition (as the masked text of MDM; Tevet et
            al. 2023). ``none``: nothing; y is not looked at.
    """

    table: Tensor

    def __init__(self, size: int, width: int, kind: Kind = "class", levels: int = STEPS) -> None:
        super().__init__()
        half = width // 2
        frequency = torch.exp(-math.log(1e4) * torch.arange(half) / half)
        angle = torch.arange(levels)[:, None] * frequency * 1000 / levels
        table = torch.cat([angle.sin(), angle.cos(), torch.zeros(levels, width - 2 * half)], dim=1)
        self.register_buffer("table", table, persistent=False)
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.label: nn.Module | None = None
        if kind != "none":
            self.label = nn.Embedding(size + 1, width) if kind == "class" else nn.Linear(size, width)

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        joined: Tensor = self.time(self.table[t])
        return joined if self.label is None else joined + self.label(y)
