"""The DeepMimic clips as windows."""

import importlib.util

import numpy as np
import pytest

from core import rotations as R
from core.artefacts import measure
from core.config import parse
from core.errors import DataMissing, InvalidConfig
from core.motion import canonicalize
from model.datasets import deepmimic as module
from model.datasets.base import WINDOW_FRAMES, Dataset
from model.datasets.registry import DATASETS


def test_windows_are_balanced_canonical_and_valid(deepmimic: Dataset) -> None:
    batch = deepmimic.train(150)
    assert batch.root_position_m.shape == (150, WINDOW_FRAMES, 3)
    assert np.bincount(batch.labels).tolist() == [10] * 15
    np.testing.assert_allclose(np.linalg.norm(batch.local_rotations_wxyz, axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(batch.root_position_m[:, 0, [0, 2]], 0, atol=1e-6)
    again = canonicalize(batch)
    np.testing.assert_allclose(again.root_position_m, batch.root_position_m, atol=1e-5)


def test_the_same_count_gives_the_same_windows_and_a_smaller_one_the_first(deepmimic: Dataset) -> None:
    small, large = deepmimic.train(30), deepmimic.train(64)
    np.testing.assert_array_equal(small.root_position_m, large.root_position_m[:30])
    np.testing.assert_array_equal(small.local_rotations_wxyz, large.local_rotations_wxyz[:30])


def test_streams_differ(deepmimic: Dataset) -> None:
    draws = [deepmimic.train(15), deepmimic.evaluator_train(15), deepmimic.held_out(15), deepmimic.held_out(15, draw=1)]
    for i, a in enumerate(draws):
        for b in draws[i + 1 :]:
            assert np.abs(a.local_rotations_wxyz - b.local_rotations_wxyz).max() > 0.1


def test_cycles_go_on_without_a_jump_at_the_seam(deepmimic: Dataset) -> None:
    """Walking windows span more than one cycle: speed stays a walk's, nothing jumps, and the way is straight."""
    batch = deepmimic.train(600)
    walk = batch.take(np.flatnonzero(batch.labels == deepmimic.class_names.index("walk")))
    step = np.linalg.norm(np.diff(walk.root_position_m, axis=1), axis=-1) * deepmimic.fps
    assert 0.7 < step.min() and step.max() < 2.0
    run = batch.take(np.flatnonzero(batch.labels == deepmimic.class_names.index("run")))
    length = np.linalg.norm(run.root_position_m[:, -1] - run.root_position_m[:, 0], axis=-1)
    assert (length > 4).all()
    turned = R.geodesic_angle(batch.local_rotations_wxyz[:, 1:], batch.local_rotations_wxyz[:, :-1])
    spinkick = batch.labels == deepmimic.class_names.index("spinkick")
    assert np.degrees(turned[spinkick][:, :, 1:]).max() < 70  # without blending its seam alone jumps 58 degrees


def test_the_body_stands_on_the_floor_at_life_size(deepmimic: Dataset) -> None:
    artefacts = measure(deepmimic.held_out(150))
    assert artefacts.penetration_mm < 20 and artefacts.float_mm < 40
    assert 150 < artefacts.jerk_m_s3 < 400
    assert 0.75 < deepmimic.skeleton.leg_length_m < 0.95


def test_half_of_the_windows_are_mirror_images(deepmimic: Dataset) -> None:
    part = DATASETS["deepmimic"]
    plain = part.build(parse(part.options, {"mirror": False}))
    assert plain.digest != deepmimic.digest
    jump = plain.class_names.index("punch")
    names = plain.skeleton.joint_names
    left, right = names.index("left_elbow"), names.index("right_elbow")

    def right_handed(dataset: Dataset) -> np.ndarray:
        batch = dataset.train(900)
        batch = batch.take(np.flatnonzero(batch.labels == jump))
        bend = 2 * np.arccos(np.abs(batch.local_rotations_wxyz[..., 0]).clip(0, 1))
        return np.asarray(np.ptp(bend[:, :, right], axis=1) > np.ptp(bend[:, :, left], axis=1))

    assert right_handed(plain).mean() in (0.0, 1.0)
    assert 0.2 < right_handed(deepmimic).mean() < 0.8


def test_no_window_at_all_is_refused(deepmimic: Dataset) -> None:
    with pytest.raises(InvalidConfig, match="at least one"):
        deepmimic.train(0)


def test_missing_package_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DataMissing, match="were not found") as caught:
        module.build(module.DeepMimicOptions())
    assert "pybullet" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"{}", b'{"Loop": "wrap", "Frames": [[1, 2]]}'])
def test_a_broken_clip_is_said_in_words(content: bytes) -> None:
    with pytest.raises(DataMissing, match=r"humanoid3d_walk\.txt"):
        module._parse("walk", content)


def test_the_card_tells_what_a_reader_must_know(deepmimic: Dataset) -> None:
    assert deepmimic.card["clips"] == 15
    assert "held-out" in deepmimic.card["split"].lower()
    assert any("kick" in note for note in deepmimic.card["notes"])


def test_whole_clips_are_the_recordings() -> None:
    clips = {clip.label: clip for clip in module.whole_clips(fps=30.0, seconds=4.0)}
    assert len(clips) == 15
    assert all(clip.fps == 30.0 and 30 < len(clip) <= 121 for clip in clips.values())
    assert len(clips["walk"]) == 120, "a cycle goes on"
    walked = np.diff(clips["walk"].root_position_m, axis=0)
    assert np.linalg.norm(walked, axis=-1).max() < 0.1, "without a jump where it begins again"
