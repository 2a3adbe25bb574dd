"""The help from outside: gains and limits of a PD controller at the root, in plain floats for the inner step."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import rotations as R
from corrector.filters import gaussian

Array = R.Array

ROOT_STIFFNESS, ROOT_DAMPING = 100.0, 10.0  # per kg: 1/s2, 1/s
TURN_STIFFNESS, TURN_DAMPING = 1000.0, 40.0  # per unit of inertia
STANDING_PULL, FLYING_PULL = 0.5, 2.0
"""Where contacts are planned: standing feet carry the body to where they are; in flight nothing else corrects it."""
NOWHERE = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Wrench:
    """Gains and limits of the help from outside, for one body.

    Attributes:
        stiffness, damping: of the force, per kg: 1/s2, 1/s.
        turn_stiffness, turn_damping: of the torque, per unit of the root's inertia.
        most_bw: limit of the force, body weights.
        most_nm: limit of the torque on a body of 45 kg.
    """

    stiffness: float = ROOT_STIFFNESS
    damping: float = ROOT_DAMPING
    turn_stiffness: float = TURN_STIFFNESS
    turn_damping: float = TURN_DAMPING
    most_bw: float = 1.0
    most_nm: float = 300.0

    def scaled(self, factor: float) -> "Wrench":
        """A softer or stiffer pull with the same damping ratio; the torque and the limits stay."""
        return replace(self, stiffness=self.stiffness * factor, damping=self.damping * math.sqrt(factor))


def firmness(stance: NDArray[np.bool_]) -> Array:
    """(T,) factor of the help's stiffness."""
    flying = np.asarray(~stance.any(axis=1), dtype=np.float64)
    return np.where(gaussian(flying[None], 1.0, 3)[0] < 0.5, STANDING_PULL, FLYING_PULL)


def pulled(
    goal: Any, now: Any, goal_rate: Any, rate: Any, stiffness: float, damping: float, most: float
) -> tuple[list[float], float]:
    """A PD controller's pull (3 values) no longer than ``most``, and its length."""
    pull = [stiffness * (goal[k] - now[k]) + damping * (goal_rate[k] - rate[k]) for k in range(3)]
    size = math.hypot(*pull)
    return ([v * most / size for v in pull], most) if size > most else (pull, size)


def rotation_vector(goal_wxyz: list[float], is_xyzw: Any) -> list[float]:
    """Rotation vector (world) from the present rotation to the goal."""
    w, x, y, z = goal_wxyz
    bx, by, bz, bw = -is_xyzw[0], -is_xyzw[1], -is_xyzw[2], is_xyzw[3]
    ew = w * bw - x * bx - y * by - z * bz
    ex = w * bx + x * bw + y * bz - z * by
    ey = w * by - x * bz + y * bw + z * bx
    ez = w * bz + x * by - y * bx + z * bw
    if ew < 0:
        ew, ex, ey, ez = -ew, -ex, -ey, -ez
    sine = math.hypot(ex, ey, ez)
    scale = 2.0 * math.atan2(sine, ew) / sine if sine > 1e-8 else 2.0
    return [ex * scale, ey * scale, ez * scale]
