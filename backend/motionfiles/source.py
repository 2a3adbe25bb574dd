"""What reading a motion file gives, its limits, and the units that files may be in."""

from dataclasses import dataclass
from typing import Literal

from core.errors import InvalidMotion
from core.motion import Motion

Unit = Literal["auto", "m", "cm", "inch", "cmu"]

MAX_BYTES = 512 * 2**20
MAX_FRAMES = 200_000
MAX_JOINTS = 300
MAX_ROTATIONS = 10_000_000  # frames x joints: 320 MB of quaternions

UNIT_M = {"m": 1.0, "cm": 0.01, "inch": 0.0254, "cmu": 0.0254 / 0.45}  # cmu: the CMU database's own 1/0.45 inch
LEG_M = (0.35, 1.2)  # hip to ankle of a toddler and of a giant
GROWN_LEG_M = (0.6, 1.15)


@dataclass(frozen=True, eq=False)
class MotionFile:
    """A read file.

    Attributes:
        motion: y up, metres.
        format: ``bvh`` or ``npz``.
        unit: the file's length unit, guessed or given.
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


def find_unit(leg_length: float, unit: Unit, name: str) -> tuple[str, str]:
    """The unit in which a leg of this length (file units) is a human's, and a note about it.

    Raises:
        InvalidMotion: when no unit or more than one fits, asking for the unit.
    """
    if unit != "auto":
        if unit not in UNIT_M:
            raise InvalidMotion(f"There is no unit {unit!r}.", f"Choose one of: auto, {', '.join(UNIT_M)}.")
        return unit, ""
    legs = {known: leg_length * factor for known, factor in UNIT_M.items()}
    grown = [known for known, leg in legs.items() if GROWN_LEG_M[0] <= leg <= GROWN_LEG_M[1]]
    fitting = [known for known, leg in legs.items() if LEG_M[0] <= leg <= LEG_M[1]]
    # A child in a common unit is as likely as an adult in a rare one; a child in inches is not.
    rivals = [known for known in fitting if known in ("m", "cm") or known in grown]
    if len(rivals) != 1:
        shown = ", ".join(f"{leg:.3g} m in {known}" for known, leg in legs.items())
        raise InvalidMotion(
            f"{name} does not say its unit of length, and its legs fit {'several' if rivals else 'none'} ({shown}).",
            f"State the unit (--unit): {', '.join(UNIT_M)}.",
        )
    found = rivals[0]
    note = "" if found == "m" else f"Lengths were read as {found} (legs of {legs[found]:.2f} m) and turned into metres."
    return found, note
