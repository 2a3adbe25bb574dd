"""Step 1: take away noise that no real window of the class has, and no more.

A channel (root position, one joint's rotation) whose noise scale exceeds the class's bound is noisy; when many channels
are near their bounds at once, all of them are. Where real windows of this length are known, noisy channels first become
the most probable ones under their statistics (:mod:`corrector.prior`). Then they go through the weakest smoother that
brings them to the class's median.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.motion import MotionBatch
from core.rotations import Array
from corrector.bounds import Bounds
from corrector.coordinates import channel_variance, coordinates, from_coordinates
from corrector.features import channels, from_channels, noise_of
from corrector.filters import smoothstep, weakest_smoother
from corrector.prior import WindowPrior

RAMP = 0.4  # full weight at 1.4 times the bound
WINDOW_SHARE = 0.8  # a mean ratio to the bounds above this triggers the whole window


def denoise(batch: MotionBatch, bounds: Bounds) -> tuple[MotionBatch, Array]:
    """Smoothed motions, and (N,) the largest weight that any channel of each was smoothed with; 0 = untouched."""
    rows = bounds.rows_of(batch.labels)
    columns = channels(batch)
    noise = noise_of(columns).reshape(len(batch), -1)
    median, limit = bounds.noise_median[rows], bounds.noise_limit[rows]
    ratio = noise / np.maximum(limit, 1e-9)
    everywhere = smoothstep((ratio.mean(1) / WINDOW_SHARE - 1) / RAMP)
    weight = np.maximum(everywhere[:, None], smoothstep((ratio - 1) / RAMP)) * (noise > median)
    strongest = weight.max(1, initial=0.0)
    noisy = np.flatnonzero(strongest > 0)
    if not len(noisy):
        return batch, strongest
    if bounds.prior.fits(batch):
        variance = weight[noisy] * (noise[noisy] ** 2 - median[noisy] ** 2)
        batch = _most_probable(batch, noisy, bounds.prior, rows[noisy], variance)
        columns = channels(batch)
    chosen = np.flatnonzero(weight.reshape(-1) > 0)
    before = columns[:, chosen]
    smooth = weakest_smoother(before, noise_of, median.reshape(-1)[chosen])
    columns[:, chosen] = before + weight.reshape(-1)[chosen, None] * (smooth - before)
    return from_channels(batch, columns), strongest


def _most_probable(
    batch: MotionBatch, noisy: NDArray[np.int64], prior: WindowPrior, rows: NDArray[np.int64], variance: Array
) -> MotionBatch:
    """The noisy ones among the motions without their noise, whose ``variance`` (N, 1 + J) is known."""
    chosen = batch.take(noisy)
    at = coordinates(chosen)
    found = prior.most_probable(at.values, rows, channel_variance(variance))
    done = from_coordinates(chosen, replace(at, values=found))
    root, rotations = batch.root_position_m.copy(), batch.local_rotations_wxyz.copy()
    moved = variance > 0
    root[noisy] = np.where(moved[:, 0, None, None], done.root_position_m, root[noisy])
    rotations[noisy] = np.where(moved[:, None, 1:, None], done.local_rotations_wxyz, rotations[noisy])
    return replace(batch, root_position_m=root, local_rotations_wxyz=rotations)
