"""What a data set gives: balanced windows of clips, the same for the same question."""

from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidConfig
from core.motion import MotionBatch, canonicalize, lateral_axis, mirrored
from core.rotations import Array
from core.skeleton import Skeleton
from model.datasets.captions import image_index

WINDOW_FRAMES = 40
WINDOW_FPS = 20.0
WINDOW_S = (WINDOW_FRAMES - 1) / WINDOW_FPS  # from the first frame to the last, by default

Split = Literal["train", "held-out"]
_TRAIN, _EVALUATOR, _HELD_OUT = 0, 1, 2  # streams of random numbers, the last one per draw
_CAPTIONS = 1  # the stream beside each of them that captions are chosen by


class Clips(Protocol):
    """Long recordings that windows are cut from."""

    def cut(self, split: Split, labels: NDArray[np.int64], where: Array) -> tuple[Array, Array]:
        """One window per label.

        Args:
            labels: (N,) class indices.
            where: (N,) in [0, 1), position within the class's recordings.

        Returns:
            Root positions (N, T, 3) in metres and local rotations wxyz (N, T, J, 4), T being the data set's frames.
        """
        ...

    def captions(self, split: Split, labels: NDArray[np.int64], where: Array, which: Array) -> NDArray[np.int64]:
        """(N,) a caption of the recording that each window of :meth:`cut` comes from, as an index of the data set's.

        Args:
            which: (N,) in [0, 1), which one of a recording's captions.

        Returns:
            -1 where a recording has none.
        """
        ...


@dataclass(frozen=True, eq=False)
class Dataset:
    """Windows (by default 2 s at 20 fps), classes in turn, in canonical position and heading, float32.

    Attributes:
        name: of the registry's entry.
        skeleton: its body.
        class_names: K names; labels index them.
        digest: of content and options.
        card: title, source, licence, clips, seconds, split, notes; JSON-ready.
        clips: where windows are cut from.
        mirror: whether every second window (by chance) is a left-right mirror image.
        fps, frames: of every window.
        captions: K texts, each once; windows name theirs by index, mirror images that of the mirrored words. Empty
            where nothing is said of the clips.
    """

    name: str
    skeleton: Skeleton
    class_names: tuple[str, ...]
    digest: str
    card: dict[str, Any]
    clips: Clips
    mirror: bool = True
    fps: float = WINDOW_FPS
    frames: int = WINDOW_FRAMES
    captions: tuple[str, ...] = ()

    def train(self, count: int) -> MotionBatch:
        """``count`` training windows; the first ones are the same for every count."""
        return self._draw("train", count, _TRAIN)

    def evaluator_train(self, count: int) -> MotionBatch:
        """Other windows of the training split, for the evaluator to learn from."""
        return self._draw("train", count, _EVALUATOR)

    def evaluator_images(self, count: int) -> NDArray[np.bool_]:
        """(count,) which windows of :meth:`evaluator_train` are mirror images of what was recorded."""
        return self._flips(self._chance(count, _EVALUATOR))

    def held_out(self, count: int, draw: int = 0) -> MotionBatch:
        """Windows of the held-out split; other ones for every ``draw``."""
        return self._draw("held-out", count, _HELD_OUT + draw)

    def _draw(self, split: Split, count: int, stream: int) -> MotionBatch:
        if count < 1:
            raise InvalidConfig(f"A data set is asked for at least one window; got {count}.", "", "n")
        chance = self._chance(count, stream)
        labels = np.arange(count, dtype=np.int64) % len(self.class_names)
        root, rotations = self.clips.cut(split, labels, chance[:, 0])
        captions = np.full(count, -1, np.int64)
        if self.captions:
            which = np.random.default_rng([crc32(self.digest.encode()), stream, _CAPTIONS]).random(count)
            captions = self.clips.captions(split, labels, chance[:, 0], which)
        batch = MotionBatch(self.skeleton, root, rotations, self.fps, labels, captions)
        if self.mirror:
            image = mirrored(batch, lateral_axis(self.skeleton))
            flip = self._flips(chance)
            batch = replace(
                batch,
                root_position_m=np.where(flip[:, None, None], image.root_position_m, batch.root_position_m),
                local_rotations_wxyz=np.where(
                    flip[:, None, None, None], image.local_rotations_wxyz, batch.local_rotations_wxyz
                ),
                captions=np.where(flip, image_index(self.captions)[captions], captions),
            )
        batch = canonicalize(batch)
        return batch.with_arrays(batch.arrays())  # as it is stored: float32

    def _chance(self, count: int, stream: int) -> Array:
        """(count, 2) in [0, 1): where each window is cut, and on which side it is shown."""
        return np.random.default_rng([crc32(self.digest.encode()), stream]).random((count, 2))

    def _flips(self, chance: Array) -> NDArray[np.bool_]:
        flips: NDArray[np.bool_] = (chance[:, 1] < 0.5) & self.mirror
        return flips


def slerp_near(a: Array, b: Array, weight: Array) -> Array:
    """Spherical interpolation (Shoemake 1985) of quaternions (..., 4) by the shorter arc, in their own precision.

    The sine form: about ten times faster than the general one of core.rotations, for the millions of frames cut here.
    """
    dot = (a * b).sum(-1)
    b = np.where(dot[..., None] < 0, -b, b)
    angle = np.arccos(np.minimum(np.abs(dot), 1.0))
    sine = np.sin(angle)
    near = sine < 1e-4
    safe = np.where(near, 1.0, sine)
    weight_a = np.where(near, 1.0 - weight, np.sin((1.0 - weight) * angle) / safe)[..., None]
    weight_b = np.where(near, weight, np.sin(weight * angle) / safe)[..., None]
    mixed: Array = weight_a * a + weight_b * b
    unit: Array = mixed / np.linalg.norm(mixed, axis=-1, keepdims=True)
    return unit
