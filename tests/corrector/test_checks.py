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
        root[1, ::2, 0] += 0.9
        rotations[1, ::2, 0] = [0.0, 1.0, 0.0, 0.0]
        rotations[1, ::2, 1:] = [0.0, 0.0, 0.0, 1.0]
    elif name == "leap":
        root[1, 6:, 2] += 3
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
        ("fast", "m/s on average (limit 20 m/s), fastest from frame 0 to 1"),
        ("leap", "leaps 3 m from frame 5 to 6, at 60 m/s"),
        ("norms", "the norm of root in frame 0 is 0 "),
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


def test_doubled_speed_and_fast_but_possible_roots_are_usable(clean: MotionBatch) -> None:
    """What a body may do, if only in part, is for the simulation to judge."""
    doubled = replace(clean, fps=2 * clean.fps)
    assert rejections(doubled) == [""] * len(clean)
    sprint = standing(1, 20)
    root = sprint.root_position_m.copy()
    root[..., 2] = np.arange(20) * 12.0 / sprint.fps
    assert rejections(replace(sprint, root_position_m=root)) == [""]
    glitch = standing(1, 20, fps=120.0)
    root = glitch.root_position_m.copy()
    root[0, 9, 1] += 0.4  # one marker lost for a moment
    assert rejections(replace(glitch, root_position_m=root)) == [""]


def test_real_windows_are_usable(clean: MotionBatch) -> None:
    assert rejections(clean) == [""] * len(clean)


def test_an_empty_batch_has_no_reasons() -> None:
    assert rejections(standing(1, 5).take([])) == []
