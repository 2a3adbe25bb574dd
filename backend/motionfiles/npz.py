"""The product's NPZ: root_position_m (T, 3), local_rotations_wxyz (T, J, 4), fps, skeleton (JSON text), label, text.

An NPZ is a zip of arrays, written by strangers: sizes are checked against the headers before anything is unpacked,
pickled objects are never loaded, and what is not known by name is not unpacked at all.
"""

import io
import json
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.motionfiles.source import (
    MAX_BYTES,
    MAX_FRAMES,
    UNIT_M,
    MotionFile,
    Unit,
    check_bones,
    check_metres,
    check_names,
    check_rate,
    check_size,
    check_values,
)
from core.errors import InvalidMotion
from core.motion import Motion
from core.npyheader import DAMAGED, UNREADABLE, Pickled, check_packing, claimed
from core.rotations import Array
from core.skeleton import Skeleton

REQUIRED = ("root_position_m", "local_rotations_wxyz", "fps", "skeleton")
OPTIONAL = ("label", "text")
MAX_MEMBERS = 32
MAX_RATIO = 2000  # deflate's best is 1032; still poses compress well
MAX_TEXT_BYTES = 4 * 200_000  # of one text: numpy keeps four bytes per character


def decode_npz(data: bytes, name: str, unit: Unit = "auto", max_frames: int = MAX_FRAMES) -> MotionFile:
    """Read an NPZ file's bytes.

    Args:
        unit: where it is not in metres, which is asked for when its body would be no human's.

    Raises:
        InvalidMotion: naming the array that is missing or wrong.
    """
    arrays = _unpack(data, name, max_frames)
    skeleton = _skeleton_of(arrays["skeleton"], name)
    position, rotations = (_floats(arrays[key], key, name) for key in REQUIRED[:2])
    check_size(len(position), skeleton.joint_count, name, max_frames)
    check_values(position, name)
    check_values(rotations, name)
    if rotations.ndim != 3 or rotations.shape[-1] != 4:
        raise InvalidMotion(f"{name}: local_rotations_wxyz must be (T, J, 4); got {rotations.shape}.")
    norm = np.linalg.norm(rotations, axis=-1)
    if np.abs(norm - 1).max(initial=0.0) > 1e-2:
        frame, joint = np.unravel_index(int(np.abs(norm - 1).argmax()), norm.shape)
        raise InvalidMotion(
            f"{name}, frame {frame}, joint {joint}: the quaternion's norm is {norm[frame, joint]:.3g}, not 1."
        )
    fps = _floats(arrays["fps"], "fps", name)
    if fps.size != 1:
        raise InvalidMotion(f"{name}: fps must be one number; got shape {fps.shape}.")
    rate = float(fps.ravel()[0])
    check_rate(rate, len(position), name)
    try:
        label, text = (str(arrays.get(key, np.array(""))[()]) for key in OPTIONAL)
        found, note = check_metres(skeleton.stature_m, unit, name)
        skeleton, position = skeleton.scaled(UNIT_M[found]), position * UNIT_M[found]
        motion = Motion(skeleton, position, rotations / norm[..., None], rate, label, text)
    except InvalidMotion as error:
        raise InvalidMotion(f"{name}: {error.message.removeprefix(f'{name}: ')}", error.hint) from error
    return MotionFile(motion, "npz", found, (note,) if note else ())


def encode_npz(motion: Motion) -> bytes:
    """A motion as NPZ, exact in its own precision."""
    out = io.BytesIO()
    np.savez_compressed(
        out,
        root_position_m=motion.root_position_m,
        local_rotations_wxyz=motion.local_rotations_wxyz,
        fps=np.array(motion.fps, dtype=np.float64),
        skeleton=np.array(json.dumps(motion.skeleton.as_dict())),
        label=np.array(motion.label),
        text=np.array(motion.text),
    )
    return out.getvalue()


def _unpack(data: bytes, name: str, max_frames: int) -> dict[str, NDArray[Any]]:
    """The known arrays, after a look at the sizes that all of them claim."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            if len(infos) > MAX_MEMBERS:
                raise InvalidMotion(
                    f"{name} holds {len(infos)} arrays; a motion file has {len(REQUIRED)} to {MAX_MEMBERS}."
                )
            total = sum(info.file_size for info in infos)
            if total > MAX_BYTES or total > MAX_RATIO * max(len(data), 1):
                raise InvalidMotion(f"{name} would unpack to {total / 2**20:.0f} MiB: too large to be a motion.")
            members = {info.filename.removesuffix(".npy"): info for info in infos}
            wanted = [key for key in (*REQUIRED, *OPTIONAL) if key in members]
            for key in wanted:
                check_packing(members[key])
                _check_header(archive, members[key], key, name, max_frames)
            missing = [key for key in REQUIRED if key not in members]
            if missing:
                held = ", ".join(sorted(members))[:200] or "nothing"
                raise InvalidMotion(
                    f"{name} has no {', '.join(missing)}; it holds {held}.",
                    f"A motion file holds {', '.join(REQUIRED)}.",
                )
            return {key: _array(archive, members[key], key, name) for key in wanted}
    except DAMAGED as error:
        raise InvalidMotion(f"{name} is a damaged NPZ file: {error}.", "It may be cut short; save it again.") from error


def _check_header(archive: zipfile.ZipFile, info: zipfile.ZipInfo, key: str, name: str, max_frames: int) -> None:
    """A header must agree with its member's size, so that a forged shape allocates nothing, and be a motion's."""
    try:
        with archive.open(info) as stream:
            shape, dtype = claimed(stream, info.file_size)
    except Pickled:
        raise InvalidMotion(
            f"{name}: array {key!r} holds pickled objects, which can run code; it was not opened.",
            "Save it as plain numbers or text.",
        ) from None
    except ValueError as error:
        raise InvalidMotion(f"{name}: {key!r} is no readable array: {error}.") from None
    if key in REQUIRED[:2]:
        joints = shape[1] if key == REQUIRED[1] and len(shape) > 1 else 1
        check_size(shape[0] if shape else 0, joints, name, max_frames)
    elif np.prod(shape, dtype=object) * dtype.itemsize > MAX_TEXT_BYTES:
        raise InvalidMotion(f"{name}: {key!r} is {info.file_size:,} bytes long; at most {MAX_TEXT_BYTES:,} are read.")


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, key: str, name: str) -> NDArray[Any]:
    try:
        with archive.open(info) as stream:
            return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))
    except UNREADABLE as error:
        raise InvalidMotion(f"{name}: {key!r} is no readable array ({error}).") from error


def _floats(array: NDArray[Any], key: str, name: str) -> Array:
    if array.dtype.kind not in "fiu":
        raise InvalidMotion(f"{name}: {key} must be numbers; got {array.dtype}.")
    values = array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
    wrong = np.argwhere(~np.isfinite(np.atleast_1d(values)))
    if len(wrong):
        raise InvalidMotion(f"{name}: {key} is NaN or infinite in frame {wrong[0][0]}.")
    return values


def _skeleton_of(array: NDArray[Any], name: str) -> Skeleton:
    try:
        found = json.loads(str(array[()]))
        _check_types(found)
        check_names([str(found["name"]), *found["joint_names"]], name)
        check_bones(np.asarray(found["offsets_m"], dtype=np.float64), name)
        return Skeleton.from_dict(found)
    except InvalidMotion as error:
        raise InvalidMotion(f"{name}: {error.message.removeprefix(f'{name}: ')}", error.hint) from error
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise InvalidMotion(
            f"{name}: its skeleton is not readable ({type(error).__name__}: {str(error)[:200]}).",
            "It is JSON text with name, joint_names, parents, offsets_m, feet and toe_tips_m.",
        ) from error


def _check_types(found: Any) -> None:
    """JSON of the right shape: a skeleton's lists of names, indices and points.

    Raises:
        ValueError, TypeError, KeyError: naming what is something else.
    """
    for key, kind in (("joint_names", str), ("parents", int), ("feet", int)):
        if not isinstance(found[key], list) or any(type(one) is not kind for one in found[key]):
            raise ValueError(f"{key} must be a list of {'names' if kind is str else 'whole numbers'}")
    joints = len(found["joint_names"])
    if len(set(found["feet"])) != len(found["feet"]) or any(not 0 <= foot < joints for foot in found["feet"]):
        raise ValueError(f"feet must be different joints from 0 to {joints - 1}")
    if not all(abs(float(x)) < 1e3 for tip in found["toe_tips_m"] for x in tip):
        raise ValueError("toe_tips_m must be points")
