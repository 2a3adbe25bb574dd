"""The flesh on a skeleton: one convex primitive or more per joint. Artefact metrics, the physics body, the browser's
figure and the off-screen renderer all read this one description.

Primitives live in their joint's local frame. Radii are fractions of leg length (thigh radius .08 m on a .82 m leg), so
that any skeleton from 0.9 m to 2.2 m gets a body of its own size.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from core import rotations as R
from core.skeleton import Skeleton

Array = R.Array

REFERENCE_LEG_M = 0.83
RADIUS_M = {  # on a body with the reference leg
    "pelvis": 0.09, "spine": 0.105, "collar": 0.05, "buttock": 0.06, "neck": 0.05, "head": 0.1, "upperarm": 0.045,
    "forearm": 0.038, "hand": 0.038, "finger": 0.012, "thigh": 0.065, "shank": 0.05, "foot": 0.035, "toe": 0.03,
}  # fmt: skip
SOLE_HALF_WIDTH_M = 0.045
HEEL_M = 0.05


@dataclass(frozen=True)
class Primitive:
    """A capsule (a, b, radius at a, radius at b), sphere (a, radius) or box (center a, half extents, rotation).

    Attributes:
        joint: index of the joint it moves with.
        kind: ``capsule``, ``sphere`` or ``box``.
        a, b: (3,) ends in the joint's frame, metres; b equals a for spheres and boxes.
        radius_m, radius_b_m: at a and at b; 0 for boxes.
        half_extents_m: (3,) of a box, else zeros.
        rotation_wxyz: (4,) of a box in the joint's frame, else identity.
    """

    joint: int
    kind: str
    a: tuple[float, float, float]
    b: tuple[float, float, float]
    radius_m: float = 0.0
    radius_b_m: float = 0.0
    half_extents_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation_wxyz: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)

    def as_dict(self, side: str) -> dict[str, Any]:
        """The form that the browser's viewer reads."""
        base: dict[str, Any] = {"joint": self.joint, "kind": self.kind, "side": side}
        if self.kind == "capsule":
            return base | {"a": self.a, "b": self.b, "radius": self.radius_m, "radius_b": self.radius_b_m}
        if self.kind == "sphere":
            return base | {"center": self.a, "radius": self.radius_m}
        return base | {
            "center": self.a,
            "half_extents": self.half_extents_m,
            "rotation_wxyz": self.rotation_wxyz,
        }


@dataclass(frozen=True, eq=False)
class Body:
    """Primitives of a skeleton, and the points by which they touch the floor.

    Attributes:
        skeleton: the joints.
        primitives: in joint order.
        point_joint: (P,) joint of each contact point.
        point_m: (P, 3) its position in the joint's frame.
        point_radius_m: (P,) how far the surface lies below the point.
        sole_points: per foot of ``skeleton.feet`` the indices of its points (ankle box and toes).
    """

    skeleton: Skeleton
    primitives: tuple[Primitive, ...]
    point_joint: np.ndarray
    point_m: Array
    point_radius_m: Array
    sole_points: tuple[np.ndarray, ...]

    def surface_points(self, positions_m: Array, rotations_wxyz: Array) -> Array:
        """Lowest surface point under each contact point: world joints (..., J, 3), (..., J, 4) -> (..., P, 3)."""
        at = positions_m[..., self.point_joint, :]
        points = at + R.rotate(rotations_wxyz[..., self.point_joint, :], self.point_m)
        points[..., 1] -= self.point_radius_m
        return points


@lru_cache(maxsize=32)
def body_of(skeleton: Skeleton) -> Body:
    """The body that any skeleton gets: capsules along bones, a ball for a head, boxes for feet."""
    scale = skeleton.leg_length_m / REFERENCE_LEG_M
    primitives: list[Primitive] = []
    for j, segment in enumerate(skeleton.segments):
        primitives.extend(_primitives_of(skeleton, j, segment, scale))
    joints, points, radii = [], [], []
    for primitive in primitives:
        for point, radius in _contact_points(primitive):
            joints.append(primitive.joint)
            points.append(point)
            radii.append(radius)
    point_joint = np.array(joints)
    below = [_descendants(skeleton, foot) for foot in skeleton.feet]
    soles = tuple(np.flatnonzero(np.isin(point_joint, list(chain))) for chain in below)
    return Body(skeleton, tuple(primitives), point_joint, np.array(points), np.array(radii), soles)


def _descendants(skeleton: Skeleton, joint: int) -> set[int]:
    found = {joint}
    for j in range(joint + 1, skeleton.joint_count):
        if skeleton.parents[j] in found:
            found.add(j)
    return found


def _triple(vector: Array) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in vector)
    return x, y, z


def _capsule(joint: int, a: Array, b: Array, radius: float, radius_b: float | None = None) -> Primitive:
    return Primitive(joint, "capsule", _triple(a), _triple(b), radius, radius if radius_b is None else radius_b)


def _primitives_of(skeleton: Skeleton, j: int, segment: str, scale: float) -> list[Primitive]:
    if segment == "helper":
        return []
    radius = RADIUS_M[segment] * scale
    carried = [c for c in skeleton.children[j] if np.linalg.norm(skeleton.offsets_m[c]) > 1e-3]
    fleshed = [c for c in carried if skeleton.segments[c] != "helper"]  # a bone to a twist joint is half a bone
    bones = [skeleton.offsets_m[c] for c in fleshed or carried]
    if segment in ("foot", "toe"):
        return _sole(skeleton, j, scale)
    if segment == "pelvis":
        return _pelvis(skeleton, j, bones, radius)
    if segment == "head" or not bones:
        if "head" in skeleton.segments and segment in ("head", "spine") and j != skeleton.segments.index("head"):
            return []  # eyes, jaws and helper bones add nothing to touch the floor with
        direction = skeleton.offsets_m[j] if np.linalg.norm(skeleton.offsets_m[j]) > 1e-3 else np.array([0, 1.0, 0])
        direction = direction / np.linalg.norm(direction)
        if segment in ("neck", "spine"):  # a spine that ends here carries the head
            radius = RADIUS_M["head"] * scale
        reach = 1.6 if segment == "neck" else 0.8 if segment in ("head", "spine") else 0.6
        center = _triple(direction * radius * reach)
        return [Primitive(j, "sphere", center, center, radius, radius)]
    if segment in ("spine", "collar", "neck", "head"):
        bone = max(bones, key=lambda b: float(abs(b[1])) - float(np.hypot(b[0], b[2])))  # the one that goes up
    else:
        bone = max(bones, key=lambda b: float(np.linalg.norm(b)))
    length = float(np.linalg.norm(bone))
    thin = min(radius, 0.6 * length) if segment in ("spine", "collar", "neck", "buttock") else radius
    unit = bone / length
    inset = min(thin, 0.35 * length)
    taper = {"thigh": 0.72, "shank": 0.7, "upperarm": 0.85, "forearm": 0.75}.get(segment, 1.0)
    if segment == "collar":
        inset = 0.0
    return [_capsule(j, unit * inset * 0.6, bone - unit * inset * 0.6, thin, thin * taper)]


def _pelvis(skeleton: Skeleton, j: int, bones: list[Array], radius: float) -> list[Primitive]:
    hips = [skeleton.offsets_m[c] for c in skeleton.children[j] if skeleton.segments[c] in ("thigh", "buttock")]
    lateral = hips[0] * np.array([1.0, 0.0, 1.0]) if hips else np.array([radius, 0.0, 0.0])
    norm = float(np.linalg.norm(lateral))
    half = lateral if norm > 1e-3 else np.array([radius, 0.0, 0.0])
    found = [_capsule(j, -0.8 * half, 0.8 * half, radius)]
    up = [b for b in bones if b[1] > 1.3 * radius]
    if up:  # a trunk without a joint between pelvis and chest still needs a waist
        tall = max(up, key=lambda b: float(b[1]))
        found.append(_capsule(j, tall * 0.3, tall * 0.75, radius * 0.95))
    return found


def _sole(skeleton: Skeleton, j: int, scale: float) -> list[Primitive]:
    """A box under an ankle from heel to ball (or toe end), level in the rest pose; a shorter one under a toe joint."""
    back, thin = HEEL_M * scale, 0.025 * scale
    if skeleton.segments[j] == "toe":
        if skeleton.segments[skeleton.parents[j]] == "toe":
            return []  # single toes beyond the ball
        tip, back = skeleton.offsets_m[j] * np.array([1.0, 0.0, 1.0]), 0.0
        tip = tip / max(float(np.linalg.norm(tip)), 1e-3) * 0.06 * scale + np.array([0.0, -thin, 0.0])
    elif skeleton.toe_tips_m and j in skeleton.feet:
        tip = np.array(skeleton.toe_tips_m[skeleton.feet.index(j)])
    elif skeleton.children[j]:
        ball = max((skeleton.offsets_m[c] for c in skeleton.children[j]), key=lambda o: float(np.linalg.norm(o)))
        tip = ball - np.array([0.0, thin, 0.0])
    else:
        tip = _forward(skeleton) * 0.135 * scale - np.array([0.0, 0.08 * scale, 0.0])
    forward = tip * np.array([1.0, 0.0, 1.0])
    front = float(np.linalg.norm(forward))
    forward = forward / front if front > 0.03 * scale else _forward(skeleton)
    depth = max(float(-tip[1]), thin)
    thickness = min(depth, 0.055 * scale)
    center = forward * (front - back) / 2 + np.array([0.0, thickness / 2 - depth, 0.0])
    yaw = float(np.arctan2(-forward[2], forward[0]))
    w, x, y, z = (float(v) for v in R.yaw_to_unitquat(np.array(yaw)))
    half = ((front + back) / 2, thickness / 2, SOLE_HALF_WIDTH_M * scale)
    at = _triple(center)
    return [Primitive(j, "box", at, at, half_extents_m=half, rotation_wxyz=(w, x, y, z))]


def _forward(skeleton: Skeleton) -> Array:
    """Where a body without toes looks in its rest pose: up x (left - right), by its hips."""
    left = [skeleton.offsets_m[j] for j in range(skeleton.joint_count) if _is(skeleton, j, "thigh", "left")]
    right = [skeleton.offsets_m[j] for j in range(skeleton.joint_count) if _is(skeleton, j, "thigh", "right")]
    if left and right:
        across = (left[0] - right[0]) * np.array([1.0, 0.0, 1.0])
        if np.linalg.norm(across) > 1e-3:
            forward: Array = np.cross(across, np.array([0.0, 1.0, 0.0]))
            forward /= np.linalg.norm(forward)
            return forward
    return np.array([0.0, 0.0, 1.0])


def _is(skeleton: Skeleton, j: int, segment: str, side: str) -> bool:
    return skeleton.segments[j] == segment and skeleton.sides[j] == side


def _contact_points(primitive: Primitive) -> list[tuple[Array, float]]:
    if primitive.kind == "capsule":
        return [(np.array(primitive.a), primitive.radius_m), (np.array(primitive.b), primitive.radius_b_m)]
    if primitive.kind == "sphere":
        return [(np.array(primitive.a), primitive.radius_m)]
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * primitive.half_extents_m
    turned = R.rotate(np.array(primitive.rotation_wxyz), corners.astype(float)) + np.array(primitive.a)
    return [(corner, 0.0) for corner in turned]
