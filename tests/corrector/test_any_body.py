"""Bodies of many skeletons, sizes and names stand and follow in the simulation."""

from pathlib import Path

import numpy as np
import pytest

from core.motion import Motion
from core.skeleton import Skeleton, forward_kinematics
from corrector.links import LinkPlan, plan_links
from corrector.tracker import TrackerOptions, track
from corrector.world import SolverOptions, World, world_of
from tests.core.bodies import small_body
from tests.core.skeletons import mixamo_body, renamed, smpl_body, stepping

RAW = Path(__file__).resolve().parents[3] / "shared" / "data" / "cmu" / "bvh_raw"
FILES = ("daz_02_01_walk", "mb_12_01_walk", "mb30_jumping_jacks", "iclone_07_01_walk_101joints")
SIZES = (0.54, 0.75, 1.0, 1.3)  # 0.9 m to 2.2 m
BODIES = [
    *(smpl_body(size) for size in SIZES),
    small_body(),
    mixamo_body(),
    renamed(smpl_body()),
    renamed(mixamo_body()),
]
FARTHEST = 0.1  # mean joint error, in leg lengths


def built(skeleton: Skeleton) -> World:
    world = world_of(skeleton, SolverOptions())
    assert not isinstance(world, str), world
    return world


def follows(motion: Motion) -> float:
    """Mean joint error in leg lengths; the body must stay up."""
    result = track(
        built(motion.skeleton), motion.root_position_m, motion.local_rotations_wxyz, motion.fps, TrackerOptions()
    )  # fmt: skip
    assert result.diverged is None
    wanted, _ = motion.world()
    got, _ = forward_kinematics(motion.skeleton, result.root_position_m, result.local_rotations_wxyz)
    error = np.linalg.norm(wanted - got, axis=-1)
    assert error.mean(1).max() < 0.3 * motion.skeleton.leg_length_m, "it fell"
    plan = plan_links(motion.skeleton)
    assert isinstance(plan, LinkPlan)
    stiff = list(plan.stiff)
    assert np.allclose(  # up to sign: what is carried along keeps its rotations
        np.abs((result.local_rotations_wxyz[:, stiff] * motion.local_rotations_wxyz[:, stiff]).sum(-1)), 1.0
    )
    return float(error.mean() / motion.skeleton.leg_length_m)


@pytest.mark.parametrize("skeleton", BODIES, ids=lambda s: f"{s.name}-{s.joint_names[0]}-{s.leg_length_m:.2f}")
def test_a_body_marks_time(skeleton: Skeleton) -> None:
    assert follows(stepping(skeleton)) < FARTHEST


@pytest.mark.parametrize("nonsense", [False, True], ids=["named", "nameless"])
@pytest.mark.parametrize("name", FILES)
def test_files_of_four_exporters_are_followed(name: str, nonsense: bool) -> None:
    if not RAW.is_dir():
        pytest.skip(f"no motion files in {RAW.name}")
    from backend.motionfiles import read_motion

    motion = read_motion(RAW / f"{name}.bvh").resampled(30.0)
    skeleton = renamed(motion.skeleton) if nonsense else motion.skeleton
    part = slice(30, 60)
    motion = Motion(skeleton, motion.root_position_m[part], motion.local_rotations_wxyz[part], 30.0)
    assert follows(motion) < FARTHEST


@pytest.mark.parametrize("skeleton", BODIES, ids=lambda s: f"{s.name}-{s.joint_names[0]}-{s.leg_length_m:.2f}")
def test_every_link_has_a_sane_mass_and_inertia(skeleton: Skeleton) -> None:
    world = built(skeleton)
    links = range(-1, len(world.body.plan.joints) - 1)
    info = [world.bullet.getDynamicsInfo(world.body.uid, link, physicsClientId=world.client) for link in links]
    masses = np.array([each[0] for each in info])
    inertia = np.array([each[2] for each in info])
    assert masses.sum() == pytest.approx(world.body.mass_kg)
    assert masses.min() > 0.0005 * world.body.mass_kg
    assert np.isfinite(inertia).all() and inertia.min() > 1e-6
    assert inertia.max() < world.body.mass_kg * (skeleton.stature_m / 4) ** 2
