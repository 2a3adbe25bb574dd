"""AMASS (Mahmood et al. 2019): body poses of SMPL+H or SMPL-X as axis-angle vectors, z up.

``poses`` (T, 156 or 165) or ``root_orient`` and ``pose_body``; ``trans`` (T, 3); ``mocap_framerate`` or
``mocap_frame_rate``. Hands, jaw and eyes are left out, and so are shape, gender and soft tissue (betas, dmpls): joint
offsets need a licensed body model. A ``skeleton.json`` (:meth:`core.skeleton.Skeleton.as_dict`, the 22 joints of
:mod:`backend.importing.smpl`) beside the files is taken, else the mean skeleton. ``trans`` moves the body model's
origin, not the pelvis, which rests at PELVIS_M in it.
"""

import json
import re
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.importing.smpl import JOINTS, PELVIS_M, mean_skeleton
from backend.importing.source import Source
from backend.importing.take import Reading, Take, check_finite
from backend.motionfiles.rest import Z_TO_Y
from core import rotations as R
from core.errors import InvalidMotion
from core.motion import Motion
from core.npyheader import UNREADABLE, Pickled, claimed
from core.skeleton import Skeleton

RATES = ("mocap_framerate", "mocap_frame_rate", "mocap_frame_rates", "fps")
SKELETON = "skeleton.json"
HIGHEST_M = 30.0  # of a pelvis, in the median
MAX_MEMBERS = 64
SHAPES = ("shape.npz", "_stagei.npz")
_PERSON = re.compile(r"^((?:fem|m)ale\d+)(?=[A-Z].*_c3d$)|(?<=^\d{8}_)(.+)", re.IGNORECASE)
"""In a folder's name: ACCAD has one per person and topic (Female1Running_c3d), DanceDB one per day (20120731_Name)."""
MEAN_NOTE = (
    "Joint offsets of a mean SMPL body: the files hold none. Bones of the subject differ by centimetres; put a "
    f"{SKELETON} beside the files for another body."
)


def recognize(source: Source) -> bool:
    return any(_is_amass(source, file) for file in source.of(".npz")[:64])


def files(source: Source) -> list[str]:
    """Recordings, and what AMASS keeps per subject: ``shape.npz`` or ``neutral_stagei.npz``, a body without motion."""
    return source.of(".npz")


def read(source: Source, file: str, reading: Reading) -> list[Take]:
    """A recording's body; none of a file that holds a shape only.

    Raises:
        InvalidMotion: naming file and frame.
    """
    if file.endswith(SHAPES) or _is_shape(source, file):
        reading.left_out.append(f"{file} holds a body's shape and no motion.")
        return []
    arrays = _load(source, file)
    poses = _poses(arrays, file)
    trans = _numbers(arrays, "trans", file)
    if trans.shape != (len(poses), 3) or not len(poses):
        raise InvalidMotion(f"{file}: poses of {len(poses)} frames and trans of shape {trans.shape} do not fit.")
    check_finite(poses, file, "a pose")
    check_finite(trans, file, "a translation")
    if float(np.median(np.abs(trans[:, 2]))) > HIGHEST_M:
        raise InvalidMotion(
            f"{file}, frame 0: the body is {trans[0, 2]:.0f} m high; trans is in no metres.",
            "Bring it to metres first.",
        )
    skeleton, note = _skeleton(source)
    rotations = R.rotvec_to_unitquat(poses.reshape(len(poses), len(JOINTS), 3))
    rotations[:, 0] = R.multiply(np.broadcast_to(Z_TO_Y, rotations[:, 0].shape), rotations[:, 0])
    name = file.rsplit(".", 1)[0]
    motion = Motion(skeleton, R.rotate(Z_TO_Y, trans + PELVIS_M), rotations, _rate(arrays, file))
    notes = ("Up was z; the world was turned so that y is up. Hands and face were left out.", note)
    return [Take(name, motion, "", _subject(name), notes=notes)]


def _subject(name: str) -> str:
    """Whose folder it lies in."""
    folder = name.rsplit("/", 2)[-2] if "/" in name else ""
    found = _PERSON.search(folder)
    return (found[1] or found[2]) if found else folder


def _is_shape(source: Source, file: str) -> bool:
    members = source.members(file)
    return "betas" in members and not members & {"trans", "poses", "root_orient", "pose_body"}


def _is_amass(source: Source, file: str) -> bool:
    members = source.members(file)
    return "trans" in members and bool(members & {"poses", "pose_body"})


def _load(source: Source, file: str) -> dict[str, NDArray[Any]]:
    """The members that are needed, after a look at what they claim; others may hold what they like."""
    wanted = {"poses", "root_orient", "pose_body", "trans", *RATES}
    found: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(source.path(file)) as archive:
            infos = archive.infolist()
            if len(infos) > MAX_MEMBERS:
                raise InvalidMotion(f"{file} holds {len(infos)} arrays; AMASS files hold about ten.")
            for info in infos:
                name = info.filename.removesuffix(".npy")
                if name not in wanted:
                    continue
                with archive.open(info) as member:
                    claimed(member, info.file_size)
                with archive.open(info) as member:
                    found[name] = np.lib.format.read_array(member, allow_pickle=False)
    except Pickled:
        raise InvalidMotion(
            f"{file}: {name} holds pickled objects, which are never loaded.", "Save plain arrays of numbers."
        ) from None
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, NotImplementedError, *UNREADABLE) as error:
        raise InvalidMotion(f"{file} cannot be read as an npz archive: {error}.", "It may be cut short.") from None
    return found


def _poses(arrays: dict[str, NDArray[Any]], file: str) -> NDArray[np.float64]:
    """(T, 66) axis-angle of root and body."""
    width = 3 * len(JOINTS)
    if "poses" in arrays:
        poses = _numbers(arrays, "poses", file)
    else:
        root, body = _numbers(arrays, "root_orient", file), _numbers(arrays, "pose_body", file)
        if root.ndim != 2 or body.ndim != 2 or len(root) != len(body):
            raise InvalidMotion(f"{file}: root_orient {root.shape} and pose_body {body.shape} do not fit.")
        poses = np.concatenate([root, body], axis=1)
    if poses.ndim != 2 or poses.shape[1] < width:
        raise InvalidMotion(
            f"{file}: poses must be (T, 156) for SMPL+H or (T, 165) for SMPL-X; got {poses.shape}."
        )  # fmt: skip
    return poses[:, :width]


def _numbers(arrays: dict[str, NDArray[Any]], name: str, file: str) -> NDArray[np.float64]:
    if name not in arrays:
        raise InvalidMotion(f"{file} has no array {name!r}.", f"It has: {', '.join(sorted(arrays)) or 'none known'}.")
    if arrays[name].dtype.kind not in "fiu":
        raise InvalidMotion(f"{file}: {name} holds no numbers ({arrays[name].dtype}).")
    return arrays[name].astype(np.float64)


def _rate(arrays: dict[str, NDArray[Any]], file: str) -> float:
    """Frames per second; 120.00004 is 120."""
    for name in RATES:
        if name in arrays and arrays[name].size == 1 and arrays[name].dtype.kind in "fiu":
            rate = float(arrays[name].ravel()[0])
            return float(round(rate)) if abs(rate - round(rate)) < 1e-3 else rate
    raise InvalidMotion(f"{file} does not say its frame rate.", f"One of {', '.join(RATES[:2])} is needed.")


def _skeleton(source: Source) -> tuple[Skeleton, str]:
    if SKELETON not in source.files:
        return mean_skeleton(), MEAN_NOTE
    try:
        given = json.loads(source.text(SKELETON))
        offsets = np.asarray(given["offsets_m"], dtype=np.float64)
        if tuple(given["joint_names"]) != JOINTS:
            raise ValueError("its joints are not SMPL's 22 body joints")
        return Skeleton("smpl", JOINTS, mean_skeleton().parents, offsets), f"Joint offsets from {SKELETON}."
    except (ValueError, KeyError, TypeError, RecursionError, InvalidMotion) as error:
        raise InvalidMotion(
            f"{SKELETON} is no skeleton: {str(error)[:200]}.",
            f"It is JSON with joint_names ({', '.join(JOINTS[:3])}...) and offsets_m.",
        ) from None
