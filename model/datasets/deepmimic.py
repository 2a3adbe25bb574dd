"""The 15 humanoid clips of DeepMimic (Peng et al. 2018) inside the installed ``pybullet_data``.

Clips marked ``wrap`` are cycles of .8-4.4 s: they go on for ever, turned and moved on by what one cycle turns and
moves. Their seams jump (up to 58 degrees in one joint, spinkick), so the jump is spread over SEAM_S on either side. The
others rest in their first and last pose.
"""

import hashlib
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core import rotations as R
from core.config import Options, digest
from core.errors import DataMissing
from core.motion import Motion
from core.rotations import Array
from core.skeleton import Skeleton
from model.datasets.base import WINDOW_FPS, WINDOW_FRAMES, WINDOW_S, Dataset, Split, slerp_near

SEAM_S = 0.25
REST_S = 0.25  # how long a clip that is no cycle may rest in its first or last pose
SUBFRAMES = 8  # starting points per frame of the cut windows (6 ms apart)
NUMBERS_PER_FRAME = 44

# The character of pybullet_data/humanoid/humanoid.urdf, which is four times life-size. x forward, y up, z right.
_CHARACTER_SCALE = 4.0
_JOINTS: tuple[tuple[str, int, tuple[float, float, float]], ...] = (
    ("root", -1, (0.0, 0.0, 0.0)),
    ("chest", 0, (0.0, 0.944604, 0.0)),
    ("neck", 1, (0.0, 0.895576, 0.0)),
    ("right_hip", 0, (0.0, 0.0, 0.339548)),
    ("right_knee", 3, (0.0, -1.686184, 0.0)),
    ("right_ankle", 4, (0.0, -1.63948, 0.0)),
    ("right_shoulder", 1, (-0.0962, 0.974, 0.73244)),
    ("right_elbow", 6, (0.0, -1.099152, 0.0)),
    ("right_wrist", 7, (0.0, -1.035788, 0.0)),
    ("left_hip", 0, (0.0, 0.0, -0.339548)),
    ("left_knee", 9, (0.0, -1.686184, 0.0)),
    ("left_ankle", 10, (0.0, -1.63948, 0.0)),
    ("left_shoulder", 1, (-0.0962, 0.974, -0.73244)),
    ("left_elbow", 12, (0.0, -1.099152, 0.0)),
    ("left_wrist", 13, (0.0, -1.035788, 0.0)),
)
_TOE_TIP_M = (0.1335, -0.05, 0.0)
# Order and width of the numbers after dt and root position: quaternions wxyz, or an angle about z for a hinge.
_CHANNELS = (
    ("root", 4), ("chest", 4), ("neck", 4), ("right_hip", 4), ("right_knee", 1), ("right_ankle", 4),
    ("right_shoulder", 4), ("right_elbow", 1), ("left_hip", 4), ("left_knee", 1), ("left_ankle", 4),
    ("left_shoulder", 4), ("left_elbow", 1),
)  # fmt: skip


# Ours: the clips come without words. One for each clip that there is.
_CAPTIONS = {
    "backflip": "a person does a backflip",
    "cartwheel": "a person does a cartwheel",
    "crawl": "a person crawls on hands and knees",
    "dance_a": "a person dances, swinging the arms and stepping to the beat",
    "dance_b": "a person dances, turning and moving the hips",
    "getup_facedown": "a person lying face down gets up",
    "getup_faceup": "a person lying on the back gets up",
    "jump": "a person jumps up and lands",
    "kick": "a person kicks forward",
    "punch": "a person punches",
    "roll": "a person rolls forward over the floor",
    "run": "a person runs",
    "spin": "a person spins around in place",
    "spinkick": "a person does a spinning kick",
    "walk": "a person walks",
}


class DeepMimicOptions(Options):
    mirror: bool = Field(
        True, title="Mirror images", description="Show every second window as its left-right mirror image."
    )


def skeleton() -> Skeleton:
    """15 joints, 1.62 m tall."""
    names = [name for name, _, _ in _JOINTS]
    return Skeleton(
        "deepmimic",
        tuple(names),
        tuple(parent for _, parent, _ in _JOINTS),
        np.array([offset for _, _, offset in _JOINTS]) / _CHARACTER_SCALE,
        feet=(names.index("left_ankle"), names.index("right_ankle")),
        toe_tips_m=(_TOE_TIP_M, _TOE_TIP_M),
    )


def build(options: DeepMimicOptions) -> Dataset:
    """The data set.

    Raises:
        DataMissing: when ``pybullet_data`` is not installed, or its clips are not as expected.
    """
    files = _files()
    contents = {path.stem.removeprefix("humanoid3d_"): path.read_bytes() for path in files}
    body = skeleton()
    tracks, seconds = {}, 0.0
    for name, content in contents.items():
        root, rotations, duration = _track(name, _parse(name, content), body)
        tracks[name] = (root, rotations)
        seconds += duration
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    return Dataset(
        name="deepmimic",
        skeleton=body,
        class_names=tuple(tracks),
        digest=digest(["deepmimic-2", sums, options.model_dump(mode="json")]),
        card={
            "title": "DeepMimic clips (pybullet_data)",
            "source": "humanoid3d_*.txt of the installed pybullet_data; Peng et al. 2018, DeepMimic.",
            "licence": "zlib (Bullet Physics SDK); the motions come from the DeepMimic repository (MIT).",
            "clips": len(tracks),
            "seconds": round(seconds, 1),
            "classes": list(tracks),
            "split": (
                "One clip per class, too short for a hold-out disjoint in time: held-out windows are other phases "
                "(training starts at even samples, held-out ones at odd) and mirror images of the same clips."
            ),
            "notes": [
                f"Windows of {WINDOW_FRAMES} frames at {WINDOW_FPS:g} fps; cyclic clips go on for ever, the jump at "
                f"their seam is spread over {SEAM_S:g} s on either side.",
                f"Clips that are no cycles (getup, kick, punch) may rest up to {REST_S:g} s in their first or last "
                "pose; kick (1.5 s) is shorter than a window and is padded so.",
                "The data is not physically clean: feet slide and sink a little in the original clips too.",
            ],
        },
        clips=_Tracks(tracks),
        mirror=options.mirror,
        captions=tuple(_CAPTIONS.get(name, f"a person does a {name}") for name in tracks),
    )


class _Tracks:
    """Every clip sampled at SUBFRAMES times the windows' rate, long enough for a window at any start."""

    def __init__(self, tracks: Mapping[str, tuple[Array, Array]]) -> None:
        self._tracks = list(tracks.values())

    def cut(self, split: Split, labels: NDArray[np.int64], where: Array) -> tuple[Array, Array]:
        joints = self._tracks[0][1].shape[1]
        root = np.empty((len(labels), WINDOW_FRAMES, 3), np.float32)
        rotations = np.empty((len(labels), WINDOW_FRAMES, joints, 4), np.float32)
        steps = np.arange(WINDOW_FRAMES) * SUBFRAMES
        for label in np.unique(labels):
            rows = np.flatnonzero(labels == label)
            track_root, track_rotations = self._tracks[label]
            # The same clips, but never the same phase: training starts at even, held-out windows at odd samples.
            phases = (len(track_root) - steps[-1]) // 2
            starts = 2 * (where[rows] * phases).astype(np.int64) + (split == "held-out")
            frames = starts[:, None] + steps
            root[rows], rotations[rows] = track_root[frames], track_rotations[frames]
        return root, rotations

    def captions(self, split: Split, labels: NDArray[np.int64], where: Array, which: Array) -> NDArray[np.int64]:
        del split, where, which  # a class is one clip, and a clip has one caption
        return labels


def _files() -> list[Path]:
    spec = importlib.util.find_spec("pybullet_data")
    folder = Path(spec.origin).parent / "data" / "motions" if spec is not None and spec.origin else None
    files = sorted(folder.glob("humanoid3d_*.txt")) if folder is not None else []
    if not files:
        raise DataMissing(
            "The DeepMimic clips (humanoid3d_*.txt of pybullet_data) were not found.",
            "Install the package pybullet, which brings them, or choose another data set.",
        )
    return files


def _parse(name: str, content: bytes) -> dict[str, Any]:
    try:
        data = json.loads(content)
        frames = np.array(data["Frames"], dtype=np.float64)
        wraps = data["Loop"] == "wrap"
    except (ValueError, KeyError, TypeError) as error:
        raise DataMissing(f"The clip humanoid3d_{name}.txt cannot be read: {error}.", "Reinstall pybullet.") from None
    if frames.ndim != 2 or frames.shape[1] != NUMBERS_PER_FRAME or len(frames) < 2:
        raise DataMissing(
            f"The clip humanoid3d_{name}.txt needs frames of {NUMBERS_PER_FRAME} numbers; got shape {frames.shape}.",
            "Reinstall pybullet.",
        )
    return {"frames": frames, "wraps": wraps}


def poses_of(frames: Array, body: Skeleton) -> tuple[Array, Array, Array]:
    """Times (T,), root positions (T, 3) and local rotations wxyz (T, J, 4) of a clip's frames."""
    times = np.concatenate([[0.0], np.cumsum(frames[:-1, 0])])
    rotations = np.zeros((len(frames), body.joint_count, 4))
    rotations[..., 0] = 1.0
    column = 4
    for joint, width in _CHANNELS:
        value = frames[:, column : column + width]
        column += width
        if width == 1:
            zero = np.zeros(len(frames))
            value = np.stack([np.cos(value[:, 0] / 2), zero, zero, np.sin(value[:, 0] / 2)], axis=-1)
        rotations[:, body.joint_names.index(joint)] = R.normalize(value)
    return times, frames[:, 1:4].copy(), rotations


def whole_clips(fps: float = 30.0, seconds: float = 4.0) -> list[Motion]:
    """Every clip as one motion at ``fps``: cycles repeated for ``seconds``, the others as long as they are at most.

    Raises:
        DataMissing: as :func:`build`.
    """
    body = skeleton()
    found = []
    for path in _files():
        name = path.stem.removeprefix("humanoid3d_")
        clip = _parse(name, path.read_bytes())
        times, root, rotations = poses_of(clip["frames"], body)
        duration = float(times[-1])
        if clip["wraps"]:
            at = np.arange(round(seconds * fps)) / fps
            poses = _repeated(times, root, rotations, duration, at)
        else:
            at = np.arange(int(min(duration, seconds) * fps + 1e-6) + 1) / fps
            poses = interpolated(times, root, rotations, np.minimum(at, duration))
        found.append(Motion(body, *poses, fps, name))
    return found


def _track(name: str, clip: Mapping[str, Any], body: Skeleton) -> tuple[Array, Array, float]:
    """A clip at SUBFRAMES * WINDOW_FPS, as long as its windows need, and its duration in seconds."""
    times, root, rotations = poses_of(clip["frames"], body)
    duration = float(times[-1])
    if duration <= 0:
        raise DataMissing(f"The clip humanoid3d_{name}.txt lasts no time.", "Reinstall pybullet.")
    rate = WINDOW_FPS * SUBFRAMES
    if not clip["wraps"]:
        latest = max(duration - WINDOW_S, 0.0) + REST_S
        at = np.arange(-REST_S, latest + WINDOW_S, 1 / rate)
        return *interpolated(times, root, rotations, np.clip(at, 0.0, duration)), duration
    at = np.arange(0.0, duration + WINDOW_S, 1 / rate)
    return *_repeated(times, root, rotations, duration, at), duration


def _repeated(times: Array, root: Array, rotations: Array, duration: float, at: Array) -> tuple[Array, Array]:
    """A cycle that goes on for ever, at the times ``at``."""
    turn, move = _cycle(root, rotations)
    root, rotations = _blend_seam(times, root, rotations, turn)
    cycle = np.floor(at / duration).astype(int)
    found_root, found_rotations = interpolated(times, root, rotations, at - cycle * duration)
    ahead, shift = R.IDENTITY_WXYZ, np.zeros(3)
    for k in range(1, cycle.max() + 1):
        ahead, shift = R.multiply(turn, ahead), R.rotate(turn, shift) + move
        rows = cycle == k
        found_root[rows] = R.rotate(ahead, found_root[rows]) + shift
        found_rotations[rows, 0] = R.multiply(np.broadcast_to(ahead, (rows.sum(), 4)), found_rotations[rows, 0])
    return found_root, found_rotations


def interpolated(times: Array, root: Array, rotations: Array, at: Array) -> tuple[Array, Array]:
    """Root positions (A, 3) and rotations (A, J, 4) at the times ``at`` (A,), of frames at ``times`` (T,)."""
    left = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    weight = (at - times[left]) / (times[left + 1] - times[left])
    position = root[left] + weight[:, None] * (root[left + 1] - root[left])
    return position, slerp_near(rotations[left], rotations[left + 1], weight[:, None])


def _cycle(root: Array, rotations: Array) -> tuple[Array, Array]:
    """What one cycle turns (yaw as wxyz) and then moves (3,), on the floor: first pose -> last pose."""
    change = R.multiply(rotations[-1, 0], R.conjugate(rotations[0, 0]))
    yaw = 2 * np.arctan2(change[2], change[0])  # the twist about +y
    yaw = (yaw + np.pi) % (2 * np.pi) - np.pi
    turn = R.yaw_to_unitquat(np.array(yaw if abs(yaw) > 0.02 else 0.0))
    return turn, (root[-1] - R.rotate(turn, root[0])) * np.array([1.0, 0.0, 1.0])


def _blend_seam(times: Array, root: Array, rotations: Array, turn: Array) -> tuple[Array, Array]:
    """Half of the jump from the last pose to the first one taken at the end, half at the beginning."""
    duration = float(times[-1])
    reach = min(SEAM_S, duration / 3)
    at_end = 0.5 * _smoothstep((times - (duration - reach)) / reach)
    at_start = 0.5 * _smoothstep(1 - times / reach)
    following = rotations[0].copy()
    following[0] = R.multiply(turn, following[0])
    jump = R.unitquat_to_rotvec(R.multiply(R.conjugate(rotations[-1]), following))
    weight = (at_end - at_start)[:, None, None]
    blended = root.copy()
    blended[:, 1] += (at_end - at_start) * (root[0, 1] - root[-1, 1])
    return blended, R.multiply(rotations, R.rotvec_to_unitquat(weight * jump))


def _smoothstep(u: Array) -> Array:
    u = np.clip(u, 0.0, 1.0)
    return u * u * (3 - 2 * u)
