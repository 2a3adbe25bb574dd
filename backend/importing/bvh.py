"""Motion files that are one recording each: BVH, and the product's own NPZ."""

from typing import cast

from backend.importing.source import Source
from backend.importing.take import Reading, Take
from backend.motionfiles import Unit, read_motion_file
from backend.motionfiles.rest import without_rest_pose


def recognize(source: Source) -> bool:
    return bool(source.of(".bvh"))


def files(source: Source) -> list[str]:
    return source.of(".bvh")


def recognize_own(source: Source) -> bool:
    return any("root_position_m" in source.members(file) for file in source.of(".npz")[:8])


def own_files(source: Source) -> list[str]:
    return source.of(".npz")


def read(source: Source, file: str, reading: Reading) -> list[Take]:
    """A file's motion, without the rest pose that some exporters put before it.

    Raises:
        InvalidMotion: naming file and line or frame; or asking for the unit.
    """
    found = read_motion_file(source.path(file), file, unit=cast(Unit, reading.unit))
    notes = list(found.notes)
    motion = without_rest_pose(found.motion, notes)
    return [Take(file.rsplit(".", 1)[0], motion, motion.label, "", "", (motion.text,) * bool(motion.text), (*notes,))]
