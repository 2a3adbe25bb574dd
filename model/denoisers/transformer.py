"""A transformer encoder over patches of frames, after MDM (Tevet et al. 2023)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.denoisers.conditioning import Condition


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width)
        self.norm_mlp = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, h: Tensor) -> Tensor:
        count, length, width = h.shape
        qkv = self.qkv(self.norm_attention(h)).view(count, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(count, length, width)
        h = h + self.mix(seen)
        out: Tensor = h + self.down(F.gelu(self.up(self.norm_mlp(h)), approximate="tanh"))
        return out


class MotionTransformer(nn.Module):
    """Denoiser of windows: x (N, T, C), t (N,), y as ``condition`` takes it -> (N, T, C). The condition is a token, and
    added to all."""

    def __init__(
        self, shape: tuple[int, ...], condition: Condition, width: int, layers: int, heads: int, patch: int
    ) -> None:
        super().__init__()
        frames, channels = shape
        self.patch = patch
        self.condition = condition
        self.inward = nn.Linear(channels * patch, width)
        self.position = nn.Parameter(torch.randn(frames // patch + 1, width) * 0.02)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.outward = nn.Linear(width, channels * patch)

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        count, frames, channels = x.shape
        condition = self.condition(t, y)[:, None]
        tokens = self.inward(x.reshape(count, frames // self.patch, channels * self.patch))
        h = torch.cat([condition, tokens + condition], dim=1) + self.position
        for block in self.blocks:
            h = block(h)
        clean: Tensor = self.outward(self.norm(h[:, 1:]))
        return clean.reshape(count, frames, channels)
