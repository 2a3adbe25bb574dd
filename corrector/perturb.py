"""Known ways to break real motion, so that what a corrector does to them can be measured.

Every draw comes from the seed and the perturbation's name: the same windows are broken alike at every strength, only
more. y up, metres, seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from core import rotations as R
from core.motion import MotionBatch
from corrector.report import precise

ROOT_JITTER_M_PER_RAD = 0.3
TELEPORT_M = 2.0

Apply = Callable[[MotionBatch, float, np.random.Generator], MotionBatch]
UP = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True)
class Perturbation:
    """One way to break a motion.

    Attributes:
        title: what tables call it.
        unit: of the strength.
        strengths: weak, middle, strong.
        apply: ``apply(batch, strength, rng)``; strength 0 changes nothing.
    """

    title: str
    unit: str
    strengths: tuple[float, float, float]
    apply: Apply

    def words(self, strength: float) -> str:
        """``Jitter 0.1 rad``."""
        return f"{self.title} {strength:g} {self.unit}"


def perturbed(batch: MotionBatch, name: str, strength: float, seed: int = 0) -> MotionBatch:
    """The motions, broken in the way of that name in :data:`PERTURBATIONS`; float64 with unit rotations."""
    return PERTURBATIONS[name].apply(precise(batch), strength, generator_for(name, seed))


def generator_for(name: str, seed: int) -> np.random.Generator:
    """The draws of one perturbation, independent of every other's."""
    return np.random.default_rng([seed, crc32(name.encode())])


# --- graded: of these an audit measures three strengths ---


def jittered(batch: MotionBatch, angle_rad: float, root_m: float, rng: np.random.Generator) -> MotionBatch:
    """White noise per frame: a rotation vector of that standard deviation per axis and joint, and the root's place."""
    angles = rng.normal(size=(*batch.local_rotations_wxyz.shape[:-1], 3))
    offsets = rng.normal(size=batch.root_position_m.shape)
    return replace(
        batch,
        root_position_m=batch.root_position_m + root_m * offsets,
        local_rotations_wxyz=R.multiply(batch.local_rotations_wxyz, R.rotvec_to_unitquat(angle_rad * angles)),
    )


def slid(batch: MotionBatch, speed_m_s: float, rng: np.random.Generator) -> MotionBatch:
    """A constant horizontal velocity on top, in a direction of its own per motion: the feet slide along."""
    direction = rng.normal(size=(len(batch), 1, 2))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    seconds = np.arange(batch.frames)[None, :, None] / batch.fps
    root = batch.root_position_m.copy()
    root[..., [0, 2]] += speed_m_s * direction * seconds
    return replace(batch, root_position_m=root)


def raised(batch: MotionBatch, height_m: float) -> MotionBatch:
    """The whole motion higher (or, below zero, lower)."""
    return replace(batch, root_position_m=batch.root_position_m + height_m * UP)


PERTURBATIONS: dict[str, Perturbation] = {
    "jitter": Perturbation(
        "Jitter", "rad", (0.03, 0.1, 0.3), lambda b, s, rng: jittered(b, s, ROOT_JITTER_M_PER_RAD * s, rng)
    ),
    "slide": Perturbation("Slide", "m/s", (0.1, 0.3, 0.6), slid),
    "low": Perturbation("Too low", "m", (0.02, 0.05, 0.1), lambda b, s, _: raised(b, -s)),
    "high": Perturbation("Too high", "m", (0.02, 0.05, 0.1), lambda b, s, _: raised(b, s)),
}
"""What an audit measures; strength 0.1 rad of jitter comes with 3 cm at the root."""


# --- gross: what a corrector must survive ---


def sped_up(batch: MotionBatch, factor: int) -> MotionBatch:
    """Every ``factor``-th frame at the old rate: that many times as fast, and as much shorter."""
    return replace(
        batch,
        root_position_m=batch.root_position_m[:, ::factor],
        local_rotations_wxyz=batch.local_rotations_wxyz[:, ::factor],
    )


def shuffled(batch: MotionBatch, blocks: int, rng: np.random.Generator) -> MotionBatch:
    """The frames cut into blocks, these in another order (never the old one): poses and places jump."""
    parts = np.array_split(np.arange(batch.frames), blocks)
    order = rng.permutation(blocks)
    if (order == np.arange(blocks)).all():
        order = np.roll(order, 1)
    frames = np.concatenate([parts[k] for k in order])
    return replace(
        batch,
        root_position_m=batch.root_position_m[:, frames],
        local_rotations_wxyz=batch.local_rotations_wxyz[:, frames],
    )


def random_noise(batch: MotionBatch, rng: np.random.Generator) -> MotionBatch:
    """No motion at all: every joint turned at random in every frame, the root within decimetres of its mean place."""
    mean = batch.root_position_m.mean(1, keepdims=True)
    return replace(
        batch,
        root_position_m=mean + 0.1 * rng.normal(size=batch.root_position_m.shape),
        local_rotations_wxyz=R.normalize(rng.normal(size=batch.local_rotations_wxyz.shape)),
    )


def without_numbers(batch: MotionBatch) -> MotionBatch:
    """All NaN, as a model that diverged returns it."""
    return replace(
        batch,
        root_position_m=np.full(batch.root_position_m.shape, np.nan),
        local_rotations_wxyz=np.full(batch.local_rotations_wxyz.shape, np.nan),
    )


def teleported(batch: MotionBatch, distance_m: float, rng: np.random.Generator) -> MotionBatch:
    """From the middle frame on somewhere else, in a horizontal direction of its own per motion."""
    angle = rng.uniform(0, 2 * np.pi, len(batch))
    jump = distance_m * np.stack([np.cos(angle), np.zeros(len(batch)), np.sin(angle)], axis=-1)
    root = batch.root_position_m.copy()
    root[:, batch.frames // 2 :] += jump[:, None]
    return replace(batch, root_position_m=root)
