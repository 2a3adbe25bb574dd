"""Inverse kinematics of legs: thigh and shank turn so that the ankle reaches a goal, the rest of the pose stays."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core import rotations as R
from core.motion import MotionBatch
from core.skeleton import Skeleton

Array = R.Array

SHORTEST_BONE = 0.1  # of leg length; shorter ones are no thighs or shanks
STRAIGHTEST = 0.999  # of its length that a leg is stretched to
SOFT_REACH = 0.02  # of its length before that, within which stretching becomes harder
STRAIGHT_SINE = 0.1  # of the knee's angle, below which the motion's usual knee axis takes over


@dataclass(frozen=True)
class Leg:
    """Joint indices of one leg; bones between them may have further joints."""

    hip: int
    knee: int
    ankle: int


@lru_cache(maxsize=32)
def legs_of(skeleton: Skeleton) -> tuple[Leg | None, ...]:
    """The leg of each foot of ``skeleton.feet``, None where there is none with a thigh and a shank."""
    return tuple(_leg(skeleton, foot) for foot in skeleton.feet)


def _leg(skeleton: Skeleton, ankle: int) -> Leg | None:
    above = []
    j = skeleton.parents[ankle]
    while j > 0:
        above.append(j)
        j = skeleton.parents[j]
    shanks = [j for j in above if skeleton.segments[j] == "shank"]
    thighs = [j for j in above if skeleton.segments[j] == "thigh"]
    if shanks and thighs:
        leg = Leg(thighs[-1], shanks[-1], ankle)
    elif len(above) >= 2:  # names say nothing: the two bones above
        leg = Leg(above[1], above[0], ankle)
    else:
        return None
    rest = skeleton.rest_positions_m
    bones = (rest[leg.knee] - rest[leg.hip], rest[leg.ankle] - rest[leg.knee])
    shortest = min(float(np.linalg.norm(bone)) for bone in bones)
    return leg if leg.hip < leg.knee and shortest > SHORTEST_BONE * skeleton.leg_length_m else None


def reach(
    batch: MotionBatch,
    leg: Leg,
    positions_m: Array,
    rotations_wxyz: Array,
    goal_m: Array,
    sole_wxyz: Array | None = None,
) -> tuple[Array, Array]:  # fmt: skip
    """Local rotations (N, T, J, 4) with which one leg's ankle is at its goal, and by how much it misses, (N, T) metres.

    The knee bends about the axis about which it is bent already; the whole leg then swings by the shortest way. A goal
    out of reach is approached without a jump: the last two percent of the leg's length give way.

    Args:
        batch: the motions.
        leg: whose ankle is moved.
        positions_m, rotations_wxyz: (N, T, J, 3) and (N, T, J, 4), the batch's world joints.
        goal_m: (N, T, 3) where the ankle should be.
        sole_wxyz: (N, T, 4) world rotation of the foot; None keeps it.
    """
    hip, knee, ankle = (positions_m[:, :, j] for j in (leg.hip, leg.knee, leg.ankle))
    thigh, shank, wanted = hip - knee, ankle - knee, goal_m - hip
    axis = _knee_axis(thigh, shank, rotations_wxyz[:, :, leg.hip])
    along = (thigh * axis).sum(-1) * (shank * axis).sum(-1)
    thigh_off = thigh - (thigh * axis).sum(-1, keepdims=True) * axis
    shank_off = shank - (shank * axis).sum(-1, keepdims=True) * axis
    product = np.maximum(_length(thigh_off) * _length(shank_off), 1e-12)
    now = np.arctan2((np.cross(thigh_off, shank_off) * axis).sum(-1), (thigh_off * shank_off).sum(-1))
    squares = (thigh**2).sum(-1) + (shank**2).sum(-1)
    longest = STRAIGHTEST * np.sqrt(np.maximum(squares - 2.0 * along + 2.0 * product, 0.0))
    distance = _give_way(_length(wanted), _length(ankle - hip), longest)
    cosine = ((squares - distance**2) / 2.0 - along) / product
    bend = R.rotvec_to_unitquat(axis * (np.arccos(np.clip(cosine, -1.0, 1.0)) - now)[..., None])
    swing = _shortest_turn(R.rotate(bend, shank) - thigh, wanted)
    local = np.array(batch.local_rotations_wxyz, dtype=np.float64)
    q = rotations_wxyz
    parents = batch.skeleton.parents

    def relative(world: Array, to: Array) -> Array:
        return R.normalize(R.multiply(R.conjugate(to), world))

    local[:, :, leg.hip] = relative(R.multiply(swing, q[:, :, leg.hip]), q[:, :, parents[leg.hip]])
    local[:, :, leg.knee] = relative(R.multiply(bend, q[:, :, leg.knee]), q[:, :, parents[leg.knee]])
    below = R.multiply(swing, R.multiply(bend, q[:, :, parents[leg.ankle]]))
    local[:, :, leg.ankle] = relative(q[:, :, leg.ankle] if sole_wxyz is None else sole_wxyz, below)
    return local, np.maximum(_length(wanted) - distance, 0.0)


def _length(vector: Array) -> Array:
    return np.asarray(np.linalg.norm(vector, axis=-1))


def _knee_axis(thigh: Array, shank: Array, hip_wxyz: Array) -> Array:
    """(N, T, 3) unit axis about which the knee is bent; where it is straight, the axis that the motion bends it about
    on the whole."""
    cross = np.cross(thigh, shank)
    cross /= np.maximum(_length(thigh) * _length(shank), 1e-12)[..., None]  # sine times axis
    usual = R.rotate(R.conjugate(hip_wxyz), cross).mean(1, keepdims=True)
    usual = R.rotate(hip_wxyz, usual / np.maximum(_length(usual), 1e-9)[..., None])
    axis = cross + STRAIGHT_SINE * usual
    size = _length(axis)[..., None]
    fallback = np.cross(thigh, R.rotate(hip_wxyz, np.array([0.3, 0.2, 1.0])))  # a leg that never bends at all
    fallback /= np.maximum(_length(fallback), 1e-9)[..., None]
    return np.where(size > 1e-6, axis / np.maximum(size, 1e-9), fallback)


def _give_way(wanted_m: Array, now_m: Array, longest_m: Array) -> Array:
    """The distance from hip to ankle: as wanted, except that the last bit of stretching takes ever more."""
    room = np.maximum(longest_m - now_m, 0.0)
    soft = np.minimum(room, SOFT_REACH * longest_m)
    over = np.maximum(wanted_m - now_m - (room - soft), 0.0)
    given = np.where(soft > 1e-9, soft * -np.expm1(-over / np.maximum(soft, 1e-9)), 0.0)
    distance: Array = wanted_m - over + given
    return distance


def _shortest_turn(a: Array, b: Array) -> Array:
    """Unit quaternions that turn vectors a towards vectors b, (..., 3) -> (..., 4)."""
    size = (_length(a) * _length(b))[..., None]
    return R.normalize(np.concatenate([size + (a * b).sum(-1, keepdims=True), np.cross(a, b)], axis=-1))
