"""A residual MLP whose layers are scaled and shifted by the condition (as DiT's blocks; Peebles & Xie 2023)."""

from torch import Tensor, nn
from torch.nn import functional as F

from model.denoisers.conditioning import Condition
from model.diffusion import STEPS


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 2 * width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.modulation(condition).chunk(2, dim=1)
        hidden = F.gelu(self.up(self.norm(h) * (1 + scale) + shift), approximate="tanh")
        out: Tensor = h + self.down(hidden)
        return out


class LatentMlp(nn.Module):
    """Denoiser of latents: x (N, D), t (N,), y (N,) -> (N, D)."""

    def __init__(self, size: int, classes: int, width: int, layers: int, levels: int = STEPS) -> None:
        super().__init__()
        self.condition = Condition(classes, width, levels)
        self.inward = nn.Linear(size, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.outward = nn.Linear(width, size)

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        condition = F.silu(self.condition(t, y))
        h = self.inward(x)
        for block in self.blocks:
            h = block(h, condition)
        clean: Tensor = self.outward(self.norm(h))
        return clean
