from dataclasses import replace

import numpy as np
import pytest

from core.motion import MotionBatch, lateral_axis, mirrored
from core.protocols import Reference
from corrector.coordinates import channel_variance, coordinates, from_coordinates
from corrector.prior import no_prior
from corrector.prior_learning import Learned, learn_prior
from corrector.report import moved_m, precise
from tests.core.bodies import standing
from tests.corrector.conftest import jittered, raised, slid


@pytest.fixture(scope="module")
def learned(reference: Reference) -> Learned:
    real = reference.real
    return learn_prior(precise(real), np.unique(real.labels))


def test_offsets_add_themselves(learned: Learned, clean: MotionBatch) -> None:
    batch = precise(clean)
    before = learned.prior.offset_of(coordinates(batch).values, clean.labels)
    high = learned.prior.offset_of(coordinates(raised(batch, 0.07)).values, clean.labels)
    fast = learned.prior.offset_of(coordinates(slid(batch, 0.3)).values, clean.labels)
    assert np.allclose(high - before, [0.07, 0.0, 0.0], atol=1e-6)
    assert np.allclose(np.linalg.norm((fast - before)[:, 1:], axis=1), 0.3, atol=1e-6)
    assert np.allclose(fast[:, 0], before[:, 0], atol=1e-6)


def test_it_foretells_windows_that_it_was_not_learned_from(learned: Learned, clean: MotionBatch) -> None:
    told = learned.prior.offset_of(coordinates(precise(clean)).values, clean.labels)
    assert np.median(np.abs(told[:, 0])) < 0.01
    assert np.median(np.linalg.norm(told[:, 1:], axis=1)) < 0.05


def test_without_noise_nothing_changes(learned: Learned, clean: MotionBatch) -> None:
    values = coordinates(precise(clean)).values
    found = learned.prior.most_probable(values, clean.labels, np.zeros((len(clean), values.shape[2])))
    assert np.allclose(found, values, atol=1e-9)


def test_noise_is_taken_away_and_offsets_are_kept(learned: Learned, clean: MotionBatch) -> None:
    lifted = raised(precise(clean), 0.2)
    noisy = jittered(lifted)
    at = coordinates(noisy)
    variance = np.full((len(clean), 1 + clean.skeleton.joint_count), 0.1**2)
    variance[:, 0] = 0.03**2
    found = learned.prior.most_probable(at.values, clean.labels, channel_variance(variance))
    done = from_coordinates(noisy, replace(at, values=found))
    assert moved_m(lifted, done).mean() < 0.5 * moved_m(lifted, noisy).mean()


def test_mirror_images_are_treated_alike(learned: Learned, clean: MotionBatch) -> None:
    image = mirrored(precise(clean), lateral_axis(clean.skeleton))
    one, two = (learned.prior.offset_of(coordinates(b).values, clean.labels) for b in (precise(clean), image))
    assert np.allclose(one * [1.0, 1.0, -1.0], two, atol=0.02)


def test_no_prior_fits_nothing(clean: MotionBatch, learned: Learned) -> None:
    assert not no_prior(clean.skeleton.joint_count, 1).fits(clean)
    assert learned.prior.fits(clean)
    root, rotations = clean.root_position_m[:, :-1], clean.local_rotations_wxyz[:, :-1]
    shorter = replace(clean, root_position_m=root, local_rotations_wxyz=rotations)
    assert not learned.prior.fits(shorter)


def test_too_few_windows_give_no_prior(reference: Reference) -> None:
    few = precise(reference.real.take(slice(0, 2)))
    found = learn_prior(few, np.unique(few.labels))
    assert not found.prior.fits(few)
    assert len(found.offset) == 0


@pytest.mark.parametrize("frames", [1, 2, 3, 30])
def test_windows_that_are_all_the_same_are_learned_too(frames: int) -> None:
    still = standing(8, frames)
    found = learn_prior(still, np.unique(still.labels[still.labels >= 0]))
    if found.prior.fits(still):
        told = found.prior.offset_of(coordinates(still).values, np.zeros(8, dtype=np.int64))
        assert np.allclose(told, 0, atol=1e-6)
    assert np.isfinite(found.offset[~np.isnan(found.offset)]).all()
