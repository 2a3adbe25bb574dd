import numpy as np
import pytest

from core.anatomy import are_telling, other_side, segments_of, side_named
from tests.core.skeletons import mixamo_body, renamed, smpl_body


def segments(*names: str) -> tuple[str, ...]:
    """Of joints in a row."""
    return segments_of(names, range(-1, len(names) - 1), np.zeros((len(names), 3)))


@pytest.mark.parametrize(
    ("name", "side", "other"),
    [
        ("LeftUpLeg", "left", "RightUpLeg"),
        ("mixamorig:RightHand", "right", "mixamorig:LeftHand"),
        ("left_hip", "left", "right_hip"),
        ("lThigh", "left", "rThigh"),
        ("lfemur", "left", "rfemur"),
        ("rtoes", "right", "ltoes"),
        ("LHipJoint", "left", "RHipJoint"),
        ("RThumb", "right", "LThumb"),
        ("upperarm_l", "left", "upperarm_r"),
        ("Arm.R", "right", "Arm.L"),
        ("CC_Base_L_Calf", "left", "CC_Base_R_Calf"),
        ("Bip01 R Foot", "right", "Bip01 L Foot"),
        ("LEFT_WRIST", "left", "RIGHT_WRIST"),
        ("LowerBack", "center", "LowerBack"),
        ("Root", "center", "Root"),
        ("RL_BoneRoot", "center", "RL_BoneRoot"),
        ("ribs", "center", "ribs"),
        ("L5", "center", "L5"),
        ("lowerneck", "center", "lowerneck"),
    ],
)
def test_sides_are_read_wherever_names_carry_them(name: str, side: str, other: str) -> None:
    assert side_named(name) == side
    assert other_side(name) == other
    assert other_side(other_side(name)) == name


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("pelvis", "thigh_l", "calf_l", "foot_l", "ball_l"), ("pelvis", "thigh", "shank", "foot", "toe")),
        (("Bip01", "Bip01 L Thigh", "Bip01 L Calf", "Bip01 L Foot"), ("pelvis", "thigh", "shank", "foot")),
        (("CC_Base_Hip", "CC_Base_L_Foot", "CC_Base_L_ToeBase", "CC_Base_L_BigToe1"), ("pelvis", "foot", "toe", "toe")),
        (("root", "lfemur", "ltibia", "lfoot", "ltoes"), ("pelvis", "thigh", "shank", "foot", "toe")),
        (("Hips", "Spine", "NeckTwist01", "Head", "LeftEye"), ("pelvis", "spine", "neck", "head", "helper")),
        (("Hips", "LeftArm", "LeftArmTwist1", "LeftArmTwist2"), ("pelvis", "upperarm", "helper", "helper")),
        (("Hips", "LeftFoot", "LeftToe", "LeftToe_End"), ("pelvis", "foot", "toe", "helper")),
    ],
)  # fmt: skip
def test_joints_of_the_common_exporters(names: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert segments(*names) == expected


def test_names_tell_or_do_not() -> None:
    for skeleton in (smpl_body(), mixamo_body()):
        assert are_telling(skeleton.joint_names)
        assert not are_telling(renamed(skeleton).joint_names)


def test_all_of_smpl_and_mixamo() -> None:
    smpl, mixamo = smpl_body(), mixamo_body()
    assert mixamo.joint_count == 65
    for skeleton in (smpl, mixamo):
        assert skeleton.mirror is not None
        for segment in ("thigh", "shank", "foot", "toe", "collar", "upperarm", "forearm", "hand"):
            sides = [skeleton.sides[j] for j, s in enumerate(skeleton.segments) if s == segment]
            assert sorted(sides) == ["left", "right"], (skeleton.name, segment)
    assert mixamo.segments.count("finger") == 40
    assert mixamo.segments.count("helper") == 3
    assert [smpl.joint_names[f] for f in smpl.feet] == ["left_ankle", "right_ankle"]
