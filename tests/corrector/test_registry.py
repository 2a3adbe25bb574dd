"""Laws that every corrector keeps."""

import subprocess
import sys

import numpy as np
import pytest
from pydantic_core import PydanticUndefined

from core.motion import MotionBatch
from corrector.registry import CORRECTORS
from tests.core.bodies import standing
from tests.corrector.conftest import Make, jittered, same

KINDS = [kind for kind in CORRECTORS if kind != "kmeans"]  # which is for plain numbers


@pytest.mark.parametrize("kind", list(CORRECTORS))
def test_options_have_defaults_titles_and_descriptions(kind: str) -> None:
    for name, field in CORRECTORS[kind].options.model_fields.items():
        assert field.title and field.description, name
        assert field.default is not PydanticUndefined or field.default_factory is not None, name


@pytest.mark.parametrize("kind", KINDS)
def test_bad_motions_are_rejected_and_their_neighbours_are_not(make: Make, clean: MotionBatch, kind: str) -> None:
    batch = jittered(clean.take([0, 3, 5]), 0.0, 0.0)
    batch.root_position_m[1, 7] = np.nan
    batch.local_rotations_wxyz[2] = 0.0
    result = make(kind).correct(batch)
    assert [o.status == "rejected" for o in result.outcomes] == [False, True, True]
    assert all(o.reason for o in result.outcomes[1:])
    assert np.array_equal(result.samples.root_position_m[1:], batch.root_position_m[1:], equal_nan=True)
    assert np.isfinite(result.samples.root_position_m[0]).all()


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "idealized"])
@pytest.mark.parametrize("frames", [0, 1])
def test_motions_without_movement_are_rejected(make: Make, kind: str, frames: int) -> None:
    result = make(kind).correct(standing(2, frames))
    assert [o.status for o in result.outcomes] == ["rejected"] * 2
    assert result.samples.frames == frames


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_batch_stays_empty(make: Make, clean: MotionBatch, kind: str) -> None:
    result = make(kind).correct(clean.take([]))
    assert len(result.samples) == 0 and result.outcomes == ()


@pytest.mark.parametrize("kind", KINDS)
def test_outcomes_speak_of_the_samples(make: Make, clean: MotionBatch, kind: str) -> None:
    batch = clean.take([2, 8])
    result = make(kind).correct(batch)
    assert len(result.outcomes) == 2
    assert np.array_equal(result.samples.labels, batch.labels)
    assert result.tracks["residual_force_bw"].shape == (2, batch.frames)
    for outcome in result.outcomes:
        assert {"penetration_mm", "float_mm", "skate_m_s", "jerk_m_s3"} == set(outcome.before) == set(outcome.after)
        assert (outcome.status == "unchanged") == (outcome.moved_m == 0)


@pytest.mark.parametrize("kind", KINDS)
def test_fractions_rise_to_one(make: Make, clean: MotionBatch, kind: str) -> None:
    seen: list[float] = []
    make(kind).correct(clean.take([1, 6]))  # whatever is learned once is learned now
    make(kind).correct(clean.take([1, 6]), tick=lambda fraction, _: seen.append(fraction))
    assert seen[-1] == pytest.approx(1.0) and 0 <= min(seen) and max(seen) <= 1 + 1e-9


def test_none_changes_nothing(make: Make, clean: MotionBatch) -> None:
    assert same(make("none").correct(jittered(clean)).samples, jittered(clean))


def test_importing_the_registry_is_cheap() -> None:
    program = "import corrector.registry, sys; print(*[m for m in ('pybullet', 'scipy', 'torch') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.split() == []
