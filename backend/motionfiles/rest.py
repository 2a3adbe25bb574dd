"""Brings motions of foreign files to the product's conventions: the pelvis is the root, y is up, and the rest pose is a
standing body.

The flesh of a body (:mod:`core.body`) is laid along the rest pose and hangs on the root, so a carrier bone on the
floor, a z-up world or a rest pose with its legs in the air (exporters that write each bone along its own axis) must go
before anything else looks at the motion.
"""

import re
from dataclasses import replace

import numpy as np

from core import rotations as R
from core.motion import Motion
from core.skeleton import Skeleton

Array = R.Array

AT_REST_RAD = 0.12  # mean joint angle of a rest pose; some exporters have their own
REST_LEAP = 5.0  # times the usual step between frames
SETTLED = 2.0
LEAD_S = 0.1  # exporters blend out of the rest pose over this time at most

UPRIGHT = 0.5  # cosine between a body's long axis and the vertical
Z_TO_Y = R.rotvec_to_unitquat(np.array([-np.pi / 2, 0.0, 0.0]))


def rooted_at_pelvis(motion: Motion, ends: list[Array], notes: list[str]) -> tuple[Motion, list[Array]]:
    """The motion without a root that only carries the hips (``Armature``, ``RL_BoneRoot``); world positions stay."""
    old = motion.skeleton
    carried = old.children[0]
    if len(carried) != 1 or len(old.children[carried[0]]) < 2:
        return motion, ends
    if _is_hip(old.joint_names[0]) or not _is_hip(old.joint_names[carried[0]]):
        return motion, ends
    hip = carried[0]  # depth first, so joint 1
    notes.append(f"Joint {old.joint_names[0]!r} only carries {old.joint_names[hip]!r} and was merged into it.")
    root, local = motion.local_rotations_wxyz[:, 0], motion.local_rotations_wxyz[:, 1:].copy()
    local[:, 0] = R.multiply(root, local[:, 0])
    position = motion.root_position_m + R.rotate(root, old.offsets_m[hip])
    parents = tuple(parent - 1 for parent in old.parents[1:])
    skeleton = Skeleton(old.name, old.joint_names[1:], parents, old.offsets_m[1:])
    return replace(motion, skeleton=skeleton, root_position_m=position, local_rotations_wxyz=local), ends[1:]


def standing(motion: Motion, ends: list[Array], notes: list[str]) -> tuple[Motion, list[Array]]:
    """The motion with y up and a standing rest pose; joint positions stay where they are.

    Args:
        ends: per joint (E, 3) fixed points in its frame (End Sites), turned along with the frames.
        notes: what was done is appended.
    """
    skeleton = motion.skeleton
    positions, rotations = motion.world()
    axis = _long_axis(skeleton, positions)
    rest_axis = _long_axis(skeleton, skeleton.rest_positions_m[None])[0]
    if np.median(axis[:, 1]) < UPRIGHT and np.median(axis[:, 2]) > 0.7 and rest_axis[2] > 0.7:
        notes.append("Up was z in this file; the world was turned so that y is up.")
        motion, ends = _turned(motion, ends)
        skeleton = motion.skeleton
        positions, rotations = motion.world()
        axis = _long_axis(skeleton, positions)
        rest_axis = _long_axis(skeleton, skeleton.rest_positions_m[None])[0]
    if rest_axis[1] >= UPRIGHT:
        return motion, ends
    frame = int((axis[:, 1] - _off_the_floor(skeleton, positions)).argmax())
    if axis[:, 1].max() < UPRIGHT:
        notes.append("The body never stands upright in this file; check that y is up.")
        return motion, ends
    notes.append(f"The rest pose of this file is no standing body; the pose of frame {frame} was taken instead.")
    return _rezeroed(motion, ends, R.multiply(_face_front(skeleton, positions[frame]), rotations[frame]))


def without_rest_pose(motion: Motion, notes: list[str]) -> Motion:
    """The motion without the rest pose that exporters put before its first frame, often blended over a few frames: a
    leap that no body can follow."""
    rotations = motion.local_rotations_wxyz
    if len(motion) < 8 or R.geodesic_angle(rotations[0], R.IDENTITY_WXYZ).mean() > AT_REST_RAD:
        return motion
    steps = R.geodesic_angle(rotations[:-1], rotations[1:]).mean(1)
    usual = max(float(np.median(steps)), 1e-3)
    if steps[0] < REST_LEAP * usual:
        return motion
    lead = min(int((steps < SETTLED * usual).argmax()) or 1, max(1, round(LEAD_S * motion.fps)))
    notes.append(
        f"The first {lead} frames are a rest pose that leaps to the motion, as some exporters add it; left out."
    )
    return replace(motion, root_position_m=motion.root_position_m[lead:], local_rotations_wxyz=rotations[lead:])


def _is_hip(name: str) -> bool:
    return re.search(r"hips?$|pelvis", name.lower()) is not None


def _long_axis(skeleton: Skeleton, positions: Array) -> Array:
    """(T, 3) unit vectors from the feet to the head (or whatever joint is farthest from them)."""
    feet = positions[:, list(skeleton.feet)].mean(1)
    heads = [j for j, segment in enumerate(skeleton.segments) if segment in ("head", "neck")]
    far = heads[0] if heads else int(np.linalg.norm(positions - feet[:, None], axis=-1).mean(0).argmax())
    axis = positions[:, far] - feet
    unit: Array = axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-9)
    return unit


def _off_the_floor(skeleton: Skeleton, positions: Array) -> Array:
    """(T,) how far ankles and toes are above where they come down to, in leg lengths; 0 with both soles down."""
    soles = [j for j, segment in enumerate(skeleton.segments) if segment in ("foot", "toe")] or list(skeleton.feet)
    height = positions[:, soles, 1]
    lifted: Array = (height - height.min(0)).mean(1) / skeleton.leg_length_m
    return lifted


def _turned(motion: Motion, ends: list[Array]) -> tuple[Motion, list[Array]]:
    """World and rest pose turned from z up to y up: p -> Q p, and every frame's axes with it."""
    old = motion.skeleton
    skeleton = Skeleton(old.name, old.joint_names, old.parents, R.rotate(Z_TO_Y, old.offsets_m), old.feet)
    turned = R.multiply(R.multiply(Z_TO_Y, motion.local_rotations_wxyz), R.conjugate(Z_TO_Y))
    moved = replace(
        motion,
        skeleton=skeleton,
        root_position_m=R.rotate(Z_TO_Y, motion.root_position_m),
        local_rotations_wxyz=turned,
    )
    return moved, [R.rotate(Z_TO_Y, end) for end in ends]


def _rezeroed(motion: Motion, ends: list[Array], rest_wxyz: Array) -> tuple[Motion, list[Array]]:
    """The same motion with joint frames G' = G rest^-1: the pose with world rotations ``rest`` becomes all identity."""
    old = motion.skeleton
    offsets = old.offsets_m.copy()
    rotations = motion.local_rotations_wxyz.copy()
    for j, parent in enumerate(old.parents):
        local = motion.local_rotations_wxyz[:, j]
        if parent >= 0:
            offsets[j] = R.rotate(rest_wxyz[parent], offsets[j])
            local = R.multiply(rest_wxyz[parent], local)
        rotations[:, j] = R.multiply(local, R.conjugate(rest_wxyz[j]))
    skeleton = Skeleton(old.name, old.joint_names, old.parents, offsets, old.feet)
    moved = replace(motion, skeleton=skeleton, local_rotations_wxyz=rotations)
    return moved, [R.rotate(rest_wxyz[j], end) for j, end in enumerate(ends)]


def _face_front(skeleton: Skeleton, positions: Array) -> Array:
    """(4,) the yaw that makes the pose (J, 3) face +z, by its hips; identity where the names tell no sides."""
    hips = {
        side: [positions[j] for j, s in enumerate(skeleton.segments) if s == "thigh" and skeleton.sides[j] == side]
        for side in ("left", "right")
    }
    if not (hips["left"] and hips["right"]):
        return R.IDENTITY_WXYZ
    left = hips["left"][0] - hips["right"][0]
    return R.yaw_to_unitquat(np.arctan2(left[2], left[0]))
