"""What a simulated body is told to do, step by step: targets of its motors, the path of its root, and friction."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from core import rotations as R
from core.body import body_of
from core.skeleton import forward_kinematics
from corrector.body_builder import SimulatedBody
from corrector.filters import gaussian

Array = R.Array

FRICTION, SLIDING_FRICTION = 1.0, 0.05
SLIDING_SPEED_M_S = 0.5  # friction falls from half this speed on, and is least at 1.5 times it
START_TURNING_RAD_S = 20.0  # no joint of a human clip turns faster
FARTHEST_TARGET_RAD = 1.5  # the motor's Euler angles first move the wrong way from far targets


@dataclass(frozen=True, eq=False)
class Targets:
    """What the steps of one simulation aim at; S steps, L links, T frames. World frame, metres, radians, seconds.

    Attributes:
        joints_xyzw: (S, L, 4), in PyBullet's order.
        root_position_m, root_velocity_m_s: (S, 3).
        root_rotation_wxyz: (S, 4).
        root_turning_rad_s: (S, 3).
        start_velocity_m_s: (3,) of the root in frame 0.
        start_turning_rad_s: (1 + L, 3) of root and links in frame 0, in the parent's frame.
    """

    joints_xyzw: Array
    root_position_m: Array
    root_velocity_m_s: Array
    root_rotation_wxyz: Array
    root_turning_rad_s: Array
    start_velocity_m_s: Array
    start_turning_rad_s: Array

    def of(self, steps: slice) -> list[Any]:
        """Plain lists, which PyBullet reads fastest, of a few steps (of all they would fill the memory): joints, root
        position, velocity, rotation and turning."""
        tracks = (
            self.joints_xyzw, self.root_position_m, self.root_velocity_m_s, self.root_rotation_wxyz,
            self.root_turning_rad_s,
        )  # fmt: skip
        return [track[steps].tolist() for track in tracks]


def plan_targets(
    root_position_m: Array, local_rotations_wxyz: Array, joints: list[int], fps: float, substeps: int, erp: float
) -> Targets:
    """Targets of a motion (T, 3), (T, J, 4) of continuous quaternions, T of two or more.

    A position motor of Bullet closes the share ``erp`` of its error in every step and knows no target velocity. A
    target that lies 1/erp of the coming turn ahead of where the reference is now makes it turn as fast as the
    reference: the inverse of that first-order lag.
    """
    steps = (len(root_position_m) - 1) * substeps
    dt = 1.0 / (fps * substeps)
    grid = np.arange(steps + 1) / substeps
    rotations = R.normalize(_spline(local_rotations_wxyz[:, joints], grid))
    root = _spline(root_position_m, grid)
    before, after = rotations[:-1, 1:], rotations[1:, 1:]
    ahead = R.unitquat_to_rotvec(R.multiply(R.conjugate(before), after)) / erp
    angle = np.linalg.norm(ahead, axis=-1, keepdims=True)
    ahead *= np.minimum(1.0, FARTHEST_TARGET_RAD / np.maximum(angle, 1e-9))
    moving = R.multiply(before, R.rotvec_to_unitquat(ahead))
    turning = R.unitquat_to_rotvec(R.multiply(rotations[1:, 0], R.conjugate(rotations[:-1, 0]))) / dt
    first = local_rotations_wxyz[:2, joints]
    start = R.unitquat_to_rotvec(R.multiply(first[1], R.conjugate(first[0]))) * fps
    # A leap after the first frame must not spin the body apart before it is even tracked.
    rate = np.linalg.norm(start, axis=-1, keepdims=True)
    velocity = np.diff(root, axis=0) / dt
    return Targets(
        moving[..., [1, 2, 3, 0]],
        root[1:],
        velocity,
        rotations[1:, 0],
        turning,
        velocity[0],
        start * np.minimum(1.0, START_TURNING_RAD_S / np.maximum(rate, 1e-9)),
    )


def plan_friction(
    body: SimulatedBody, root_position_m: Array, local_rotations_wxyz: Array, fps: float
) -> tuple[Array, float]:
    """Friction (T, 1 + L) of each body part, base first, and how far the first frame must be lifted out of the floor.

    A part slides as easily as its slowest reference point is fast, so that a swinging foot does not stick when it
    scuffs the floor.
    """
    surface = body_of(body.skeleton)
    points = surface.surface_points(*forward_kinematics(body.skeleton, root_position_m, local_rotations_wxyz))
    distance = np.linalg.norm(np.diff(points[..., [0, 2]], axis=0), axis=-1) * fps
    speed = np.concatenate([distance[:1], (distance[1:] + distance[:-1]) / 2, distance[-1:]])
    carrier = np.array(body.plan.carrier)[surface.point_joint]
    friction = np.full((len(points), len(body.plan.joints)), FRICTION)
    for i, joint in enumerate(body.plan.joints):
        own = carrier == joint
        if own.any():
            slowest = gaussian(speed[None, :, own].min(-1), 1.0, 3)[0]
            gate = np.clip(1.5 - slowest / SLIDING_SPEED_M_S, 0.0, 1.0)
            friction[:, i] = SLIDING_FRICTION + (FRICTION - SLIDING_FRICTION) * gate
    lift = max(0.0, 0.001 - float(points[0, :, 1].min()))
    return np.maximum(np.round(friction, 1), SLIDING_FRICTION), lift


def _spline(values: Array, at_frames: Array) -> Array:
    """Uniform cubic B-spline with the frames (T, ...) for control points, at fractional frames (S,) -> (S, ...).

    It smooths a little (weights 1/6, 4/6, 1/6 at the frames) and its acceleration is continuous, so that no frame
    is a jolt for the body.
    """
    knots = np.concatenate([2 * values[:1] - values[1:2], values, 2 * values[-1:] - values[-2:-1]])
    left = np.minimum(at_frames.astype(np.int64), len(values) - 2)
    u = (at_frames - left).reshape(-1, *([1] * (values.ndim - 1)))
    weights = ((1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3)
    return np.asarray(sum(weight * knots[left + k] for k, weight in enumerate(weights))) / 6.0
