"""Rotations as unit quaternions wxyz, numpy, any leading batch shape. Names say from -> to.

A quaternion q rotates a vector by ``q v q*``; ``multiply(a, b)`` applies b first, then a, like matrices.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

IDENTITY_WXYZ = np.array([1.0, 0.0, 0.0, 0.0])


def normalize(wxyz: Array) -> Array:
    """Unit quaternions (..., 4); a zero quaternion becomes the identity."""
    norm = np.linalg.norm(wxyz, axis=-1, keepdims=True)
    return np.where(norm > 1e-9, wxyz / np.maximum(norm, 1e-9), IDENTITY_WXYZ.astype(wxyz.dtype))


def multiply(a: Array, b: Array) -> Array:
    """Hamilton product (..., 4): the rotation b followed by a."""
    aw, ax, ay, az = np.moveaxis(a, -1, 0)
    bw, bx, by, bz = np.moveaxis(b, -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def conjugate(wxyz: Array) -> Array:
    """Inverse of unit quaternions (..., 4)."""
    return wxyz * np.array([1.0, -1.0, -1.0, -1.0], dtype=wxyz.dtype)


def rotate(wxyz: Array, vector: Array) -> Array:
    """Vectors (..., 3) rotated by unit quaternions (..., 4); leading shapes broadcast."""
    # Written out, because np.cross takes five times as long.
    w, x, y, z = np.moveaxis(wxyz, -1, 0)
    vx, vy, vz = np.moveaxis(vector, -1, 0)
    tx, ty, tz = 2.0 * (y * vz - z * vy), 2.0 * (z * vx - x * vz), 2.0 * (x * vy - y * vx)
    return np.stack(
        [vx + w * tx + (y * tz - z * ty), vy + w * ty + (z * tx - x * tz), vz + w * tz + (x * ty - y * tx)], axis=-1
    )


def unitquat_to_rotvec(wxyz: Array) -> Array:
    """Rotation vector (..., 3), radians, of the shortest rotation."""
    q = np.where(wxyz[..., :1] < 0, -wxyz, wxyz)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, q[..., :1])
    return q[..., 1:] * np.where(sine > 1e-8, angle / np.maximum(sine, 1e-12), 2.0)


def rotvec_to_unitquat(rotvec: Array) -> Array:
    """Unit quaternion (..., 4) of a rotation vector (..., 3) in radians."""
    angle = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    scale = np.where(angle > 1e-8, np.sin(angle / 2) / np.maximum(angle, 1e-12), 0.5)
    return np.concatenate([np.cos(angle / 2), rotvec * scale], axis=-1)


def unitquat_to_rotmat(wxyz: Array) -> Array:
    """Rotation matrices (..., 3, 3)."""
    w, x, y, z = np.moveaxis(wxyz, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def rotmat_to_unitquat(matrix: Array) -> Array:
    """Unit quaternions (..., 4) of rotation matrices (..., 3, 3), w >= 0.

    Shepperd's method, branch-free: of the four equivalent formulas the one with the largest pivot is taken.
    """
    m = matrix
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    pivots = np.stack([trace, m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]], axis=-1)
    yz, zx, xy = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    sxy, sxz, syz = m[..., 1, 0] + m[..., 0, 1], m[..., 0, 2] + m[..., 2, 0], m[..., 2, 1] + m[..., 1, 2]
    candidates = np.stack(
        [
            np.stack([1 + trace, yz, zx, xy], axis=-1),
            np.stack([yz, 1 - trace + 2 * m[..., 0, 0], sxy, sxz], axis=-1),
            np.stack([zx, sxy, 1 - trace + 2 * m[..., 1, 1], syz], axis=-1),
            np.stack([xy, sxz, syz, 1 - trace + 2 * m[..., 2, 2]], axis=-1),
        ],
        axis=-2,
    )
    best = np.argmax(pivots, axis=-1)
    quat = normalize(np.take_along_axis(candidates, best[..., None, None], axis=-2)[..., 0, :])
    return np.where(quat[..., :1] < 0, -quat, quat)


def unitquat_to_sixd(wxyz: Array) -> Array:
    """First two columns of the rotation matrix, (..., 6) (Zhou et al. 2019, continuous representation)."""
    matrix = unitquat_to_rotmat(wxyz)
    return np.concatenate([matrix[..., :, 0], matrix[..., :, 1]], axis=-1)


def sixd_to_unitquat(sixd: Array) -> Array:
    """Unit quaternions of any two 3-vectors (..., 6), by Gram-Schmidt (Zhou et al. 2019, eq. 15)."""
    first, second = sixd[..., :3], sixd[..., 3:]
    x = first / np.maximum(np.linalg.norm(first, axis=-1, keepdims=True), 1e-9)
    second = second - (x * second).sum(-1, keepdims=True) * x
    y = second / np.maximum(np.linalg.norm(second, axis=-1, keepdims=True), 1e-9)
    return rotmat_to_unitquat(np.stack([x, y, np.cross(x, y)], axis=-1))


def yaw_to_unitquat(yaw_rad: Array) -> Array:
    """Rotation by yaw about +y: (...,) radians -> (..., 4)."""
    half = np.asarray(yaw_rad) / 2
    zero = np.zeros_like(half)
    return np.stack([np.cos(half), zero, np.sin(half), zero], axis=-1)


def make_continuous(wxyz: Array, axis: int = 0) -> Array:
    """Flip signs along the time axis so that neighbouring quaternions lie in one hemisphere."""
    q = np.moveaxis(wxyz, axis, 0).copy()
    if len(q) > 1:
        signs = np.where((q[1:] * q[:-1]).sum(-1) < 0, -1.0, 1.0)
        q[1:] *= np.cumprod(signs, axis=0)[..., None]
    return np.moveaxis(q, 0, axis)


def slerp(a: Array, b: Array, weight: Array) -> Array:
    """Spherical interpolation (Shoemake 1985) by the shorter arc; weight broadcasts over (...,)."""
    step = unitquat_to_rotvec(multiply(conjugate(a), b))
    return multiply(a, rotvec_to_unitquat(step * np.asarray(weight)[..., None]))


def resample(wxyz: Array, source_s: Array, target_s: Array) -> Array:
    """Quaternions (T, ..., 4) given at times source_s (T,), interpolated at target_s (S,) -> (S, ..., 4)."""
    if len(source_s) == 1:
        return np.repeat(wxyz, len(target_s), axis=0)
    left = np.clip(np.searchsorted(source_s, target_s, side="right") - 1, 0, len(source_s) - 2)
    weight = np.clip((target_s - source_s[left]) / (source_s[left + 1] - source_s[left]), 0.0, 1.0)
    weight = weight.reshape(-1, *([1] * (wxyz.ndim - 2)))
    return slerp(wxyz[left], wxyz[left + 1], weight)


def geodesic_angle(a: Array, b: Array) -> Array:
    """Angle in radians between rotations, (...,)."""
    angle: Array = np.linalg.norm(unitquat_to_rotvec(multiply(conjugate(a), b)), axis=-1)
    return angle
