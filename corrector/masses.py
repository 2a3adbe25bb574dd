"""How heavy the parts of a body are: de Leva's fractions per segment, by volume where names say nothing."""

import numpy as np

from core import rotations as R
from core.body import REFERENCE_LEG_M, Body, Primitive
from corrector.links import plan_links

Array = R.Array

BODY_MASS_KG = 70.0  # of a body with the reference leg
GROWTH = 2.5  # weight goes with height to this power, from toddlers to giants (Trefethen 2013)
SIDE_FRACTION = {  # of one side (P. de Leva 1996, table 4, male)
    "thigh": 0.1416, "shank": 0.0433, "foot": 0.0137, "upperarm": 0.0271, "forearm": 0.0162, "hand": 0.0061,
    "toe": 0.0015, "buttock": 0.008, "collar": 0.008, "finger": 0.001,
}  # fmt: skip
CENTER_FRACTION = {"pelvis": 0.1117, "head": 0.0594, "neck": 0.01, "helper": 0.0}
HEADS = ("head", "neck")
LEAST_FRACTION = 0.0008  # of a joint that is simulated: lighter ones do not
LEAST_VOLUME_M3 = 1e-5


def body_mass_kg(body: Body) -> float:
    """Mass of the whole body, from its leg length: 12 kg at 0.85 m, 70 kg at 1.69 m, 135 kg at 2.2 m."""
    size = float(np.clip(body.skeleton.leg_length_m / REFERENCE_LEG_M, 0.2, 4.0))
    return float(BODY_MASS_KG * size**GROWTH)


def joint_masses_kg(body: Body) -> Array:
    """(J,) mass that moves with each joint; sums to :func:`body_mass_kg`."""
    segments = body.skeleton.segments
    volume = np.full(len(segments), LEAST_VOLUME_M3)
    for primitive in body.primitives:
        volume[primitive.joint] += volume_m3(primitive)
    if "thigh" not in segments or "spine" not in segments:  # neither names nor shape say: all flesh is of one density
        share = volume
    else:
        share = np.zeros(len(segments))
        for segment in set(segments) - {"spine"}:
            group = np.array([s == segment for s in segments])
            fraction = _fraction(segment, int(group.sum()))
            if segment in HEADS and not set(HEADS) <= set(segments):  # a neck that carries the head, or no neck
                fraction = sum(CENTER_FRACTION[one] for one in HEADS)
            share[group] = fraction * volume[group] / volume[group].sum()
        spine = np.array([s == "spine" for s in segments])
        share[spine] = max(1.0 - share.sum(), 0.1) * volume[spine] / volume[spine].sum()
    plan = plan_links(body.skeleton)
    moving = np.array([isinstance(plan, str) or plan.carrier[j] == j for j in range(len(segments))])
    share = share / share.sum()
    share = np.where(moving, np.maximum(share, LEAST_FRACTION), share)
    return np.asarray(share / share.sum() * body_mass_kg(body))


def volume_m3(primitive: Primitive) -> float:
    """Volume of a primitive; a tapered capsule counts as one of mean radius."""
    if primitive.kind == "box":
        return float(8.0 * np.prod(primitive.half_extents_m))
    radius = (primitive.radius_m + primitive.radius_b_m) / 2
    length = float(np.linalg.norm(np.subtract(primitive.b, primitive.a)))
    return float(np.pi * radius**2 * (length + 4.0 / 3.0 * radius))


def _fraction(segment: str, joints: int) -> float:
    if segment in CENTER_FRACTION:
        return CENTER_FRACTION[segment]
    return SIDE_FRACTION[segment] * min(joints, 2)
