"""The floor under a figure, painted with numpy: a 1 m grid that fades into the horizon, and a soft shadow.

A software OpenGL pays for every pixel it shades; the floor fills the picture and stays the same while the camera
stands, so it is computed once per camera pose instead. The shadow is exact for convex parts: the hull of each part's
points, moved along the light onto the floor, blurred.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from core.rotations import Array

HORIZON = np.array([0xEE, 0xF1, 0xF5], dtype=np.float32)
FLOOR = np.array([0xDF, 0xE4, 0xEA], dtype=np.float32)
LINE = np.array([0xA9, 0xB4, 0xC0], dtype=np.float32)
LINE_HALF_M = 0.009
FADE_M = 6.5
CELL_M = 0.02  # of the shadow's map
BLUR_CELLS = 1.3
REACH_M = 5.0  # how far from the camera's target a shadow is kept
DARKNESS = 0.36


@dataclass(frozen=True, eq=False)
class Floor:
    """The floor as one camera sees it.

    Attributes:
        picture: (H, W, 3) float32 0..255 with grid and horizon.
        seen: (H, W) where the floor is.
        x_m, z_m: (H, W) which point of it.
        center_m: (2,) x and z that the camera looks at.
    """

    picture: NDArray[np.float32]
    seen: NDArray[np.bool_]
    x_m: Array
    z_m: Array
    center_m: Array

    def shaded(self, shadow: Image.Image) -> NDArray[np.float32]:
        """The picture under a map from :func:`shadow_map`."""
        dark = np.asarray(shadow, dtype=np.float32)
        half = dark.shape[0] // 2
        column = np.clip((self.x_m - self.center_m[0]) / CELL_M + half, 0, dark.shape[1] - 1).astype(np.int32)
        row = np.clip((self.z_m - self.center_m[1]) / CELL_M + half, 0, dark.shape[0] - 1).astype(np.int32)
        share = dark[row, column] * (DARKNESS / 255.0) * self.seen
        shaded: NDArray[np.float32] = self.picture * (1.0 - share[..., None])
        return shaded


def floor_of(camera_pose: Array, yfov_rad: float, width: int, height: int) -> Floor:
    """The floor y = 0 seen from a camera (4, 4) that looks along its -z."""
    tangent = float(np.tan(yfov_rad / 2))
    camera_pose = camera_pose.astype(np.float32)
    across = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / (height / 2) * tangent
    up = (height / 2 - np.arange(height, dtype=np.float32) - 0.5) / (height / 2) * tangent
    rays = np.stack(
        [*np.broadcast_arrays(across[None], up[:, None]), np.full((height, width), -1.0, np.float32)], axis=-1
    )
    rays = rays @ camera_pose[:3, :3].T
    eye = camera_pose[:3, 3]
    seen = rays[..., 1] < -1e-3
    reach = np.where(seen, -eye[1] / np.where(seen, rays[..., 1], -1.0), 0.0)
    x, z = eye[0] + reach * rays[..., 0], eye[2] + reach * rays[..., 2]
    forward = -camera_pose[:3, 2]
    center = eye[[0, 2]] + forward[[0, 2]] * (-eye[1] / min(float(forward[1]), -1e-2))
    coverage = np.maximum(_lines(x), _lines(z)) * seen
    fade = np.exp(-((np.hypot(x - center[0], z - center[1]) / FADE_M) ** 2)) * seen
    ground = FLOOR + (LINE - FLOOR) * coverage[..., None]
    picture = HORIZON + (ground - HORIZON) * fade[..., None]
    return Floor(picture.astype(np.float32), seen, x, z, center.astype(np.float64))


def shadow_map(parts: list[Array], light: Array, center_m: Array) -> Image.Image:
    """A blurred map, CELL_M per pixel around ``center_m``, of convex parts (P, 3) lit along ``light``."""
    from scipy.spatial import ConvexHull, QhullError

    size = int(2 * REACH_M / CELL_M)
    image = Image.new("L", (size, size), 0)
    draw = ImageDraw.Draw(image)
    for points in parts:
        flat = points - np.maximum(points[:, 1:2], 0.0) / light[1] * light
        cells = (flat[:, [0, 2]] - center_m) / CELL_M + size / 2
        if np.abs(cells - size / 2).max() > size:
            continue
        try:
            outline = cells[ConvexHull(cells).vertices]
        except QhullError:
            continue  # a part seen on edge has no shadow
        draw.polygon([(float(a), float(b)) for a, b in outline], fill=255)
    return image.filter(ImageFilter.GaussianBlur(BLUR_CELLS))


def _lines(coordinate: Array) -> Array:
    """(H, W) how much of each pixel a grid line covers, smoothed by the pixel's size on the floor."""
    distance = np.abs(coordinate - np.round(coordinate))
    pixel = np.maximum(np.hypot(*np.gradient(coordinate)), 1e-4)
    sharp = np.clip((LINE_HALF_M - distance) / pixel + 0.5, 0.0, 1.0)
    covered: Array = sharp * np.clip(3.0 * LINE_HALF_M / pixel, 0.0, 1.0)
    return covered
