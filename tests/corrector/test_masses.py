import numpy as np
import pytest

from core import rotations as R
from core.body import Body, body_of
from core.skeleton import Skeleton
from corrector.masses import body_mass_kg, joint_masses_kg
from tests.backend.walker import walker
from tests.core.bodies import small_body
from tests.core.skeletons import mixamo_body, renamed, smpl_body

SCALES = (0.53, 0.7, 0.85, 1.0, 1.15, 1.3)  # 0.9 m to 2.2 m
BODIES = (small_body(), walker().skeleton, smpl_body(), mixamo_body())
EVERY = [*BODIES, *(renamed(body) for body in BODIES), *(smpl_body(scale) for scale in SCALES)]

WINTER = {  # D. Winter 2009, table 4.1 (after Dempster 1955): shares of body mass, both sides together
    ("upperarm",): 0.056, ("forearm",): 0.032, ("hand", "finger"): 0.012, ("head", "neck"): 0.081,
    ("shank",): 0.093, ("foot", "toe"): 0.029, ("spine", "collar"): 0.355,
    # The two sources cut the thigh from the pelvis in different places.
    ("thigh", "pelvis", "buttock"): 0.342,
}  # fmt: skip


def shares(skeleton: Skeleton) -> dict[str, float]:
    masses = joint_masses_kg(body_of(skeleton))
    found: dict[str, float] = {}
    for mass, segment in zip(masses / masses.sum(), skeleton.segments, strict=True):
        found[segment] = found.get(segment, 0.0) + float(mass)
    return found


def heights_m(body: Body) -> tuple[float, float]:
    """Center of mass above the floor and height of the figure, standing in its rest pose."""
    skeleton, masses = body.skeleton, joint_masses_kg(body)
    positions = skeleton.rest_positions_m
    still = np.tile(R.IDENTITY_WXYZ, (skeleton.joint_count, 1))
    floor = body.surface_points(positions, still)[:, 1].min()
    centers = positions[:, 1].copy()
    for j in range(skeleton.joint_count):
        middle = [(p.a[1] + p.b[1]) / 2 for p in body.primitives if p.joint == j]
        centers[j] += np.mean(middle) if middle else 0.0
    top = max(positions[p.joint, 1] + max(p.a[1], p.b[1]) + p.radius_m for p in body.primitives)
    return float(centers @ masses / masses.sum() - floor), float(top - floor)


def test_masses_add_up_and_none_is_missing() -> None:
    for skeleton in EVERY:
        body = body_of(skeleton)
        masses = joint_masses_kg(body)
        assert masses.sum() == pytest.approx(body_mass_kg(body))
        assert all(mass > 0 for mass, segment in zip(masses, skeleton.segments, strict=True) if segment != "helper")


def test_segments_have_de_levas_shares() -> None:
    share = shares(small_body())
    assert share["thigh"] == pytest.approx(2 * 0.1416, rel=0.02)
    assert share["foot"] == pytest.approx(2 * 0.0137, rel=0.02)
    assert share["spine"] > 0.3


@pytest.mark.parametrize("skeleton", EVERY, ids=lambda s: f"{s.name}-{s.joint_names[0]}-{s.leg_length_m:.2f}")
def test_shares_agree_with_another_table(skeleton: Skeleton) -> None:
    share = shares(skeleton)
    for segments, expected in WINTER.items():
        found = sum(share.get(segment, 0.0) for segment in segments)
        assert found == pytest.approx(expected, rel=0.25, abs=0.004), segments


def test_weight_grows_with_height_as_people_do() -> None:
    found = [(body.skeleton.stature_m, body_mass_kg(body)) for body in (body_of(smpl_body(s)) for s in SCALES)]
    masses = [mass for _, mass in found]
    assert masses == sorted(masses)
    for stature, mass in found:
        assert 0.85 < stature < 2.25
        assert 13 < mass / stature**2 < 28, f"body-mass index at {stature:.2f} m"


@pytest.mark.parametrize("skeleton", EVERY, ids=lambda s: f"{s.name}-{s.joint_names[0]}-{s.leg_length_m:.2f}")
def test_the_center_of_mass_is_a_little_above_half_height(skeleton: Skeleton) -> None:
    center, height = heights_m(body_of(skeleton))
    assert 0.5 < center / height < 0.6


def test_fingers_and_helper_bones_weigh_next_to_nothing() -> None:
    share = shares(mixamo_body())
    assert share["finger"] < 0.004
    assert share["helper"] < 1e-6


def test_a_body_without_limbs_is_weighed_by_volume() -> None:
    offsets = np.tile([0.0, 0.3, 0.0], (4, 1))
    snake = body_of(Skeleton("snake", ("a", "b", "c", "d"), (-1, 0, 1, 2), offsets))
    masses = joint_masses_kg(snake)
    assert masses.sum() == pytest.approx(body_mass_kg(snake))
    assert np.isfinite(masses).all() and (masses > 0).all()
