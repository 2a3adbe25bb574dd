import numpy as np
import pytest

from core.skeleton import Skeleton
from corrector.links import MOST_LINKS, LinkPlan, plan_links
from tests.core.bodies import NAMES, OFFSETS_M, PARENTS, small_body


def body_with_extra(extra: list[tuple[str, str]]) -> Skeleton:
    """The small body and more joints (name, parent's name), 3 cm apart."""
    names, parents, offsets = list(NAMES), list(PARENTS), [tuple(map(float, o)) for o in OFFSETS_M]
    for name, parent in extra:
        names.append(name)
        parents.append(names.index(parent))
        offsets.append((0.03, -0.03, 0.0))
    return Skeleton("extra", tuple(names), tuple(parents), np.array(offsets))


def with_fingers(count: int) -> Skeleton:
    extra = [(f"{s}_index_{i}", f"{s}_wrist") for s in ("left", "right") for i in range(count)]
    return body_with_extra(extra)


def long_spine(count: int) -> Skeleton:
    """The small body with a head at the end of a long neck."""
    extra = [("chest_1", "neck")] + [(f"chest_{i}", f"chest_{i - 1}") for i in range(2, count)]
    return body_with_extra([*extra, ("head", f"chest_{count - 1}")])


def test_a_small_body_moves_in_all_its_joints() -> None:
    plan = plan_links(small_body())
    assert isinstance(plan, LinkPlan)
    assert plan.joints == tuple(range(15))
    assert plan.stiff == ()


@pytest.mark.parametrize("count", [1, 20])
def test_fingers_are_carried_by_hands(count: int) -> None:
    skeleton = with_fingers(count)
    plan = plan_links(skeleton)
    assert isinstance(plan, LinkPlan)
    assert plan.joints == tuple(range(15))
    wrists = {skeleton.joint_names.index(f"{side}_wrist") for side in ("left", "right")}
    assert {plan.carrier[j] for j in plan.stiff} == wrists


def test_parents_of_moving_joints_move() -> None:
    skeleton = body_with_extra([(f"head_{i}", "neck") for i in range(40)])
    plan = plan_links(skeleton)
    assert isinstance(plan, LinkPlan)
    assert len(plan.joints) - 1 <= MOST_LINKS
    assert all(skeleton.parents[j] in plan.joints for j in plan.joints[1:])


def test_twist_bones_and_toes_give_way_to_limbs() -> None:
    twists = [(f"left_elbow_twist_{i}", "left_elbow") for i in range(12)]
    toes = [(f"right_toe_{i}", "right_ankle") for i in range(12)]
    skeleton = body_with_extra([*twists, *toes])
    plan = plan_links(skeleton)
    assert isinstance(plan, LinkPlan)
    assert len(plan.joints) - 1 <= MOST_LINKS
    assert set(range(15)) <= set(plan.joints)


def test_a_body_with_too_many_limbs_is_refused_in_words() -> None:
    plan = plan_links(long_spine(40))
    assert isinstance(plan, str)
    assert str(MOST_LINKS) in plan
