"""What reading a motion file gives, its limits, and the units that files may be in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.errors import InvalidMotion
from core.motion import Motion
from core.rotations import Array

Unit = Literal["auto", "m", "cm", "mm", "inch", "cmu"]

MAX_BYTES = 512 * 2**20
MAX_FRAMES = 200_000
MAX_JOINTS = 300
MAX_ROTATIONS = 10_000_000  # frames x joints: 320 MB of quaternions
MAX_SECONDS = 3600.0
RATES = (1.0, 10_000.0)  # frames per second
LARGEST = 1e9  # of any value, in any unit: beyond, squares of sums lose all digits
MAX_NAME = 200  # characters of a joint's name

UNIT_M = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "cmu": 0.0254 / 0.45}  # cmu: CMU's own 1/0.45 inch
STATURE_M = (0.9, 2.2)  # of the bodies that the corrector is made for
RIVAL_M = (0.7, 2.4)  # a reading within these makes another one doubtful
GROWN_M = (1.2, 2.3)
TOLD_M = (0.3, 4.0)  # what is believed where the unit was stated
COMMON = ("m", "cm", "mm")
ASK = f"State the unit (--unit cm on the command line, the field unit elsewhere): {', '.join(UNIT_M)}."


@dataclass(frozen=True, eq=False)
class MotionFile:
    """A read file.

    Attributes:
        motion: y up, metres.
        format: ``bvh`` or ``npz``.
        unit: the file's length unit, guessed or given; the motion is in metres.
        notes: what was changed or guessed while reading, in words.
    """

    motion: Motion
    format: str
    unit: str
    notes: tuple[str, ...] = ()


def check_size(frames: int, joints: int, name: str, max_frames: int = MAX_FRAMES) -> None:
    """Refuse motions that would fill the memory.

    Raises:
        InvalidMotion: naming the count and the limit.
    """
    if not frames or not joints:
        raise InvalidMotion(f"{name} holds {frames} frames of {joints} joints: no motion.")
    for what, count, limit in (
        ("frames", frames, max_frames),
        ("joints", joints, MAX_JOINTS),
        ("joint rotations", frames * joints, MAX_ROTATIONS),
    ):
        if count > limit:
            raise InvalidMotion(f"{name} has {count} {what}; at most {limit} are read.", "Cut it into shorter takes.")


def check_rate(fps: float, frames: int, name: str) -> None:
    """Refuse frame rates of no camera, and takes so long that bringing them to another rate would fill the memory.

    Raises:
        InvalidMotion: naming the rate or the length.
    """
    if not RATES[0] <= fps <= RATES[1]:
        raise InvalidMotion(f"{name} has a frame rate of {fps:.3g} per second; {RATES[0]:g} to {RATES[1]:g} are read.")
    if frames / fps > MAX_SECONDS:
        raise InvalidMotion(
            f"{name} lasts {frames / fps:.0f} s; at most {MAX_SECONDS:.0f} s are read.", "Cut it into shorter takes."
        )


def check_values(values: Array, name: str) -> None:
    """Refuse numbers (T, ...) that are finite, but so large that nothing can be computed with them.

    Raises:
        InvalidMotion: naming the frame.
    """
    large = np.flatnonzero(np.abs(values).max(axis=tuple(range(1, values.ndim)), initial=0.0) > LARGEST)
    if len(large):
        raise InvalidMotion(f"{name}, frame {large[0]}: a value is larger than {LARGEST:.0e}, which is no motion.")


def check_bones(offsets: Array, name: str) -> None:
    """The same for a body's bones.

    Raises:
        InvalidMotion: naming the joint.
    """
    large = np.flatnonzero(np.abs(offsets).max(axis=tuple(range(1, offsets.ndim)), initial=0.0) > LARGEST)
    if len(large):
        raise InvalidMotion(f"{name}, joint {large[0]}: a bone is longer than {LARGEST:.0e}, which is no body.")


def check_names(names: Iterable[str], name: str) -> None:
    """Refuse joint names that cannot be shown or written back on one line.

    Raises:
        InvalidMotion: beginning with the joint's name.
    """
    for joint in names:
        if len(joint) > MAX_NAME:
            raise InvalidMotion(f"{name}: a name of {len(joint)} characters ({joint[:40]!r}...); {MAX_NAME} are read.")
        if not joint.isprintable():
            raise InvalidMotion(f"{name}: the name {joint!r} holds characters that cannot be seen.")


def shown(name: str) -> str:
    """A file's name as it may stand in messages: on one line, in one direction, not too long."""
    plain = "".join(character if character.isprintable() else "?" for character in name)
    return plain if len(plain) <= 80 else f"{plain[:38]}...{plain[-38:]}"


def find_unit(stature: float, unit: Unit, name: str) -> tuple[str, str]:
    """The unit in which a body of this height (file units, from its legs) is a human's, and a note about it.

    Raises:
        InvalidMotion: when no unit or more than one fits, or the stated one does not, asking for the unit.
    """
    if unit not in ("auto", *UNIT_M):
        raise InvalidMotion(f"There is no unit {unit!r}.", f"Choose one of: auto, {', '.join(UNIT_M)}.")
    heights = {known: stature * factor for known, factor in UNIT_M.items()}
    if unit != "auto":
        if not TOLD_M[0] <= heights[unit] <= TOLD_M[1]:
            raise InvalidMotion(
                f"In {unit}, the body of {name} would be {_metres(heights[unit])} tall ({_told(heights, unit)}).", ASK
            )
        odd = not STATURE_M[0] <= heights[unit] <= STATURE_M[1]
        return unit, f"The body is {_metres(heights[unit])} tall; the physics is made for people." if odd else ""
    # A child in a common unit is as likely as an adult in a rare one; a child in inches is not.
    rivals = [
        known for known, height in heights.items()
        if RIVAL_M[0] <= height <= RIVAL_M[1] and (known in COMMON or GROWN_M[0] <= height <= GROWN_M[1])
    ]  # fmt: skip
    if len(rivals) != 1 or not STATURE_M[0] <= heights[rivals[0]] <= STATURE_M[1]:
        why = "more than one unit would do" if len(rivals) > 1 else "in no unit it is a person's"
        raise InvalidMotion(
            f"{name} does not say its unit of length, and by the height of its body {why} ({_told(heights)}).", ASK
        )
    found = rivals[0]
    note = f"Lengths were read as {found} (a body of {_metres(heights[found])}) and turned into metres."
    return found, "" if found == "m" else note


def check_metres(stature: float, unit: Unit, name: str) -> tuple[str, str]:
    """The same for a format that is in metres by definition: another unit must be stated.

    Raises:
        InvalidMotion: when the body is no human's in metres, asking for the unit.
    """
    if unit == "auto" and not STATURE_M[0] <= stature <= STATURE_M[1]:
        heights = {known: stature * factor for known, factor in UNIT_M.items()}
        raise InvalidMotion(
            f"In metres, as this format says, the body of {name} would be {_metres(stature)} tall "
            f"({_told(heights, 'm')}).",
            ASK,
        )
    return find_unit(stature, "m" if unit == "auto" else unit, name)


def _told(heights: Mapping[str, float], but: str = "") -> str:
    return ", ".join(f"{_metres(height)} in {known}" for known, height in heights.items() if known != but)


def _metres(height: float) -> str:
    return f"{height:.3g} m" if height < 1000 else f"{height:.0f} m"
