"""A transformer encoder over patches of frames, after MDM (Tevet et al. 2023)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.denoisers.conditioning import Condition


class Block(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.norm_attention = nn.LayerNorm(width)
        self.norm_mlp = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, h: Tensor, seen: Tensor | None) -> Tensor:
        """Tokens (N, L, width); ``seen`` (N, 1, 1, L) are those that attention may look at, None for all."""
        count, length, width = h.shape
        qkv = self.qkv(self.norm_attention(h)).view(count, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        dropped = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, dropout_p=dropped)
        h = h + self._drop(self.mix(mixed.transpose(1, 2).reshape(count, length, width)))
        hidden = self._drop(F.gelu(self.up(self.norm_mlp(h)), approximate="tanh"))
        out: Tensor = h + self._drop(self.down(hidden))
        return out

    def _drop(self, h: Tensor) -> Tensor:
        return F.dropout(h, self.dropout, self.training) if self.dropout else h


class MotionTransformer(nn.Module):
    """Denoiser of windows: x (N, T, C), t (N,), y as ``condition`` takes it -> (N, T, C). The condition is a token, and
    added to all.

    ``present`` (N, T) marks the frames that a shorter motion has: the others are neither seen nor given (they come out
    as zeros), so that what pads a motion changes nothing. Windows shorter than the T it was built for go in as well.
    """

    def __init__(
        self, shape: tuple[int, ...], condition: Condition, width: int, layers: int, heads: int, patch: int,
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        frames, channels = shape
        self.patch = patch
        self.condition = condition
        self.inward = nn.Linear(channels * patch, width)
        self.position = nn.Parameter(torch.randn(frames // patch + 1, width) * 0.02)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.outward = nn.Linear(width, channels * patch)

    def forward(self, x: Tensor, t: Tensor, y: Tensor, present: Tensor | None = None) -> Tensor:
        count, frames, channels = x.shape
        seen = None
        if present is not None:
            x = x.masked_fill(~present[..., None], 0.0)  # whatever it was: nan times 0 is nan
            any_frame = present.view(count, frames // self.patch, self.patch).any(2)
            seen = F.pad(any_frame, (1, 0), value=True)[:, None, None]  # the condition is always seen
        condition = self.condition(t, y)[:, None]
        tokens = self.inward(x.reshape(count, frames // self.patch, channels * self.patch))
        h = torch.cat([condition, tokens + condition], dim=1)
        h = h + self.position[: h.shape[1]]
        for block in self.blocks:
            h = block(h, seen)
        clean: Tensor = self.outward(self.norm(h[:, 1:])).reshape(count, frames, channels)
        return clean if present is None else clean.masked_fill(~present[..., None], 0.0)
