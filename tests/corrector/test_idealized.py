import numpy as np
import pytest

from core.errors import InvalidConfig
from core.motion import MotionBatch, canonicalize, joint_distances
from core.protocols import Reference
from corrector.idealized import balanced_matching
from tests.core.bodies import standing
from tests.corrector.conftest import Make, jittered, same


@pytest.mark.parametrize(("count", "choices"), [(3, 5), (5, 5), (7, 5), (10, 5), (13, 4)])
def test_matching_uses_all_choices_alike(count: int, choices: int) -> None:
    distance = np.random.default_rng(count).random((count, choices))
    used = np.bincount(balanced_matching(distance), minlength=choices)
    assert used.min() >= count // choices
    assert used.max() <= -(-count // choices)


def test_matching_prefers_what_is_near() -> None:
    points, targets = np.array([0.0, 10.0, 20.0]), np.array([19.0, 1.0, 11.0])
    assert balanced_matching(np.abs(points[:, None] - targets[None])).tolist() == [1, 2, 0]


def test_strength_goes_from_the_sample_to_a_real_window_of_its_class(
    make: Make, clean: MotionBatch, reference: Reference
) -> None:
    noisy = jittered(clean)
    assert same(make("idealized", gamma=0).correct(noisy).samples, noisy)
    nearest = []
    for gamma in (0.3, 1.0, 3.0, 1000.0):
        samples = make("idealized", gamma=gamma).correct(noisy).samples
        distance = joint_distances(samples, reference.real)
        distance[samples.labels[:, None] != reference.real.labels[None]] = np.inf
        nearest.append(distance.min(1).mean())
    assert nearest == sorted(nearest, reverse=True)
    assert nearest[-1] < 0.002


def test_samples_keep_their_place_and_heading(make: Make, clean: MotionBatch) -> None:
    turned = jittered(clean, 0.0, 0.0)
    turned.root_position_m[..., [0, 2]] += [3.0, -2.0]
    samples = make("idealized").correct(turned).samples
    assert np.allclose(samples.root_position_m[:, 0, [0, 2]], turned.root_position_m[:, 0, [0, 2]], atol=1e-5)
    assert np.isfinite(canonicalize(samples).root_position_m).all()


def test_rows_are_rows_of_the_whole(make: Make, clean: MotionBatch) -> None:
    corrector = make("idealized")
    noisy = jittered(clean.concat([clean]))
    whole = corrector.correct(noisy)
    part = corrector.correct(noisy, rows=slice(4, 9))
    assert same(whole.samples.take(slice(4, 9)), part.samples)
    assert whole.outcomes[4:9] == part.outcomes


def test_it_needs_real_windows_of_the_same_kind(make: Make) -> None:
    with pytest.raises(InvalidConfig, match="real windows"):
        make("idealized", learned=False)
    with pytest.raises(InvalidConfig, match="40 frames"):
        make("idealized").correct(standing(2, 10))
