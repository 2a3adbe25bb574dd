from dataclasses import replace

import numpy as np
import pytest

from core.motion import MotionBatch
from corrector.checks import rejections
from tests.core.bodies import standing


def broken(name: str) -> MotionBatch:
    batch = standing(2, 10)
    root, rotations = batch.root_position_m.copy(), batch.local_rotations_wxyz.copy()
    if name == "nan":
        root[1, 4, 0] = np.nan
    elif name == "infinite":
        rotations[1, 2, 3, 1] = np.inf
    elif name == "far":
        root[1, :, 0] = np.linspace(0, 150, 10)
    elif name == "high":
        root[1, :, 1] += 30
    elif name == "fast":
        root[1, ::2, 0] += 3
    elif name == "norms":
        rotations[1, 0, 0] = 0.0
    elif name == "enormous":
        root[1, 3] = 1e200
    return replace(batch, root_position_m=root, local_rotations_wxyz=rotations)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nan", "NaN"),
        ("infinite", "frame 2"),
        ("far", "from its start"),
        ("high", "above the floor"),
        ("fast", "m/s"),
        ("norms", "unit quaternions"),
        ("enormous", "from its start"),
    ],
)
def test_unusable_motions_are_named_and_their_neighbours_are_not(name: str, words: str) -> None:
    good, bad = rejections(broken(name))
    assert good == ""
    assert words in bad


@pytest.mark.parametrize(("frames", "words"), [(0, "empty"), (1, "one frame")])
def test_motions_without_movement_are_named(frames: int, words: str) -> None:
    assert all(words in reason for reason in rejections(standing(3, frames)))


def test_real_windows_are_usable(clean: MotionBatch) -> None:
    assert rejections(clean) == [""] * len(clean)


def test_an_empty_batch_has_no_reasons() -> None:
    assert rejections(standing(1, 5).take([])) == []
