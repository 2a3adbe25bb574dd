from dataclasses import replace

import numpy as np
import pytest

from core import rotations as R
from core.errors import InvalidMotion
from core.motion import Motion, MotionBatch, batch_of, canonicalize, heading_yaw, joint_distances, mirrored
from tests.core.bodies import random_motion, small_body, standing


def turned(batch: MotionBatch, yaw_rad: float, shift_m: tuple[float, float, float]) -> MotionBatch:
    """The same windows elsewhere, looking elsewhere."""
    turn = R.yaw_to_unitquat(np.full(batch.root_position_m.shape[:2], yaw_rad))
    rotations = batch.local_rotations_wxyz.copy()
    rotations[:, :, 0] = R.multiply(turn, rotations[:, :, 0])
    position = R.rotate(turn, batch.root_position_m) + np.array(shift_m)
    return MotionBatch(batch.skeleton, position, rotations, batch.fps, batch.labels)


def test_canonical_windows_do_not_depend_on_place_or_heading() -> None:
    motion = random_motion()
    moved = turned(motion, 2.1, (3.0, 0.0, -7.0))
    a, b = canonicalize(motion).world()[0], canonicalize(moved).world()[0]
    assert np.allclose(a, b)
    assert not np.allclose(motion.world()[0], moved.world()[0])


def test_canonicalize_is_idempotent_and_faces_zero() -> None:
    once = canonicalize(random_motion())
    assert np.allclose(heading_yaw(once.local_rotations_wxyz[:, :, 0]), 0.0)
    assert np.allclose(canonicalize(once).world()[0], once.world()[0])
    assert np.allclose(once.root_position_m[:, 0, [0, 2]], 0.0)


def test_mirroring_twice_gives_the_motion_back() -> None:
    motion = random_motion()
    assert np.allclose(mirrored(mirrored(motion, 2), 2).world()[0], motion.world()[0])


def test_the_mirror_image_is_the_reflection_with_sides_swapped() -> None:
    motion = random_motion()
    assert motion.skeleton.mirror is not None
    reflected = motion.world()[0] * np.array([1.0, 1.0, -1.0])
    assert np.allclose(mirrored(motion, 2).world()[0], reflected[:, :, list(motion.skeleton.mirror)])


def test_arrays_bring_the_batch_back() -> None:
    motion = random_motion()
    back = motion.with_arrays(motion.arrays())
    assert np.allclose(back.world()[0], motion.world()[0], atol=1e-5)
    assert np.array_equal(back.labels, motion.labels)
    again = back.arrays()
    assert all(np.array_equal(again[k], v) for k, v in back.arrays().items())


def test_take_and_concat() -> None:
    motion = random_motion(5)
    both = motion.take([3, 1]).concat([motion.take(slice(0, 1))])
    assert np.array_equal(both.labels, motion.labels[[3, 1, 0]])
    assert np.array_equal(both.root_position_m, motion.root_position_m[[3, 1, 0]])


def test_only_equal_windows_are_joined() -> None:
    with pytest.raises(InvalidMotion, match="same skeleton, length and frame rate"):
        random_motion(frames=12).concat([random_motion(frames=13)])
    with pytest.raises(InvalidMotion, match="at least one"):
        batch_of([])


def test_resampling_keeps_duration_and_ends() -> None:
    motion = random_motion(frames=21)[0]
    faster = motion.resampled(60.0)
    assert len(faster) == 61
    assert np.allclose(faster.root_position_m[::3], motion.root_position_m)
    assert np.allclose(faster.world()[0][-1], motion.world()[0][-1])


def test_joint_distances_find_the_same_window_anywhere() -> None:
    motion = random_motion(4)
    distance = joint_distances(turned(motion, -1.0, (1.0, 0.0, 1.0)), motion)
    assert np.array_equal(np.argmin(distance, axis=1), np.arange(4))
    assert np.allclose(np.diag(distance), 0.0, atol=1e-5)


@pytest.mark.parametrize(
    ("position", "rotations", "fps", "words"),
    [
        (np.zeros((5, 2)), np.zeros((5, 15, 4)), 20.0, r"\(5, 2\)"),
        (np.zeros((5, 3)), np.zeros((4, 15, 4)), 20.0, r"\(4, 15, 4\)"),
        (np.zeros((5, 3)), np.zeros((5, 15, 4)), 0.0, "frame rate"),
    ],
)
def test_wrong_shapes_are_named(position: np.ndarray, rotations: np.ndarray, fps: float, words: str) -> None:
    with pytest.raises(InvalidMotion, match=words):
        Motion(small_body(), position, rotations, fps)


def test_labels_must_fit() -> None:
    batch = standing(3)
    with pytest.raises(InvalidMotion, match="as many labels"):
        MotionBatch(batch.skeleton, batch.root_position_m, batch.local_rotations_wxyz, 20.0, np.zeros(2, np.int64))


def test_captions_go_wherever_their_motions_go() -> None:
    motion = replace(random_motion(5), captions=np.array([4, -1, 2, 0, 7]))
    both = motion.take([3, 1]).concat([random_motion(2), motion.take(slice(0, 1))])
    assert both.captions.tolist() == [0, -1, -1, -1, 4]
    assert motion.take(np.array([True, False, True, False, False])).captions.tolist() == [4, 2]
    for changed in (canonicalize(motion), mirrored(motion, 2), motion.with_arrays(motion.arrays())):
        assert np.array_equal(changed.captions, motion.captions)
    assert motion.take([]).captions.shape == (0,)


def test_motions_without_captions_are_stored_as_ever_and_files_of_then_are_read() -> None:
    plain = random_motion(3)
    assert plain.arrays().keys() == {"root_position_m", "local_rotations_wxyz", "labels"}
    told = replace(plain, captions=np.array([1, -1, 0]))
    assert told.with_arrays(plain.arrays()).captions.tolist() == [-1, -1, -1]
    with pytest.raises(InvalidMotion, match="as many captions"):
        replace(plain, captions=np.array([1]))
