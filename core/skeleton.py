"""The joint tree of a body. Every data set brings its own; nothing is retargeted."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from core import anatomy
from core import rotations as R
from core.errors import InvalidMotion
from core.shape import children_of

Array = R.Array

LEG_SHARE = 0.491


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A joint tree in its rest pose (all local rotations identity), y up, metres.

    Attributes:
        name: of the data set's body, e.g. ``"deepmimic"``.
        joint_names: J names.
        parents: J indices; the root is joint 0 with parent -1, parents come before their children.
        offsets_m: (J, 3) position of each joint in its parent's frame; the root's is ignored by forward kinematics.
        feet: indices of the joints that carry a sole (ankles), left before right where the names tell.
        toe_tips_m: per foot the front end of its sole in the ankle's frame, where the source has end sites; else empty.
    """

    name: str
    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets_m: Array
    feet: tuple[int, ...] = ()
    toe_tips_m: tuple[tuple[float, float, float], ...] = ()

    def __post_init__(self) -> None:
        joints = len(self.joint_names)
        offsets = np.asarray(self.offsets_m, dtype=np.float64)
        if joints == 0 or len(self.parents) != joints or offsets.shape != (joints, 3):
            raise InvalidMotion(
                f"A skeleton needs as many parents and (J, 3) offsets as joints; got {joints} names, "
                f"{len(self.parents)} parents and offsets of shape {offsets.shape}."
            )
        if self.parents[0] != -1 or any(not 0 <= p < j for j, p in enumerate(self.parents) if j):
            raise InvalidMotion(f"Parents must start with -1 and come before their children; got {list(self.parents)}.")
        if not np.isfinite(offsets).all():
            raise InvalidMotion("The skeleton's offsets hold NaN or infinite values.")
        if self.toe_tips_m and len(self.toe_tips_m) != len(self.feet):
            raise InvalidMotion(f"{len(self.feet)} feet need as many toe tips; got {len(self.toe_tips_m)}.")
        offsets.flags.writeable = False
        object.__setattr__(self, "offsets_m", offsets)
        if not self.feet:
            object.__setattr__(self, "feet", self._find_feet())

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Skeleton)
            and self.joint_names == other.joint_names
            and self.parents == other.parents
            and np.array_equal(self.offsets_m, other.offsets_m)
        )

    def __hash__(self) -> int:
        return hash((self.joint_names, self.parents, self.offsets_m.tobytes()))

    @property
    def joint_count(self) -> int:
        return len(self.joint_names)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        return children_of(self.parents)

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The body part that each joint moves (``thigh``, ``foot``...), by its name, or by shape where names say
        nothing; ``spine`` for a joint that has another name, ``helper`` for one that moves no flesh."""
        return anatomy.segments_of(self.joint_names, self.parents, self.rest_positions_m)

    @cached_property
    def sides(self) -> tuple[str, ...]:
        """``left``, ``right`` or ``center`` per joint, by its name, or by shape where names say nothing."""
        return anatomy.sides_of(self.joint_names, self.parents, self.rest_positions_m)

    @cached_property
    def mirror(self) -> tuple[int, ...] | None:
        """For each joint its left-right counterpart, or None where the names do not pair up."""
        swapped = {anatomy.other_side(name): j for j, name in enumerate(self.joint_names)}
        found = [swapped.get(name) for name in self.joint_names]
        return tuple(j for j in found if j is not None) if None not in found else None

    @cached_property
    def rest_positions_m(self) -> Array:
        """(J, 3) joint positions of the rest pose with the root at the origin."""
        positions = np.zeros((self.joint_count, 3))
        for j, parent in enumerate(self.parents):
            if parent >= 0:
                positions[j] = positions[parent] + self.offsets_m[j]
        return positions

    @cached_property
    def leg_length_m(self) -> float:
        """Longest chain of bones from a hip to its ankle: what a body's size is measured by, whatever its rest pose."""
        lengths = []
        for foot in self.feet or (self.joint_count - 1,):
            chain = [foot]  # from the ankle up to below the root
            while self.parents[chain[-1]] > 0:
                chain.append(self.parents[chain[-1]])
            hip = max((k for k, j in enumerate(chain) if self.segments[j] == "thigh"), default=len(chain) - 1)
            lengths.append(float(np.linalg.norm(self.offsets_m[chain[:hip]], axis=1).sum()))
        return max(max(lengths), 1e-3)

    @cached_property
    def stature_m(self) -> float:
        """Body height that goes with the legs: hip to ankle is .491 of it (Drillis & Contini 1966; Winter 2009, fig.
        4.1)."""
        return self.leg_length_m / LEG_SHARE

    def scaled(self, factor: float) -> "Skeleton":
        """The same joints, all lengths times a factor."""
        if factor == 1.0:
            return self
        tips = tuple((x * factor, y * factor, z * factor) for x, y, z in self.toe_tips_m)
        return Skeleton(self.name, self.joint_names, self.parents, self.offsets_m * factor, self.feet, tips)

    def _find_feet(self) -> tuple[int, ...]:
        feet = [j for j, segment in enumerate(self.segments) if segment == "foot"]
        if not feet:  # no legs to be seen: the lowest leaf joints of the rest pose
            leaves = [j for j in range(self.joint_count) if not self.children[j]]
            height = self.rest_positions_m[:, 1]
            lowest = min(height[j] for j in leaves)
            feet = [j for j in leaves if height[j] < lowest + 0.05]
        return tuple(sorted(feet, key=lambda j: ("left", "right", "center").index(self.sides[j])))

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form, read back by :meth:`from_dict`."""
        return {
            "name": self.name,
            "joint_names": list(self.joint_names),
            "parents": list(self.parents),
            "offsets_m": self.offsets_m.tolist(),
            "feet": list(self.feet),
            "toe_tips_m": [list(tip) for tip in self.toe_tips_m],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Skeleton":
        return cls(
            str(data["name"]),
            tuple(data["joint_names"]),
            tuple(data["parents"]),
            np.asarray(data["offsets_m"], dtype=np.float64),
            tuple(data["feet"]),
            tuple((float(x), float(y), float(z)) for x, y, z in data["toe_tips_m"]),
        )


def forward_kinematics(skeleton: Skeleton, root_position_m: Array, local_rotations_wxyz: Array) -> tuple[Array, Array]:
    """World positions (..., J, 3) and world rotations wxyz (..., J, 4) of every joint.

    Args:
        root_position_m: (..., 3).
        local_rotations_wxyz: (..., J, 4), joint to parent; the root's is joint to world.
    """
    positions = np.empty(local_rotations_wxyz.shape[:-1] + (3,), dtype=local_rotations_wxyz.dtype)
    rotations = np.empty_like(local_rotations_wxyz)
    offsets = skeleton.offsets_m.astype(local_rotations_wxyz.dtype)
    for j, parent in enumerate(skeleton.parents):
        if parent < 0:
            positions[..., j, :] = root_position_m
            rotations[..., j, :] = local_rotations_wxyz[..., j, :]
        else:
            above = rotations[..., parent, :]
            positions[..., j, :] = positions[..., parent, :] + R.rotate(above, offsets[j])
            rotations[..., j, :] = R.multiply(above, local_rotations_wxyz[..., j, :])
    return positions, rotations
