"""The kinematic corrector: the least that brings a motion back inside the bounds of real motion."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core import rotations as R
from core.config import Options, digest
from core.draws import Draws
from core.motion import MotionBatch
from core.protocols import Corrections, Reference, Tick, silent
from core.records import Outcome
from corrector.bounds import Bounds, builtin_bounds, learn_bounds
from corrector.denoise import denoise
from corrector.floor import lift, settle
from corrector.kinds import kind_of
from corrector.lock import lock
from corrector.offsets import offsets_of
from corrector.report import Improved, correct_rows
from corrector.stance import anchor
from corrector.threads import one_thread

Array = R.Array

BOUNDS_VERSION = 4
LEAST_NOTED_M = 5e-4


class KinematicOptions(Options):
    """Which steps are taken. Bounds come from the real training windows of each class; for a body without any they are
    built in, class-free and in proportion to leg length."""

    denoise: bool = Field(
        True,
        title="De-noise",
        description="Smooth joints that jitter more than any real window of the class, as weakly as brings them back.",
    )
    floor: bool = Field(
        True,
        title="Floor",
        description="Shift motions that stand clearly above or below the floor; lift what sinks deeper than real ones.",
    )
    anchor: bool = Field(
        True,
        title="Stance anchor",
        description="Take away steady sliding beyond what the class's real windows show by their feet and their poses.",
    )
    lock: bool = Field(
        True,
        title="Foot lock",
        description="Bend the legs where standing feet slip more than in the class's real windows, as far as brings "
        "their slip back to the usual one.",
    )


@dataclass(frozen=True, eq=False)
class Steps:
    """What the kinematic steps did.

    Attributes:
        batch: the motions after them.
        notes: per motion, in words.
        touched: (N,) whether any step moved it.
    """

    batch: MotionBatch
    notes: list[str]
    touched: NDArray[np.bool_]


def take_steps(batch: MotionBatch, bounds: Bounds, options: KinematicOptions) -> Steps:
    """De-noise, floor, stance anchor, as far as the options ask for them."""
    notes: list[list[str]] = [[] for _ in range(len(batch))]
    if options.denoise:
        batch, weight = denoise(batch, bounds)
        for i in np.flatnonzero(weight > 0):
            notes[i].append("de-noised")
    if options.floor or options.anchor:
        offsets = offsets_of(batch, bounds.prior, bounds.rows_of(batch.labels))
    if options.floor:
        batch, shift = settle(batch, bounds, offsets)
        for i in np.flatnonzero(np.abs(shift) > LEAST_NOTED_M):
            notes[i].append(f"shifted {shift[i] * 100:+.1f} cm")
    if options.anchor:
        batch, speed = anchor(batch, bounds, offsets)
        for i in np.flatnonzero(speed > 0):
            notes[i].append(f"foot slide of {speed[i]:.2f} m/s removed")
    if options.lock:
        batch, firmly = lock(batch, bounds)
        for i in np.flatnonzero(firmly > 0):
            notes[i].append(f"feet held by {firmly[i] * 100:.0f} %")
    if options.floor:
        batch, height = lift(batch, bounds)
        for i in np.flatnonzero(height > 0):
            notes[i].append(f"lifted by up to {height[i] * 100:.1f} cm")
    touched = np.array([bool(note) for note in notes], dtype=bool)
    return Steps(batch, [", ".join(note) for note in notes], touched)


@dataclass(frozen=True)
class BoundsSource:
    """Bounds for the batch at hand: learned where it is the reference's kind of motion, else built in."""

    reference: Reference | None

    def applies_to(self, batch: MotionBatch) -> bool:
        """Whether the reference's real windows are of the same body and frame rate."""
        if self.reference is None:
            return False
        real = self.reference.real
        return bool(real.skeleton == batch.skeleton and real.fps == batch.fps and len(real))

    def bounds_for(self, batch: MotionBatch, tick: Tick) -> Bounds:
        if self.reference is None or not self.applies_to(batch):
            return builtin_bounds(batch.skeleton, batch.fps)
        real = self.reference.real

        def compute() -> Bounds:
            tick(0.0, "Learning the bounds of real motion")
            return learn_bounds(real, lambda fraction: tick(fraction, "Learning the bounds of real motion"))

        key = f"bounds-{digest([self.reference.digest, BOUNDS_VERSION])}"
        return Bounds.from_item(self.reference.memo.get(key, lambda: compute().as_item(), tick))


@dataclass(frozen=True)
class Kinematic:
    """Implements :class:`core.protocols.Corrector`."""

    options: KinematicOptions
    source: BoundsSource
    splittable: bool = True

    def correct(
        self, samples: MotionBatch, *, rows: slice = slice(None), seed: int = 0, tick: Tick = silent
    ) -> Corrections:
        """See the protocol. The seed is not used: the same motion always gives the same result."""
        del seed
        with one_thread():
            bounds = self.source.bounds_for(samples, tick)

            def improve(batch: MotionBatch, index: NDArray[np.int64], tick: Tick) -> Improved:
                del index, tick
                steps = take_steps(batch, bounds, self.options)
                return Improved(steps.batch, steps.notes)

            return correct_rows(samples, rows, improve, tick)


UNTOUCHED = Outcome("unchanged")


@dataclass(frozen=True)
class Unchanged:
    """The corrector that leaves every usable sample as it is, and still measures it."""

    splittable: bool = True

    def correct(self, samples: Any, *, rows: slice = slice(None), seed: Any = 0, tick: Tick = silent) -> Corrections:
        """See the protocol."""
        del seed
        if isinstance(samples, Draws):  # in every generation of milliseconds, so what is known beforehand is not asked
            chosen = samples.take(rows)
            if not any(kind_of(chosen).rejections(chosen)):
                return Corrections(chosen, (UNTOUCHED,) * len(chosen))
        return correct_rows(samples, rows, lambda batch, *_: Improved(batch, [""] * len(batch)), tick)
