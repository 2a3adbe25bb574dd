"""HumanML3D (Guo et al. 2022): float32 features [T, 12 J - 1], 263 for 22 SMPL joints at 20 fps, and captions.

Columns: 0 yaw velocity (half of the turn per frame: the yaw's quaternion is (cos a, 0, sin a, 0), a its running sum),
1:3 root velocity in the body's heading, 3 root height, then positions of J - 1 joints (heading removed), J - 1 6-D
rotations, J velocities and 4 foot contacts. Heading quaternions turn the world to the body: back needs their inverse.

The 6-D rotations follow a rule of their own, not BVH's: along each of five chains that begin at the root, a bone's
rotation is the product of those before it and acts on its own rest direction. They say how bones point and nothing of
twist; so do the positions, and both must agree.
"""

import re
from dataclasses import dataclass

import numpy as np

from backend.importing import smpl
from backend.importing.source import Source
from backend.importing.take import SPLITS, Reading, Take, check_finite
from core import rotations as R
from core.errors import InvalidMotion
from core.motion import Motion
from core.npyheader import UNREADABLE, Pickled, claimed
from core.skeleton import Skeleton

Array = R.Array

VECTORS = "new_joint_vecs"
AGREE_RAD = 0.1  # mean angle between bones by position and by rotation
LONGEST_TEXT = 2000
MOST_TEXTS = 64


@dataclass(frozen=True)
class Form:
    """A body that such features are made for.

    Attributes:
        fps: of the features.
        joints, parents: J.
        chains: lists of joints; all begin at the root's rotation.
        directions: (J, 3) of each bone in the 6-D rotations' rest pose.
        rest_m: (J, 3) offsets of a T-pose that faces +z: directions are taken from it, lengths from the data.
    """

    fps: float
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    chains: tuple[tuple[int, ...], ...]
    directions: Array
    rest_m: Array

    @property
    def width(self) -> int:
        return 12 * len(self.joints) - 1


_X, _Y, _Z, _O = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0)
_NX, _NY = (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)
HUMANML = Form(
    20.0,
    smpl.JOINTS,
    smpl.PARENTS,
    ((0, 2, 5, 8, 11), (0, 1, 4, 7, 10), (0, 3, 6, 9, 12, 15), (9, 14, 17, 19, 21), (9, 13, 16, 18, 20)),
    np.array([_O, _X, _NX, _Y, _NY, _NY, _Y, _NY, _NY, _Y, _Z, _Z, _Y, _X, _NX, _Z, *[_NY] * 6]),
    smpl.MEAN_OFFSETS_M,
)
FORMS = {HUMANML.width: HUMANML}
"""By number of columns. A body with other joints is one more entry."""


def recognize(source: Source) -> bool:
    return any(f"{VECTORS}/" in f"/{file}" for file in source.of(".npy")) or any(
        _shape(source, file)[1:] == (HUMANML.width,) for file in source.of(".npy")[:8]
    )


def files(source: Source) -> list[str]:
    """Recordings; Mean.npy, Std.npy and plain positions (new_joints) are none."""
    found = [file for file in source.of(".npy") if f"{VECTORS}/" in f"/{file}"]
    return found or [file for file in source.of(".npy") if file.rsplit("/", 1)[-1] not in ("Mean.npy", "Std.npy")]


def read(source: Source, file: str, reading: Reading) -> list[Take]:
    """A recording with its captions; a caption of a part of it is a take of its own.

    Raises:
        InvalidMotion: naming file and frame.
    """
    features, form = _features(source, file)
    name = file.rsplit("/", 1)[-1].removesuffix(".npy")
    motion, off = decode(features, form, name)
    notes = ["HumanML3D features say nothing of twist: joints turn no further than their bones point."]
    if off > AGREE_RAD:
        notes.append("Positions and rotations contradict each other in some files; positions were taken.")
    takes = []
    split = _split_of(source, name, reading)
    for part, texts in (_captions(source, name) or {None: []}).items():
        start, stop = (0, len(motion)) if part is None else (round(s * form.fps) for s in part)
        stop = min(stop, len(motion))
        if stop - start < 2:
            continue
        cut = Motion(motion.skeleton, motion.root_position_m[start:stop], motion.local_rotations_wxyz[start:stop],
                     form.fps)  # fmt: skip
        label = name if part is None else f"{name}@{part[0]:g}-{part[1]:g}"
        takes.append(Take(label, cut, split=split, texts=tuple(texts), notes=tuple(notes)))
    return takes


def decode(features: Array, form: Form, name: str) -> tuple[Motion, float]:
    """The motion of features (T, 12 J - 1), and the mean angle (radians) between its bones by position and by rotation.

    Raises:
        InvalidMotion: when no body has such bones.
    """
    positions = joint_positions(features, form)
    bones = positions - positions[:, [max(p, 0) for p in form.parents]]
    lengths = np.median(np.linalg.norm(bones, axis=-1), axis=0)
    if not (lengths[1:] > 1e-4).all():
        raise InvalidMotion(f"{name}, frame 0: a bone has no length; these are no features of a body.")
    pointing = bone_directions(features, form)
    cosine = (bones[:, 1:] * pointing[:, 1:]).sum(-1) / np.maximum(np.linalg.norm(bones[:, 1:], axis=-1), 1e-9)
    off = float(np.arccos(np.clip(cosine, -1.0, 1.0)).mean())
    rest = form.rest_m / np.maximum(np.linalg.norm(form.rest_m, axis=-1, keepdims=True), 1e-9) * lengths[:, None]
    offsets, local = _local_rotations(bones, rest, form.parents)
    skeleton = Skeleton("humanml3d", form.joints, form.parents, offsets)
    return Motion(skeleton, positions[:, 0], local, form.fps), off


def headings(features: Array) -> tuple[Array, Array]:
    """Quaternions (T, 4) that turn the world to the body's heading, and root positions (T, 3)."""
    angle = np.concatenate([[0.0], np.cumsum(features[:-1, 0])])
    zero = np.zeros_like(angle)
    turn = np.stack([np.cos(angle), zero, np.sin(angle), zero], axis=-1)
    step = np.zeros((len(features), 3))
    step[1:, [0, 2]] = features[:-1, 1:3]
    root = np.cumsum(R.rotate(R.conjugate(turn), step), axis=0)
    root[:, 1] = features[:, 3]
    return turn, root


def joint_positions(features: Array, form: Form) -> Array:
    """(T, J, 3) world positions by the features' position columns."""
    turn, root = headings(features)
    count = len(form.joints) - 1
    local = features[:, 4 : 4 + 3 * count].reshape(len(features), count, 3)
    others = R.rotate(R.conjugate(turn)[:, None], local)
    others[..., [0, 2]] += root[:, None, [0, 2]]
    return np.concatenate([root[:, None], others], axis=1)


def bone_directions(features: Array, form: Form) -> Array:
    """(T, J, 3) unit vectors along each bone in the world, by the chain rule of the 6-D rotations."""
    turn, _ = headings(features)
    count = len(form.joints) - 1
    sixd = features[:, 4 + 3 * count : 4 + 9 * count].reshape(len(features), count, 6)
    own = R.rotmat_to_unitquat(_matrices(sixd))
    pointing = np.zeros((len(features), len(form.joints), 3))
    for chain in form.chains:
        along = turn
        for joint in chain[1:]:
            along = R.multiply(along, own[:, joint - 1])
            pointing[:, joint] = R.rotate(along, form.directions[joint])
    return pointing


def _matrices(sixd: Array) -> Array:
    """Rotation matrices (..., 3, 3) of 6-D rotations that are their first two columns (Zhou et al. 2019)."""
    x = sixd[..., :3] / np.maximum(np.linalg.norm(sixd[..., :3], axis=-1, keepdims=True), 1e-9)
    z = np.cross(x, sixd[..., 3:])
    z = z / np.maximum(np.linalg.norm(z, axis=-1, keepdims=True), 1e-9)
    return np.stack([x, np.cross(z, x), z], axis=-1)


def _local_rotations(bones: Array, rest: Array, parents: tuple[int, ...]) -> tuple[Array, Array]:
    """Offsets (J, 3) and local rotations (T, J, 4) under which forward kinematics gives the bones (T, J, 3).

    A joint with one child turns by the shortest arc; one with several by the least-squares fit (Kabsch 1976) to its
    children, which are as rigid as the body was.
    """
    frames, joints = bones.shape[:2]
    children = [[c for c in range(joints) if parents[c] == j] for j in range(joints)]
    offsets = rest.copy()
    world = np.zeros((frames, joints, 4))
    local = np.zeros((frames, joints, 4))
    for j in range(joints):
        above = world[:, parents[j]] if j else np.broadcast_to(R.IDENTITY_WXYZ, (frames, 4))
        seen = R.rotate(R.conjugate(above)[:, None], bones[:, children[j]])
        if len(children[j]) > 1:
            for _ in range(3):  # the fan of children, in the joint's own frame
                local[:, j] = _fit(offsets[children[j]], seen)
                offsets[children[j]] = R.rotate(R.conjugate(local[:, j])[:, None], seen).mean(0)
            local[:, j] = _fit(offsets[children[j]], seen)
        elif children[j]:
            local[:, j] = _shortest_arc(rest[children[j][0]], seen[:, 0])
        else:
            local[:, j] = R.IDENTITY_WXYZ
        world[:, j] = R.multiply(above, local[:, j])
    return offsets, local


def _fit(points: Array, seen: Array) -> Array:
    """(T, 4) rotations that bring points (C, 3) nearest to those seen (T, C, 3)."""
    u, _, vt = np.linalg.svd(np.einsum("tci,cj->tij", seen, points))
    sign = np.sign(np.linalg.det(u @ vt))
    u[..., 2] *= sign[:, None]
    found: Array = R.rotmat_to_unitquat(u @ vt)
    return found


def _shortest_arc(start: Array, end: Array) -> Array:
    """(T, 4) the shortest rotations from a vector (3,) to vectors (T, 3)."""
    a = start / np.linalg.norm(start)
    b = end / np.maximum(np.linalg.norm(end, axis=-1, keepdims=True), 1e-9)
    real = 1.0 + b @ a
    axis = np.cross(np.broadcast_to(a, b.shape), b)
    opposite = real < 1e-8
    if opposite.any():
        across = np.cross(a, (1.0, 0.0, 0.0) if abs(a[0]) < 0.9 else (0.0, 1.0, 0.0))
        axis[opposite], real = across, np.where(opposite, 0.0, real)
    return R.normalize(np.concatenate([real[:, None], axis], axis=-1))


def _shape(source: Source, file: str) -> tuple[int, ...]:
    try:
        with source.path(file).open("rb") as stream:
            return claimed(stream, source.path(file).stat().st_size)[0]
    except (OSError, ValueError):
        return ()


def _array(source: Source, file: str) -> Array:
    path = source.path(file)
    try:
        with path.open("rb") as stream:
            _, dtype = claimed(stream, path.stat().st_size)
        if dtype.kind not in "fiu":
            raise InvalidMotion(f"{file} holds no numbers ({dtype}).")
        values: Array = np.load(path, allow_pickle=False).astype(np.float64)
        return values
    except Pickled:
        raise InvalidMotion(
            f"{file} holds pickled objects, which are never loaded.", "Save plain arrays of numbers."
        ) from None
    except (OSError, *UNREADABLE) as error:
        raise InvalidMotion(f"{file} cannot be read as an npy array: {error}.", "It may be cut short.") from None


def _features(source: Source, file: str) -> tuple[Array, Form]:
    features = _array(source, file)
    if features.ndim != 2 or features.shape[1] not in FORMS or len(features) < 2:
        known = ", ".join(f"{width} (12 x {len(form.joints)} - 1)" for width, form in FORMS.items())
        raise InvalidMotion(f"{file}: features must be (T, {known}); got {features.shape}.")
    form = FORMS[features.shape[1]]
    check_finite(features, file, "a feature")
    if not _is_raw(features, form):
        names = [next((f for f in source.of(".npy") if f.rsplit("/", 1)[-1] == n), "") for n in ("Mean.npy", "Std.npy")]
        if all(names):
            mean, std = (_array(source, n) for n in names)
            if mean.shape == std.shape == (form.width,):
                features = features * std + mean
    if not _is_raw(features, form):
        raise InvalidMotion(
            f"{file}, frame 0: its 6-D rotations are none; the features may be normalised.",
            "Put Mean.npy and Std.npy beside them, or give those of new_joint_vecs.",
        )
    return features, form


def _is_raw(features: Array, form: Form) -> bool:
    """Whether the columns of rotations are unit vectors, as they are before normalisation."""
    count = len(form.joints) - 1
    columns = features[:, 4 + 3 * count : 4 + 9 * count].reshape(-1, 3)
    return bool(np.abs(np.linalg.norm(columns, axis=-1) - 1.0).max() < 0.1)


def _split_of(source: Source, name: str, reading: Reading) -> str:
    """The split whose list (train.txt, val.txt, test.txt) names the recording."""
    for split in SPLITS:
        for file in (f"{split}.txt", f"splits/{split}.txt"):
            if file in source.files:
                if file not in reading.lists:
                    reading.lists[file] = frozenset(source.text(file).split())
                if name in reading.lists[file]:
                    return split
    return ""


def _captions(source: Source, name: str) -> dict[tuple[float, float] | None, list[str]]:
    """Captions by the part of the recording, in seconds, that they speak of; None = all of it.

    Raises:
        InvalidMotion: naming file and line.
    """
    file = f"texts/{name}.txt"
    found: dict[tuple[float, float] | None, list[str]] = {}
    if file not in source.files:
        return found
    for k, line in enumerate(source.text(file).splitlines(), 1):
        caption, *rest = line.split("#")
        text = re.sub(r"\s+", " ", caption).strip()
        if not text:
            continue
        if len(text) > LONGEST_TEXT or k > MOST_TEXTS:
            raise InvalidMotion(f"{file}, line {k}: more than {MOST_TEXTS} captions of {LONGEST_TEXT} characters.")
        part: tuple[float, float] | None = None
        if len(rest) >= 3:
            try:
                start, stop = (float(word) for word in rest[-2:])
            except ValueError:
                raise InvalidMotion(f"{file}, line {k}: start and end are no numbers: {line[-40:]!r}.") from None
            known = np.isfinite([start, stop]).all()
            part = (start, stop) if known and 0 <= start < stop else None
        found.setdefault(part, []).append(text)
    return found
