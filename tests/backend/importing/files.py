"""Writes small files of every format that is imported."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d

from backend.importing import features, mmm, smpl
from backend.importing.source import Source
from backend.importing.work import ImportOptions, Made, make
from backend.motionfiles import write_motion
from core import rotations as R
from core.motion import Motion
from core.skeleton import Skeleton
from tests.backend.walker import walker

Array = R.Array


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


def kit_motion(frames: int = 60, seed: int = 0, height_m: float = 1.75) -> Motion:
    """The same on the Motor Map's body, at KIT-ML's rate."""
    rng = np.random.default_rng(seed)
    seconds = np.arange(frames) / 12.5
    phase = rng.uniform(0, 2 * np.pi, (1, len(mmm.JOINTS), 3))
    turns = 0.35 * np.sin(2 * np.pi * 0.6 * seconds[:, None, None] + phase)
    turns[:, 0] *= 0.2
    local = R.rotvec_to_unitquat(turns)
    local[:, 0] = R.multiply(R.yaw_to_unitquat(0.4 * seconds), local[:, 0])
    root = np.stack([0.05 * seconds**2, 0.95 + 0.02 * np.sin(9 * seconds), 0.5 * seconds], axis=-1)
    return Motion(Skeleton("kit", mmm.JOINTS, mmm.PARENTS, height_m * mmm.OFFSETS), root, local, 12.5)


def encode_kit(positions: Array, unit_m: float = 0.00175, smooth: float = 20.0) -> tuple[Array, Array]:
    """KIT-ML's features of positions in metres, mirrored as its conversion mirrors: by default with a body of 1.75 m as
    one of 1,000 units. Also the positions that are in them, in metres and not mirrored."""
    mirror = np.array([-1.0, 1.0, 1.0])
    found, placed = encoded(positions * mirror / unit_m, features.KIT, (11, 16, 5, 8), smooth)
    return found, placed * mirror * unit_m


def encode_humanml(motion: Motion) -> Array:
    """HumanML3D's features of a motion that begins over the origin and faces +z."""
    return encoded(motion.world()[0], features.HUMANML, (2, 1, 17, 16))[0]


def encoded(positions: Array, form: features.Form, facing: tuple[int, ...], smooth: float = 0.0) -> tuple[Array, Array]:
    """Features [T - 1, 12 J - 1] of joint positions (T, J, 3), by the published definition (contacts left 0), and the
    positions as they are in them: over the origin, facing +z.

    Args:
        facing: right hip, left hip, right shoulder, left shoulder, as the definition has them.
        smooth: deviation in frames of the Gaussian over directions; published data have 20.
    """
    frames, joints = positions.shape[:2]
    right_hip, left_hip, right_shoulder, left_shoulder = facing
    positions = positions - positions[:1, :1] * [1.0, 0.0, 1.0]
    for k in range(2):  # once to face +z at first, once as every frame is
        across = positions[:, right_hip] - positions[:, left_hip]
        across = across + positions[:, right_shoulder] - positions[:, left_shoulder]
        forward = np.cross([0.0, 1.0, 0.0], across)
        forward /= np.linalg.norm(forward, axis=-1, keepdims=True)
        if k and smooth:
            forward = gaussian_filter1d(forward, smooth, axis=0, mode="nearest")
        facings = np.unwrap(np.arctan2(forward[:, 0], forward[:, 2]))
        if not k:
            positions = R.rotate(R.yaw_to_unitquat(-facings[:1])[:, None], positions)
    turn = R.yaw_to_unitquat(-facings)  # world to heading
    found = np.zeros((frames - 1, form.width))
    found[:, 0] = -np.diff(facings) / 2
    found[:, 1:3] = R.rotate(turn[1:], np.diff(positions[:, 0], axis=0))[:, [0, 2]]
    found[:, 3] = positions[:-1, 0, 1]
    local = positions.copy()
    local[..., [0, 2]] -= positions[:, :1, [0, 2]]
    found[:, form.positions] = R.rotate(turn[:, None], local)[:-1, 1:].reshape(frames - 1, -1)
    sixd = np.zeros((frames, joints - 1, 6))
    for chain in form.chains:
        along = turn
        for parent, joint in itertools.pairwise(chain):
            bone = features.shortest_arc(form.directions[joint], positions[:, joint] - positions[:, parent])
            own = R.unitquat_to_rotmat(R.multiply(R.conjugate(along), bone))
            sixd[:, joint - 1] = np.concatenate([own[..., 0], own[..., 1]], axis=-1)
            along = bone
    found[:, form.rotations] = sixd[:-1].reshape(frames - 1, -1)
    velocity = R.rotate(turn[:-1, None], np.diff(positions, axis=0)).reshape(frames - 1, -1)
    found[:, form.rotations.stop : form.rotations.stop + 3 * joints] = velocity
    return found, positions


def write_humanml(folder: Path, name: str, rows: Array, texts: str = "") -> Path:
    (folder / "new_joint_vecs").mkdir(parents=True, exist_ok=True)
    np.save(folder / "new_joint_vecs" / f"{name}.npy", rows.astype(np.float32))
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
