"""A simulated body follows a motion: position motors at the joints, and a bounded wrench that helps from outside.

The wrench is the residual force of Yuan & Kitani 2020 ("Residual Force Control"), here a PD controller towards the
reference's root, capped in body weights and reported. Its force acts like a second gravity, on every part by its mass,
its torque on the trunk: a wrench on the light base alone strains the joints, and chatters.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core import rotations as R
from core.body import REFERENCE_LEG_M
from core.config import Options
from core.protocols import Tick, silent
from corrector.body_builder import TORQUE_MASS_KG, SimulatedBody, xyzw
from corrector.targets import Targets, plan_friction, plan_targets
from corrector.world import GRAVITY_M_S2, World
from corrector.wrench import NOWHERE, Wrench, firmness, pulled, rotation_vector

Array = R.Array

ROOT_INERTIA_PER_KG = 0.06  # m2, of a body with the reference leg
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
        0,
        ge=0,
        le=500,
        title="Solver iterations",
        description="Of Bullet's constraint solver per step; 0 chooses by the body (20 for 15 joints, more for long "
        "spines).",
    )
    help: Literal["least", "none"] = Field(
        "least",
        title="Help from outside",
        description="Least: a force and a torque at the body, as small as keeps it with the motion and never above the "
        "limits below. None: the body stands by itself, and a motion in which it falls is rejected.",
    )
    residual_force_bw: float = Field(
        1.0,
        ge=0,
        le=10,
        title="Residual force limit",
        description="Most help from outside, in body weights.",
    )
    residual_torque_nm: float = Field(
        300.0,
        ge=0,
        le=10_000,
        title="Residual torque limit",
        description="The same for turning, newton metres for a body of 45 kg.",
    )
    passes: int = Field(
        1,
        ge=1,
        le=6,
        title="Passes",
        description="Simulations per motion. Each one after the first learns from the one before it and gets half its "
        "help, while the body stays with the motion; the time grows with their number.",
    )


@dataclass(frozen=True, eq=False)
class Simulated:
    """A tracked motion.

    Attributes:
        root_position_m: (T, 3).
        local_rotations_wxyz: (T, J, 4); joints that the body has not keep the reference's.
        residual_force_bw: (T,) mean over the steps of the wrench's force on the way to each frame, body weights.
        residual_torque_nm: (T,) the same for its torque, newton metres.
        at_limit: (T,) whether force or torque reached its limit on the way to the frame.
        limit_bw: the force limit that was in use, body weights.
        diverged: first frame at which the simulation blew up, or None; the motion is then the reference.
    """

    root_position_m: Array
    local_rotations_wxyz: Array
    residual_force_bw: Array
    residual_torque_nm: Array
    at_limit: NDArray[np.bool_]
    limit_bw: float
    diverged: int | None


def wrench_of(options: TrackerOptions) -> Wrench:
    """The help as the options limit it."""
    if options.help == "none":
        return Wrench(most_bw=0.0, most_nm=0.0)
    return Wrench(most_bw=options.residual_force_bw, most_nm=options.residual_torque_nm)


def track(
    world: World, root_position_m: Array, local_rotations_wxyz: Array, fps: float, options: TrackerOptions,
    tick: Tick = silent, *, stance: NDArray[np.bool_] | None = None, wrench: Wrench | None = None,
    aim: tuple[Array, Array] | None = None,
) -> Simulated:  # fmt: skip
    """Simulate one motion (T, 3), (T, J, 4) once.

    Args:
        stance: (T, F) planned contact per foot of ``body_of(skeleton).sole_points``: the help is softer while a foot
            stands and stiffer in flight. Without it the help is the same in all frames.
        wrench: gains and limits of the help; by default those of the options.
        aim: root positions and rotations to aim at in place of the motion's, see :mod:`corrector.anneal`.
    """
    root = np.asarray(root_position_m, dtype=np.float64)
    rotations = R.make_continuous(np.asarray(local_rotations_wxyz, dtype=np.float64))
    if len(root) < 2:
        none = np.zeros(len(root))
        return Simulated(root, rotations, none, none, none > 0, options.residual_force_bw, None)
    with world.lock:
        return _Rollout(world, root, rotations, fps, options, stance, wrench or wrench_of(options), aim).run(tick)


class _Rollout:
    """One simulation; splits what would be one long function."""

    def __init__(
        self, world: World, root: Array, rotations: Array, fps: float, options: TrackerOptions,
        stance: NDArray[np.bool_] | None, wrench: Wrench, aim: tuple[Array, Array] | None,
    ) -> None:  # fmt: skip
        self.world, self.bullet, self.client = world, world.bullet, world.client
        self.body: SimulatedBody = world.body
        self.root, self.rotations, self.fps, self.wrench = root, rotations, fps, wrench
        self.links = list(range(len(self.body.plan.joints) - 1))
        self.joints = list(self.body.plan.joints)
        self.substeps = max(1, round(options.rate_hz / fps))
        self.dt = 1.0 / (fps * self.substeps)
        self.frames = len(root)
        goal_root, goal_rotations = aim or (root, rotations)
        self.targets: Targets = plan_targets(
            goal_root, goal_rotations, self.joints, fps, self.substeps, world.solver.erp
        )
        self.friction, self.start_lift = plan_friction(self.body, root, rotations, fps)
        self.pull = np.ones(self.frames) if stance is None else firmness(stance)
        size = self.body.skeleton.leg_length_m / REFERENCE_LEG_M
        self.inertia = self.body.mass_kg * ROOT_INERTIA_PER_KG * size**2
        self.most_n = wrench.most_bw * self.body.mass_kg * GRAVITY_M_S2
        self.most_nm = wrench.most_nm * self.body.mass_kg / TORQUE_MASS_KG

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
        bullet.setGravity(0.0, -GRAVITY_M_S2, 0.0, physicsClientId=client)
        start = self.root[0] + np.array([0.0, self.start_lift, 0.0])
        first, turning = self.rotations[0], self.targets.start_turning_rad_s.tolist()
        bullet.resetBasePositionAndOrientation(uid, start.tolist(), xyzw(first[0]), physicsClientId=client)
        bullet.resetBaseVelocity(uid, self.targets.start_velocity_m_s.tolist(), turning[0], physicsClientId=client)
        bullet.resetJointStatesMultiDof(
            uid, self.links, [xyzw(first[j]) for j in self.joints[1:]], turning[1:], physicsClientId=client
        )

    def run(self, tick: Tick) -> Simulated:
        bullet, uid, client = self.bullet, self.body.uid, self.client
        root, rotations = self.root.copy(), self.rotations.copy()
        force, torque, at_limit = np.zeros(self.frames), np.zeros(self.frames), np.zeros(self.frames, dtype=bool)
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
            newtons, moment, limited = 0.0, 0.0, False
            wrench = self.wrench.scaled(float(self.pull[frame]))
            joints, *aims = self.targets.of(slice(step, step + self.substeps))
            for target, *aim in zip(joints, *aims, strict=True):
                if self.links:
                    bullet.setJointMotorControlMultiDofArray(
                        uid, self.links, bullet.POSITION_CONTROL, targetPositions=target,
                        targetVelocities=still, forces=limits, positionGains=gains, velocityGains=gains,
                        physicsClientId=client,
                    )  # fmt: skip
                pushed, turned = self._help(aim, wrench)
                newtons, moment = newtons + pushed, moment + turned
                limited = limited or pushed >= self.most_n > 0 or turned >= self.most_nm > 0
                bullet.stepSimulation(physicsClientId=client)
                step += 1
                if step % TICK_STEPS == 0:
                    tick(frame / self.frames, "Simulating")
            force[frame], torque[frame] = newtons / weight / self.substeps, moment / self.substeps
            at_limit[frame] = limited
            self._read(root, rotations, frame)
            if not np.isfinite(root[frame]).all() or np.abs(root[frame] - self.root[frame]).max() > RUNAWAY_M:
                diverged = frame
                break
        if diverged is not None:
            root, rotations = self.root.copy(), self.rotations.copy()
        force[0], torque[0], at_limit[0] = force[1], torque[1], at_limit[1]
        rotations = R.normalize(R.make_continuous(rotations))
        return Simulated(root, rotations, force, torque, at_limit, self.wrench.most_bw, diverged)

    def _help(self, aim: list[list[float]], wrench: Wrench) -> tuple[float, float]:
        """Apply the wrench; returns its force in newtons and its torque in newton metres.

        Plain floats: numpy would take longer than the simulation.
        """
        if self.most_n == 0.0 and self.most_nm == 0.0:
            return 0.0, 0.0
        bullet, uid, client, mass = self.bullet, self.body.uid, self.client, self.body.mass_kg
        goal, goal_velocity, goal_turn, goal_spin = aim
        position, turn = bullet.getBasePositionAndOrientation(uid, physicsClientId=client)
        velocity, spin = bullet.getBaseVelocity(uid, physicsClientId=client)
        push, size = pulled(
            goal, position, goal_velocity, velocity,
            mass * wrench.stiffness, mass * wrench.damping, self.most_n,
        )  # fmt: skip
        inertia = self.inertia
        error = rotation_vector(goal_turn, turn)
        twist, turning = pulled(
            error, NOWHERE, goal_spin, spin,
            inertia * wrench.turn_stiffness, inertia * wrench.turn_damping, self.most_nm,
        )  # fmt: skip
        if not (math.isfinite(size) and math.isfinite(turning)):
            return 0.0, 0.0  # the simulation has blown up, which the frame's end finds out
        x, y, z = push
        bullet.setGravity(x / mass, y / mass - GRAVITY_M_S2, z / mass, physicsClientId=client)
        for link, share in self.body.trunk:
            part = [share * v for v in twist]
            bullet.applyExternalTorque(uid, link, part, bullet.WORLD_FRAME, physicsClientId=client)
        return size, turning

    def _read(self, root: Array, rotations: Array, frame: int) -> None:
        position, turn = self.bullet.getBasePositionAndOrientation(self.body.uid, physicsClientId=self.client)
        root[frame] = position
        rotations[frame, 0] = [turn[3], *turn[:3]]
        if self.links:
            states = self.bullet.getJointStatesMultiDof(self.body.uid, self.links, physicsClientId=self.client)
            rotations[frame, self.joints[1:]] = [[s[0][3], *s[0][:3]] for s in states]
