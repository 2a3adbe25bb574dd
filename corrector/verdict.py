"""What a simulation is worth: how well the body followed, what help it needed, and when its motion is rejected."""

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from core import rotations as R
from core.config import Options
from core.skeleton import Skeleton, forward_kinematics
from corrector.tracker import Simulated

Array = R.Array

SUSTAINED_S = 0.5


class LimitOptions(Options):
    """When a simulated motion is rejected; each rejection names its frame and value."""

    fallen_m: float = Field(
        0.5,
        gt=0,
        le=10,
        title="Fallen at",
        description="Mean distance of the joints from the motion, in metres, that no frame may exceed: the body fell.",
    )
    tracking_error_m: float = Field(
        0.3,
        gt=0,
        le=10,
        title="Tracking error limit",
        description="The same distance averaged over half a second: the body stands, but does something else.",
    )
    residual_mean_bw: float = Field(
        10.0,
        ge=0,
        le=10,
        title="Residual force rejected above",
        description="Force from outside, in body weights averaged over half a second; 10 rejects none. A motion that "
        "needs a body weight for so long floats.",
    )


@dataclass(frozen=True, eq=False)
class Followed:
    """How a simulated body followed a motion (the reference).

    Attributes:
        error_m: (T,) mean distance of its joints from the reference's.
        relative_m: (T,) the same after both roots are put in one place.
    """

    error_m: Array
    relative_m: Array


def followed(skeleton: Skeleton, root_m: Array, rotations_wxyz: Array, simulated: Simulated) -> Followed:
    """Compare a reference (T, 3), (T, J, 4) with its simulation."""
    wanted, _ = forward_kinematics(skeleton, root_m, rotations_wxyz)
    got, _ = forward_kinematics(skeleton, simulated.root_position_m, simulated.local_rotations_wxyz)
    apart = got - wanted
    return Followed(np.linalg.norm(apart, axis=-1).mean(-1), np.linalg.norm(apart - apart[:, :1], axis=-1).mean(-1))


def rejection(simulated: Simulated, error_m: Array, fps: float, limits: LimitOptions) -> str:
    """Why a simulated motion is rejected; "" for not."""
    if simulated.diverged is not None:
        return f"The simulation diverged in frame {simulated.diverged}."
    if error_m.max() > limits.fallen_m:
        frame = int(np.argmax(error_m > limits.fallen_m))
        return (
            f"The simulated body fell: in frame {frame} its joints are {error_m[frame]:.2f} m from the motion's on "
            f"average (limit {limits.fallen_m:g} m)."
        )
    error = sustained(error_m, fps)
    if error.max() > limits.tracking_error_m:
        frame = int(np.argmax(error > limits.tracking_error_m))
        return (
            f"The simulated body does not follow: around frame {frame} its joints are {error[frame]:.2f} m from the "
            f"motion's over half a second (limit {limits.tracking_error_m:g} m)."
        )
    force = sustained(simulated.residual_force_bw, fps)
    if force.max() > limits.residual_mean_bw:
        frame = int(np.argmax(force > limits.residual_mean_bw))
        return (
            f"The motion needs help from outside: {force[frame]:.2f} body weights over half a second around frame "
            f"{frame} (limit {limits.residual_mean_bw:g})."
        )
    return ""


def sustained(track: Array, fps: float) -> Array:
    """(T,) mean of a track (T,) over the half second around each frame; a shorter motion's mean throughout."""
    width = min(max(1, round(SUSTAINED_S * fps)), len(track))
    total = np.concatenate([[0.0], np.cumsum(track)])
    start = np.clip(np.arange(len(track)) - width // 2, 0, len(track) - width)
    return np.asarray((total[start + width] - total[start]) / width)


def facts(simulated: Simulated, found: Followed) -> dict[str, float]:
    """What an outcome tells of a simulation: see :class:`core.records.Outcome`."""
    return {
        "residual_force_bw": float(simulated.residual_force_bw.mean()),
        "residual_force_peak_bw": float(simulated.residual_force_bw.max()),
        "residual_torque_nm": float(simulated.residual_torque_nm.mean()),
        "residual_torque_peak_nm": float(simulated.residual_torque_nm.max()),
        "at_limit_share": float(simulated.at_limit.mean()),
        "limit_bw": float(simulated.limit_bw),
        "global_mm": 1e3 * float(found.error_m.mean()),
        "root_relative_mm": 1e3 * float(found.relative_m.mean()),
        "tracking_error_peak_mm": 1e3 * float(found.error_m.max()),
    }
