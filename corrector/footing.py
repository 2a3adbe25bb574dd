"""Where standing feet should be: displacements that stop them from sliding, sinking and hovering, and the foot lock."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core import rotations as R
from core.body import REFERENCE_LEG_M
from core.motion import MotionBatch
from corrector.contacts import Soles, calmed_tracks, soles_of
from corrector.features import surface_of
from corrector.filters import covering, gaussian, smoothstep
from corrector.fitting import Wish, fit
from corrector.legs import legs_of, reach

Array = R.Array
Mask = NDArray[np.bool_]

# Tolerances of the displacement, for a body with the reference leg: what counts as one unit of error.
SLIP_M_S = 0.03  # of the carrying points of a standing foot
HEIGHT_M = 0.002  # of a standing foot's lowest point
AWAY_M = 0.02  # from where the foot was; with SLIP_M_S, a foot may creep back within some seconds
SPEED_M_S = 0.2  # of the displacement: it must not overshoot in the swing
JERK_M_S3 = 40.0  # with AWAY_M, a displacement dies out within about .1 s of a stance
STEPPING_M_S = 0.5  # a standing foot that slips faster takes a small step; at twice that it is let go
HANGING_M = 0.03  # a standing foot further from the floor than this is let go as well
EDGE_S = 0.03  # within which a stance takes hold
CLEARANCE_M = 0.012
CLEARANCE_EDGE_S = 0.06  # next to a stance a foot need not clear the floor
CLEARING_PASSES = 3
# Of levelling: soles that tilt less than the first are flat, more than the second stand on heel or toes.
FLAT_RAD = (0.4, 0.7)
LEVEL_RAD, FREE_RAD, TURN_JERK_RAD_S3 = 0.02, 0.2, 300.0


def foot_lock(batch: MotionBatch, stance: Mask, weight: Array, *, level: bool = True) -> MotionBatch:
    """Motions whose standing feet are held in place by bending the legs; the rest of the pose and the root stay.

    Args:
        batch: the motions.
        stance: (N, T, F) which foot stands, from :func:`corrector.contacts.stance_of`.
        weight: (N,) or (N, T, F), 0..1, how much of the slip is taken away.
        level: also put the standing sole at y = 0; otherwise heights stay.
    """
    share = np.asarray(weight, dtype=np.float64)
    share = np.broadcast_to(share[:, None, None] if share.ndim == 1 else share, stance.shape)
    rows = np.flatnonzero((stance & (share > 0)).any((1, 2)))
    if not len(rows) or batch.frames < 2:
        return batch
    part = batch.take(rows)
    ways = pinned(soles_of(part, surface_of(part)), stance[rows], part.fps, _scale(part), clear=False)
    ways = ways * share[rows][..., None]
    if not level:
        ways[..., 1] = 0.0
    local = np.array(batch.local_rotations_wxyz, dtype=np.float64)
    local[rows] = step_to(part, ways)[0].local_rotations_wxyz
    return replace(batch, local_rotations_wxyz=local)


def pinned(soles: Soles, stance: Mask, fps: float, scale: float, *, clear: bool) -> Array:
    """(N, T, F, 3) displacements of the feet that hold the standing ones in place at y = 0 and, with ``clear``, lift
    the swinging ones off the floor; smooth in time, and as small as that allows."""
    stands = _rows(stance.astype(np.float64))
    sigma = EDGE_S * fps
    inside = gaussian(stands, sigma, int(np.ceil(2 * sigma)))  # a half next to the edges of a stance, then more
    hold = np.clip(2.0 * inside - 1.0, 0.0, 1.0) ** 2 * stands
    keep = [
        Wish(0, np.array((AWAY_M * scale) ** -2.0)),
        Wish(1, np.array((SPEED_M_S * scale) ** -2.0)),
        Wish(3, np.array((JERK_M_S3 * scale) ** -2.0)),
    ]
    across = _held(soles, hold, fps, scale, keep)
    upward = _levelled(_rows(soles.height_m), stands, hold, fps, scale, keep, clear)
    ways = np.concatenate([across[..., :1], upward, across[..., 1:]], axis=-1)
    return np.moveaxis(ways.reshape(len(stance), -1, *ways.shape[1:]), 1, 2)


def _held(soles: Soles, hold: Array, fps: float, scale: float, keep: list[Wish]) -> Array:
    """(N * F, T, 2) displacements along x and z against the slip of the standing feet."""
    slips = [np.linalg.norm(velocity, axis=-1) for velocity, _ in calmed_tracks(soles, fps)]
    slip = _rows(np.minimum.reduce(slips))
    stays = 1.0 - smoothstep((slip[:, 1:] + slip[:, :-1]) / (2.0 * STEPPING_M_S * scale) - 1.0)
    weight = np.minimum(hold[:, 1:], hold[:, :-1]) * stays / (SLIP_M_S * scale) ** 2
    velocity = np.stack([_rows(soles.step_m[..., k]) for k in (0, 2)], axis=-1) * fps
    return fit(len(hold), hold.shape[1], 2, fps, [Wish(1, weight, -velocity), *keep])


def _levelled(
    height: Array, stands: Array, hold: Array, fps: float, scale: float, keep: list[Wish], clear: bool
) -> Array:
    """(N * F, T, 1) displacements upward that put standing feet (0 or 1) on the floor and clear it while swinging."""
    tight = (HEIGHT_M * scale) ** -2.0
    weight = hold * (1.0 - smoothstep(np.abs(height) / (HANGING_M * scale) - 1.0)) * tight
    edge = max(1, round(CLEARANCE_EDGE_S * fps))
    least = CLEARANCE_M * scale * (1.0 - np.clip(covering(stands, EDGE_S * fps, edge), 0.0, 1.0))
    goal = (np.where(stands > 0, 0.0, least) - height)[..., None]
    upward = fit(len(hold), hold.shape[1], 1, fps, [Wish(0, weight, goal), *keep])
    for _ in range(CLEARING_PASSES if clear else 0):  # an active set: what is too low is lifted, until nothing is
        low = (stands == 0) & (weight == 0) & (upward[..., 0] < goal[..., 0])
        if not low.any():
            break
        weight = np.where(low, tight, weight)
        upward = fit(len(hold), hold.shape[1], 1, fps, [Wish(0, weight, goal), *keep])
    return upward


def _rows(values: Array) -> Array:
    """(N, T, F) -> (N * F, T)."""
    return np.moveaxis(values, 1, 2).reshape(-1, values.shape[1])


def step_to(batch: MotionBatch, ways: Array) -> tuple[MotionBatch, Array]:
    """Motions whose feet are displaced by ``ways`` (N, T, F, 3) through their legs, and by how much each foot misses,
    (N, T, F). Feet without a leg stay where they are."""
    positions, rotations = batch.world()
    missed = np.zeros(ways.shape[:3])
    for k, leg in enumerate(legs_of(batch.skeleton)):
        if leg is None:
            continue
        goal = positions[:, :, leg.ankle] + ways[:, :, k]
        local, missed[:, :, k] = reach(batch, leg, positions, rotations, goal)
        batch = replace(batch, local_rotations_wxyz=local)
    return batch, missed


def level_soles(batch: MotionBatch, stance: Mask) -> tuple[MotionBatch, Array]:
    """Motions whose standing soles lie flat, turned about the ankle, and the largest turn of each, (N,) radians.

    Soles are level in the rest pose, so that a foot's own up points up where it stands flat. A foot that stands on its
    heel or its toes is left so.
    """
    count, frames = stance.shape[:2]
    _, rotations = batch.world()
    local = np.array(batch.local_rotations_wxyz, dtype=np.float64)
    largest = np.zeros(count)
    keep = [Wish(0, np.array(FREE_RAD**-2.0)), Wish(3, np.array(TURN_JERK_RAD_S3**-2.0))]
    for k, ankle in enumerate(batch.skeleton.feet):
        up = R.rotate(rotations[:, :, ankle], np.array([0.0, 1.0, 0.0]))
        axis = np.cross(up, np.array([0.0, 1.0, 0.0]))
        sine = np.linalg.norm(axis, axis=-1, keepdims=True)
        tilt = np.arctan2(sine, up[..., 1:2])
        flat = 1.0 - smoothstep((tilt[..., 0] - FLAT_RAD[0]) / (FLAT_RAD[1] - FLAT_RAD[0]))
        flatten = Wish(0, stance[..., k] * flat / LEVEL_RAD**2, axis * (tilt / np.maximum(sine, 1e-9)))
        turn = fit(count, frames, 3, batch.fps, [flatten, *keep])
        parent = batch.skeleton.parents[ankle]
        world = R.multiply(R.rotvec_to_unitquat(turn), rotations[:, :, ankle])
        if parent >= 0:
            local[:, :, ankle] = R.normalize(R.multiply(R.conjugate(rotations[:, :, parent]), world))
            largest = np.maximum(largest, np.linalg.norm(turn, axis=-1).max(1, initial=0.0))
    return replace(batch, local_rotations_wxyz=local), largest


def _scale(batch: MotionBatch) -> float:
    return batch.skeleton.leg_length_m / REFERENCE_LEG_M
