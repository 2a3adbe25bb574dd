"""Step 4's dead zone: keep the motion where the simulation differs no more than the tracker errs on real motion.

The tracker never follows exactly. Up to the 90 % quantile of its own error on real windows a difference says nothing
about the motion, which is kept; from there the output moves over to the simulation, fully at twice that.
"""

from collections.abc import Sequence

import numpy as np

from core import rotations as R
from core.body import REFERENCE_LEG_M
from core.motion import MotionBatch
from core.skeleton import Skeleton
from corrector.filters import gaussian, smoothstep
from corrector.tracker import Simulated

Array = R.Array

QUANTILE = 0.9
FULL_AT = 2.0
SMOOTH_FRAMES = 1.5
PROBES = 48
"""Real windows that the tracker's own error is measured on."""

BUILTIN_ROOT_M = 0.055
BUILTIN_RAD = 0.08
"""Between what was measured on two data sets of 15 and 21 joints at 120 steps per second."""


def deviation(root_m: Array, rotations: Array, simulated: Simulated) -> Array:
    """(T, 1 + J) distance of the root (m) and angle of each joint (rad) between a motion and its simulation."""
    distance = np.linalg.norm(root_m - simulated.root_position_m, axis=-1)
    angle = R.geodesic_angle(rotations, simulated.local_rotations_wxyz)
    return np.concatenate([distance[:, None], angle], axis=1)


def probes_of(real: MotionBatch) -> MotionBatch:
    """At most PROBES real windows, spread over all classes."""
    order = np.argsort(real.labels, kind="stable")
    return real.take(order[np.unique(np.linspace(0, len(order) - 1, min(PROBES, len(order))).astype(int))])


def tracker_error(probes: MotionBatch, simulated: Sequence[Simulated]) -> Array:
    """(1 + J) the tracker's own 90 % deviation over the simulations of real windows."""
    found = [
        deviation(root, rotations, one)
        for root, rotations, one in zip(probes.root_position_m, probes.local_rotations_wxyz, simulated, strict=True)
        if one.diverged is None
    ]
    if not found:
        return builtin_error(probes.skeleton)
    return np.asarray(np.quantile(np.concatenate(found), QUANTILE, axis=0))


def builtin_error(skeleton: Skeleton) -> Array:
    """(1 + J) the same for a body without real windows."""
    root = BUILTIN_ROOT_M * skeleton.leg_length_m / REFERENCE_LEG_M
    return np.array([root] + [BUILTIN_RAD] * skeleton.joint_count)


def blend(root_m: Array, rotations: Array, simulated: Simulated, error: Array) -> tuple[Array, Array]:
    """The motion (T, 3), (T, J, 4), moved towards its simulation beyond the dead zone."""
    ratio = deviation(root_m, rotations, simulated) / np.maximum(error, 1e-6)
    weight = gaussian(smoothstep((ratio - 1.0) / (FULL_AT - 1.0))[None], SMOOTH_FRAMES, 4)[0]
    root = root_m + weight[:, :1] * (simulated.root_position_m - root_m)
    return root, R.slerp(rotations, simulated.local_rotations_wxyz, weight[:, 1:])
