"""Skeletons as the field names them: SMPL's 22 joints, Mixamo's 65 with fingers; and any of them under other names."""

import numpy as np

from core import rotations as R
from core.motion import Motion
from core.skeleton import Skeleton

Joint = tuple[str, int, tuple[float, float, float]]

SMPL: tuple[Joint, ...] = (  # left on +x, facing +z; lengths of the mean male body, rounded
    ("pelvis", -1, (0, 0, 0)), ("left_hip", 0, (0.058, -0.082, -0.018)), ("right_hip", 0, (-0.06, -0.09, -0.014)),
    ("spine1", 0, (0.004, 0.124, -0.038)), ("left_knee", 1, (0.043, -0.386, 0.008)),
    ("right_knee", 2, (-0.043, -0.384, -0.005)), ("spine2", 3, (0.004, 0.138, 0.027)),
    ("left_ankle", 4, (-0.015, -0.427, -0.037)), ("right_ankle", 5, (0.019, -0.42, -0.035)),
    ("spine3", 6, (-0.002, 0.056, 0.003)), ("left_foot", 7, (0.041, -0.06, 0.122)),
    ("right_foot", 8, (-0.035, -0.062, 0.13)), ("neck", 9, (-0.013, 0.212, -0.034)),
    ("left_collar", 9, (0.072, 0.114, -0.019)), ("right_collar", 9, (-0.083, 0.112, -0.024)),
    ("head", 12, (0.01, 0.089, 0.05)), ("left_shoulder", 13, (0.123, 0.045, -0.019)),
    ("right_shoulder", 14, (-0.113, 0.047, -0.008)), ("left_elbow", 16, (0.255, -0.016, -0.023)),
    ("right_elbow", 17, (-0.26, -0.014, -0.031)), ("left_wrist", 18, (0.266, 0.013, -0.007)),
    ("right_wrist", 19, (-0.269, 0.007, -0.006)),
)  # fmt: skip


def skeleton_of(name: str, joints: tuple[Joint, ...], scale: float = 1.0) -> Skeleton:
    names, parents, offsets = zip(*joints, strict=True)
    return Skeleton(name, names, parents, np.array(offsets, dtype=float) * scale)


def smpl_body(scale: float = 1.0) -> Skeleton:
    """22 joints, 1.7 m tall."""
    return skeleton_of("smpl", SMPL, scale)


def mixamo_body(scale: float = 1.0) -> Skeleton:
    """65 joints: 17 of the body, head top and toe ends, four joints in each of ten fingers, ten of them tips."""
    joints: list[Joint] = [
        ("Hips", -1, (0, 0, 0)), ("Spine", 0, (0, 0.1, 0)), ("Spine1", 1, (0, 0.12, 0)), ("Spine2", 2, (0, 0.13, 0)),
        ("Neck", 3, (0, 0.15, 0)), ("Head", 4, (0, 0.1, 0.03)), ("HeadTop_End", 5, (0, 0.2, 0)),
    ]  # fmt: skip

    def add(name: str, parent: int, offset: tuple[float, float, float]) -> int:
        joints.append((name, parent, offset))
        return len(joints) - 1

    for side, x in (("Left", 1.0), ("Right", -1.0)):
        arm = add(f"{side}Shoulder", 3, (0.06 * x, 0.1, 0))
        for bone, length in (("Arm", 0.12), ("ForeArm", 0.27), ("Hand", 0.25)):
            arm = add(f"{side}{bone}", arm, (length * x, 0, 0))
        for k, finger in enumerate(("Thumb", "Index", "Middle", "Ring", "Pinky")):
            joint = add(f"{side}Hand{finger}1", arm, (0.08 * x, 0, 0.04 - 0.02 * k))
            for part in (2, 3, 4):
                joint = add(f"{side}Hand{finger}{part}", joint, (0.025 * x, 0, 0))
    for side, x in (("Left", 1.0), ("Right", -1.0)):
        leg = add(f"{side}UpLeg", 0, (0.09 * x, -0.05, 0))
        for bone, offset in (("Leg", (0.0, -0.42, 0.0)), ("Foot", (0.0, -0.41, 0.0)), ("ToeBase", (0.0, -0.06, 0.13))):
            leg = add(f"{side}{bone}", leg, offset)
        add(f"{side}Toe_End", leg, (0, 0, 0.06))
    return skeleton_of("mixamo", tuple((f"mixamorig:{name}", parent, offset) for name, parent, offset in joints), scale)


def renamed(skeleton: Skeleton) -> Skeleton:
    """The same shape under names that say nothing."""
    names = tuple(f"j{i}" for i in range(skeleton.joint_count))
    return Skeleton(skeleton.name, names, skeleton.parents, skeleton.offsets_m)


def stepping(skeleton: Skeleton, frames: int = 60, fps: float = 30.0) -> Motion:
    """A body that marks time: thighs and shanks swing, soles start on the floor. Facing +z or +x by its hips."""
    from core.body import body_of

    seconds = np.arange(frames) / fps
    lift = 0.25 * np.sin(2 * np.pi * 0.8 * seconds)
    turns = np.zeros((frames, skeleton.joint_count, 3))
    spread = np.ptp(skeleton.rest_positions_m[list(skeleton.feet)], axis=0)
    axis = 0 if spread[0] >= spread[2] else 2  # the one across the body
    for j, (segment, side) in enumerate(zip(skeleton.segments, skeleton.sides, strict=True)):
        swing = np.maximum(lift if side == "left" else -lift, 0.0)
        if segment == "thigh":
            turns[:, j, axis] = -swing if axis == 0 else swing
        if segment == "shank":
            turns[:, j, axis] = 2 * swing if axis == 0 else -2 * swing
    rotations = R.rotvec_to_unitquat(turns)
    root = np.zeros((frames, 3))
    motion = Motion(skeleton, root, rotations, fps, "step")
    lowest = body_of(skeleton).surface_points(*motion.world())[..., 1].min(1)
    root[:, 1] = -lowest
    return Motion(skeleton, root, rotations, fps, "step")
