"""LSM1, the browser viewer's binary of one motion: what is drawn, computed once on the server.

``b"LSM1"``, uint32 header length H, H bytes of JSON (padded with spaces so that the arrays begin at a multiple of 4),
then the arrays back to back, each padded to 4 bytes; all little-endian. Array offsets count from the end of the header.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.outcomes import rejected_frame
from backend.tracks import stance_of_motion, track_of
from core.artefacts import artefact_tracks
from core.body import body_of
from core.errors import InvalidMotion
from core.motion import Motion

MAGIC = b"LSM1"
DTYPES: dict[str, np.dtype[Any]] = {"f4": np.dtype("<f4"), "u1": np.dtype("u1")}
TRACKS: Mapping[str, tuple[str, ...]] = {  # by their names here: those under which correctors leave them
    "residual_force": ("residual_force_bw", "residual_force"),
    "residual_torque": ("residual_torque_nm",),
    "tracking_error": ("tracking_error_m",),
}


@dataclass(frozen=True, eq=False)
class Scene:
    """A decoded LSM1: its header and arrays."""

    header: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


def encode(
    motion: Motion,
    *,
    title: str,
    outcome: Mapping[str, Any] | None = None,
    tracks: Mapping[str, NDArray[Any]] | None = None,
) -> bytes:
    """A motion for the viewer.

    Args:
        title: what the pane is called.
        outcome: the corrector's outcome (``status``, ``reason``), or None.
        tracks: (T,) per-frame tracks of the corrector. Residual force (body weights), residual torque (N m) and
            tracking error (m) are sent where they are not zero throughout.

    Raises:
        InvalidMotion: when the motion has no frame.
    """
    if not len(motion):
        raise InvalidMotion("A motion without frames cannot be shown.")
    skeleton = motion.skeleton
    body = body_of(skeleton)
    # NaN in a rejected sample is data here: the viewer says so. Its arithmetic need not warn.
    with np.errstate(invalid="ignore", over="ignore"):
        positions, rotations = motion.world()
        found = artefact_tracks(body, positions, rotations, motion.fps)
        arrays = {
            "positions": ("f4", positions),
            "rotations": ("f4", rotations),
            "contact": ("u1", found.contact),
            "stance": ("u1", stance_of_motion(motion)),
            "foot_height": ("f4", found.foot_height_m),
            "skate": ("f4", found.skate_m_s),
            "penetration": ("f4", found.penetration_m),
        }
        for name, known_as in TRACKS.items():
            track = track_of(tracks or {}, known_as, len(motion))
            if track is not None:
                arrays[name] = ("f4", track)
        packed = {name: np.ascontiguousarray(array, dtype=DTYPES[kind]) for name, (kind, array) in arrays.items()}
    entries, offset = [], 0
    for name, array in packed.items():
        entries.append({"name": name, "dtype": arrays[name][0], "shape": list(array.shape), "offset": offset})
        offset += _padded(array.nbytes)
    header = {
        "fps": float(motion.fps),
        "frames": len(motion),
        "joint_names": list(skeleton.joint_names),
        "parents": list(skeleton.parents),
        "label": motion.label,
        "title": title,
        "status": (outcome or {}).get("status"),
        "reason": (outcome or {}).get("reason"),
        "rejected_frame": rejected_frame(outcome),
        "body": [primitive.as_dict(skeleton.sides[primitive.joint]) for primitive in body.primitives],
        "feet": [{"name": skeleton.joint_names[j], "joint": j} for j in skeleton.feet],
        "arrays": entries,
    }
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    text = text.ljust(_padded(len(text)), b" ")
    parts = [MAGIC, np.uint32(len(text)).astype("<u4").tobytes(), text]
    parts += [array.tobytes().ljust(_padded(array.nbytes), b"\0") for array in packed.values()]
    return b"".join(parts)


def decode(data: bytes) -> Scene:
    """Header and arrays of LSM1 bytes.

    Raises:
        InvalidMotion: when they are no LSM1 or cut short.
    """
    if data[:4] != MAGIC or len(data) < 8:
        raise InvalidMotion("These bytes are no LSM1 motion: they do not begin with LSM1.")
    start = 8 + int(np.frombuffer(data, "<u4", 1, 4)[0])
    try:
        header: dict[str, Any] = json.loads(data[8:start])
        arrays = {}
        for entry in header["arrays"]:
            dtype, shape = DTYPES[entry["dtype"]], tuple(entry["shape"])
            count = int(np.prod(shape, dtype=np.int64))
            arrays[entry["name"]] = np.frombuffer(data, dtype, count, start + entry["offset"]).reshape(shape)
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidMotion(f"The LSM1 motion is damaged or cut short ({error}).") from error
    return Scene(header, arrays)


def _padded(size: int) -> int:
    return -(-size // 4) * 4
