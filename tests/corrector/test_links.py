import numpy as np
import pytest

from core.body import body_of
from core.skeleton import Skeleton
from corrector.links import MOST_LINKS, LinkPlan, plan_links, reduction_note
from corrector.masses import body_mass_kg, joint_masses_kg
from tests.core.bodies import NAMES, OFFSETS_M, PARENTS, small_body
from tests.core.skeletons import mixamo_body, renamed, smpl_body


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


def test_sixty_five_joints_are_simulated_as_their_limbs() -> None:
    for skeleton in (mixamo_body(), renamed(mixamo_body())):
        plan = plan_links(skeleton)
        assert isinstance(plan, LinkPlan)
        stiff = {skeleton.segments[j] for j in plan.stiff}
        assert stiff <= {"finger", "helper", "toe"}
        assert len(plan.joints) == 22
        ends = [skeleton.segments[j] for j in plan.joints]
        assert (ends.count("hand"), ends.count("foot"), ends.count("head")) == (2, 2, 1)


def test_what_bears_no_flesh_does_not_cost_a_link() -> None:
    skeleton = body_with_extra([("head", "neck"), ("left_eye", "head"), ("left_elbow_twist", "left_elbow")])
    plan = plan_links(skeleton)
    assert isinstance(plan, LinkPlan)
    assert [skeleton.joint_names[j] for j in plan.stiff] == ["left_eye", "left_elbow_twist"]


def test_the_note_says_which_kinds_are_left_stiff() -> None:
    assert reduction_note(small_body()) == reduction_note(smpl_body()) == ""
    assert reduction_note(mixamo_body()) == (
        "The simulation moves 22 of 65 joints; fingers and helper bones keep the rotations that they came with."
    )
    assert "fingers keep" in reduction_note(with_fingers(2))
    assert reduction_note(long_spine(40)) == ""  # refused, in words of its own


def test_whatever_the_tree_no_helper_bone_is_simulated() -> None:
    rng = np.random.default_rng(2)
    for _ in range(150):
        count = int(rng.integers(1, 40))
        parents = tuple(int(rng.integers(max(0, j - 6), j)) if j else -1 for j in range(count))
        names = tuple(f"j{j}" for j in range(count))
        skeleton = Skeleton("random", names, parents, rng.normal(scale=0.2, size=(count, 3)))
        plan = plan_links(skeleton)
        if isinstance(plan, LinkPlan):
            assert "helper" not in {skeleton.segments[j] for j in plan.joints}
            assert all(skeleton.parents[j] in plan.joints for j in plan.joints[1:])
            assert joint_masses_kg(body_of(skeleton)).sum() == pytest.approx(body_mass_kg(body_of(skeleton)))
