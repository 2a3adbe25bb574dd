"""Motions: one (``Motion``) and many of equal length (``MotionBatch``, what loops compute with).

y up, metres, seconds, wxyz; local rotations are joint to parent, the root's is joint to world.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from core import rotations as R
from core.errors import InvalidMotion
from core.skeleton import Skeleton, forward_kinematics

Array = R.Array
Index = NDArray[np.integer] | NDArray[np.bool_] | slice | Sequence[int]


@dataclass(frozen=True, eq=False)
class Motion:
    """One motion of one body.

    Attributes:
        skeleton: the body's joints.
        root_position_m: (T, 3).
        local_rotations_wxyz: (T, J, 4).
        fps: frames per second.
        label: class name, or "".
        text: description, or "".
    """

    skeleton: Skeleton
    root_position_m: Array
    local_rotations_wxyz: Array
    fps: float
    label: str = ""
    text: str = ""

    def __post_init__(self) -> None:
        joints = self.skeleton.joint_count
        position, rotations = np.asarray(self.root_position_m), np.asarray(self.local_rotations_wxyz)
        frames = position.shape[0] if position.ndim else 0
        if position.shape != (frames, 3) or rotations.shape != (frames, joints, 4):
            raise InvalidMotion(
                f"A motion of {joints} joints needs root positions (T, 3) and rotations (T, {joints}, 4); "
                f"got {position.shape} and {rotations.shape}."
            )
        if not self.fps > 0:
            raise InvalidMotion(f"A motion's frame rate must be positive; got {self.fps}.")

    def __len__(self) -> int:
        return len(self.root_position_m)

    @property
    def seconds(self) -> float:
        return len(self) / self.fps

    def world(self) -> tuple[Array, Array]:
        """World joint positions (T, J, 3) and rotations wxyz (T, J, 4)."""
        return forward_kinematics(self.skeleton, self.root_position_m, self.local_rotations_wxyz)

    def resampled(self, fps: float) -> "Motion":
        """The same motion at another frame rate (linear root, slerp rotations)."""
        if fps == self.fps or len(self) < 2:
            return replace(self, fps=fps) if len(self) < 2 else self
        source = np.arange(len(self)) / self.fps
        target = np.arange(int(np.floor(source[-1] * fps + 1e-6)) + 1) / fps
        position = np.stack([np.interp(target, source, self.root_position_m[:, k]) for k in range(3)], axis=-1)
        rotations = R.resample(R.make_continuous(self.local_rotations_wxyz), source, target)
        return replace(self, root_position_m=position, local_rotations_wxyz=rotations, fps=fps)


@dataclass(frozen=True, eq=False)
class MotionBatch:
    """N motions of one body and equal length; implements :class:`core.protocols.Samples`.

    Attributes:
        skeleton: the body's joints.
        root_position_m: (N, T, 3).
        local_rotations_wxyz: (N, T, J, 4).
        fps: frames per second.
        labels: (N,) integer class indices; -1 where unknown.
        captions: (N,) indices of the data set's captions; -1 where there is none.
    """

    skeleton: Skeleton
    root_position_m: Array
    local_rotations_wxyz: Array
    fps: float
    labels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    captions: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        joints = self.skeleton.joint_count
        position, rotations = np.asarray(self.root_position_m), np.asarray(self.local_rotations_wxyz)
        lead = position.shape[:2]
        if position.ndim != 3 or position.shape[2] != 3 or rotations.shape != (*lead, joints, 4):
            raise InvalidMotion(
                f"Motions of {joints} joints need root positions (N, T, 3) and rotations (N, T, {joints}, 4); "
                f"got {position.shape} and {rotations.shape}."
            )
        for name in ("labels", "captions"):
            indices = np.asarray(getattr(self, name), dtype=np.int64)
            if indices.size == 0 and len(position):
                indices = np.full(len(position), -1, dtype=np.int64)
            if indices.shape != (len(position),):
                raise InvalidMotion(f"{len(position)} motions need as many {name}; got shape {indices.shape}.")
            object.__setattr__(self, name, indices)

    def __len__(self) -> int:
        return len(self.root_position_m)

    @property
    def frames(self) -> int:
        return int(self.root_position_m.shape[1])

    def __getitem__(self, index: int) -> Motion:
        return Motion(self.skeleton, self.root_position_m[index], self.local_rotations_wxyz[index], self.fps)

    def __iter__(self) -> Iterator[Motion]:
        return (self[index] for index in range(len(self)))

    def take(self, index: Index) -> Self:
        """The chosen motions, in the order asked for."""
        chosen = index if isinstance(index, slice) else np.asarray(index if len(index) else np.zeros(0, np.int64))
        return replace(
            self,
            root_position_m=self.root_position_m[chosen],
            local_rotations_wxyz=self.local_rotations_wxyz[chosen],
            labels=self.labels[chosen],
            captions=self.captions[chosen],
        )

    def concat(self, others: Sequence["MotionBatch"]) -> "MotionBatch":
        """This batch followed by others of the same body, length and rate."""
        parts = [self, *others]
        for part in others:
            if part.skeleton != self.skeleton or part.frames != self.frames or part.fps != self.fps:
                raise InvalidMotion("Only motions of the same skeleton, length and frame rate can be joined.")
        return replace(
            self,
            root_position_m=np.concatenate([p.root_position_m for p in parts]),
            local_rotations_wxyz=np.concatenate([p.local_rotations_wxyz for p in parts]),
            labels=np.concatenate([p.labels for p in parts]),
            captions=np.concatenate([p.captions for p in parts]),
        )

    def world(self) -> tuple[Array, Array]:
        """World joint positions (N, T, J, 3) and rotations wxyz (N, T, J, 4)."""
        return forward_kinematics(self.skeleton, self.root_position_m, self.local_rotations_wxyz)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What :meth:`with_arrays` needs to bring the batch back; float32, so that a stored batch is the batch.

        Captions are among them only where there are any: motions without are stored as they have always been.
        """
        found: dict[str, NDArray[Any]] = {
            "root_position_m": self.root_position_m.astype(np.float32),
            "local_rotations_wxyz": self.local_rotations_wxyz.astype(np.float32),
            "labels": self.labels,
        }
        return found | ({"captions": self.captions} if (self.captions >= 0).any() else {})

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> "MotionBatch":
        """A batch of the same body and rate from stored arrays."""
        return MotionBatch(
            self.skeleton,
            np.asarray(arrays["root_position_m"]),
            np.asarray(arrays["local_rotations_wxyz"]),
            self.fps,
            np.asarray(arrays["labels"]),
            np.asarray(arrays.get("captions", ()), dtype=np.int64),
        )


def batch_of(motions: Sequence[Motion], labels: Sequence[int] | None = None) -> MotionBatch:
    """Motions of equal skeleton, length and rate as one batch.

    Raises:
        InvalidMotion: when there is none, or they differ.
    """
    if not motions:
        raise InvalidMotion("A batch needs at least one motion.")
    first = motions[0]
    for motion in motions:
        if motion.skeleton != first.skeleton or len(motion) != len(first) or motion.fps != first.fps:
            raise InvalidMotion("Only motions of the same skeleton, length and frame rate can be batched.")
    return MotionBatch(
        first.skeleton,
        np.stack([m.root_position_m for m in motions]),
        np.stack([m.local_rotations_wxyz for m in motions]),
        first.fps,
        np.full(len(motions), -1) if labels is None else np.asarray(labels, dtype=np.int64),
    )


def heading_yaw(root_rotations_wxyz: Array) -> Array:
    """One heading (yaw, radians) per window from root rotations (..., T, 4) -> (...,).

    Every horizontal projection of the body's x and z axes votes, summed over the window, so that flips and cartwheels,
    where the per-frame heading is singular, still give one.
    """
    x = R.rotate(root_rotations_wxyz, np.array([1.0, 0.0, 0.0]))
    z = R.rotate(root_rotations_wxyz, np.array([0.0, 0.0, 1.0]))
    forward_x = (x[..., 0] + z[..., 2]).sum(-1)
    forward_z = (x[..., 2] - z[..., 0]).sum(-1)
    yaw: Array = np.arctan2(-forward_z, forward_x)
    return yaw


def canonicalize(batch: MotionBatch) -> MotionBatch:
    """Windows turned to heading 0 and moved so that frame 0 stands over the origin (height is kept)."""
    turn = R.yaw_to_unitquat(-heading_yaw(batch.local_rotations_wxyz[:, :, 0]))[:, None]
    position = batch.root_position_m - batch.root_position_m[:, :1] * np.array([1.0, 0.0, 1.0])
    rotations = batch.local_rotations_wxyz.copy()
    rotations[:, :, 0] = R.multiply(np.broadcast_to(turn, rotations[:, :, 0].shape), rotations[:, :, 0])
    return replace(batch, root_position_m=R.rotate(turn, position), local_rotations_wxyz=rotations)


def mirrored(batch: MotionBatch, axis: int) -> MotionBatch:
    """Left-right mirror image through the plane normal to the skeleton's lateral axis (0 = x, 2 = z).

    Raises:
        InvalidMotion: when the joints' names do not pair left with right.
    """
    pairs = batch.skeleton.mirror
    if pairs is None:
        raise InvalidMotion(f"The joints of skeleton {batch.skeleton.name!r} do not pair left with right.")
    position_sign = np.ones(3)
    position_sign[axis] = -1.0
    quaternion_sign = np.array([1.0, *(-position_sign)])  # the mirrored rotation keeps its axis component only
    return replace(
        batch,
        root_position_m=batch.root_position_m * position_sign,
        local_rotations_wxyz=(batch.local_rotations_wxyz * quaternion_sign)[:, :, list(pairs)],
    )


def lateral_axis(skeleton: Skeleton) -> int:
    """The rest pose's left-right axis: 0 (x) or 2 (z)."""
    pairs = skeleton.mirror or tuple(range(skeleton.joint_count))
    spread = np.abs(skeleton.rest_positions_m - skeleton.rest_positions_m[list(pairs)]).sum(0)
    return 2 if spread[2] > spread[0] else 0


def joint_distances(batch: MotionBatch, others: MotionBatch) -> NDArray[np.float64]:
    """(N, M) mean joint distances in metres between canonical windows."""
    a, b = (canonicalize(each).world()[0].astype(np.float32) for each in (batch, others))
    return np.stack([np.linalg.norm(b - motion, axis=-1).mean((1, 2)) for motion in a]).astype(np.float64)


def nearest_of_class(batch: MotionBatch, others: MotionBatch) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(N,) index of each window's nearest other one of its class (of any class where there is none), and its mean joint
    distance in metres, both windows canonical."""
    nearest, distance_m = np.empty(len(batch), np.int64), np.empty(len(batch))
    for label in np.unique(batch.labels):
        rows, columns = np.flatnonzero(batch.labels == label), np.flatnonzero(others.labels == label)
        if not len(columns):
            columns = np.arange(len(others))
        found = joint_distances(batch.take(rows), others.take(columns))
        nearest[rows], distance_m[rows] = columns[found.argmin(1)], found.min(1)
    return nearest, distance_m
