"""The product's NPZ: root_position_m (T, 3), local_rotations_wxyz (T, J, 4), fps, skeleton (JSON text), label, text.

An NPZ is a zip of arrays, written by strangers: sizes are checked against the headers before anything is unpacked, and
pickled objects are never loaded.
"""

import io
import json
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.motionfiles.source import MAX_BYTES, UNIT_M, MotionFile, Unit, check_metres, check_size
from core.errors import InvalidMotion
from core.motion import Motion
from core.rotations import Array
from core.skeleton import Skeleton

REQUIRED = ("root_position_m", "local_rotations_wxyz", "fps", "skeleton")
MAX_MEMBERS = 32
MAX_RATIO = 2000  # deflate's best is 1032; still poses compress well


def decode_npz(data: bytes, name: str, unit: Unit = "auto") -> MotionFile:
    """Read an NPZ file's bytes.

    Args:
        unit: where it is not in metres, which is asked for when its body would be no human's.

    Raises:
        InvalidMotion: naming the array that is missing or wrong.
    """
    arrays = _unpack(data, name)
    missing = [key for key in REQUIRED if key not in arrays]
    if missing:
        raise InvalidMotion(
            f"{name} has no {', '.join(missing)}; it holds {', '.join(sorted(arrays)) or 'nothing'}.",
            f"A motion file holds {', '.join(REQUIRED)}.",
        )
    skeleton = _skeleton_of(arrays["skeleton"], name)
    position, rotations = (_floats(arrays[key], key, name) for key in REQUIRED[:2])
    check_size(len(position) if position.ndim else 0, skeleton.joint_count, name)
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
    try:
        label, text = (str(arrays.get(key, np.array(""))[()]) for key in ("label", "text"))
        found, note = check_metres(skeleton.stature_m, unit, name)
        skeleton, position = skeleton.scaled(UNIT_M[found]), position * UNIT_M[found]
        motion = Motion(skeleton, position, rotations / norm[..., None], float(fps.ravel()[0]), label, text)
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


def _unpack(data: bytes, name: str) -> dict[str, NDArray[Any]]:
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
            return {info.filename.removesuffix(".npy"): _array(archive, info, name) for info in infos}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise InvalidMotion(f"{name} is a damaged NPZ file: {error}.", "It may be cut short; save it again.") from error


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> NDArray[Any]:
    """One member, whose header must agree with its size, so that a forged shape allocates nothing."""
    member = info.filename.removesuffix(".npy")
    try:
        with archive.open(info) as stream:
            version = np.lib.format.read_magic(stream)
            read_header = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(stream)
            if dtype.hasobject:
                raise InvalidMotion(
                    f"{name}: array {member!r} holds pickled objects, which can run code; it was not opened.",
                    "Save it as plain numbers or text.",
                )
            size = int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize
            if size > info.file_size:
                raise InvalidMotion(f"{name}: array {member!r} says {shape} but holds fewer bytes.")
        with archive.open(info) as stream:
            return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))
    except ValueError as error:
        raise InvalidMotion(f"{name}: {member!r} is no readable array ({error}).") from error


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
        return Skeleton.from_dict(json.loads(str(array[()])))
    except InvalidMotion as error:
        raise InvalidMotion(f"{name}: {error.message}", error.hint) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidMotion(
            f"{name}: its skeleton is not readable ({type(error).__name__}: {error}).",
            "It is JSON text with name, joint_names, parents, offsets_m, feet and toe_tips_m.",
        ) from error
