"""Laws of the perturbations: nothing at strength 0, more with more, the same for the same seed."""

import numpy as np
import pytest

from core.motion import MotionBatch
from corrector import perturb
from corrector.perturb import PERTURBATIONS, perturbed
from corrector.report import moved_m, precise
from tests.corrector.conftest import same


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_strength_zero_changes_nothing(clean: MotionBatch, name: str) -> None:
    assert moved_m(precise(clean), perturbed(clean, name, 0.0)).max() < 1e-9


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_more_strength_moves_every_motion_further(clean: MotionBatch, name: str) -> None:
    moved = [moved_m(precise(clean), perturbed(clean, name, s)) for s in PERTURBATIONS[name].strengths]
    assert (moved[0] > 0).all() and (moved[1] > moved[0]).all() and (moved[2] > moved[1]).all()


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_the_seed_decides(clean: MotionBatch, name: str) -> None:
    one, again, other = (perturbed(clean, name, 0.1, seed) for seed in (1, 1, 2))
    assert same(one, again)
    assert same(one, other) == (name in ("low", "high")), "only these draw nothing"
    assert np.array_equal(one.labels, clean.labels) and one.frames == clean.frames


def test_amounts_are_in_their_units(clean: MotionBatch) -> None:
    clean = precise(clean)
    seconds = (clean.frames - 1) / clean.fps
    slide = perturbed(clean, "slide", 0.3).root_position_m - clean.root_position_m
    assert np.allclose(np.linalg.norm(slide[:, -1], axis=-1), 0.3 * seconds)
    assert np.allclose(slide[..., 1], 0.0)
    for name, sign in (("low", -1), ("high", 1)):
        shift = perturbed(clean, name, 0.05).root_position_m - clean.root_position_m
        assert np.allclose(shift, [0.0, sign * 0.05, 0.0])
    jitter = perturbed(clean, "jitter", 0.1)
    assert np.std(jitter.root_position_m - clean.root_position_m) == pytest.approx(0.03, rel=0.1)
    cosine = np.abs((jitter.local_rotations_wxyz * clean.local_rotations_wxyz).sum(-1)).clip(0, 1)
    assert np.sqrt(np.mean((2 * np.arccos(cosine)) ** 2)) == pytest.approx(0.1 * np.sqrt(3), rel=0.05)


def test_gross_ones_are_what_they_say(clean: MotionBatch) -> None:
    clean, rng = precise(clean), np.random.default_rng(0)
    assert perturb.sped_up(clean, 2).frames == clean.frames // 2
    assert np.isnan(perturb.without_numbers(clean).root_position_m).all()
    jump = np.diff(perturb.teleported(clean, 2.0, rng).root_position_m, axis=1)[:, clean.frames // 2 - 1]
    assert (np.linalg.norm(jump, axis=-1) > 1.5).all()
    mixed = perturb.shuffled(clean, 5, rng)
    assert not same(mixed, clean)
    assert np.allclose(np.sort(mixed.root_position_m[..., 0], 1), np.sort(clean.root_position_m[..., 0], 1))
    noise = perturb.random_noise(clean, rng)
    assert np.allclose(np.linalg.norm(noise.local_rotations_wxyz, axis=-1), 1.0)
