"""What the joints of a body are by the shape of its rest pose alone: standing, y up, arms somewhere at its sides."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.rotations import Array

LOWEST_SHARE, WIDEST_SHARE = 0.2, 0.1  # of the height: how high above the lowest joint feet end, how far out hands do
COLLAR_SHARE = 0.05  # of the height: what begins closer to the spine is no upper arm yet
CROWN_SHARE = 0.1  # of the height: a bone as long as a head ends at the crown
GIRDLES = ("buttock", "collar")
LIMBS = ("buttock", "thigh", "shank", "foot", "toe", "collar", "upperarm", "forearm", "hand", "finger")


def children_of(parents: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(c for c, p in enumerate(parents) if p == j) for j in range(len(parents)))


def segments_by_shape(parents: Sequence[int], rest: Array) -> tuple[str, ...]:
    """Legs are the chains that end lowest, arms the longest of the others that end far out, the head is what ends
    highest; within a limb, the two longest bones are its halves."""
    shape = _Shape(parents, rest)
    found = ["pelvis", *["helper"] * (len(parents) - 1)]
    leaves = [j for j in range(1, len(parents)) if not shape.children[j]]
    low = [j for j in leaves if rest[j, 1] < rest[:, 1].min() + LOWEST_SHARE * shape.height]
    if not low or len(low) == len(leaves):
        return ("pelvis", *["spine"] * (len(parents) - 1))
    trunk = shape.trunk(max(leaves, key=lambda j: float(rest[j, 1])))
    legs = shape.limbs(low, trunk)
    shared = {j for foot in low for j in shape.path(foot)} - {j for limb in legs for j in limb} - set(trunk)
    out = [j for j in leaves if j not in low and shape.apart(j, 0) > WIDEST_SHARE * shape.height]
    arms = sorted(shape.limbs(out, trunk), key=lambda limb: -shape.length(limb))[:2]  # others: hair, wings, tools
    for j in shared:
        found[j] = "pelvis" if any(j in shape.path(limb[0]) for limb in legs) else "helper"
    for limb in legs:
        _name(found, limb, ("buttock", "thigh", "shank", "foot", "toe"), shape.halves(limb, 0))
    for limb in arms:
        first = next(
            (k for k, j in enumerate(limb) if shape.apart(j, parents[limb[0]]) > COLLAR_SHARE * shape.height), 0
        )
        _name(found, limb, ("collar", "upperarm", "forearm", "hand", "finger"), shape.halves(limb, first))
    carrying = [k for k, j in enumerate(trunk) if any(parents[limb[0]] == j for limb in arms)]
    last = max(carrying, default=len(trunk) - 2)
    if len(trunk) - last > 3 and shape.bone[trunk[-1]] > CROWN_SHARE * shape.height:
        trunk.pop()
    for k, j in enumerate(trunk):
        found[j] = "spine" if k <= last else "head" if k == len(trunk) - 1 > last + 1 else "neck"
    for j, parent in enumerate(parents):  # beyond hands and feet all is fingers and toes
        if j and found[j] == "helper" and found[parent] in ("hand", "finger", "foot", "toe"):
            found[j] = "finger" if found[parent] in ("hand", "finger") else "toe"
    for j in reversed(range(1, len(parents))):
        if found[j] == "helper" and any(found[c] != "helper" for c in shape.children[j]):
            found[j] = "spine"  # of no human, but it carries something
    return tuple(found)


@dataclass(frozen=True, eq=False)
class _Shape:
    """A joint tree in its rest pose."""

    parents: Sequence[int]
    rest: Array

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        return children_of(self.parents)

    @cached_property
    def height(self) -> float:
        return max(float(np.ptp(self.rest[:, 1])), 1e-6)

    @cached_property
    def bone(self) -> Array:
        """(J,) length from each joint's parent to it."""
        above = np.maximum(self.parents, 0)
        length: Array = np.linalg.norm(self.rest - self.rest[above], axis=1)
        return length

    @cached_property
    def reach(self) -> Array:
        """(J,) longest chain of bones beyond each joint."""
        reach = np.zeros(len(self.parents))
        for j in range(len(self.parents) - 1, 0, -1):
            reach[self.parents[j]] = max(reach[self.parents[j]], self.bone[j] + reach[j])
        return reach

    def path(self, joint: int) -> list[int]:
        """The joints from below the root to this one."""
        found = []
        while joint > 0:
            found.append(joint)
            joint = self.parents[joint]
        return found[::-1]

    def apart(self, joint: int, other: int) -> float:
        """Horizontal distance."""
        return float(np.hypot(*(self.rest[joint] - self.rest[other])[[0, 2]]))

    def length(self, joints: list[int]) -> float:
        return float(self.bone[joints].sum())

    def trunk(self, top: int) -> list[int]:
        """The path to the head: to the highest joint, without eyes and what else sits on a head."""
        path = self.path(top)
        while len(path) > 1 and (
            len(self.children[path[-2]]) > 1 and self.reach[path[-2]] < LOWEST_SHARE * self.height
        ):
            path.pop()
        while len(path) > 1 and self.bone[path[-1]] < 0.01 * self.height:
            path.pop()
        return path

    def limbs(self, ends: list[int], trunk: list[int]) -> list[list[int]]:
        """Per limb the longest path to one of its ends, from where it leaves the trunk or the other limb."""
        found: dict[int, list[int]] = {}
        for end in ends:
            limb = [j for j in self.path(end) if j not in trunk]
            while limb and self._forks(limb[0]):
                limb.pop(0)
            if limb and self.length(limb[1:]) >= self.length(found.get(limb[0], [])[1:]):
                found[limb[0]] = limb
        return list(found.values())

    def halves(self, limb: list[int], first: int) -> tuple[int, int]:
        """Where in a limb its two longest bones begin; not before ``first``."""
        bones = self.bone[limb[1:]].copy()
        bones[:first] = 0.0
        if len(bones) < 2:
            return 0, 1
        a, b = sorted(np.argsort(bones, kind="stable")[-2:].tolist())
        return int(a), int(b)

    def _forks(self, joint: int) -> bool:
        """Whether limbs of both sides hang on a joint."""
        reach = sorted((float(self.bone[c] + self.reach[c]) for c in self.children[joint]), reverse=True)
        return len(reach) > 1 and reach[1] > 0.6 * reach[0] > 0.12 * self.height


def _name(found: list[str], limb: list[int], kinds: tuple[str, str, str, str, str], halves: tuple[int, int]) -> None:
    """Before, upper, lower, end and beyond."""
    before, upper, lower, end, beyond = kinds
    a, b = halves
    for k, j in enumerate(limb):
        found[j] = before if k < a else upper if k < b else lower if k == b else end if k == b + 1 else beyond


def sides_by_shape(parents: Sequence[int], rest: Array, segments: Sequence[str]) -> tuple[str, ...]:
    """Left is up x forward; forward is where the toes point, else x or z, whichever the legs are not apart in."""
    feet = [j for j, segment in enumerate(segments) if segment == "foot"]
    toes = [rest[c] - rest[foot] for foot in feet for c in range(len(parents)) if parents[c] == foot]
    toward = np.sum(toes, axis=0) * np.array([1.0, 0.0, 1.0]) if toes else np.zeros(3)
    if np.linalg.norm(toward) < 0.03 and feet:
        spread = np.ptp(rest[feet], axis=0)
        toward = np.array([1.0, 0.0, 0.0] if spread[2] > spread[0] else [0.0, 0.0, 1.0])
    left = np.cross([0.0, 1.0, 0.0], toward / max(float(np.linalg.norm(toward)), 1e-9))
    across = (rest - rest[0]) @ left
    found: list[str] = []
    for j, segment in enumerate(segments):  # a foot that crosses the middle belongs to its hip
        limb = segment in LIMBS and abs(across[j]) > 1e-4
        below = segment in LIMBS and segments[parents[j]] in LIMBS and segments[parents[j]] not in GIRDLES
        found.append(found[parents[j]] if below else ("left" if across[j] > 0 else "right") if limb else "center")
    for j in reversed(range(len(segments))):  # what lies on the middle line belongs to the limb beyond it
        if segments[j] in GIRDLES:
            found[j] = next(
                (found[c] for c in range(j, len(parents)) if parents[c] == j and segments[c] in LIMBS), "center"
            )
    return tuple(found)
