"""Writes small files of every format that is imported."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.importing import humanml, smpl
from backend.importing.source import Source
from backend.importing.work import ImportOptions, Made, make
from backend.motionfiles import write_motion
from core import rotations as R
from core.motion import Motion
from tests.backend.walker import walker

Array = NDArray[np.float64]


def write_bvh(folder: Path, names: dict[str, int], fps: float = 30.0) -> Path:
    """BVH files, by relative name and number of frames, each another motion."""
    for k, (name, frames) in enumerate(names.items()):
        path = folder / f"{name}.bvh"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(write_motion(walker(frames, fps, seed=k), ".bvh"))
    return folder


def people(folder: Path, frames: int = 90) -> Path:
    """Two actions of five people, 3 s each, named as CMU names its takes."""
    actions = tuple(enumerate(("walk", "run")))
    return write_bvh(folder, {f"{s:02d}_{k:02d}_{action}": frames for s in range(1, 6) for k, action in actions})


def made(path: Path, **options: Any) -> Made:
    return make(path, ImportOptions(**options))


def source_of(folder: Path) -> Source:
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return Source(folder, folder.name, tuple(files))


def smpl_motion(frames: int = 40, fps: float = 20.0, seed: int = 0) -> Motion:
    """A swaying walk along a curve, on the mean SMPL body."""
    rng = np.random.default_rng(seed)
    seconds = np.arange(frames) / fps
    phase = rng.uniform(0, 2 * np.pi, (1, len(smpl.JOINTS), 3))
    turns = 0.35 * np.sin(2 * np.pi * 0.8 * seconds[:, None, None] + phase)
    turns[:, 0] *= 0.2
    local = R.rotvec_to_unitquat(turns)
    local[:, 0] = R.multiply(R.yaw_to_unitquat(0.6 * seconds), local[:, 0])
    root = np.stack([0.3 * seconds**2, 0.95 + 0.02 * np.sin(9 * seconds), 1.1 * seconds], axis=-1)
    return Motion(smpl.mean_skeleton(), root, local, fps)


def write_amass(path: Path, motion: Motion, **changes: Any) -> Path:
    """The same in AMASS's conventions: z up, axis-angle, ``trans`` of the model's origin."""
    up = R.rotvec_to_unitquat(np.array([np.pi / 2, 0.0, 0.0]))
    local = motion.local_rotations_wxyz.copy()
    local[:, 0] = R.multiply(np.broadcast_to(up, local[:, 0].shape), local[:, 0])
    poses = np.zeros((len(motion), 156))
    poses[:, :66] = R.unitquat_to_rotvec(local).reshape(len(motion), 66)
    arrays: dict[str, Any] = {
        "poses": poses, "trans": R.rotate(up, motion.root_position_m) - smpl.PELVIS_M, "betas": np.zeros(16),
        "mocap_framerate": np.array(120.00004), "gender": np.array("neutral"),
    } | changes  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def encode_humanml(motion: Motion) -> Array:
    """HumanML3D's features of a motion, as its authors' ``process_file`` makes them (contacts left 0). The first frame
    stands at the origin and faces +z there."""
    form = humanml.HUMANML
    positions, _ = motion.world()
    frames, joints = positions.shape[:2]
    across = positions[:, 1] - positions[:, 2] + positions[:, 16] - positions[:, 17]  # hips and shoulders, left - right
    forward = np.cross(across, [0.0, 1.0, 0.0])
    facing = np.arctan2(forward[:, 0], forward[:, 2])
    first = R.yaw_to_unitquat(-facing[:1])
    positions = R.rotate(first[:, None], positions - positions[:1, :1] * [1.0, 0.0, 1.0])
    turn = R.yaw_to_unitquat(-(facing - facing[0]))  # world to heading
    angle = np.unwrap(-(facing - facing[0])) / 2
    features = np.zeros((frames, form.width))
    features[:-1, 0] = np.diff(angle)
    step = R.rotate(turn[1:], np.diff(positions[:, 0], axis=0))
    features[:-1, 1:3] = step[:, [0, 2]]
    features[:, 3] = positions[:, 0, 1]
    local = positions.copy()
    local[..., [0, 2]] -= positions[:, :1, [0, 2]]
    features[:, 4:67] = R.rotate(turn[:, None], local)[:, 1:].reshape(frames, -1)
    sixd = np.zeros((frames, joints - 1, 6))
    for chain in form.chains:
        along = turn
        for parent, joint in zip(chain, chain[1:], strict=False):
            bone = humanml._shortest_arc(form.directions[joint], positions[:, joint] - positions[:, parent])
            own = R.unitquat_to_rotmat(R.multiply(R.conjugate(along), bone))
            sixd[:, joint - 1] = np.concatenate([own[..., 0], own[..., 1]], axis=-1)
            along = bone
    features[:, 67:193] = sixd.reshape(frames, -1)
    features[1:, 193:259] = R.rotate(turn[:-1, None], np.diff(positions, axis=0)).reshape(frames - 1, -1)
    return features


def write_humanml(folder: Path, name: str, features: Array, texts: str = "") -> Path:
    (folder / "new_joint_vecs").mkdir(parents=True, exist_ok=True)
    np.save(folder / "new_joint_vecs" / f"{name}.npy", features.astype(np.float32))
    if texts:
        (folder / "texts").mkdir(exist_ok=True)
        (folder / "texts" / f"{name}.txt").write_text(texts)
    return folder


def write_deepmimic(path: Path, frames: list[list[Any]] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    standing = [0.0334, 0.0, 0.9, 0.0, 1.0, 0, 0, 0] + [1.0, 0, 0, 0] * 3 + [0.0] + [1.0, 0, 0, 0] * 2 + [0.0]
    standing += [1.0, 0, 0, 0] + [0.0] + [1.0, 0, 0, 0] * 2 + [0.0]
    rows = frames if frames is not None else [[*standing[:1], 0.01 * k, *standing[2:]] for k in range(90)]
    path.write_text(json.dumps({"Loop": "none", "Frames": rows}))
    return path
