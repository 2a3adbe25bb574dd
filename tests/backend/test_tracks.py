"""Per-frame tracks for eyes: stance of any motion, and tracks that say something."""

from dataclasses import replace

import numpy as np
import pytest

from backend.tracks import stance_of_motion, track_of
from core.motion import batch_of
from corrector.contacts import stance_of
from tests.backend.walker import walker


def test_stance_is_the_correctors() -> None:
    motion = walker(60)
    assert np.array_equal(stance_of_motion(motion), stance_of(batch_of([motion]))[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_broken_motions_stand_nowhere(bad: float) -> None:
    motion = walker(10)
    root = motion.root_position_m.copy()
    root[3] = bad
    stance = stance_of_motion(replace(motion, root_position_m=root))
    assert stance.shape == (10, 2) and not stance.any()


@pytest.mark.parametrize("height_m", [1e7, -1e7, 1e300])
def test_far_motions_warn_nobody(height_m: float) -> None:
    motion = walker(10)
    assert stance_of_motion(replace(motion, root_position_m=motion.root_position_m + height_m)).shape == (10, 2)


def test_the_first_track_that_says_something() -> None:
    tracks = {"old": np.ones(4), "new": np.zeros(4), "long": np.ones(5), "broken": np.array([1.0, np.nan, np.inf, 2.0])}
    assert track_of(tracks, ["new"], 4) is None
    assert track_of(tracks, ["long", "nothing"], 4) is None
    found = track_of(tracks, ["new", "old"], 4)
    assert found is not None and (found == 1).all()
    broken = track_of(tracks, ["broken"], 4)
    assert broken is not None and broken.tolist() == [1.0, 0.0, 0.0, 2.0]
