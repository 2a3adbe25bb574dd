"""Which joints of a skeleton the simulated body has.

What bears no flesh beyond it (single toes, eyes, helper bones) and fingers are carried along stiffly. So are other
leaves where there are too many: PyBullet tracks at most 30 spherical links, and its states of more are silently wrong.
"""

from dataclasses import dataclass

import numpy as np

from core.body import body_of
from core.skeleton import Skeleton

MOST_LINKS = 30
ALWAYS_STIFF = ("finger", "helper")
LIMB_ENDS = ("foot", "hand", "head")
"""The chains from the root to these always move; other leaves (toes, spare hands) are given up until it fits."""
KINDS = {"finger": "fingers", "toe": "toes", "helper": "helper bones"}  # as they are told to people


@dataclass(frozen=True)
class LinkPlan:
    """The moving part of a skeleton.

    Attributes:
        joints: skeleton indices of the simulated joints, root first, parents before children.
        carrier: per skeleton joint the simulated joint that it moves with (itself where it is simulated).
    """

    joints: tuple[int, ...]
    carrier: tuple[int, ...]

    @property
    def stiff(self) -> tuple[int, ...]:
        """Joints that keep their input rotations."""
        return tuple(j for j, c in enumerate(self.carrier) if j != c)


def plan_links(skeleton: Skeleton) -> LinkPlan | str:
    """A plan of at most MOST_LINKS links below the root, or why there is none, in words."""
    moving = set(range(skeleton.joint_count))
    chains = _chains(skeleton)
    _stiffen(skeleton, moving, {j for j in moving if skeleton.segments[j] in ALWAYS_STIFF}, most=0)
    extra = moving - chains
    _stiffen(skeleton, moving, extra & _fleshless(skeleton), most=0)
    _stiffen(skeleton, moving, extra, most=MOST_LINKS)
    if len(moving) - 1 > MOST_LINKS:
        return (
            f"The skeleton {skeleton.name!r} has {skeleton.joint_count} joints; {len(moving) - 1} of them cannot be "
            f"left out, and the physics engine simulates at most {MOST_LINKS}."
        )
    joints = tuple(sorted(moving))
    carrier: list[int] = []
    for j in range(skeleton.joint_count):
        carrier.append(j if j in moving else carrier[skeleton.parents[j]])
    return LinkPlan(joints, tuple(carrier))


def reduction_note(skeleton: Skeleton) -> str:
    """Which kinds of joints the simulation carries along stiffly, in a sentence; "" where it moves them all."""
    plan = plan_links(skeleton)
    if isinstance(plan, str) or not plan.stiff:
        return ""
    kinds = {KINDS.get(skeleton.segments[j], "small joints") for j in plan.stiff}
    *most, last = sorted(kinds)
    named = f"{', '.join(most)} and {last}" if most else last
    return (
        f"The simulation moves {len(plan.joints)} of {skeleton.joint_count} joints; {named} keep the rotations that "
        "they came with."
    )


def _stiffen(skeleton: Skeleton, moving: set[int], spare: set[int], most: int) -> None:
    """Give up spare leaves, the last ones first, while more than ``most`` links are left."""
    while len(moving) - 1 > most:
        leaves = [j for j in moving & spare if j and not any(c in moving for c in skeleton.children[j])]
        if not leaves:
            return
        moving.remove(max(leaves))


def _chains(skeleton: Skeleton) -> set[int]:
    """The joints from the root to every foot, to the first hand of each side and to the first head."""
    ends = set(skeleton.feet)
    seen: set[tuple[str, str]] = set()
    for j, kind in enumerate(zip(skeleton.segments, skeleton.sides, strict=True)):
        if kind[0] in LIMB_ENDS and kind not in seen:
            seen.add(kind)
            ends.add(j)
    found = {0}
    for end in ends:
        j = end
        while j not in found:
            found.add(j)
            j = skeleton.parents[j]
    return found


def _fleshless(skeleton: Skeleton) -> set[int]:
    """Joints without any primitive: eyes, single toes, end markers."""
    carrying = {p.joint for p in body_of(skeleton).primitives}
    return set(np.arange(skeleton.joint_count).tolist()) - carrying
