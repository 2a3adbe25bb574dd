"""What cannot be corrected: said in words, per motion, before anything is computed with it."""

import numpy as np
from numpy.typing import NDArray

from core.motion import MotionBatch

FARTHEST_ROOT_M = 100.0
HIGHEST_ROOT_M = 20.0
FASTEST_M_S = 20.0  # mean joint speed; a sprinter's is about 6, random rotations at 20 fps exceed it
LEAP_M, LEAP_M_S = 1.0, 25.0  # between two frames, both: a root that farther and faster goes was put elsewhere
QUATERNION_NORM = (0.5, 2.0)


def rejections(batch: MotionBatch) -> list[str]:
    """One reason per motion why it is unusable, with frame and value where there are; "" where it is usable."""
    count, frames = len(batch), batch.frames
    if frames == 0:
        return ["The motion is empty: it has no frames."] * count
    if frames == 1:
        return ["The motion has one frame only: there is no movement to correct."] * count
    reasons = [""] * count
    if not count:
        return reasons
    position, rotations = batch.root_position_m, batch.local_rotations_wxyz
    numbers = np.concatenate([position, rotations.reshape(count, frames, -1)], axis=-1)
    finite: NDArray[np.bool_] = np.isfinite(numbers).min(-1)
    whole = finite.min(1)
    for i in np.flatnonzero(~whole):
        bad = np.flatnonzero(~finite[i])
        reasons[i] = f"NaN or infinite values in {len(bad)} of {frames} frames, first in frame {bad[0]}."
    sound = np.flatnonzero(whole)
    for i, reason in zip(sound, _absurdities(batch.take(sound)), strict=True):
        reasons[i] = reason
    return reasons


def _absurdities(batch: MotionBatch) -> list[str]:
    """The same for motions of finite numbers and two frames or more."""
    reasons = [""] * len(batch)
    root = batch.root_position_m.astype(np.float64)
    names = batch.skeleton.joint_names
    norm = np.linalg.norm(batch.local_rotations_wxyz.astype(np.float64), axis=-1)
    height = np.abs(root[..., 1])
    with np.errstate(over="ignore", invalid="ignore"):
        spread = np.linalg.norm(root - root[:, :1], axis=-1)
        step = np.linalg.norm(np.diff(root, axis=1), axis=-1)
        positions = batch.world()[0].astype(np.float64)
        speed = np.linalg.norm(np.diff(positions, axis=1), axis=-1).mean(-1) * batch.fps
    low, high = QUATERNION_NORM
    for i in range(len(batch)):
        odd = (norm[i] < low) | (norm[i] > high)
        leap = (step[i] > LEAP_M) & (step[i] * batch.fps > LEAP_M_S)
        if odd.any():
            frame, joint = divmod(int(odd.argmax()), odd.shape[1])
            reasons[i] = (
                f"Rotations are no unit quaternions: the norm of {names[joint]} in frame {frame} is "
                f"{norm[i, frame, joint]:.3g} (accepted: {low:g} to {high:g})."
            )
        elif spread[i].max() > FARTHEST_ROOT_M:
            frame = int(np.argmax(spread[i] > FARTHEST_ROOT_M))
            reasons[i] = (
                f"The root is {spread[i, frame]:.4g} m from its start in frame {frame} (limit {FARTHEST_ROOT_M:g} m)."
            )
        elif height[i].max() > HIGHEST_ROOT_M:
            frame = int(np.argmax(height[i] > HIGHEST_ROOT_M))
            reasons[i] = (
                f"The root is {root[i, frame, 1]:.4g} m above the floor in frame {frame} (limit {HIGHEST_ROOT_M:g} m)."
            )
        elif leap.any():
            frame = int(leap.argmax())
            reasons[i] = (
                f"The root leaps {step[i, frame]:.3g} m from frame {frame} to {frame + 1}, at "
                f"{step[i, frame] * batch.fps:.3g} m/s (limit {LEAP_M_S:g} m/s)."
            )
        elif not speed[i].mean() <= FASTEST_M_S:
            frame = int(speed[i].argmax())
            reasons[i] = (
                f"The joints move at {speed[i].mean():.4g} m/s on average (limit {FASTEST_M_S:g} m/s), "
                f"fastest from frame {frame} to {frame + 1}."
            )
    return reasons
