"""Which foot stands when, read off a motion that may sink, float, slide or jitter a little.

Heights are relative to the floor that the window's own slow feet take for theirs, speeds to the slide of the window's
standing feet, so that a motion that is too low or drifts has the same contacts as the motion that it came from.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core import rotations as R
from core.body import REFERENCE_LEG_M, body_of
from core.motion import MotionBatch
from corrector.features import floor_offset, lowest_of, surface_of, turned, window_yaw
from corrector.filters import gaussian, smoothstep
from corrector.slide import slide_of

Array = R.Array
Mask = NDArray[np.bool_]

# A stance begins below the first of two and lasts until the second is passed (on a body with the reference leg).
HEIGHT_M = (0.045, 0.08)
SPEED_M_S = (0.45, 1.0)
SHORTEST_S = 0.1  # shorter stances are blips, shorter gaps between two are noise
ROLLING_M = 0.01  # points of a sole within about this of its lowest one carry
SPEED_SIGMA_S, NOISY_SIGMA_S = 0.03, 0.1
TREMBLE_M_S, TREMBLE_PERCENTILE = 0.2, 25.0  # change of velocity per frame of the calmer frames; half of it is no noise
FLOOR_REACH_M = 0.08  # feet further from the body's floor than this say nothing about it
HIGHEST_FLOOR_M = 0.3
FLOOR_SHARE = 0.2
FEWEST_FLOOR_FRAMES = 4
LEAST_CERTAINTY, FULL_CERTAINTY = 0.2, 0.4  # of the slide, see corrector.slide


@dataclass(frozen=True, eq=False)
class Soles:
    """How the soles move.

    Attributes:
        height_m: (N, T, F) height of each foot's lowest point.
        step_m: (N, T - 1, F, 3) way of the points that carry it, from one frame to the next.
    """

    height_m: Array
    step_m: Array


def soles_of(batch: MotionBatch, points_m: Array) -> Soles:
    """Heights and steps of the feet; ``points_m`` from :func:`corrector.features.surface_of`."""
    heights, steps = [], []
    reach = ROLLING_M * batch.skeleton.leg_length_m / REFERENCE_LEG_M
    for sole in body_of(batch.skeleton).sole_points:
        foot = points_m[:, :, sole]
        lowest = foot[..., 1].min(-1)
        share = np.exp((lowest[..., None] - foot[..., 1]) / reach)
        share = share[:, 1:] + share[:, :-1]
        share /= share.sum(-1, keepdims=True)
        heights.append(lowest)
        steps.append((share[..., None] * np.diff(foot, axis=1)).sum(-2))
    return Soles(np.stack(heights, axis=-1), np.stack(steps, axis=-2))


def stance_of(batch: MotionBatch) -> Mask:
    """Whether each foot stands, (N, T, F) with F feet in the order of ``body_of(skeleton).sole_points``.

    A foot stands from where it is low and slow until it is high or fast (hysteresis of two thresholds each, in
    proportion to leg length); stances and gaps shorter than SHORTEST_S are removed.
    """
    return stance_from(batch, surface_of(batch))


def stance_from(batch: MotionBatch, points_m: Array) -> Mask:
    """As :func:`stance_of`, with the surface points (N, T, P, 3) known."""
    count, frames = batch.root_position_m.shape[:2]
    feet = len(body_of(batch.skeleton).sole_points)
    if not count or not frames or not feet:
        return np.zeros((count, frames, feet), dtype=np.bool_)
    scale = batch.skeleton.leg_length_m / REFERENCE_LEG_M
    soles = soles_of(batch, points_m)
    lowest = lowest_of(points_m)
    common = _slide(batch, points_m)[:, None, None]
    surely = np.zeros((count, frames, feet), dtype=np.bool_)
    perhaps = surely.copy()
    for velocity, above in calmed_tracks(soles, batch.fps):
        speed = np.linalg.norm(velocity - common, axis=-1)
        height = above - feet_floor(above, speed, lowest, scale)[:, None, None]
        surely |= (height < HEIGHT_M[0] * scale) & (speed < SPEED_M_S[0] * scale)
        perhaps |= (height < HEIGHT_M[1] * scale) & (speed < SPEED_M_S[1] * scale)
    rows = np.moveaxis(_grown(_rows(surely), _rows(perhaps)).reshape(count, feet, frames), 1, 2)
    shortest = max(1, round(SHORTEST_S * batch.fps))
    return tidy(rows, shortest)


def tidy(stance: Mask, shortest: int) -> Mask:
    """Gaps, then stances of ``shortest`` frames or fewer along axis 1 are removed, unless the motion begins or ends
    there."""
    if stance.shape[1] < 2 * shortest + 2:
        return stance
    closed = stance | _brief(~stance, shortest)
    return closed & ~_brief(closed, shortest)


def feet_floor(
    height_m: Array, speed_m_s: Array, lowest_m: Array, scale: float, *, share: float = FLOOR_SHARE
) -> Array:
    """(N,) height of the floor that the feet stand on: a low percentile of slow feet near the body's own floor.

    A body that lies sinks into the floor where its feet do not; where no foot is slow and low, the body's floor counts.

    Args:
        height_m, speed_m_s: (N, T, F) of the feet.
        lowest_m: (N, T) lowest point of the body.
        scale: leg length over the reference leg.
        share: of these feet that are below it.
    """
    body = np.minimum(floor_offset(lowest_m), HIGHEST_FLOOR_M * scale)
    near = np.abs(height_m - body[:, None, None]) < FLOOR_REACH_M * scale
    usable = (near & (speed_m_s < SPEED_M_S[0] * scale)).reshape(len(body), -1)
    ordered = np.sort(np.where(usable, height_m.reshape(len(body), -1), np.inf), axis=1)
    found = usable.sum(1)
    value = np.take_along_axis(ordered, (found * share).astype(np.int64)[:, None], axis=1)[:, 0]
    return np.where(found >= min(FEWEST_FLOOR_FRAMES, height_m.shape[1]), value, body)


def calmed_tracks(soles: Soles, fps: float) -> list[tuple[Array, Array]]:
    """Horizontal velocity (N, T, F, 2) of the carrying points and their height (N, T, F), smoothed a little; and, where
    a foot trembles, once more smoothed much, which is blind to the short stances of a run but sees through noise."""
    velocity = soles.step_m[..., [0, 2]] * fps
    if velocity.shape[1] < 2:
        return [(np.zeros((*soles.height_m.shape, 2)), soles.height_m)]
    between = np.concatenate([velocity[:, :1], velocity, velocity[:, -1:]], axis=1)
    centred = (between[:, 1:] + between[:, :-1]) / 2
    sigma, strongly = SPEED_SIGMA_S * fps, NOISY_SIGMA_S * fps
    tracks = [(gaussian(centred, sigma, int(np.ceil(2 * sigma))), soles.height_m)]
    tremble = np.percentile(np.linalg.norm(np.diff(velocity, axis=1), axis=-1), TREMBLE_PERCENTILE, axis=1)
    noisy = smoothstep(2.0 * tremble / TREMBLE_M_S - 1.0)[:, None, :]
    if noisy.any():
        calm, height = tracks[0]
        radius = int(np.ceil(2 * strongly))
        calm = calm + noisy[..., None] * (gaussian(centred, strongly, radius) - calm)
        tracks.append((calm, height + noisy * (gaussian(height, strongly, radius) - height)))
    return tracks


def _slide(batch: MotionBatch, points_m: Array) -> Array:
    """(N, 2) velocity of the window's slide, zero where it is not certain."""
    if batch.frames < 3:
        return np.zeros((len(batch), 2))
    slide = slide_of(batch, points_m)
    certain = smoothstep((slide.certainty - LEAST_CERTAINTY) / (FULL_CERTAINTY - LEAST_CERTAINTY))
    return np.asarray(turned(np.nan_to_num(slide.velocity_m_s), window_yaw(batch)) * certain[:, None])


def _rows(mask: Mask) -> Mask:
    """(N, T, F) -> (N * F, T)."""
    return np.moveaxis(mask, 1, 2).reshape(-1, mask.shape[1])


def _grown(seeds: Mask, mask: Mask) -> Mask:
    """(M, T) the stretches of ``mask`` that hold a seed."""
    mask = mask | seeds
    begins = mask.copy()
    begins[:, 1:] &= ~mask[:, :-1]
    stretch = np.cumsum(begins.ravel())
    held = np.zeros(int(stretch[-1]) + 1, dtype=np.bool_)
    held[stretch[seeds.ravel()]] = True
    return held[stretch].reshape(mask.shape) & mask


def _brief(mask: Mask, shortest: int) -> Mask:
    """The stretches of ``mask`` along axis 1 of ``shortest`` frames or fewer that neither begin nor end the motion."""
    window = shortest + 1  # what is longer holds a full window of that many frames
    padded = np.pad(mask, [(0, 0), (window, window)] + [(0, 0)] * (mask.ndim - 2), constant_values=True)
    total = np.cumsum(padded, axis=1, dtype=np.int64)
    full = total[:, window:] - total[:, :-window] == window
    count = np.cumsum(np.concatenate([np.zeros_like(full[:, :1]), full], axis=1), axis=1, dtype=np.int64)
    longer = count[:, window:] > count[:, :-window]  # some full window covers the frame
    return mask & ~longer[:, : mask.shape[1]]
