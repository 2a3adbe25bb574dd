"""What the joints of a body are: by their names where these say something, by the shape of the rest pose where not."""

import re
from collections.abc import Sequence
from functools import lru_cache

from core.rotations import Array
from core.shape import children_of, segments_by_shape, sides_by_shape

# What a joint's name means, first match wins; names as in CMU, SMPL, Mixamo, DeepMimic, Biped, Unreal and in exports.
SEGMENT_PATTERNS = (
    ("toe", r"toe|metatars|(^|_)ball(_|$)"),
    ("finger", r"finger|thumb|index|middle|mid\d|ring|pinky|palm|carpal"),
    ("foot", r"ankle|foot"),
    ("shank", r"knee|shin|calf|tibia|lowerleg|(left|right|^[lr]|_[lr])_?leg"),
    ("buttock", r"hipjoint|buttock"),
    ("thigh", r"upleg|upperleg|thigh|femur|(left|right|^[lr]|_[lr])_?hip"),
    ("pelvis", r"^hips?$|pelvis|^root$"),
    ("hand", r"wrist|hand"),
    ("forearm", r"elbow|forearm|lowerarm|radius"),
    ("collar", r"collar|clav"),
    ("upperarm", r"shoulder|shldr|upperarm|arm|humerus"),
    ("head", r"head|skull|eye|jaw"),
    ("neck", r"neck"),
    ("spine", r"spine|chest|torso|abdomen|back|thorax|waist|trunk|rib"),
)
HELPER = r"twist|sharebone|(arm|leg)roll|rolljoint|breast|nub$|(^|_)end$|site$|effector"
"""Bones that bend the skin, or mark an end: no flesh of their own."""
SIDE_LETTER = r"(?:^|(?<=[_.\-\s]))[lLrR](?=[_.\-\s]|$|[A-Z][a-z])"
UNNAMED_SHARE = 0.25  # of joints with a telling name: below it, the shape is asked


def segments_of(names: Sequence[str], parents: Sequence[int], rest_positions_m: Array) -> tuple[str, ...]:
    """The body part that each joint moves (``thigh``, ``foot``...; ``helper`` for none); the root is the pelvis.

    Args:
        rest_positions_m: (J, 3) of a standing rest pose, y up.
    """
    if not are_telling(names):
        return segments_by_shape(parents, rest_positions_m)
    found = [_segment_named(name) or "spine" for name in names]
    found[0] = "pelvis"
    children = children_of(parents)
    for j, parent in enumerate(parents):
        named_arm = any("arm" in names[c].lower() for c in children[j] if not _is_helper(names[c]))
        if found[j] == "upperarm" and named_arm and "shoulder" in names[j].lower():
            found[j] = "collar"  # Mixamo and CMU call the clavicle LeftShoulder
        if found[j] == "foot" and parent >= 0 and found[parent] == "foot":
            found[j] = "toe"  # SMPL calls the toe joint left_foot
    for j in reversed(range(1, len(names))):
        if _is_helper(names[j]) and all(found[c] == "helper" for c in children[j]):
            found[j] = "helper"  # one with flesh beyond it is a joint: a neck made of twist bones
    for j, parent in enumerate(parents):
        if j and (found[parent] == "head" or (found[parent] == "helper" and found[j] != "helper")):
            found[j] = "helper"  # eyes, jaws, hats
    return tuple(found)


def sides_of(names: Sequence[str], parents: Sequence[int], rest_positions_m: Array) -> tuple[str, ...]:
    """``left``, ``right`` or ``center`` per joint."""
    if are_telling(names):
        return tuple(side_named(name) for name in names)
    return sides_by_shape(parents, rest_positions_m, segments_by_shape(parents, rest_positions_m))


def are_telling(names: Sequence[str]) -> bool:
    """Whether joint names say what the joints are."""
    known = sum(_segment_named(name) is not None for name in names[1:])
    return known >= UNNAMED_SHARE * (len(names) - 1)


def side_named(name: str) -> str:
    """``left``, ``right`` or ``center``."""
    return ("center", "left", "right")[_side_at(name)[0]]


def other_side(name: str) -> str:
    """The name of a joint's counterpart; the same where it has no side."""
    side, start, stop = _side_at(name)
    if not side:
        return name
    said = name[start:stop]
    other = {"left": "right", "right": "left", "l": "r", "r": "l"}[said.lower()]
    other = other.upper() if said.isupper() else other.title() if said[0].isupper() else other
    return name[:start] + other + name[stop:]


def _side_at(name: str) -> tuple[int, int, int]:
    """Side (0 none, 1 left, 2 right) and where a name says so: ``LeftArm``, ``lShin``, ``arm_l``, ``Bip01 L Calf``."""
    start = name.rfind(":") + 1
    found = re.search(r"left|right", name[start:], re.I) or re.search(SIDE_LETTER, name[start:])
    if found is None and name[start : start + 1] in ("l", "r"):  # lfemur, rtoes: the letter, then a known bone
        bone = _normal(name)[1:]
        if any(re.match(pattern, bone) for _, pattern in SEGMENT_PATTERNS):
            found = re.match(r"[lr]", name[start:])
    if found is None:
        return 0, 0, 0
    return (1 if found[0][0] in "lL" else 2), start + found.start(), start + found.end()


def _normal(name: str) -> str:
    return re.sub(r"[\s:.-]", "", name.split(":")[-1]).lower()


@lru_cache(4096)
def _segment_named(name: str) -> str | None:
    plain = _normal(name)
    return next((segment for segment, pattern in SEGMENT_PATTERNS if re.search(pattern, plain)), None)


def _is_helper(name: str) -> bool:
    return re.search(HELPER, _normal(name)) is not None
