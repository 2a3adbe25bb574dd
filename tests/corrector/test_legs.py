from dataclasses import replace

import numpy as np
import pytest

from core import rotations as R
from core.motion import MotionBatch
from core.skeleton import Skeleton
from corrector.legs import legs_of, reach
from tests.core.bodies import NAMES, PARENTS, small_body, standing

Bones = list[tuple[str, str, tuple[float, float, float]]]


def skeleton(bones: Bones) -> Skeleton:
    names = [name for name, _, _ in bones]
    parents = tuple(names.index(parent) if parent else -1 for _, parent, _ in bones)
    return Skeleton("body", tuple(names), parents, np.array([offset for _, _, offset in bones]))


def smpl() -> Skeleton:
    bones: Bones = [("pelvis", "", (0, 0, 0)), ("spine1", "pelvis", (0, 0.12, 0)), ("neck", "spine1", (0, 0.4, 0))]
    for side, sign in (("left", 1.0), ("right", -1.0)):
        bones += [
            (f"{side}_hip", "pelvis", (sign * 0.07, -0.09, 0)),
            (f"{side}_knee", f"{side}_hip", (sign * 0.03, -0.38, 0)),
            (f"{side}_ankle", f"{side}_knee", (-sign * 0.01, -0.4, -0.04)),
            (f"{side}_foot", f"{side}_ankle", (sign * 0.02, -0.06, 0.12)),
        ]
    return skeleton(bones)


def mixamo(twist: bool) -> Skeleton:
    """With or without twist bones inside thigh and shank, and with fingers."""
    bones: Bones = [("Hips", "", (0, 0, 0)), ("Spine", "Hips", (0, 0.3, 0)), ("Head", "Spine", (0, 0.3, 0))]
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        arm = [("Shoulder", "Spine", 0.1), ("Arm", f"{side}Shoulder", 0.1), ("ForeArm", f"{side}Arm", 0.3)]
        bones += [(f"{side}{name}", parent, (sign * x, 0, 0)) for name, parent, x in arm]
        bones.append((f"{side}Hand", f"{side}ForeArm", (sign * 0.25, 0, 0)))
        for finger in ("Thumb", "Index", "Middle", "Ring", "Pinky"):
            bones.append((f"{side}Hand{finger}1", f"{side}Hand", (sign * 0.08, 0, 0)))
            bones += [(f"{side}Hand{finger}{k}", f"{side}Hand{finger}{k - 1}", (sign * 0.03, 0, 0)) for k in (2, 3, 4)]
        bones.append((f"{side}UpLeg", "Hips", (sign * 0.09, 0, 0)))
        thigh, shank = f"{side}UpLeg", f"{side}Leg"
        if twist:
            bones.append((f"{side}UpLegRoll", thigh, (0, -0.2, 0)))
        bones.append((shank, f"{side}UpLegRoll" if twist else thigh, (0, -0.22 if twist else -0.42, 0)))
        if twist:
            bones.append((f"{side}LegRoll", shank, (0, -0.2, 0)))
        bones.append((f"{side}Foot", f"{side}LegRoll" if twist else shank, (0, -0.2 if twist else -0.4, 0)))
        bones.append((f"{side}ToeBase", f"{side}Foot", (0, -0.06, 0.13)))
    return skeleton(bones)


def nameless() -> Skeleton:
    return Skeleton("nameless", tuple(f"bone{j}" for j in range(15)), PARENTS, small_body().offsets_m)


BODIES = [small_body(), smpl(), mixamo(False), mixamo(True), nameless()]


def crouching(body: Skeleton, frames: int = 12) -> MotionBatch:
    """Random poses with bent legs."""
    rng = np.random.default_rng(7)
    turn = np.cumsum(rng.normal(scale=0.05, size=(2, frames, body.joint_count, 3)), axis=1)
    local = R.rotvec_to_unitquat(turn)
    for leg in legs_of(body):
        assert leg is not None
        lateral = np.array([0.0, 0.0, 1.0]) if body.name in ("small", "nameless") else np.array([1.0, 0.0, 0.0])
        bend = R.rotvec_to_unitquat(lateral * 1.2)
        local[:, :, leg.knee] = R.multiply(np.broadcast_to(bend, local[:, :, leg.knee].shape), local[:, :, leg.knee])
    return MotionBatch(body, rng.normal(scale=0.1, size=(2, frames, 3)) + [0.0, 0.9, 0.0], local, 20.0)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: f"{body.name}-{body.joint_count}")
def test_every_body_of_the_field_has_two_legs(body: Skeleton) -> None:
    legs = legs_of(body)
    assert len(legs) == 2
    for leg, foot in zip(legs, body.feet, strict=True):
        assert leg is not None
        assert leg.hip < leg.knee < leg.ankle == foot


def test_what_has_no_knee_has_no_leg() -> None:
    offsets = np.array([[0, 0, 0], [0, -0.8, 0]], dtype=float)
    stump = Skeleton("stump", ("root", "foot"), (-1, 0), offsets)
    assert legs_of(stump) == (None,)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: f"{body.name}-{body.joint_count}")
def test_ankles_reach_what_can_be_reached(body: Skeleton) -> None:
    batch = crouching(body)
    positions, rotations = batch.world()
    for leg in legs_of(body):
        assert leg is not None
        goal = positions[:, :, leg.ankle] + np.random.default_rng(1).normal(scale=0.02, size=(2, 12, 3))
        local, missed = reach(batch, leg, positions, rotations, goal)
        after, turned = replace(batch, local_rotations_wxyz=local).world()
        np.testing.assert_allclose(after[:, :, leg.ankle], goal, atol=1e-9)
        assert missed.max() < 1e-9
        assert R.geodesic_angle(turned[:, :, leg.ankle], rotations[:, :, leg.ankle]).max() < 1e-6
        others = [j for j in range(body.joint_count) if j not in (leg.hip, leg.knee, leg.ankle)]
        np.testing.assert_array_equal(local[:, :, others], batch.local_rotations_wxyz[:, :, others])


def test_the_sole_turns_as_asked() -> None:
    batch = crouching(small_body())
    positions, rotations = batch.world()
    leg = legs_of(batch.skeleton)[0]
    assert leg is not None
    level = np.broadcast_to(R.IDENTITY_WXYZ, (2, 12, 4))
    local, _ = reach(batch, leg, positions, rotations, positions[:, :, leg.ankle], level)
    after, turned = replace(batch, local_rotations_wxyz=local).world()
    assert R.geodesic_angle(turned[:, :, leg.ankle], level).max() < 1e-6
    np.testing.assert_allclose(after[:, :, leg.ankle], positions[:, :, leg.ankle], atol=1e-9)


def test_an_ankle_that_is_there_already_changes_nothing() -> None:
    batch = crouching(smpl())
    positions, rotations = batch.world()
    leg = legs_of(batch.skeleton)[1]
    assert leg is not None
    local, _ = reach(batch, leg, positions, rotations, positions[:, :, leg.ankle])
    assert R.geodesic_angle(local, batch.local_rotations_wxyz).max() < 1e-6


def test_goals_out_of_reach_are_approached_without_a_jump() -> None:
    batch = standing(1, 200)
    leg = legs_of(batch.skeleton)[0]
    assert leg is not None
    local = batch.local_rotations_wxyz.copy()
    local[:, :, leg.knee] = R.rotvec_to_unitquat(np.array([0.0, 0.0, -0.9]))
    batch = replace(batch, local_rotations_wxyz=local)
    positions, rotations = batch.world()
    goal = positions[:, :, leg.ankle].copy()
    goal[0, :, 1] -= np.linspace(0.0, 0.4, 200)  # 2 mm further per frame, far out of reach
    found, missed = reach(batch, leg, positions, rotations, goal)
    after = replace(batch, local_rotations_wxyz=found).world()[0][:, :, leg.ankle]
    assert missed[0, 0] < 1e-9
    assert missed[0, -1] > 0.2
    np.testing.assert_allclose(np.linalg.norm(goal - after, axis=-1), missed, atol=1e-9)
    step = R.geodesic_angle(found[0, 1:, leg.knee], found[0, :-1, leg.knee])
    assert step.max() < 0.06
    assert (np.diff(after[0, :, 1]) < 1e-9).all()


def test_knees_of_straight_legs_bend_as_they_do_elsewhere() -> None:
    batch = standing(1, 40)
    leg = legs_of(batch.skeleton)[0]
    assert leg is not None
    local = batch.local_rotations_wxyz.copy()
    bend = np.zeros((40, 3))
    bend[:, 2] = -np.maximum(np.linspace(-0.5, 0.8, 40), 0.0)
    local[0, :, leg.knee] = R.rotvec_to_unitquat(bend)
    batch = replace(batch, local_rotations_wxyz=local)
    positions, rotations = batch.world()
    found, _ = reach(batch, leg, positions, rotations, positions[:, :, leg.ankle] + np.array([0.0, 0.03, 0.0]))
    angle = R.unitquat_to_rotvec(found[0, :, leg.knee])
    assert (angle[:, 2] < -0.2).all()
    assert np.abs(angle[:, :2]).max() < 1e-6
    assert np.isfinite(found).all()


def test_names_of_small_bodies_are_those_of_the_tests() -> None:
    legs = legs_of(small_body())
    assert [NAMES[leg.knee] for leg in legs if leg is not None] == ["left_knee", "right_knee"]
