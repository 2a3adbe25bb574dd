"""A body as one triangle mesh per frame: capsules, balls and boxes of :mod:`core.body`, posed with numpy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core import rotations as R
from core.body import Primitive, body_of
from core.motion import Motion
from core.rotations import Array

SIDES = 12  # of a limb's cross-section
ROUND_SIDES = 20  # of a head's or trunk's
ROUND_M = 0.07
RINGS = 3  # per hemisphere
SHADE = {"left": 0.62, "center": 0.85, "right": 1.15}  # left limbs darker, right ones lighter than the trunk
ALARM = "#E6007E"  # parts that are under the floor; the browser's viewer uses the same
ALARM_DEPTH_M = 0.005


@dataclass(frozen=True, eq=False)
class Figure:
    """A motion ready to draw.

    Attributes:
        positions_m, rotations_wxyz: (T, J, 3), (T, J, 4) world, without NaN.
        vertex_m, normal: (V, 3) in the frame of joint ``vertex_joint`` (V,).
        vertex_part: (V,) index of the primitive.
        triangles: (F, 3).
        colors: (V, 3) linear RGB 0..1.
        fps: frames per second.
    """

    positions_m: Array
    rotations_wxyz: Array
    vertex_m: Array
    normal: Array
    vertex_joint: NDArray[np.int64]
    vertex_part: NDArray[np.int64]
    triangles: NDArray[np.int64]
    colors: Array
    fps: float

    def __len__(self) -> int:
        return len(self.positions_m)

    def pose(self, frame: int) -> tuple[Array, Array, Array]:
        """World vertices (V, 3), normals (V, 3) and colours (V, 3) of a frame; sunken points are in alarm colour."""
        turn = self.rotations_wxyz[frame, self.vertex_joint]
        vertices = self.positions_m[frame, self.vertex_joint] + R.rotate(turn, self.vertex_m)
        colors = np.where(vertices[:, 1:2] < -ALARM_DEPTH_M, linear_rgb(ALARM), self.colors)
        return vertices, R.rotate(turn, self.normal), colors


def figure_of(motion: Motion, color: str) -> Figure:
    """Mesh and poses of a motion; frames with NaN show the frame before them, as in the browser."""
    with np.errstate(invalid="ignore", over="ignore"):
        positions, rotations = (np.asarray(part, dtype=np.float64) for part in motion.world())
    readable = np.isfinite(rotations).all((1, 2)) & (np.nan_to_num(np.abs(positions), nan=np.inf) < 1e4).all((1, 2))
    index = np.maximum.accumulate(np.where(readable, np.arange(len(positions)), -1))
    index = np.where(index < 0, max(int(readable.argmax()), 0), index)
    positions, rotations = np.nan_to_num(positions[index]), np.nan_to_num(rotations[index])
    skeleton = motion.skeleton
    parts = [(p, *_shape(p)) for p in body_of(skeleton).primitives]
    counts = [len(vertices) for _, vertices, _, _ in parts]
    starts = np.cumsum([0, *counts[:-1]])
    base = linear_rgb(color)
    shades = [SHADE[skeleton.sides[p.joint]] for p, *_ in parts]
    return Figure(
        positions,
        rotations,
        np.concatenate([vertices for _, vertices, _, _ in parts]),
        np.concatenate([normals for _, _, normals, _ in parts]),
        np.repeat([p.joint for p, *_ in parts], counts),
        np.repeat(np.arange(len(parts)), counts),
        np.concatenate([triangles + start for (*_, triangles), start in zip(parts, starts, strict=True)]),
        np.repeat(np.clip(np.outer(shades, base), 0.0, 1.0), counts, axis=0),
        motion.fps,
    )


def linear_rgb(color: str) -> Array:
    """``#RRGGBB`` (sRGB) as linear light 0..1, which is what shading computes in."""
    srgb = np.array([int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    return srgb**2.2


def _shape(p: Primitive) -> tuple[Array, Array, NDArray[np.int64]]:
    if p.kind == "box":
        return _box(p)
    return _capsule(np.array(p.a), np.array(p.b), p.radius_m, p.radius_b_m if p.kind == "capsule" else p.radius_m)


def _capsule(a: Array, b: Array, radius_a: float, radius_b: float) -> tuple[Array, Array, NDArray[np.int64]]:
    """A round cone: two half balls joined by a tapered tube; equal ends give a ball."""
    along = b - a
    length = float(np.linalg.norm(along))
    axis = along / length if length > 1e-9 else np.array([0.0, 1.0, 0.0])
    helper = np.array([1.0, 0.0, 0.0]) if abs(axis[0]) < 0.9 else np.array([0.0, 0.0, 1.0])
    u = np.cross(axis, helper)
    u /= np.linalg.norm(u)
    v = np.cross(axis, u)
    # The tube touches both balls where their common tangent does: at this latitude, not at the equator.
    tilt = float(np.arcsin(np.clip((radius_a - radius_b) / max(length, 1e-9), -0.95, 0.95))) if length > 1e-9 else 0.0
    sides = ROUND_SIDES if max(radius_a, radius_b) > ROUND_M else SIDES
    rings = RINGS + (sides == ROUND_SIDES) * 2
    lower = np.linspace(-np.pi / 2, tilt, rings + 1)
    upper = np.linspace(tilt, np.pi / 2, rings + 1)
    rows = [(a, radius_a, angle) for angle in lower] + [(b, radius_b, angle) for angle in upper]
    turn = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    around = np.outer(np.cos(turn), u) + np.outer(np.sin(turn), v)
    normals = np.concatenate([np.cos(angle) * around + np.sin(angle) * axis for _, _, angle in rows])
    centers = np.concatenate([np.repeat(center[None], sides, axis=0) for center, _, _ in rows])
    radii = np.repeat([radius for _, radius, _ in rows], sides)
    quads = []
    for row in range(len(rows) - 1):
        for k in range(sides):
            low, high = row * sides, (row + 1) * sides
            n = (k + 1) % sides
            quads += [(low + k, low + n, high + n), (low + k, high + n, high + k)]
    vertices = centers + radii[:, None] * normals
    return vertices, normals, _outward(np.array(quads), vertices, normals)


def _box(p: Primitive) -> tuple[Array, Array, NDArray[np.int64]]:
    """A box with flat faces: 24 vertices."""
    vertices: list[Array] = []
    normals: list[Array] = []
    triangles: list[tuple[int, int, int]] = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            normal = np.zeros(3)
            normal[axis] = sign
            others = [k for k in range(3) if k != axis]
            start = len(vertices)
            for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                corner = normal.copy()
                corner[others] = x, y
                vertices.append(corner)
                normals.append(normal)
            triangles += [(start, start + 1, start + 2), (start, start + 2, start + 3)]
    turn = np.array(p.rotation_wxyz)
    points = np.array(p.a) + R.rotate(turn, np.array(vertices) * p.half_extents_m)
    turned = R.rotate(turn, np.array(normals))
    return points, turned, _outward(np.array(triangles), points, turned)


def _outward(triangles: NDArray[np.int64], vertices: Array, normals: Array) -> NDArray[np.int64]:
    """Triangles wound so that their front faces where the normals point."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    inside = (np.cross(b - a, c - a) * normals[triangles].sum(1)).sum(-1) < 0
    return np.where(inside[:, None], triangles[:, ::-1], triangles)
