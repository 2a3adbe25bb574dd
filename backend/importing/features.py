"""Motion features of HumanML3D (Guo et al. 2022), and back: [T, 12 J - 1] for a body of J joints.

Columns: 0 yaw velocity (half of the turn per frame: the yaw's quaternion is (cos a, 0, sin a, 0), a its running sum),
1:3 root velocity in the body's heading, 3 root height, then positions of J - 1 joints (heading removed), J - 1 6-D
rotations, J velocities and 4 foot contacts. Heading quaternions turn the world to the body: back needs their inverse.

The 6-D rotations follow a rule of their own, not BVH's: along each of five chains that begin at the root, a bone's
rotation is the product of those before it and acts on its own rest direction. They say how bones point and nothing of
twist; so do the positions, and both must agree.
"""

from dataclasses import dataclass

import numpy as np

from backend.importing import mmm, smpl
from core import rotations as R
from core.errors import InvalidMotion
from core.motion import Motion
from core.shape import children_of
from core.skeleton import LEG_SHARE, Skeleton

Array = R.Array

LEG_M = (0.6, 1.1)  # from hip to ankle: what is in metres already
FAN_FRAMES = 64  # by which the fan of a joint's children is found
CHECKED_FRAMES = 48  # in which bones by position and by rotation are compared
UNEQUAL = 0.3  # share of a speed by which two that are said to be one may differ: generated features are not exact
STRIDE = 0.08  # of a leg and frame: a root that is faster walks


@dataclass(frozen=True)
class Form:
    """A body that such features are made for.

    Attributes:
        name: of the skeleton.
        fps: of the features.
        joints, parents: J.
        chains: lists of joints, all of which begin at the root's rotation: two legs, spine, two arms.
        directions: (J, 3) of each bone in the 6-D rotations' rest pose.
        rest: (J, 3) offsets of a T-pose that faces +z: directions are taken from it, lengths from the data.
        height_m: of the body, where features are in a unit of their own; 0 where they are in metres.
    """

    name: str
    fps: float
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    chains: tuple[tuple[int, ...], ...]
    directions: Array
    rest: Array
    height_m: float = 0.0

    @property
    def width(self) -> int:
        return 12 * len(self.joints) - 1

    @property
    def positions(self) -> slice:
        return slice(4, 4 + 3 * (len(self.joints) - 1))

    @property
    def rotations(self) -> slice:
        return slice(self.positions.stop, self.positions.stop + 6 * (len(self.joints) - 1))


_X, _Y, _Z, _O = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0)
_NX, _NY = (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)
HUMANML = Form(
    "humanml3d",
    20.0,
    smpl.JOINTS,
    smpl.PARENTS,
    ((0, 2, 5, 8, 11), (0, 1, 4, 7, 10), (0, 3, 6, 9, 12, 15), (9, 14, 17, 19, 21), (9, 13, 16, 18, 20)),
    np.array([_O, _X, _NX, _Y, _NY, _NY, _Y, _NY, _NY, _Y, _Z, _Z, _Y, _X, _NX, _Z, *[_NY] * 6]),
    smpl.MEAN_OFFSETS_M,
)
_LEG = [_NY, _NY, _Z, _Z]
KIT = Form(
    "kit",
    12.5,
    mmm.JOINTS,
    mmm.PARENTS,
    ((0, 11, 12, 13, 14, 15), (0, 16, 17, 18, 19, 20), (0, 1, 2, 3, 4), (3, 5, 6, 7), (3, 8, 9, 10)),
    np.array([_O, *[_Y] * 4, _X, _NY, _NY, _NX, _NY, _NY, _X, *_LEG, _NX, *_LEG]),
    mmm.OFFSETS,
    mmm.HEIGHT_M,
)
FORMS = {form.width: form for form in (HUMANML, KIT)}
"""By number of columns. A body with other joints is one more entry."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """A motion out of features.

    Attributes:
        off_rad: mean angle between its bones by position and by rotation.
        mirrored: whether its left was on the right of where its toes point, and was brought back.
        scaled: whether it was in a unit of its own.
    """

    motion: Motion
    off_rad: float
    mirrored: bool
    scaled: bool


def decode(features: Array, form: Form, name: str, way: float = 1.0) -> Decoded:
    """The motion of features (T, 12 J - 1).

    Args:
        way: of the root, to be multiplied by this beside its bones (see :func:`stepped`).

    Raises:
        InvalidMotion: when no body has such bones.
    """
    positions = joint_positions(features, form)
    bones = positions - positions[:, [max(p, 0) for p in form.parents]]
    lengths = np.median(np.linalg.norm(bones, axis=-1), axis=0)
    if not (lengths[1:] > 1e-4).all():
        raise InvalidMotion(f"{name}, frame 0: a bone has no length; these are no features of a body.")
    off = _contradiction(features, bones, form)
    mirrored = _is_mirrored(positions, form)
    leg = float(lengths[list(form.chains[0][2:4])].sum())
    scaled = form.height_m > 0 and not LEG_M[0] <= leg <= LEG_M[1]
    scale = np.full(3, LEG_SHARE * form.height_m / leg if scaled else 1.0)
    scale[0] *= -1.0 if mirrored else 1.0
    root = positions[:, 0] * scale
    if scaled and way != 1.0:  # and then on the floor again, where such features always stand
        below = (positions - positions[:, :1]) * scale
        root = root * way
        root[:, 1] -= float((below[..., 1] + root[:, None, 1]).min())
    rest = form.rest / np.maximum(np.linalg.norm(form.rest, axis=-1, keepdims=True), 1e-9)
    offsets, local = _local_rotations(bones * scale, rest * (lengths * scale[1])[:, None], form.parents)
    skeleton = Skeleton(form.name, form.joints, form.parents, offsets, tuple(sorted(c[3] for c in form.chains[:2])))
    motion = Motion(skeleton, root, local, form.fps)
    return Decoded(motion, off, mirrored, scaled)


def stepped(features: Array, form: Form) -> Array:
    """(K,) of frames in which the body walks: how far the foot that stands says it went, over how far the root went.

    One, but for feet that roll and slide, where bones and the root's way are of the same person.
    """
    positions = joint_positions(features, form)
    leg = float(np.linalg.norm(positions[0, form.chains[0][2]] - positions[0, form.chains[0][3]])) * 2
    feet = positions[:, [chain[4] for chain in form.chains[:2]]]
    stands = feet[..., 1].argmin(1)
    local = np.take_along_axis(feet - positions[:, :1], stands[:, None, None], axis=1)[:, 0]
    went, foot = np.diff(positions[:, 0, [0, 2]], axis=0), np.diff(local[:, [0, 2]], axis=0)
    squared = (went**2).sum(-1)
    walks = (squared > (STRIDE * leg) ** 2) & (stands[1:] == stands[:-1])
    found: Array = -(foot * went).sum(-1)[walks] / squared[walks]
    return found


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
    local = features[:, form.positions].reshape(len(features), -1, 3)
    others = R.rotate(R.conjugate(turn)[:, None], local)
    others[..., [0, 2]] += root[:, None, [0, 2]]
    return np.concatenate([root[:, None], others], axis=1)


def bone_directions(features: Array, form: Form, turn: Array) -> Array:
    """(T, J, 3) unit vectors along each bone in the world, by the chain rule of the 6-D rotations.

    Args:
        turn: (T, 4) of :func:`headings`.
    """
    own = R.rotmat_to_unitquat(_matrices(features[:, form.rotations].reshape(len(features), -1, 6)))
    pointing = np.zeros((len(features), len(form.joints), 3))
    along = np.repeat(turn[:, None], len(form.chains), axis=1)
    for k in range(1, max(len(chain) for chain in form.chains)):  # all chains a step further
        at = [c for c, chain in enumerate(form.chains) if k < len(chain)]
        joints = [form.chains[c][k] for c in at]
        along[:, at] = R.multiply(along[:, at], own[:, np.array(joints) - 1])
        pointing[:, joints] = R.rotate(along[:, at], form.directions[joints])
    return pointing


def are_raw(features: Array, form: Form) -> bool:
    """Whether the columns of rotations are unit vectors, as they are before normalisation."""
    columns = features[:, form.rotations].reshape(-1, 3)
    return bool(np.abs(np.linalg.norm(columns, axis=-1) - 1.0).max() < 0.1)


def speeds_agree(features: Array, form: Form) -> bool:
    """Whether the root's velocity is as large as the same joint's among the velocities, as by definition it is."""
    root, joint = features[:-1, 1:3], features[:-1, form.rotations.stop :][:, [0, 2]]
    a, b = (np.linalg.norm(each, axis=-1) for each in (root, joint))
    return float(np.abs(a - b).sum()) <= UNEQUAL * float(np.maximum(a, b).sum()) + 1e-9


def _contradiction(features: Array, bones: Array, form: Form) -> float:
    """Mean angle in radians between bones by position and by rotation, but for a turn of all of them about y: headings
    are smoothed, and rotations begin at the first one, positions at +z."""
    at = slice(None, None, -(-len(features) // CHECKED_FRAMES))
    said = bone_directions(features[at], form, headings(features)[0][at])[:, 1:]
    bones = bones[at, 1:] / np.maximum(np.linalg.norm(bones[at, 1:], axis=-1, keepdims=True), 1e-9)
    (sx, _, sz), (bx, _, bz) = np.moveaxis(said, -1, 0), np.moveaxis(bones, -1, 0)
    yaw = np.arctan2((sz * bx - sx * bz).sum(), (sx * bx + sz * bz).sum())
    cosine = (bones * R.rotate(R.yaw_to_unitquat(np.array([[yaw]])), said)).sum(-1)
    return float(np.arccos(np.clip(cosine, -1.0, 1.0)).mean())


def _is_mirrored(positions: Array, form: Form) -> bool:
    """Whether the left hip is on the right of where toes point: no person is built so, but mirror images are."""
    legs = sorted(form.chains[:2], key=lambda chain: form.joints[chain[1]])  # left, right
    left = positions[:, legs[0][1]] - positions[:, legs[1][1]]
    up = positions[:, form.chains[2][-1]] - positions[:, 0]
    front = sum(positions[:, leg[-1]] - positions[:, leg[3]] for leg in legs)
    return float((left * np.cross(up, front)).sum()) < 0


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
    children = children_of(parents)
    offsets = rest.copy()
    local = np.tile(R.IDENTITY_WXYZ, (frames, joints, 1))
    world = np.tile(R.IDENTITY_WXYZ, (frames, joints + 1, 1))  # the last one is the root's parent, at -1
    some = slice(None, None, -(-frames // FAN_FRAMES))
    level = [0]
    while level:
        above = world[:, [parents[j] for j in level]]
        for k, j in enumerate(level):
            if len(children[j]) < 2:
                continue
            fan = list(children[j])
            seen = R.rotate(R.conjugate(above[:, k])[:, None], bones[:, fan])
            for _ in range(3):  # the fan of children, in the joint's own frame
                turned = _fit(offsets[fan], seen[some])
                offsets[fan] = R.rotate(R.conjugate(turned)[:, None], seen[some]).mean(0)
            local[:, j] = _fit(offsets[fan], seen)
        single = [k for k, j in enumerate(level) if len(children[j]) == 1]
        only = [children[level[k]][0] for k in single]
        if single:
            seen = R.rotate(R.conjugate(above[:, single]), bones[:, only])
            local[:, [level[k] for k in single]] = shortest_arc(rest[only], seen)
        world[:, level] = R.multiply(above, local[:, level])
        level = [c for j in level for c in children[j]]
    return offsets, local


def _fit(points: Array, seen: Array) -> Array:
    """(T, 4) rotations that bring points (C, 3) nearest to those seen (T, C, 3)."""
    u, _, vt = np.linalg.svd(np.einsum("tci,cj->tij", seen, points))
    sign = np.sign(np.linalg.det(u @ vt))
    u[..., 2] *= sign[:, None]
    found: Array = R.rotmat_to_unitquat(u @ vt)
    return found


def shortest_arc(start: Array, end: Array) -> Array:
    """(..., 4) the shortest rotations from vectors to vectors (..., 3)."""
    a = start / np.linalg.norm(start, axis=-1, keepdims=True)
    b = end / np.maximum(np.linalg.norm(end, axis=-1, keepdims=True), 1e-9)
    a = np.broadcast_to(a, b.shape)
    real = 1.0 + (a * b).sum(-1)
    axis = np.cross(a, b)
    opposite = real < 1e-8
    if opposite.any():
        real[opposite] = 0.0
        across = np.where(np.abs(a[opposite, :1]) < 0.9, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
        axis[opposite] = np.cross(a[opposite], across)
    return R.normalize(np.concatenate([real[..., None], axis], axis=-1))
