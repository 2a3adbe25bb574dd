"""A PyBullet body out of :func:`core.body.body_of`: the same primitives that metrics and viewer use."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from core import rotations as R
from core.body import REFERENCE_LEG_M, Body, Primitive, body_of
from core.skeleton import Skeleton
from corrector.links import LinkPlan
from corrector.masses import joint_masses_kg

Array = R.Array

TORQUE_LIMIT_NM = {  # on a body of 45 kg
    "spine": 300, "pelvis": 300, "neck": 60, "head": 60, "collar": 150, "buttock": 300, "thigh": 250, "shank": 200,
    "foot": 150, "toe": 30, "upperarm": 120, "forearm": 80, "hand": 20, "finger": 5,
}  # fmt: skip
TORQUE_MASS_KG = 45.0
LINK_INERTIA_FLOOR, BASE_INERTIA_FLOOR = 0.02, 0.05  # kg m2 on a body of 45 kg: thin links do not converge below
FASTEST_JOINT_RAD_S = 200.0
LEAST_TRUNK_SHARE = 0.04  # of the body's mass: lighter parts of the spine take no turning moment


@dataclass(frozen=True, eq=False)
class SimulatedBody:
    """A body inside a PyBullet world. Link i is joint ``plan.joints[i + 1]``; the base is the root.

    Attributes:
        uid: PyBullet's id.
        mass_kg: of all links.
        torque_limit_nm: (links,).
        trunk: links (-1 is the base) of pelvis and spine with their shares of the trunk's mass, which sum to one. A
            turning moment on the light base alone chatters; on the trunk it does not.
    """

    skeleton: Skeleton
    plan: LinkPlan
    uid: int
    mass_kg: float
    torque_limit_nm: Array
    trunk: tuple[tuple[int, float], ...]


def build_body(bullet: Any, client: int, skeleton: Skeleton, plan: LinkPlan) -> SimulatedBody:
    """Create the body in a world.

    Every link's frame is its joint's frame, so that states need no conversion; the base keeps its inertial frame there
    too, because PyBullet reports the base in that frame. Stiff joints' primitives are fixed to their carriers.
    """
    body = body_of(skeleton)
    carried = _carried_primitives(body, plan)
    mass = np.zeros(skeleton.joint_count)
    np.add.at(mass, list(plan.carrier), joint_masses_kg(body))
    links = plan.joints[1:]
    index = {joint: i for i, joint in enumerate(plan.joints)}  # 0 is the base, as linkParentIndices wants it
    uid = bullet.createMultiBody(
        baseMass=float(mass[0]),
        baseCollisionShapeIndex=_shape(bullet, client, carried[0]),
        basePosition=[0, 1, 0],
        linkMasses=[float(mass[j]) for j in links],
        linkCollisionShapeIndices=[_shape(bullet, client, carried[j]) for j in links],
        linkVisualShapeIndices=[-1] * len(links),
        linkPositions=[skeleton.offsets_m[j].tolist() for j in links],
        linkOrientations=[[0, 0, 0, 1]] * len(links),
        linkInertialFramePositions=[_center(carried[j]) for j in links],
        linkInertialFrameOrientations=[[0, 0, 0, 1]] * len(links),
        linkParentIndices=[index[skeleton.parents[j]] for j in links],
        linkJointTypes=[bullet.JOINT_SPHERICAL] * len(links),
        linkJointAxis=[[0, 0, 1]] * len(links),
        flags=bullet.URDF_MAINTAIN_LINK_ORDER,  # otherwise links are reordered depth-first
        physicsClientId=client,
    )
    total = float(mass.sum())
    # Settings of the whole body in calls of their own: together with friction they would swallow it.
    bullet.changeDynamics(uid, -1, linearDamping=0.0, angularDamping=0.0, physicsClientId=client)
    bullet.changeDynamics(uid, -1, maxJointVelocity=FASTEST_JOINT_RAD_S, physicsClientId=client)
    size = skeleton.leg_length_m / REFERENCE_LEG_M
    for i in range(-1, len(links)):
        floor = (BASE_INERTIA_FLOOR if i < 0 else LINK_INERTIA_FLOOR) * total / TORQUE_MASS_KG * size**2
        inertia = bullet.getDynamicsInfo(uid, i, physicsClientId=client)[2]
        bullet.changeDynamics(
            uid,
            i,
            lateralFriction=1.0,
            rollingFriction=0.0,
            spinningFriction=0.0,
            restitution=0.0,
            jointDamping=0.0,
            localInertiaDiagonal=[max(float(v), floor) for v in inertia],
            physicsClientId=client,
        )
    limits = np.array([TORQUE_LIMIT_NM[skeleton.segments[j]] for j in links], dtype=np.float64)
    return SimulatedBody(skeleton, plan, uid, total, limits * total / TORQUE_MASS_KG, _trunk(skeleton, plan, mass))


def _trunk(skeleton: Skeleton, plan: LinkPlan, mass_kg: Array) -> tuple[tuple[int, float], ...]:
    parts = [
        (i - 1, float(mass_kg[j]))
        for i, j in enumerate(plan.joints)
        if i == 0 or (skeleton.segments[j] == "spine" and mass_kg[j] > LEAST_TRUNK_SHARE * mass_kg.sum())
    ]
    whole = sum(mass for _, mass in parts)
    return tuple((link, mass / whole) for link, mass in parts)


def _carried_primitives(body: Body, plan: LinkPlan) -> dict[int, list[tuple[Primitive, Array]]]:
    """Per simulated joint the primitives that move with it, and where their own joint sits in its frame."""
    skeleton = body.skeleton
    found: dict[int, list[tuple[Primitive, Array]]] = {j: [] for j in plan.joints}
    for primitive in body.primitives:
        at, j = np.zeros(3), primitive.joint
        while j != plan.carrier[j]:
            at = at + skeleton.offsets_m[j]
            j = skeleton.parents[j]
        found[j].append((primitive, at))
    return found


def _center(primitives: list[tuple[Primitive, Array]]) -> list[float]:
    """Mean center of some primitives: the link's center of mass."""
    if not primitives:
        return [0.0, 0.0, 0.0]
    centers = [at + (np.array(p.a) + np.array(p.b)) / 2 for p, at in primitives]
    return [float(v) for v in np.mean(centers, axis=0)]


def _shape(bullet: Any, client: int, primitives: list[tuple[Primitive, Array]]) -> int:
    """One collision shape of several primitives; -1 for none."""
    if not primitives:
        return -1
    kinds = {"sphere": bullet.GEOM_SPHERE, "box": bullet.GEOM_BOX, "capsule": bullet.GEOM_CAPSULE}
    lengths, positions, orientations = [], [], []
    for primitive, at in primitives:
        a, b = at + np.array(primitive.a), at + np.array(primitive.b)
        lengths.append(max(float(np.linalg.norm(b - a)), 1e-3))
        positions.append([float(v) for v in (a + b) / 2])
        turn = np.array(primitive.rotation_wxyz) if primitive.kind == "box" else _turn_z_to(b - a)
        orientations.append(xyzw(turn))
    return int(
        bullet.createCollisionShapeArray(
            shapeTypes=[kinds[p.kind] for p, _ in primitives],
            radii=[max((p.radius_m + p.radius_b_m) / 2, 1e-3) for p, _ in primitives],
            halfExtents=[list(p.half_extents_m) if p.kind == "box" else [0.1] * 3 for p, _ in primitives],
            lengths=lengths,
            collisionFramePositions=positions,
            collisionFrameOrientations=orientations,
            physicsClientId=client,
        )
    )


def _turn_z_to(direction: Array) -> Array:
    """Unit quaternion that turns +z to a direction: PyBullet's capsules lie along z."""
    length = float(np.linalg.norm(direction))
    if length < 1e-9:
        return R.IDENTITY_WXYZ
    unit = direction / length
    axis = np.cross([0.0, 0.0, 1.0], unit)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-8:
        return R.IDENTITY_WXYZ if unit[2] > 0 else np.array([0.0, 1.0, 0.0, 0.0])
    return R.rotvec_to_unitquat(axis / sine * np.arctan2(sine, unit[2]))


def xyzw(wxyz: Array) -> list[float]:
    """PyBullet's order of a quaternion."""
    w, x, y, z = (float(v) for v in wxyz)
    return [x, y, z, w]
