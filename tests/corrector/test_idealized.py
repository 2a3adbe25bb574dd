import numpy as np
import pytest

from core.errors import InvalidConfig
from core.motion import MotionBatch, canonicalize, joint_distances
from core.protocols import Reference
from tests.core.bodies import standing
from tests.corrector.conftest import Make, jittered, same


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


def test_a_mixture_replaces_the_share_of_real_ones(make: Make, clean: MotionBatch, reference: Reference) -> None:
    noisy = jittered(clean.concat([clean, clean, clean]))
    done = make("idealized", gamma=1, form="mixture").correct(noisy, seed=4)
    replaced = np.array([o.status == "corrected" for o in done.outcomes])
    assert 0.3 < replaced.mean() < 0.7
    assert same(done.samples.take(np.flatnonzero(~replaced)), noisy.take(np.flatnonzero(~replaced)))
    distance = joint_distances(done.samples.take(np.flatnonzero(replaced)), reference.real)
    foreign = noisy.labels[replaced][:, None] != reference.real.labels[None]
    assert np.where(foreign, np.inf, distance).min(1).max() < 1e-4


def test_nobody_knows_the_density_of_motions(make: Make) -> None:
    with pytest.raises(InvalidConfig, match="density") as error:
        make("idealized", form="rejection")
    assert error.value.field == "corrector.options.form"
