"""Step 1: take away noise that no real window of the class has, and no more.

A channel (root position, one joint's rotation) whose noise scale exceeds the class's bound goes through the weakest
smoother that brings it to the class's median; when many channels are near their bounds at once, all of them do.
"""

import numpy as np

from core import rotations as R
from core.motion import MotionBatch
from corrector.bounds import Bounds
from corrector.features import channels, from_channels, noise_of
from corrector.filters import smoothstep, weakest_smoother

Array = R.Array

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
    chosen = np.flatnonzero(weight.reshape(-1) > 0)
    if not len(chosen):
        return batch, strongest
    noisy = columns[:, chosen]
    smooth = weakest_smoother(noisy, noise_of, median.reshape(-1)[chosen])
    columns[:, chosen] = noisy + weight.reshape(-1)[chosen, None] * (smooth - noisy)
    return from_channels(batch, columns), strongest
