"""DeepMimic clips (Peng et al. 2018): JSON of ``Loop`` and ``Frames`` of 44 numbers, for the humanoid of PyBullet."""

import json
import re

import numpy as np

from backend.importing.source import Source
from backend.importing.take import Reading, Take, check_finite
from core.errors import InvalidMotion
from core.motion import Motion
from core.rotations import Array
from model.datasets import deepmimic

FPS = 30.0


def recognize(source: Source) -> bool:
    return any(b'"Frames"' in source.head(file) for file in files(source)[:8])


def files(source: Source) -> list[str]:
    return [file for file in source.of(".txt", ".json") if not file.endswith("skeleton.json")]


def read(source: Source, file: str, reading: Reading) -> list[Take]:
    """A clip at 30 fps; a cycle once.

    Raises:
        InvalidMotion: naming file and frame.
    """
    del reading
    times, motion = read_clip(source.data(file), file)
    at = np.arange(int(times[-1] * FPS + 1e-6) + 1) / FPS
    name = file.rsplit(".", 1)[0]
    label = re.sub(r"^humanoid3d_", "", name.rsplit("/", 1)[-1])
    note = "Frames of DeepMimic clips last differently long; they were interpolated. A cycle was taken once."
    poses = deepmimic.interpolated(times, motion.root_position_m, motion.local_rotations_wxyz, at)
    return [Take(name, Motion(motion.skeleton, *poses, FPS, label), label, notes=(note,))]


def read_clip(data: bytes, name: str) -> tuple[Array, Motion]:
    """Times (T,) in seconds, and the motion of a clip's own frames (at their mean rate).

    Raises:
        InvalidMotion: naming file and frame.
    """
    width = deepmimic.NUMBERS_PER_FRAME
    try:
        rows = json.loads(data)["Frames"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidMotion(
            f"{name} is no DeepMimic clip: {type(error).__name__}.", "It is JSON with Loop and Frames."
        ) from None
    if not isinstance(rows, list) or len(rows) < 2:
        raise InvalidMotion(f"{name} holds no list of at least two frames.")
    for k, row in enumerate(rows):
        numbers = isinstance(row, list) and all(type(x) in (int, float) for x in row)
        if not numbers or len(row) != width:
            got = f"{len(row)} numbers" if numbers else "something else"
            raise InvalidMotion(f"{name}, frame {k}: a frame has {width} numbers; got {got}.")
    frames = np.array(rows, dtype=np.float64)
    check_finite(frames, name, "a number")
    short = np.flatnonzero(frames[:-1, 0] <= 0)
    if len(short):
        raise InvalidMotion(f"{name}, frame {short[0]}: it lasts {frames[short[0], 0]:g} s.")
    zero = np.flatnonzero(np.linalg.norm(frames[:, 4:8], axis=1) < 1e-6)
    if len(zero):
        raise InvalidMotion(f"{name}, frame {zero[0]}: the root's quaternion is zero.")
    body = deepmimic.skeleton()
    times, root, rotations = deepmimic.poses_of(frames, body)
    return times, Motion(body, root, rotations, (len(frames) - 1) / float(times[-1]))
