import numpy as np
import pytest

from core import rotations as R
from core.errors import InvalidMotion
from core.motion import lateral_axis
from core.skeleton import Skeleton, forward_kinematics
from tests.core.bodies import NAMES, PARENTS, random_motion, small_body


def chain(*names: str) -> Skeleton:
    """A straight tree with these joint names, each the child of the one before."""
    offsets = np.tile([0.0, -0.3, 0.0], (len(names), 1))
    return Skeleton("chain", names, tuple(range(-1, len(names) - 1)), offsets)


@pytest.mark.parametrize(
    ("names", "segments"),
    [
        (("Hips", "LeftUpLeg", "LeftLeg", "LeftFoot", "LeftToeBase"), ("pelvis", "thigh", "shank", "foot", "toe")),
        (("hip", "lThigh", "lShin", "lFoot"), ("pelvis", "thigh", "shank", "foot")),
        (("pelvis", "left_hip", "left_knee", "left_ankle", "left_foot"), ("pelvis", "thigh", "shank", "foot", "toe")),
        (
            ("Hips", "Spine", "LeftShoulder", "LeftArm", "LeftForeArm"),
            ("pelvis", "spine", "collar", "upperarm", "forearm"),
        ),
        (("root", "left_shoulder", "left_elbow", "left_wrist"), ("pelvis", "upperarm", "forearm", "hand")),
        (("mixamorig:Hips", "mixamorig:RightUpLeg", "mixamorig:RightLeg"), ("pelvis", "thigh", "shank")),
    ],
)
def test_names_of_the_field_are_understood(names: tuple[str, ...], segments: tuple[str, ...]) -> None:
    assert chain(*names).segments == segments


def test_left_and_right_are_found_and_paired() -> None:
    body = small_body()
    assert body.mirror is not None
    for j, other in enumerate(body.mirror):
        assert body.mirror[other] == j
        assert {body.sides[j], body.sides[other]} in ({"left", "right"}, {"center"})
    assert lateral_axis(body) == 2
    assert [body.joint_names[f] for f in body.feet] == ["left_ankle", "right_ankle"]


def test_unpaired_names_have_no_mirror() -> None:
    assert chain("root", "left_hip").mirror is None


def test_unknown_names_still_get_feet() -> None:
    names = tuple(f"bone{j}" for j in range(15))
    body = Skeleton("anonymous", names, PARENTS, small_body().offsets_m)
    assert {NAMES[j] for j in body.feet} == {"left_ankle", "right_ankle"}


def test_forward_kinematics_agrees_with_matrices() -> None:
    motion = random_motion()
    positions, rotations = motion.world()
    matrices = R.unitquat_to_rotmat(motion.local_rotations_wxyz[1, 3])
    world = np.tile(np.eye(4), (15, 1, 1))
    for j, parent in enumerate(PARENTS):
        step = np.eye(4)
        step[:3, :3] = matrices[j]
        step[:3, 3] = motion.root_position_m[1, 3] if parent < 0 else motion.skeleton.offsets_m[j]
        world[j] = step if parent < 0 else world[parent] @ step
    assert np.allclose(positions[1, 3], world[:, :3, 3])
    assert np.allclose(R.unitquat_to_rotmat(rotations[1, 3]), world[:, :3, :3])


def test_bones_keep_their_length() -> None:
    motion = random_motion()
    positions, _ = forward_kinematics(motion.skeleton, motion.root_position_m, motion.local_rotations_wxyz)
    for j, parent in enumerate(PARENTS[1:], start=1):
        length = np.linalg.norm(positions[..., j, :] - positions[..., parent, :], axis=-1)
        assert np.allclose(length, np.linalg.norm(motion.skeleton.offsets_m[j]))


def test_round_trip_through_json() -> None:
    body = small_body()
    assert Skeleton.from_dict(body.as_dict()) == body


@pytest.mark.parametrize(
    ("parents", "offsets", "words"),
    [
        ((-1, 2, 1), np.zeros((3, 3)), "before their children"),
        ((0, 0, 1), np.zeros((3, 3)), "start with -1"),
        ((-1, 0, 1), np.zeros((2, 3)), r"\(2, 3\)"),
        ((-1, 0, 1), np.full((3, 3), np.nan), "NaN"),
    ],
)
def test_what_cannot_be_a_skeleton_is_refused(parents: tuple[int, ...], offsets: np.ndarray, words: str) -> None:
    with pytest.raises(InvalidMotion, match=words):
        Skeleton("bad", ("a", "b", "c"), parents, offsets)
