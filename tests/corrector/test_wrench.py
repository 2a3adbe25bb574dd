import numpy as np
import pytest

from core import rotations as R
from corrector.wrench import FLYING_PULL, STANDING_PULL, Wrench, firmness, pulled, rotation_vector


def test_a_pull_points_to_its_goal_and_ends_at_its_limit() -> None:
    pull, size = pulled((3.0, 0.0, 4.0), (0.0, 0.0, 0.0), (0.0,) * 3, (0.0,) * 3, 2.0, 1.0, 100.0)
    assert (pull, size) == ([6.0, 0.0, 8.0], 10.0)
    pull, size = pulled((3.0, 0.0, 4.0), (0.0, 0.0, 0.0), (0.0,) * 3, (0.0,) * 3, 2.0, 1.0, 5.0)
    assert size == 5.0
    assert pull == pytest.approx([3.0, 0.0, 4.0])


def test_a_softer_wrench_is_damped_alike() -> None:
    plain = Wrench()
    soft = plain.scaled(0.25)
    assert soft.stiffness == plain.stiffness / 4
    assert soft.damping / soft.stiffness**0.5 == pytest.approx(plain.damping / plain.stiffness**0.5)
    assert (soft.most_bw, soft.most_nm, soft.turn_stiffness) == (plain.most_bw, plain.most_nm, plain.turn_stiffness)


def test_the_vector_turns_the_present_into_the_goal() -> None:
    rng = np.random.default_rng(0)
    now, goal = R.normalize(rng.normal(size=(2, 4)))
    w, x, y, z = now.tolist()
    vector = np.array(rotation_vector(goal.tolist(), (x, y, z, w)))
    turned = R.multiply(R.rotvec_to_unitquat(vector), now)
    assert abs(float(turned @ goal)) == pytest.approx(1.0)
    assert np.linalg.norm(vector) <= np.pi


def test_the_help_is_soft_on_the_feet_and_firm_in_flight() -> None:
    stance = np.zeros((40, 2), dtype=bool)
    stance[:15, 0] = True
    stance[10:20, 1] = True
    found = firmness(stance)
    assert (found[:19] == STANDING_PULL).all()
    assert (found[22:] == FLYING_PULL).all()
