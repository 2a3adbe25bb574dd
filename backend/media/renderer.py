"""Draws figures on the floor with pyrender. Imported in the child process only: it opens an OpenGL context.

OpenGL draws the figure alone, one mesh uploaded anew per frame (cheaper than moving forty nodes, and points can change
colour); floor and shadow come from :mod:`backend.media.ground`. pyrender's own shadow maps cover the whole scene with
one texture, coarse at a figure's size, and need numpy names that numpy 2 no longer has.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Any

import numpy as np
import pyrender
from numpy.typing import NDArray
from PIL import Image, ImageChops

from backend.media.camera import YFOV_RAD
from backend.media.figure import Figure
from backend.media.ground import HORIZON, Floor, floor_of, shadow_map
from core.rotations import Array

KEY = np.array([0.35, -1.0, -0.3])  # where the light shines to, seen from the camera: right, up, back
LIGHTS = ((KEY, [1.0, 0.98, 0.95], 3.4), (np.array([-0.8, -0.35, -0.5]), [0.9, 0.95, 1.0], 0.9))


class Renderer:
    """One off-screen OpenGL context and one scene, reused for every picture of a job."""

    def __init__(self, width: int, height: int) -> None:
        self._size = width, height
        self._target = pyrender.OffscreenRenderer(width, height)
        self._scene = pyrender.Scene(bg_color=[0.0, 0.0, 0.0, 0.0], ambient_light=[0.34, 0.35, 0.37])
        self._camera = self._scene.add(pyrender.PerspectiveCamera(yfov=YFOV_RAD, znear=0.1, zfar=60.0))
        self._lights = [
            (self._scene.add(pyrender.DirectionalLight(color=color, intensity=intensity)), direction)
            for direction, color, intensity in LIGHTS
        ]
        self._pose: Array = np.zeros((4, 4))
        self._floor: Floor | None = None

    def __enter__(self) -> "Renderer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._target.delete()

    def draw(self, poses: Sequence[tuple[Figure, int, float]], camera_pose: Array) -> Image.Image:
        """Figures at frames, seen from (4, 4); the third number fades a figure into the horizon (0 = not at all)."""
        if self._floor is None or not np.array_equal(self._pose, camera_pose):
            self._floor = floor_of(camera_pose, YFOV_RAD, *self._size)
            self._pose = camera_pose
            self._scene.set_pose(self._camera, camera_pose)
            for node, direction in self._lights:
                self._scene.set_pose(node, _light_pose(_heading(camera_pose) @ direction))
        shadow: Image.Image | None = None
        picture = self._floor.picture
        layers = []
        for figure, frame, fade in poses:
            vertices, normals, colors = figure.pose(frame)
            parts = np.split(vertices, np.flatnonzero(np.diff(figure.vertex_part)) + 1)
            cast = shadow_map(parts, _heading(camera_pose) @ KEY, self._floor.center_m)
            cast = cast.point([int(v * (1.0 - fade)) for v in range(256)])
            shadow = cast if shadow is None else ImageChops.lighter(shadow, cast)
            layers.append((self._figure(vertices, figure.triangles, colors, normals), fade))
        if shadow is not None:
            picture = self._floor.shaded(shadow)
        for layer, fade in layers:
            opacity = layer[..., 3:] / np.float32(255.0)
            tinted = layer[..., :3] * (1.0 - fade) + HORIZON * fade * opacity
            picture = picture * (1.0 - opacity) + tinted
        return Image.fromarray(np.clip(picture, 0.0, 255.0).astype(np.uint8))

    def _figure(self, vertices: Array, triangles: NDArray[np.int64], colors: Array, normals: Array) -> Any:
        """(H, W, 4) on transparent black, so that the edges' colours are already multiplied by their opacity."""
        node = self._scene.add(_mesh(vertices, triangles, colors, normals))
        try:
            layer, _ = self._target.render(self._scene, flags=pyrender.RenderFlags.RGBA)
        finally:
            self._scene.remove_node(node)
        return layer


def _mesh(vertices: Array, triangles: NDArray[np.int64], colors: Array, normals: Array) -> Any:
    """A matte, opaque mesh with one colour (linear RGB) per vertex."""
    primitive = pyrender.Primitive(
        positions=vertices.astype(np.float32),
        normals=normals.astype(np.float32),
        color_0=np.concatenate([colors, np.ones((len(colors), 1))], axis=1).astype(np.float32),
        indices=triangles.astype(np.uint32),
        material=pyrender.MetallicRoughnessMaterial(metallicFactor=0.0, roughnessFactor=0.7, alphaMode="OPAQUE"),
        mode=4,
    )
    return pyrender.Mesh([primitive])


def _heading(camera_pose: Array) -> Array:
    """(3, 3) the camera's turn about the vertical: lights turn with it, so that the seen side is always lit."""
    right = camera_pose[:3, 0]
    up = np.array([0.0, 1.0, 0.0])
    return np.stack([right, up, np.cross(right, up)], axis=1)


def _light_pose(direction: Array) -> Array:
    """(4, 4) pose of a light that shines along ``direction`` (its own -z)."""
    back = -direction / np.linalg.norm(direction)
    right = np.cross([0.0, 1.0, 0.01], back)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(back, right), back], axis=1)
    return pose
