"""Takes of several files brought to one skeleton, one frame rate and one floor."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from backend.importing.take import Take
from core.artefacts import tracks_of
from core.errors import InvalidMotion
from core.motion import Motion
from core.skeleton import Skeleton

HIGHEST_FPS = 30.0  # kept by default: windows are cut at 20
SAME_M = 1e-6
OTHER_REST_RAD = 0.35  # between the same bone of two files: another rest pose, not another body
OFF_FLOOR_M = 0.03
CLIMBS_M = 0.3  # feet that never come below it stand on something
FLOOR_PERCENTILE = 2.0


@dataclass(frozen=True, eq=False)
class Uniform:
    """Takes that agree; ``floor_shift_m`` by take, and what was done, in words."""

    takes: list[Take]
    floor_shift_m: list[float]
    notes: list[str]


def uniform(takes: Sequence[Take], fps: float = 0.0, floor: bool = True) -> Uniform:
    """Takes of one skeleton at one rate.

    Args:
        fps: to bring them to; 0 = the commonest rate, or HIGHEST_FPS where that is lower.
        floor: whether takes whose feet are off the floor are moved vertically.

    Raises:
        InvalidMotion: naming two files whose bodies have other joints or another rest pose.
    """
    notes: list[str] = []
    found = _one_body(takes, notes)
    rates = Counter(round(take.motion.fps, 6) for take in found)
    rate = fps or min(rates.most_common(1)[0][0], HIGHEST_FPS)
    if set(rates) != {rate}:
        told = ", ".join(f"{known:g}" for known in sorted(rates))
        notes.append(f"Frames were brought from {told} to {rate:g} per second.")
        found = [replace(take, motion=at_rate(take.motion, rate)) for take in found]
    shifts = [0.0] * len(found)
    if floor:
        shifts = [floor_shift(take.motion) for take in found]
        found = [replace(take, motion=_raised(take.motion, s)) for take, s in zip(found, shifts, strict=True)]
        moved = [s for s in shifts if s]
        if moved:
            notes.append(
                f"{len(moved)} of {len(found)} takes were moved vertically (by {min(moved):+.2f} to {max(moved):+.2f} "
                "m) so that their feet come down to y = 0."
            )
    return Uniform(found, shifts, notes)


def at_rate(motion: Motion, fps: float) -> Motion:
    """The motion at a rate: every k-th frame where that does, else interpolated."""
    every = motion.fps / fps
    if abs(every - round(every)) < 1e-6 and every >= 1:
        step = round(every)
        return replace(
            motion, root_position_m=motion.root_position_m[::step],
            local_rotations_wxyz=motion.local_rotations_wxyz[::step], fps=fps,
        )  # fmt: skip
    return motion.resampled(fps)


def floor_shift(motion: Motion) -> float:
    """Metres by which to raise a motion whose feet are never down at the floor, or below it; 0 where they are well."""
    few = replace(
        motion,
        root_position_m=motion.root_position_m[:: max(1, len(motion) // 500)],
        local_rotations_wxyz=motion.local_rotations_wxyz[:: max(1, len(motion) // 500)],
    )
    lowest = tracks_of(few).foot_height_m.min(-1)
    low = float(np.percentile(lowest, FLOOR_PERCENTILE))
    return -low if low < -OFF_FLOOR_M or OFF_FLOOR_M < low < CLIMBS_M else 0.0


def _raised(motion: Motion, by: float) -> Motion:
    return replace(motion, root_position_m=motion.root_position_m + np.array([0.0, by, 0.0])) if by else motion


def _one_body(takes: Sequence[Take], notes: list[str]) -> list[Take]:
    """The takes on one skeleton: rotations stay, the way of the root is scaled by leg length."""
    first = takes[0]
    body = first.motion.skeleton
    for take in takes[1:]:
        other = take.motion.skeleton
        if other.joint_names != body.joint_names or other.parents != body.parents:
            raise InvalidMotion(
                f"{take.name} has another body than {first.name}: {other.joint_count} joints "
                f"({_differing(other, body)}), {body.joint_count} there.",
                "A data set has one skeleton: import them apart.",
            )
    offsets = np.stack([take.motion.skeleton.offsets_m for take in takes])[:, 1:]
    if np.abs(offsets - offsets[0]).max(initial=0.0) <= SAME_M:
        return [replace(take, motion=replace(take.motion, skeleton=body)) for take in takes]
    mean = np.median(offsets, axis=0)
    length = np.linalg.norm(mean, axis=-1)
    for take, mine in zip(takes, offsets, strict=True):
        cosine = (mine * mean).sum(-1) / np.maximum(np.linalg.norm(mine, axis=-1) * length, 1e-9)
        turned = np.flatnonzero((np.arccos(np.clip(cosine, -1, 1)) > OTHER_REST_RAD) & (length > 0.05))
        if len(turned):
            raise InvalidMotion(
                f"{take.name}: the bone to {body.joint_names[turned[0] + 1]} rests otherwise than in the other files.",
                "Their rest poses differ: import them apart.",
            )
    tips = body.toe_tips_m
    shared = Skeleton(body.name, body.joint_names, body.parents, np.vstack([[0, 0, 0], mean]), body.feet, tips)
    notes.append(
        f"Bodies of {len({o.tobytes() for o in np.round(offsets, 4)})} sizes were brought to the median one: joint "
        "rotations stay, the root's way is scaled by leg length."
    )
    found = []
    for take in takes:
        scale = shared.leg_length_m / max(take.motion.skeleton.leg_length_m, 1e-6)
        moved = replace(take.motion, skeleton=shared, root_position_m=take.motion.root_position_m * scale)
        found.append(replace(take, motion=moved))
    return found


def _differing(a: Skeleton, b: Skeleton) -> str:
    only = [name for name in a.joint_names if name not in b.joint_names]
    return f"e.g. {only[0]!r}" if only else "in another order"
