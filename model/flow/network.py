"""One small network per seed, all in one computation: parameters and points have the seeds axis first.

The network is a velocity field v(x, t), t from 0 (noise) to 1 (data): an MLP of the point and of sines of the time.
"""

import math
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

WAVES = 4
"""Frequencies of the time: pi, 2 pi, 4 pi, 8 pi."""

Parameters = dict[str, Tensor]


def sizes_of(dimensions: int, width: int, layers: int) -> list[tuple[int, int]]:
    """(in, out) of every linear map: point and time, ``layers`` hidden ones, velocity."""
    return list(pairwise([dimensions + 1 + 2 * WAVES, *[width] * layers, dimensions]))


def initial(noise: NDArray[np.float64], sizes: list[tuple[int, int]]) -> Parameters:
    """Parameters from (S, count_of(sizes)) standard normal numbers; the last map starts at nothing."""
    found, first = {}, 0
    for i, (inward, outward) in enumerate(sizes):
        drawn = noise[:, first : first + inward * outward].reshape(-1, inward, outward)
        first += inward * outward
        scale = 0.0 if i + 1 == len(sizes) else math.sqrt(2.0 / inward)
        found[f"weight.{i}"] = torch.from_numpy(drawn * scale)
        found[f"bias.{i}"] = torch.zeros((len(noise), 1, outward), dtype=torch.float64)
    return found


def count_of(sizes: list[tuple[int, int]]) -> int:
    """How many weights there are (biases start at 0)."""
    return sum(inward * outward for inward, outward in sizes)


def velocity(parameters: Parameters, x: Tensor, t: Tensor) -> Tensor:
    """v(x, t) of points x (S, N, d) at times t (S, N, 1), each row by its own network."""
    h = torch.cat([x, _time(t)], dim=2)
    last = len(parameters) // 2 - 1
    for i in range(last + 1):
        h = torch.baddbmm(parameters[f"bias.{i}"], h, parameters[f"weight.{i}"])
        if i < last:
            h = F.silu(h)
    return h


def velocity_and_divergence(parameters: Parameters, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """v(x, t) (S, N, d) and its divergence in x (S, N): tangents go through the network beside the points."""
    count, dimensions = x.shape[1], x.shape[2]
    h = torch.cat([x, _time(t)], dim=2)
    tangents = torch.zeros((x.shape[0], dimensions, count, h.shape[2]), dtype=x.dtype)
    for axis in range(dimensions):
        tangents[:, axis, :, axis] = 1.0
    tangents = tangents.flatten(1, 2)  # (S, d N, ...): one more batch of points for the same matrices
    last = len(parameters) // 2 - 1
    for i in range(last + 1):
        weight = parameters[f"weight.{i}"]
        h, tangents = torch.baddbmm(parameters[f"bias.{i}"], h, weight), tangents @ weight
        if i < last:
            gate = torch.sigmoid(h)
            slope = gate * (1 + h * (1 - gate))  # the derivative of silu
            tangents = tangents * slope.repeat(1, dimensions, 1)
            h = h * gate
    jacobian = tangents.reshape(len(x), dimensions, count, dimensions)
    return h, torch.einsum("sini->sn", jacobian)


def _time(t: Tensor) -> Tensor:
    """(S, N, 1) -> (S, N, 1 + 2 WAVES)."""
    angle = t * (math.pi * 2.0 ** torch.arange(WAVES, dtype=t.dtype))
    return torch.cat([t, angle.sin(), angle.cos()], dim=2)
