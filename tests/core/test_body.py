import numpy as np
import pytest

from core.body import body_of
from core.skeleton import Skeleton
from tests.core.bodies import small_body, standing


def scaled(factor: float) -> Skeleton:
    body = small_body()
    tips = tuple((x * factor, y * factor, z * factor) for x, y, z in body.toe_tips_m)
    return Skeleton(body.name, body.joint_names, body.parents, body.offsets_m * factor, body.feet, tips)


def test_a_standing_body_touches_the_floor_with_its_soles() -> None:
    batch = standing(1, 2)
    body = body_of(batch.skeleton)
    points = body.surface_points(*batch.world())
    assert points[..., 1].min() == pytest.approx(0.0, abs=1e-9)
    lowest = set(np.flatnonzero(points[0, 0, :, 1] < 0.01))
    assert lowest and lowest <= set(np.concatenate(body.sole_points).tolist())


def test_bodies_scale_with_their_legs() -> None:
    small, large = body_of(scaled(0.6)), body_of(scaled(1.2))
    for a, b in zip(small.primitives, large.primitives, strict=True):
        assert b.radius_m == pytest.approx(2 * a.radius_m)
        assert np.allclose(b.half_extents_m, 2 * np.array(a.half_extents_m))


def test_left_and_right_are_mirror_images() -> None:
    body = body_of(small_body())
    by_joint = {p.joint: p for p in body.primitives if body.skeleton.sides[p.joint] != "center"}
    assert body.skeleton.mirror is not None
    for joint, primitive in by_joint.items():
        twin = by_joint[body.skeleton.mirror[joint]]
        assert np.allclose(np.array(primitive.a) * [1, 1, -1], twin.a, atol=1e-9)
        assert primitive.radius_m == twin.radius_m


def test_every_foot_has_a_sole() -> None:
    body = body_of(small_body())
    assert len(body.sole_points) == 2
    assert all(len(points) >= 8 for points in body.sole_points)


def test_the_viewers_form_names_what_it_needs() -> None:
    body = body_of(small_body())
    for primitive in body.primitives:
        data = primitive.as_dict(body.skeleton.sides[primitive.joint])
        needed = {"capsule": {"a", "b", "radius"}, "sphere": {"center", "radius"}, "box": {"center", "half_extents"}}
        assert needed[primitive.kind] | {"joint", "kind", "side"} <= data.keys()
