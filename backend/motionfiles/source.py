"""What reading a motion file gives, its limits, and the units that files may be in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from core.errors import InvalidMotion
from core.motion import Motion

Unit = Literal["auto", "m", "cm", "mm", "inch", "cmu"]

MAX_BYTES = 512 * 2**20
MAX_FRAMES = 200_000
MAX_JOINTS = 300
MAX_ROTATIONS = 10_000_000  # frames x joints: 320 MB of quaternions

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


def check_size(frames: int, joints: int, name: str) -> None:
    """Refuse motions that would fill the memory.

    Raises:
        InvalidMotion: naming the count and the limit.
    """
    if not frames or not joints:
        raise InvalidMotion(f"{name} holds {frames} frames of {joints} joints: no motion.")
    for what, count, limit in (
        ("frames", frames, MAX_FRAMES),
        ("joints", joints, MAX_JOINTS),
        ("joint rotations", frames * joints, MAX_ROTATIONS),
    ):
        if count > limit:
            raise InvalidMotion(f"{name} has {count} {what}; at most {limit} are read.", "Cut it into shorter takes.")


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
