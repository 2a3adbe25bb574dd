"""Motion windows as numbers to learn, and back.

Per frame: root height, planar velocity in one heading frame per window, root rotation 6-D, rotation 6-D of every joint
that moves. Heading is one per *window*, because a heading per frame is singular in flips; velocity instead of position,
because absolute positions train far worse. Optionally the flattened window is projected on its principal components
(fitted on the real set, then frozen): a latent that a small network can model in CPU seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from core import rotations as R
from core.errors import InvalidMotion
from core.motion import MotionBatch, canonicalize
from core.rotations import Array
from core.skeleton import Skeleton

ROOT_CHANNELS = 9  # height, velocity x and z, rotation 6-D
STILL_RAD = 1e-3  # a joint that never turns further than this is left out
PROJECTION_WINDOWS = 2048  # at most so many, the first ones, decide the components: their cost grows with the square


@dataclass(frozen=True, eq=False)
class Representation:
    """A fitted linear map from canonical windows to network input; C channels, J joints, T frames, D components.

    Attributes:
        joints: (M,) indices of the joints that move, without the root.
        rest_wxyz: (J, 4) rotations of the others.
        mean, scale: (C,) of the channels.
        center: (T C,) mean of the flattened windows; empty without projection.
        basis: (D, T C) orthonormal rows; empty without projection.
        spread: (D,) divisor of each component.
    """

    joints: NDArray[np.int64]
    rest_wxyz: Array
    mean: Array
    scale: Array
    center: Array
    basis: Array
    spread: Array
    frames: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one encoded window: (D,) or (T, C)."""
        return (len(self.basis),) if len(self.basis) else (self.frames, len(self.mean))

    @classmethod
    def fit(cls, batch: MotionBatch, components: int = 0, whitening: float = 0.25) -> Self:
        """Fit to real windows.

        Args:
            components: of the projection (at most one less than there are windows); 0 for none.
            whitening: power of the components' standard deviations that they are divided by: 0 keeps their
                proportions, 1 makes them equal.

        Raises:
            InvalidMotion: with fewer than two windows.
        """
        if len(batch) < 2:
            raise InvalidMotion(f"A representation is fitted to at least two windows; got {len(batch)}.")
        rotations = batch.local_rotations_wxyz
        first = rotations[:1, :1]
        cosine = np.abs((rotations * first).sum(-1)).min((0, 1))
        moving = np.flatnonzero(cosine < np.cos(STILL_RAD / 2))
        joints = moving[moving > 0]
        values = _channels(batch, joints)
        empty = np.zeros(0, np.float32)
        plain = cls(
            joints=joints.astype(np.int64),
            rest_wxyz=rotations[0, 0].astype(np.float32),
            mean=values.mean((0, 1)),
            scale=_scale(values),
            center=empty,
            basis=np.zeros((0, 0), np.float32),
            spread=empty,
            frames=batch.frames,
        )
        return plain._projected(plain._normal(values), components, whitening) if components > 0 else plain

    def encode(self, batch: MotionBatch) -> NDArray[np.float32]:
        """(N, *shape) float32."""
        values = self._normal(_channels(batch, self.joints))
        if not len(self.basis):
            return values
        flat = values.reshape(len(values), -1) - self.center
        return ((flat @ self.basis.T) / self.spread).astype(np.float32)

    def decode(
        self, encoded: NDArray[np.float32], skeleton: Skeleton, fps: float, labels: NDArray[np.int64]
    ) -> MotionBatch:
        """Canonical windows; any finite numbers give valid rotations."""
        values: Array = encoded
        if len(self.basis):
            values = ((encoded * self.spread) @ self.basis + self.center).reshape(
                len(encoded), self.frames, len(self.mean)
            )
        values = values * self.scale + self.mean
        step = values[..., 1:3] / np.float32(fps)
        planar = np.cumsum(step, axis=1) - step
        root = np.stack([planar[..., 0], values[..., 0], planar[..., 1]], axis=-1)
        sixd = values[..., 3:].reshape(len(values), self.frames, 1 + len(self.joints), 6)
        rotations = np.empty((*values.shape[:2], skeleton.joint_count, 4), np.float32)
        rotations[:] = self.rest_wxyz
        rotations[:, :, np.concatenate([[0], self.joints])] = _sixd_to_unitquat(sixd.astype(np.float32))
        batch = canonicalize(MotionBatch(skeleton, root, rotations, fps, labels))
        return batch.with_arrays(batch.arrays())  # as it is stored: float32

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "joints": self.joints,
            "rest_wxyz": self.rest_wxyz,
            "mean": self.mean,
            "scale": self.scale,
            "center": self.center,
            "basis": self.basis,
            "spread": self.spread,
            "frames": np.array([self.frames], np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        named = {name: np.asarray(arrays[name]) for name in cls.__dataclass_fields__ if name != "frames"}
        return cls(**named, frames=int(arrays["frames"][0]))

    def _normal(self, values: Array) -> NDArray[np.float32]:
        return ((values - self.mean) / self.scale).astype(np.float32)

    def _projected(self, values: NDArray[np.float32], components: int, whitening: float) -> Self:
        flat = values[:PROJECTION_WINDOWS].reshape(min(len(values), PROJECTION_WINDOWS), -1)
        center = flat.mean(0)
        _, singular, rows = np.linalg.svd(flat - center, full_matrices=False)
        count = min(components, len(flat) - 1, len(rows))
        deviation = np.maximum(singular[:count], singular[0] * 0.02) / np.sqrt(len(flat))
        spread = deviation**whitening
        # The network sees unit variance on average, whatever the power.
        spread *= np.sqrt(np.mean((singular[:count] / np.sqrt(len(flat)) / spread) ** 2))
        return type(self)(
            joints=self.joints, rest_wxyz=self.rest_wxyz, mean=self.mean, scale=self.scale, frames=self.frames,
            center=center, basis=np.ascontiguousarray(rows[:count]), spread=spread.astype(np.float32),
        )  # fmt: skip


def _channels(batch: MotionBatch, joints: NDArray[np.int64]) -> Array:
    """(N, T, C) raw channels of windows, made canonical first."""
    batch = canonicalize(batch)
    root = batch.root_position_m.astype(np.float32)
    velocity = np.diff(root[..., [0, 2]], axis=1) * np.float32(batch.fps)
    velocity = np.concatenate([velocity, velocity[:, -1:]], axis=1)
    chosen = np.concatenate([[0], joints])
    sixd = R.unitquat_to_sixd(batch.local_rotations_wxyz[:, :, chosen].astype(np.float32))
    return np.concatenate([root[..., 1:2], velocity, sixd.reshape(*sixd.shape[:2], -1)], axis=-1)


def _scale(values: Array) -> Array:
    """(C,) standard deviations, none below a quarter of their median, so that quiet channels are not blown up."""
    deviation = values.std((0, 1))
    scale: Array = np.maximum(np.maximum(deviation, 0.25 * np.median(deviation)), 1e-4)
    return scale


def _sixd_to_unitquat(sixd: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit quaternions of (..., 6), as :func:`core.rotations.sixd_to_unitquat`, in half a dozen passes over the data.

    The columns become a matrix by Gram-Schmidt (Zhou et al. 2019, eq. 15). The quaternion's magnitudes come from the
    diagonal; the row of the outer product q q^T that belongs to the largest one gives signs and values.
    """
    ax, ay, az, bx, by, bz = (np.ascontiguousarray(sixd[..., k]) for k in range(6))
    inverse = 1 / np.sqrt(np.maximum(ax * ax + ay * ay + az * az, 1e-12))
    ax, ay, az = ax * inverse, ay * inverse, az * inverse
    along = ax * bx + ay * by + az * bz
    bx, by, bz = bx - along * ax, by - along * ay, bz - along * az
    inverse = 1 / np.sqrt(np.maximum(bx * bx + by * by + bz * bz, 1e-12))
    bx, by, bz = bx * inverse, by * inverse, bz * inverse
    cx, cy, cz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    squares = np.stack([1 + ax + by + cz, 1 + ax - by - cz, 1 - ax + by - cz, 1 - ax - by + cz])  # 4 w^2, x^2, y^2, z^2
    wx, wy, wz, xy, xz, yz = bz - cy, cx - az, ay - bx, bx + ay, cx + az, cy + bz  # 4 times the products
    best = np.argmax(squares, axis=0)
    rows = np.stack(
        [
            np.choose(best, [squares[0], wx, wy, wz]),
            np.choose(best, [wx, squares[1], xy, xz]),
            np.choose(best, [wy, xy, squares[2], yz]),
            np.choose(best, [wz, xz, yz, squares[3]]),
        ],
        axis=-1,
    )
    norm = np.linalg.norm(rows, axis=-1, keepdims=True)
    safe: NDArray[np.float32] = np.where(norm > 1e-6, rows / np.maximum(norm, 1e-6), R.IDENTITY_WXYZ).astype(np.float32)
    return safe
