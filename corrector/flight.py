"""The centre of mass, and its path while nothing touches the floor: a parabola."""

import numpy as np
from numpy.typing import NDArray

from core import rotations as R
from core.body import body_of
from core.motion import MotionBatch
from corrector.filters import smoothstep
from corrector.fitting import Wish, fit
from corrector.masses import joint_masses_kg

Array = R.Array
Mask = NDArray[np.bool_]

GRAVITY_M_S2 = np.array([0.0, -9.81, 0.0])
AIRBORNE_M = 0.025  # the lowest point of a body that flies is above this
# Tolerances of the root's displacement.
FALL_M_S2 = 0.3
STANDING_M, FLYING_M = 0.005, 0.3
JERK_M_S3 = 60.0
FARTHEST_M = 0.15  # a flight that would have to move by more than this is left as it is
LEAST_FALL, FULL_FALL = 0.6, 0.85  # of gravity: what falls slower is no flight but a contact that was missed


def center_of_mass(batch: MotionBatch, positions_m: Array, rotations_wxyz: Array) -> Array:
    """(N, T, 3) from world joints; every joint's flesh counts at the mean center of its primitives."""
    body = body_of(batch.skeleton)
    mass = joint_masses_kg(body)
    centers = np.zeros((batch.skeleton.joint_count, 3))
    for j in range(batch.skeleton.joint_count):
        own = [(np.array(p.a) + np.array(p.b)) / 2 for p in body.primitives if p.joint == j]
        if own:
            centers[j] = np.mean(own, axis=0)
    at = positions_m + R.rotate(rotations_wxyz, centers)
    return np.asarray((at * (mass / mass.sum())[:, None]).sum(-2))


def flight_of(stance: Mask, lowest_m: Array, scale: float) -> Mask:
    """(N, T) whether nothing touches the floor at y = 0."""
    flying: Mask = ~stance.any(-1) & (lowest_m > AIRBORNE_M * scale)
    return flying


def calmed(center_m: Array, flying: Mask, fps: float, *, fly: bool = True, calm: bool = True) -> Array:
    """(N, T, 3) displacements of the root with which the centre of mass (N, T, 3) moves as a heavy thing can.

    Args:
        center_m: the path.
        flying: (N, T) whether nothing touches the floor.
        fly: let it fall freely while flying; standing phases keep theirs within some millimetres.
        calm: take noise of a few millimetres out of the path.
    """
    count, frames = flying.shape
    if frames < 4 or not ((fly and flying.any()) or calm):
        return np.zeros((count, frames, 3))
    jerk = np.diff(center_m, n=3, axis=1) * fps**3
    smooth = Wish(3, np.array(JERK_M_S3**-2.0), -jerk if calm else 0.0)
    acceleration = np.diff(center_m, n=2, axis=1) * fps**2
    free = flying[:, 2:] & flying[:, 1:-1] & flying[:, :-2]
    falling = _per_stretch(acceleration[..., 1] / GRAVITY_M_S2[1], free)
    sure = free * smoothstep((falling - LEAST_FALL) / (FULL_FALL - LEAST_FALL)) * fly

    def solved(sure: Array) -> Array:
        loose = _per_stretch(np.pad(sure, ((0, 0), (1, 1))), flying) > 0
        stay = Wish(0, np.where(loose, FLYING_M, STANDING_M) ** -2.0)
        fall = Wish(2, sure / FALL_M_S2**2, GRAVITY_M_S2 - acceleration)
        return fit(count, frames, 3, fps, [fall, stay, smooth])

    way = solved(sure)
    far = (np.linalg.norm(way, axis=-1) > FARTHEST_M).astype(np.float64)
    if far.any():
        way = solved(sure * (_per_stretch(far, flying)[:, 1:-1] == 0))
    return way


def _per_stretch(values: Array, mask: Mask) -> Array:
    """(N, T) the mean of the values over each stretch of the mask, zero outside."""
    begins = mask.copy()
    begins[:, 1:] &= ~mask[:, :-1]
    stretch = np.where(mask, np.cumsum(begins).reshape(mask.shape), 0)
    total = np.bincount(stretch.ravel(), weights=values.ravel())
    mean = total / np.maximum(np.bincount(stretch.ravel()), 1)
    return np.asarray(np.where(mask, mean[stretch], 0.0))
