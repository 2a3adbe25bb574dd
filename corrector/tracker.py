"""A simulated body follows a motion: position motors at the joints, and a bounded wrench at the root.

The wrench is the residual force of Yuan & Kitani 2020 ("Residual Force Control"), here a PD controller towards the
reference's root, capped in body weights and reported. Friction is gated by the reference: a foot that swings fast must
not stick when it scuffs the floor.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from core import rotations as R
from core.body import body_of
from core.config import Options
from core.protocols import Tick, silent
from core.skeleton import forward_kinematics
from corrector.body_builder import TORQUE_MASS_KG, SimulatedBody, xyzw
from corrector.filters import gaussian
from corrector.world import GRAVITY_M_S2, World

Array = R.Array

ROOT_STIFFNESS, ROOT_DAMPING = 200.0, 28.0  # per kg: 1/s2, 1/s
TURN_STIFFNESS, TURN_DAMPING = 1000.0, 50.0  # per unit of inertia
ROOT_INERTIA_PER_KG = 0.06
FRICTION, SLIDING_FRICTION = 1.0, 0.05
SLIDING_SPEED_M_S = 0.5  # friction falls from half this speed on, and is least at 1.5 times it
START_TURNING_RAD_S = 20.0  # no joint of a human clip turns faster
TICK_STEPS = 60
RUNAWAY_M = 50.0


class TrackerOptions(Options):
    """How the body follows."""

    rate_hz: float = Field(
        120.0,
        ge=60,
        le=1000,
        title="Simulation rate",
        description="Steps per second, rounded to a multiple of the frame rate.",
    )
    iterations: int = Field(
        20, ge=5, le=500, title="Solver iterations", description="Of Bullet's constraint solver; long spines need more."
    )
    residual_force_bw: float = Field(
        1.0,
        ge=0,
        le=10,
        title="Residual force limit",
        description="Most help from outside at the root, in body weights; 0 = the body stands by itself (it falls).",
    )
    residual_torque_nm: float = Field(
        300.0,
        ge=0,
        le=10_000,
        title="Residual torque limit",
        description="The same for turning, newton metres for a body of 45 kg.",
    )


@dataclass(frozen=True, eq=False)
class Simulated:
    """A tracked motion.

    Attributes:
        root_position_m: (T, 3).
        local_rotations_wxyz: (T, J, 4); joints that the body has not keep the reference's.
        residual_force_bw: (T,) mean force of the wrench on the way to each frame, body weights.
        diverged: first frame at which the simulation blew up, or None.
    """

    root_position_m: Array
    local_rotations_wxyz: Array
    residual_force_bw: Array
    diverged: int | None


def track(
    world: World, root_position_m: Array, local_rotations_wxyz: Array, fps: float, options: TrackerOptions,
    tick: Tick = silent,
) -> Simulated:  # fmt: skip
    """Simulate one motion (T, 3), (T, J, 4); needs two frames or more."""
    with world.lock:
        return _Rollout(world, root_position_m, R.make_continuous(local_rotations_wxyz), fps, options).run(tick)


class _Rollout:
    """One simulation; splits what would be one long function."""

    def __init__(self, world: World, root: Array, rotations: Array, fps: float, options: TrackerOptions) -> None:
        self.world, self.bullet, self.client = world, world.bullet, world.client
        self.body: SimulatedBody = world.body
        self.root, self.rotations, self.fps, self.options = root, rotations, fps, options
        self.links = list(range(len(self.body.plan.joints) - 1))
        self.joints = list(self.body.plan.joints)
        self.substeps = max(1, round(options.rate_hz / fps))
        self.dt = 1.0 / (fps * self.substeps)
        self.frames = len(root)
        self.frame_s = np.arange(self.frames) / fps
        self._plan_targets()

    def _plan_targets(self) -> None:
        """Per step: joint targets, root position, velocity, rotation and angular velocity."""
        steps = (self.frames - 1) * self.substeps
        at = (np.arange(steps) + 1) * self.dt
        # The motor ignores target velocities and lags by a few steps; targets from that much later make up for it.
        ahead = np.minimum(at + (1.0 / self.world.solver.erp - 1.0) * self.dt, self.frame_s[-1])
        moving = R.resample(self.rotations[:, self.joints], self.frame_s, ahead)[:, 1:]
        self.targets = moving[..., [1, 2, 3, 0]].tolist()
        self.root_rotation = R.resample(self.rotations[:, 0], self.frame_s, at).tolist()
        calm = gaussian(self.root[None], 0.7, 3)[0]
        velocity = np.gradient(calm, 1.0 / self.fps, axis=0)
        self.start_velocity = velocity[0]
        step = R.unitquat_to_rotvec(R.multiply(self.rotations[1:], R.conjugate(self.rotations[:-1]))) * self.fps
        turning = np.concatenate([step, step[-1:]])  # rates in the parent's frame; the root's in the world's
        turning[1:-1] = (step[1:] + step[:-1]) / 2
        # A leap after the first frame must not spin the body apart before it is even tracked.
        rate = np.linalg.norm(turning[0], axis=-1, keepdims=True)
        self.start_turning = turning[0] * np.minimum(1.0, START_TURNING_RAD_S / np.maximum(rate, 1e-9))
        self.root_position = _interpolate(at, self.frame_s, self.root).tolist()
        self.root_velocity = _interpolate(at, self.frame_s, velocity).tolist()
        self.root_turning = turning[np.minimum((at * self.fps).astype(int), self.frames - 1), 0].tolist()
        self.friction = self._friction()

    def _friction(self) -> Array:
        """(T, links + 1) friction of each body part, by the speed of its lowest reference point (base first)."""
        surface = body_of(self.body.skeleton)
        points = surface.surface_points(*forward_kinematics(self.body.skeleton, self.root, self.rotations))
        distance = np.linalg.norm(np.diff(points[..., [0, 2]], axis=0), axis=-1) * self.fps
        speed = np.concatenate([distance[:1], (distance[1:] + distance[:-1]) / 2, distance[-1:]])
        carrier = np.array(self.body.plan.carrier)[surface.point_joint]
        friction = np.full((self.frames, len(self.joints)), FRICTION)
        for i, joint in enumerate(self.joints):
            own = carrier == joint
            if own.any():
                slowest = gaussian(speed[None, :, own].min(-1), 1.0, 3)[0]
                gate = np.clip(1.5 - slowest / SLIDING_SPEED_M_S, 0.0, 1.0)
                friction[:, i] = SLIDING_FRICTION + (FRICTION - SLIDING_FRICTION) * gate
        # The first frame must not start inside the floor: Bullet would throw the body up.
        self.start_lift = max(0.0, 0.001 - float(points[0, :, 1].min()))
        return np.maximum(np.round(friction, 1), SLIDING_FRICTION)

    def _reset(self) -> None:
        bullet, uid, client = self.bullet, self.body.uid, self.client
        bullet.setPhysicsEngineParameter(
            fixedTimeStep=self.dt,
            numSubSteps=0,
            numSolverIterations=self.world.solver.iterations,
            erp=self.world.solver.erp,
            contactERP=0.2,
            frictionERP=0.2,
            deterministicOverlappingPairs=1,
            solverResidualThreshold=1e-7,
            contactSlop=0.0,
            physicsClientId=client,
        )
        start = self.root[0] + np.array([0.0, self.start_lift, 0.0])
        first = self.rotations[0]
        bullet.resetBasePositionAndOrientation(uid, start.tolist(), xyzw(first[0]), physicsClientId=client)
        bullet.resetBaseVelocity(
            uid, self.start_velocity.tolist(), self.start_turning[0].tolist(), physicsClientId=client
        )
        moving = self.joints[1:]
        bullet.resetJointStatesMultiDof(
            uid, self.links, [xyzw(first[j]) for j in moving], [self.start_turning[j].tolist() for j in moving],
            physicsClientId=client,
        )  # fmt: skip

    def run(self, tick: Tick) -> Simulated:
        bullet, uid, client = self.bullet, self.body.uid, self.client
        root, rotations = self.root.copy(), self.rotations.copy()
        force = np.zeros(self.frames)
        diverged: int | None = None
        self._reset()
        self._read(root, rotations, 0)
        limits = [[float(limit)] * 3 for limit in self.body.torque_limit_nm]
        gains, still = [1.0] * len(self.links), [[0.0, 0.0, 0.0]] * len(self.links)
        current = np.full(len(self.joints), -1.0)
        weight = self.body.mass_kg * GRAVITY_M_S2
        step = 0
        for frame in range(1, self.frames):
            for i in np.flatnonzero(self.friction[frame] != current):
                value = float(self.friction[frame, i])
                bullet.changeDynamics(uid, int(i) - 1, lateralFriction=value, physicsClientId=client)
            current = self.friction[frame]
            for _ in range(self.substeps):
                if self.links:
                    bullet.setJointMotorControlMultiDofArray(
                        uid, self.links, bullet.POSITION_CONTROL, targetPositions=self.targets[step],
                        targetVelocities=still, forces=limits, positionGains=gains, velocityGains=gains,
                        physicsClientId=client,
                    )  # fmt: skip
                force[frame] += self._push(step) / weight / self.substeps
                bullet.stepSimulation(physicsClientId=client)
                step += 1
                if step % TICK_STEPS == 0:
                    tick(frame / self.frames, "Simulating")
            self._read(root, rotations, frame)
            if not np.isfinite(root[frame]).all() or np.abs(root[frame] - self.root[frame]).max() > RUNAWAY_M:
                diverged = frame
                break
        if diverged is not None:
            root, rotations = self.root.copy(), self.rotations.copy()
        force[0] = force[1] if self.frames > 1 else 0.0
        return Simulated(root, R.normalize(R.make_continuous(rotations)), force, diverged)

    def _push(self, step: int) -> float:
        """Apply the wrench; returns its force in newtons. Plain floats: numpy would take longer than the simulation."""
        bullet, uid, client, mass = self.bullet, self.body.uid, self.client, self.body.mass_kg
        position, turn = bullet.getBasePositionAndOrientation(uid, physicsClientId=client)
        velocity, spin = bullet.getBaseVelocity(uid, physicsClientId=client)
        goal, goal_velocity = self.root_position[step], self.root_velocity[step]
        push = [
            mass * (ROOT_STIFFNESS * (goal[k] - position[k]) + ROOT_DAMPING * (goal_velocity[k] - velocity[k]))
            for k in range(3)
        ]
        most = self.options.residual_force_bw * mass * GRAVITY_M_S2
        size = math.hypot(*push)
        if size > most:
            push = [v * most / size for v in push]
            size = most
        inertia = mass * ROOT_INERTIA_PER_KG
        error = _rotation_vector(self.root_rotation[step], turn)
        goal_spin = self.root_turning[step]
        twist = [inertia * (TURN_STIFFNESS * error[k] + TURN_DAMPING * (goal_spin[k] - spin[k])) for k in range(3)]
        most = self.options.residual_torque_nm * mass / TORQUE_MASS_KG
        turning = math.hypot(*twist)
        if turning > most:
            twist = [v * most / turning for v in twist]
        if math.isfinite(size) and math.isfinite(turning):
            bullet.applyExternalForce(uid, -1, push, position, bullet.WORLD_FRAME, physicsClientId=client)
            bullet.applyExternalTorque(uid, -1, twist, bullet.WORLD_FRAME, physicsClientId=client)
        return size

    def _read(self, root: Array, rotations: Array, frame: int) -> None:
        position, turn = self.bullet.getBasePositionAndOrientation(self.body.uid, physicsClientId=self.client)
        root[frame] = position
        rotations[frame, 0] = [turn[3], *turn[:3]]
        if self.links:
            states = self.bullet.getJointStatesMultiDof(self.body.uid, self.links, physicsClientId=self.client)
            rotations[frame, self.joints[1:]] = [[s[0][3], *s[0][:3]] for s in states]


def _rotation_vector(goal_wxyz: list[float], is_xyzw: Any) -> list[float]:
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


def _interpolate(at: Array, known: Array, values: Array) -> Array:
    return np.stack([np.interp(at, known, values[:, k]) for k in range(values.shape[1])], axis=-1)
