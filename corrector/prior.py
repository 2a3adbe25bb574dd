"""What real windows look like: a Gaussian model per class, and what it says of a noisy, sliding or lifted window.

A window x (T frames, C channels) of a class is its mean, plus a few directions in which the class's windows differ,
plus a remainder that is smooth in time. Observed is y = x + noise + offset, where the offset (the window stands
elsewhere, too high, or slides evenly) is unknown and free. Given the noise, the most probable x and offset are those of
generalised least squares (Rasmussen & Williams 2006, eq. 2.41-2.42, explicit basis functions; Wiener's filter where
nothing but the remainder is left).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.motion import MotionBatch
from core.rotations import Array


@dataclass(frozen=True, eq=False)
class WindowPrior:
    """The model of R rows as in :class:`corrector.bounds.Bounds`; T = 0 where there is none.

    What runs over T components instead of T frames was turned by ``components``.

    Attributes:
        mean: (R, T, C) over frames.
        offsets: (R, 3, T, C) over frames, times what a window has more than the mean: by how much it is higher than its
            pose lets one expect (m), and how much faster it drifts along x and z (m/s).
        components: (T, T) in columns.
        power: (R, T) of the remainder's components; their mean is about 1.
        remainder: (R, C) its variances.
        directions: (R, rank, T, C) over components, scaled so that their weights vary by 1; zero where a row has fewer.
        free: (5, T, C) over components, what an offset of one adds: place x and z, height, drift along x and z.
    """

    mean: Array
    offsets: Array
    components: Array
    power: Array
    remainder: Array
    directions: Array
    free: Array

    def fits(self, batch: MotionBatch) -> bool:
        """Whether the windows are as long as those that the model was learned from."""
        return batch.frames == len(self.components) > 0

    def offset_of(self, values: Array, rows: NDArray[np.int64]) -> Array:
        """(N, 3) by how much windows of coordinates (N, T, C) are higher (m) and drift faster (m/s)."""
        off = values - self.mean[rows]
        # Window by window, so that the last bit does not depend on the others.
        return np.stack([(self.offsets[rows, k] * off).sum((1, 2)) for k in range(self.offsets.shape[1])], axis=-1)

    def most_probable(self, values: Array, rows: NDArray[np.int64], noise: Array) -> Array:
        """(N, T, C) the windows without their noise, of which the variances (N, C) are known; offsets are kept."""
        found = np.empty_like(values)
        for i, row in enumerate(rows):
            certainty = 1.0 / (self.power[row, :, None] * self.remainder[row] + noise[i])
            off = self.components.T @ (values[i] - self.mean[row])
            directions = self.directions[row].astype(np.float64)
            fitted = fit(off[None], directions, self.free, certainty)[0][0]
            real = fitted + (1.0 - noise[i] * certainty) * (off - fitted)
            found[i] = self.mean[row] + self.components @ real
        return found


def no_prior(joints: int, rows: int) -> WindowPrior:
    """The prior that fits no window."""
    channels = 3 + 6 * joints
    return WindowPrior(
        np.zeros((rows, 0, channels)), np.zeros((rows, 3, 0, channels)), np.zeros((0, 0)), np.zeros((rows, 0)),
        np.zeros((rows, channels)), np.zeros((rows, 0, 0, channels)), np.zeros((5, 0, channels)),
    )  # fmt: skip


def fit(off: Array, directions: Array, free: Array, certainty: Array) -> tuple[Array, Array]:
    """Generalised least squares of (N, T, C) on directions (r, T, C) of unit prior and free ones (f, T, C).

    Args:
        certainty: (T, C) inverse variances of what is left over.

    Returns:
        The fitted part (N, T, C), and the weights (N, f) of the free ones.
    """
    estimator, design = estimator_of(directions, free, certainty)
    weights = off.reshape(len(off), -1) @ estimator.T
    return (weights @ design).reshape(off.shape), weights[:, len(directions) :]


def estimator_of(directions: Array, free: Array, certainty: Array) -> tuple[Array, Array]:
    """(r + f, T * C) what gives the weights, and (r + f, T * C) what they are weights of; see :func:`fit`."""
    design = np.concatenate([directions, free]).reshape(len(directions) + len(free), -1)
    weighted = design * certainty.reshape(-1)
    normal = weighted @ design.T
    own = np.arange(len(directions))
    normal[own, own] += 1.0
    return np.linalg.solve(normal, weighted), design
