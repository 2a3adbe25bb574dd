"""The shape alone says what the names say."""

from pathlib import Path

import numpy as np
import pytest

from core.body import body_of
from core.skeleton import Skeleton
from tests.backend.walker import walker
from tests.core.bodies import small_body
from tests.core.skeletons import mixamo_body, renamed, smpl_body

LIMBS = ("thigh", "shank", "foot", "toe", "collar", "upperarm", "forearm", "hand", "finger")
RAW = Path(__file__).resolve().parents[3] / "shared" / "data" / "cmu" / "bvh_raw"
FILES = ("daz_02_01_walk", "mb_02_01_walk", "mb30_jumping_jacks", "iclone_07_01_walk_101joints")


def agree(skeleton: Skeleton) -> None:
    plain = renamed(skeleton)
    assert set(plain.feet) == set(skeleton.feet)
    assert plain.leg_length_m == pytest.approx(skeleton.leg_length_m)
    for j, (segment, side) in enumerate(zip(skeleton.segments, skeleton.sides, strict=True)):
        if segment in LIMBS and segment == plain.segments[j]:
            assert plain.sides[j] == side, skeleton.joint_names[j]
        same = {segment, plain.segments[j]} <= {"helper", "toe", "finger", "hand"} or segment == plain.segments[j]
        assert same, (skeleton.joint_names[j], segment, plain.segments[j])


@pytest.mark.parametrize(
    "skeleton", [small_body(), walker().skeleton, smpl_body(), mixamo_body(), smpl_body(0.5)], ids=lambda s: s.name
)
def test_nonsense_names_change_nothing(skeleton: Skeleton) -> None:
    agree(skeleton)


@pytest.mark.parametrize("name", FILES)
def test_nonsense_names_change_nothing_in_files_of_four_exporters(name: str) -> None:
    if not RAW.is_dir():
        pytest.skip(f"no motion files in {RAW.name}")
    from backend.motionfiles import read_motion

    agree(read_motion(RAW / f"{name}.bvh").skeleton)


def test_a_body_that_faces_x_has_its_left_on_minus_z() -> None:
    body = small_body()  # x forward
    plain = Skeleton("plain", tuple(f"j{i}" for i in range(15)), body.parents, body.offsets_m)
    assert plain.sides == body.sides


def test_the_flesh_of_a_nameless_body_is_that_of_a_named_one() -> None:
    named, plain = body_of(smpl_body()), body_of(renamed(smpl_body()))
    assert [p.kind for p in plain.primitives] == [p.kind for p in named.primitives]
    assert all(np.allclose(p.a, q.a) for p, q in zip(plain.primitives, named.primitives, strict=True))
    assert [len(sole) for sole in plain.sole_points] == [len(sole) for sole in named.sole_points]


@pytest.mark.parametrize(
    "parents",
    [(-1,), (-1, 0), (-1, 0, 1, 2), (-1, 0, 0, 0, 0)],
)
def test_what_is_no_human_still_gets_parts(parents: tuple[int, ...]) -> None:
    """A chain, a star, a single joint: no limbs, no error."""
    offsets = np.tile([0.0, -0.3, 0.1], (len(parents), 1))
    body = Skeleton("odd", tuple(f"j{i}" for i in range(len(parents))), parents, offsets)
    assert len(body.segments) == len(body.sides) == len(parents)
    assert body.feet and body.leg_length_m > 0
    assert body_of(body).primitives
