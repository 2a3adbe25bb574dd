"""The prior of real windows, and how well it foretells windows that it was not learned from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.motion import MotionBatch, lateral_axis, mirrored
from core.rotations import Array
from corrector.coordinates import coordinates
from corrector.prior import WindowPrior, estimator_of, fit, no_prior
from corrector.takes import folds_of, takes_of

RANK = 24
"""Directions per class: nearly all that 17 windows and their mirror images span."""
FEWEST_WINDOWS = 6  # mirror images count; classes with fewer share the model of all windows
FEWEST_FRAMES = 3  # to tell a drift from noise
MOST_WINDOWS = 48  # per class, without mirror images
MOST_OPEN_WINDOWS = 192
SHARED_WINDOWS = 8.0  # weight of all classes' remainder in that of one, in windows; mirror images count
LEAST_VARIANCE = 1e-7  # of the remainder, (.3 mm)^2
LEAST_POWER = 1e-4  # of the remainder's weakest component
RIDGE = 1e-3
ENOUGH_TAKES = 8  # for the pose to tell how high and fast another take should be

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Learned:
    """A prior, and what it says of real windows when it was learned without their takes.

    Attributes:
        prior: the model.
        offset: (M, 3) as :meth:`WindowPrior.offset_of`; NaN in rows of a few differing takes, which foretell no other.
        window: (M,) which of the real windows they are; mirror images are numbered after all of these.
        row: (M,) the rows that they were looked at as.
        evidence: (R,) how many independent windows a row stands on; mirror images count, overlapping windows do not.
    """

    prior: WindowPrior
    offset: Array
    window: Indices
    row: Indices
    evidence: Indices


@dataclass(frozen=True, eq=False)
class _Row:
    """One row's windows: which, (M, images, T, C) coordinates with their mirror images, folds (M,), and how many of
    them are independent of each other."""

    window: Indices
    values: Array
    fold: Indices
    independent: int


Basis = tuple[Array, Array]
"""Mean (T, C) and directions (r, T, C)."""


def learn_prior(real: MotionBatch, classes: Indices) -> Learned:
    """The model of real windows and of their mirror images: a row per class, and one of all windows."""
    images = 1 if real.skeleton.mirror is None else 2
    if len(real) * images < FEWEST_WINDOWS or real.frames < FEWEST_FRAMES:
        none = np.zeros(0, dtype=np.int64)
        few = np.ones(len(classes) + 1, dtype=np.int64)
        return Learned(no_prior(real.skeleton.joint_count, len(few)), np.zeros((0, 3)), none, none, few)
    chosen = _windows_of_rows(real.labels, classes, images)
    used = np.unique(np.concatenate(chosen))
    values = _with_images(real.take(used))
    rows = [_row(window, values[np.searchsorted(used, window)], real.labels[window]) for window in chosen]
    free = _free(values.shape[2], values.shape[3], real.fps)
    parts = [_without_takes(row, free) for row in rows]
    remainder, power, components = _remainder([left for left, _ in parts])
    free = _in(components, free)
    offsets, windows, numbers = [], [], []
    for number, (row, (_, bases)) in enumerate(zip(rows, parts, strict=True)):
        certainty = 1.0 / (power[number, :, None] * remainder[number])
        for k, (mean, directions) in bases.items():
            left_out = row.fold == k
            off = _in(components, _flat(row.values[left_out]) - mean)
            told = fit(off, _in(components, directions), free, certainty)[1][:, 2:]
            offsets.append(
                told if row.independent >= min(ENOUGH_TAKES, len(row.window)) else np.full_like(told, np.nan)
            )
            image = len(real) * np.arange(images)
            windows.append((row.window[left_out, None] + image).reshape(-1))
            numbers.append(np.full(len(off), number, dtype=np.int64))
    prior = _prior([_basis(_flat(row.values)) for row in rows], remainder, power, components, free)
    evidence = np.array([row.independent * images for row in rows])
    return Learned(prior, np.concatenate(offsets), np.concatenate(windows), np.concatenate(numbers), evidence)


def _windows_of_rows(labels: Indices, classes: Indices, images: int) -> list[Indices]:
    everything = _spread(len(labels), MOST_OPEN_WINDOWS)
    found = []
    for c in classes:
        mine = np.flatnonzero(labels == c)
        few = len(mine) * images < FEWEST_WINDOWS
        found.append(everything if few else mine[_spread(len(mine), MOST_WINDOWS)])
    return [*found, everything]


def _spread(count: int, most: int) -> Indices:
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def _with_images(batch: MotionBatch) -> Array:
    """(N, images, T, C) coordinates of windows and, where the body has sides, of their mirror images."""
    images = [coordinates(batch).values]
    if batch.skeleton.mirror is not None:
        images.append(coordinates(mirrored(batch, lateral_axis(batch.skeleton))).values)
    return np.stack(images, axis=1)


def _row(window: Indices, values: Array, labels: Indices) -> _Row:
    one_class = bool((labels == labels[0]).all())
    poses = values[:, 0, :, 9:]  # without place and heading
    fold, independent = folds_of(takes_of(poses) if one_class else labels)
    return _Row(window, values, fold, independent)


def _free(frames: int, channels: int, fps: float) -> Array:
    """(5, T, C) over frames, see :attr:`WindowPrior.free`."""
    seconds = (np.arange(frames) - (frames - 1) / 2) / fps
    free = np.zeros((5, frames, channels))
    free[0, :, 0] = free[1, :, 2] = free[2, :, 1] = 1.0
    free[3, :, 0] = free[4, :, 2] = seconds
    return free


def _basis(windows: Array) -> Basis:
    """The mean and the strongest directions of windows (M, T, C)."""
    mean = windows.mean(0)
    off = (windows - mean).reshape(len(windows), -1)
    _, weights = np.linalg.eigh(off @ off.T)
    kept = min(RANK, len(windows) - 1)
    directions = weights[:, ::-1][:, :kept].T @ off / np.sqrt(max(len(windows) - 1, 1))
    return mean, directions.reshape(kept, *windows.shape[1:])


def _without_takes(row: _Row, free: Array) -> tuple[Array, dict[int, Basis]]:
    """What is left of windows and mirror images (M * images, T, C) on the basis of the other folds, offsets apart; and
    these bases."""
    left = np.zeros_like(row.values)
    bases: dict[int, Basis] = {}
    for k in np.unique(row.fold):
        chosen = row.fold == k
        others = _flat(row.values[~chosen])
        if len(others) < 2:
            continue
        mean, directions = bases[int(k)] = _basis(others)
        directions, off = _apart(directions, free), _apart(_flat(row.values[chosen]) - mean, free)
        normal = directions @ directions.T
        ridge = RIDGE * np.trace(normal) / len(normal) + LEAST_VARIANCE
        weights = np.linalg.solve(normal + ridge * np.eye(len(normal)), directions @ off.T)
        left[chosen] = (off - weights.T @ directions).reshape(-1, *row.values.shape[1:])
    return _flat(left), bases


def _apart(windows: Array, free: Array) -> Array:
    """Windows (M, T, C) as rows (M, T * C) without any offset."""
    rows, flat = windows.reshape(len(windows), -1), free.reshape(len(free), -1)
    flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)  # they are at right angles to each other
    return np.asarray(rows - (rows @ flat.T) @ flat)


def _remainder(left: list[Array]) -> tuple[Array, Array, Array]:
    """Variances (R, C), and the power (R, T) and columns (T, T) of the components in time, which all rows share."""
    own = np.stack([np.maximum((each**2).mean((0, 1)), LEAST_VARIANCE) for each in left])
    shared = np.exp(np.log(own).mean(0))
    scale = np.exp(np.log(own / shared).mean(1, keepdims=True))
    count = np.array([[float(len(each))] for each in left])
    variance = (count * own + SHARED_WINDOWS * scale * shared) / (count + SHARED_WINDOWS)
    series = [np.moveaxis(each / np.sqrt(variance[row]), 1, 0) for row, each in enumerate(left)]
    unit = np.concatenate([each.reshape(len(each), -1) for each in series], axis=1)
    shape = unit @ unit.T
    power, components = np.linalg.eigh(shape * (len(shape) / np.trace(shape)))
    of_rows = np.stack(
        [(_in(components, each / np.sqrt(variance[row])) ** 2).mean((0, 2)) for row, each in enumerate(left)]
    )
    of_rows = (count * of_rows + SHARED_WINDOWS * power) / (count + SHARED_WINDOWS)
    return variance, np.maximum(of_rows, LEAST_POWER), components


def _prior(bases: list[Basis], remainder: Array, power: Array, components: Array, free: Array) -> WindowPrior:
    rank = max(len(directions) for _, directions in bases)
    offsets, padded = [], []
    for row, (_, directions) in enumerate(bases):
        turned = _in(components, directions)
        certainty = 1.0 / (power[row, :, None] * remainder[row])
        weights = estimator_of(turned, free, certainty)[0][-3:].reshape(3, *certainty.shape)
        offsets.append(np.matmul(components, weights))
        padded.append(np.concatenate([turned, np.zeros((rank - len(turned), *certainty.shape))]))
    return WindowPrior(
        np.stack([mean for mean, _ in bases]), np.stack(offsets), components, power, remainder,
        np.stack(padded).astype(np.float32), free,
    )  # fmt: skip


def _in(components: Array, values: Array) -> Array:
    """(..., T, C) over components."""
    return np.asarray(np.matmul(components.T, values))


def _flat(values: Array) -> Array:
    return values.reshape(-1, *values.shape[2:])
