"""Physical artefacts of motion, per frame and as means: penetration, float, foot skate, jerk.

One definition for metrics, correctors, viewer and command line. All take world joint positions and rotations, so that
forward kinematics runs once. The floor is y = 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.body import Body, body_of
from core.motion import Motion, MotionBatch
from core.rotations import Array

CONTACT_HEIGHT_M = 0.05  # a sole point below this is near the floor
FLOAT_TOLERANCE_M = 0.03  # soft shoes and marker noise: lower is not called floating


@dataclass(frozen=True, eq=False)
class ArtefactTracks:
    """Per-frame artefacts of motions (..., T frames, F feet).

    Attributes:
        lowest_m: (..., T) height of the lowest surface point of the whole body.
        foot_height_m: (..., T, F) height of each foot's lowest sole point.
        contact: (..., T, F) whether a sole point is within CONTACT_HEIGHT_M of the floor.
        skate_m_s: (..., T, F) mean horizontal speed of the near-floor sole points, 0 without contact.
        jerk_m_s3: (..., T) mean over joints of the norm of the third difference; edge frames repeat.
    """

    lowest_m: Array
    foot_height_m: Array
    contact: NDArray[np.bool_]
    skate_m_s: Array
    jerk_m_s3: Array

    @property
    def penetration_m(self) -> Array:
        """(..., T) depth of the lowest point under the floor."""
        depth: Array = np.maximum(-self.lowest_m, 0.0)
        return depth

    @property
    def float_m(self) -> Array:
        """(..., T) height of the lowest point above the tolerance."""
        height: Array = np.maximum(self.lowest_m - FLOAT_TOLERANCE_M, 0.0)
        return height


@dataclass(frozen=True)
class Artefacts:
    """Means over a motion; what the command line and the API print."""

    penetration_mm: float
    float_mm: float
    skate_m_s: float
    jerk_m_s3: float


def artefact_tracks(body: Body, positions_m: Array, rotations_wxyz: Array, fps: float) -> ArtefactTracks:
    """Per-frame artefacts.

    Args:
        positions_m: (..., T, J, 3) world joint positions.
        rotations_wxyz: (..., T, J, 4) world joint rotations.
    """
    points = body.surface_points(positions_m, rotations_wxyz)
    frames = points.shape[-3]
    lowest = points[..., 1].min(-1)
    heights, contacts, skates = [], [], []
    for sole in body.sole_points:
        foot = points[..., sole, :]
        heights.append(foot[..., 1].min(-1))
        speed, near = sole_speed(foot, fps)
        count = near.sum(-1)
        contacts.append(count > 0)
        skates.append(np.where(count > 0, (speed * near).sum(-1) / np.maximum(count, 1), 0.0))
    return ArtefactTracks(
        lowest,
        np.stack(heights, axis=-1),
        np.stack(contacts, axis=-1),
        np.stack(skates, axis=-1),
        _pad_edges(np.linalg.norm(np.diff(positions_m, n=3, axis=-3), axis=-1).mean(-1) * fps**3, frames),
    )


def sole_speed(points_m: Array, fps: float) -> tuple[Array, NDArray[np.bool_]]:
    """Horizontal speed (..., T, P) of sole points (..., T, P, 3), and whether both frames are near the floor.

    The first frame repeats the second, so that every frame has a value.
    """
    step = np.diff(points_m, axis=-3)
    speed = np.hypot(step[..., 0], step[..., 2]) * fps
    height = np.maximum(points_m[..., 1:, :, 1], points_m[..., :-1, :, 1])
    if not speed.shape[-2]:
        still = np.zeros(points_m.shape[:-1])
        return still, points_m[..., 1] < CONTACT_HEIGHT_M
    repeat = (slice(None, 1), slice(None))
    speed = np.concatenate([speed[(..., *repeat)], speed], axis=-2)
    near = height < CONTACT_HEIGHT_M
    return speed, np.concatenate([near[(..., *repeat)], near], axis=-2)


def mean_artefacts(tracks: ArtefactTracks) -> Artefacts:
    """Means over all frames given; skate over the feet in contact only."""
    touching = max(int(tracks.contact.sum()), 1)
    return Artefacts(
        penetration_mm=float(tracks.penetration_m.mean() * 1e3),
        float_mm=float(tracks.float_m.mean() * 1e3),
        skate_m_s=float((tracks.skate_m_s * tracks.contact).sum() / touching),
        jerk_m_s3=float(tracks.jerk_m_s3.mean()),
    )


def measure(motion: Motion | MotionBatch) -> Artefacts:
    """Artefacts of a motion or of all motions of a batch."""
    return mean_artefacts(tracks_of(motion))


def tracks_of(motion: Motion | MotionBatch) -> ArtefactTracks:
    """Per-frame artefacts of a motion (T) or a batch (N, T)."""
    positions, rotations = motion.world()
    return artefact_tracks(body_of(motion.skeleton), positions, rotations, motion.fps)


def _pad_edges(values: Array, frames: int) -> Array:
    """Repeat the ends so that a difference track has one value per frame."""
    if values.shape[-1] == 0:
        return np.zeros((*values.shape[:-1], frames))
    before = (frames - values.shape[-1]) // 2
    width = [(0, 0)] * (values.ndim - 1) + [(before, frames - values.shape[-1] - before)]
    return np.pad(values, width, mode="edge")
