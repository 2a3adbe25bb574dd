import numpy as np
import pytest

from core.body import body_of
from core.skeleton import Skeleton
from corrector.masses import body_mass_kg, joint_masses_kg
from tests.core.bodies import small_body


def test_masses_add_up_and_none_is_missing() -> None:
    body = body_of(small_body())
    masses = joint_masses_kg(body)
    assert masses.sum() == pytest.approx(body_mass_kg(body))
    assert (masses > 0).all()


def test_segments_have_de_levas_shares() -> None:
    body = body_of(small_body())
    masses, segments = joint_masses_kg(body), body.skeleton.segments
    share = {s: sum(m for m, t in zip(masses, segments, strict=True) if t == s) / masses.sum() for s in set(segments)}
    assert share["thigh"] == pytest.approx(2 * 0.1416, rel=0.02)
    assert share["foot"] == pytest.approx(2 * 0.0137, rel=0.02)
    assert share["spine"] > 0.3


def test_unnamed_bodies_are_weighed_by_volume() -> None:
    named = small_body()
    plain = Skeleton("plain", tuple(f"j{i}" for i in range(15)), named.parents, named.offsets_m)
    masses = joint_masses_kg(body_of(plain))
    assert masses.sum() == pytest.approx(body_mass_kg(body_of(plain)))
    assert np.isfinite(masses).all() and (masses > 0).all()
