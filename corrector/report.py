"""From corrected motions to :class:`core.protocols.Corrections`: rejections, outcomes, what moved by how much."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from core import rotations as R
from core.motion import MotionBatch
from core.protocols import Corrections, Tick
from core.records import Outcome
from corrector.checks import rejections
from corrector.features import window_artefacts

Array = R.Array

BLOCK = 64
"""Motions that are corrected in one go, between two calls of tick."""
LEFT_ALONE_M = 1e-6


@dataclass(frozen=True, eq=False)
class Improved:
    """What a corrector made of usable motions.

    Attributes:
        batch: (N) motions, float64.
        notes: per motion what was done, in words; "" for nothing.
        failures: per motion why it is rejected after all; "" for not.
        residual_force_bw: (N, T) force from outside the physics, in body weights.
    """

    batch: MotionBatch
    notes: list[str]
    failures: list[str] = field(default_factory=list)
    residual_force_bw: Array | None = None


Improve = Callable[[MotionBatch, NDArray[np.int64], Tick], Improved]
"""``improve(batch, index, tick)``: usable motions as float64 with unit rotations, and which samples they are."""


def correct_rows(samples: MotionBatch, rows: slice, improve: Improve, tick: Tick) -> Corrections:
    """Run ``improve`` over the usable motions among ``rows``, block by block.

    Rejected and unmoved motions come back exactly as they were.
    """
    index = np.arange(len(samples))[rows]
    parts = []
    for start in range(0, len(index), BLOCK):
        chosen = index[start : start + BLOCK]

        def part_tick(fraction: float, sentence: str, start: int = start, size: int = len(chosen)) -> None:
            tick((start + fraction * size) / len(index), sentence)

        part_tick(0.0, f"Correcting motion {start + 1} of {len(index)}")
        parts.append(_correct_block(samples.take(chosen), chosen, improve, part_tick))
    if not parts:
        return Corrections(samples.take(index), (), {"residual_force_bw": np.zeros((0, samples.frames))})
    tick(1.0, f"Corrected {len(index)} motions")
    first, *others = (part.samples for part in parts)
    return Corrections(
        first.concat(others) if others else first,
        tuple(outcome for part in parts for outcome in part.outcomes),
        {"residual_force_bw": np.concatenate([part.tracks["residual_force_bw"] for part in parts])},
    )


def _correct_block(samples: MotionBatch, index: NDArray[np.int64], improve: Improve, tick: Tick) -> Corrections:
    reasons = rejections(samples)
    usable = np.flatnonzero([not reason for reason in reasons])
    residual = np.zeros((len(samples), samples.frames))
    outcomes = [Outcome("rejected", reason) for reason in reasons]
    if not len(usable):
        return Corrections(samples, tuple(outcomes), {"residual_force_bw": residual})
    before = precise(samples.take(usable))
    improved = improve(before, index[usable], tick)
    failures = improved.failures or [""] * len(usable)
    moved = moved_m(before, improved.batch)
    measured_before = window_artefacts(before)
    changed = np.flatnonzero(moved > LEFT_ALONE_M)
    measured_after = {name: values.copy() for name, values in measured_before.items()}
    for name, values in window_artefacts(improved.batch.take(changed)).items():
        measured_after[name][changed] = values
    root, rotations = samples.root_position_m.copy(), samples.local_rotations_wxyz.copy()
    for k, i in enumerate(usable):
        was = {name: float(values[k]) for name, values in measured_before.items()}
        if failures[k]:
            outcomes[i] = Outcome("rejected", failures[k], before=was, after=was)
            continue
        if improved.residual_force_bw is not None:
            residual[i] = improved.residual_force_bw[k]
        now = {name: float(values[k]) for name, values in measured_after.items()}
        force = float(residual[i].mean()) if samples.frames else 0.0
        if moved[k] <= LEFT_ALONE_M:
            outcomes[i] = Outcome("unchanged", improved.notes[k], 0.0, force, was, was)
            continue
        root[i] = improved.batch.root_position_m[k]
        rotations[i] = improved.batch.local_rotations_wxyz[k]
        outcomes[i] = Outcome("corrected", improved.notes[k], float(moved[k]), force, was, now)
    corrected = replace(samples, root_position_m=root, local_rotations_wxyz=rotations)
    return Corrections(corrected, tuple(outcomes), {"residual_force_bw": residual})


def precise(batch: MotionBatch) -> MotionBatch:
    """The same motions as float64 with unit rotations."""
    return replace(
        batch,
        root_position_m=batch.root_position_m.astype(np.float64),
        local_rotations_wxyz=R.normalize(batch.local_rotations_wxyz.astype(np.float64)),
    )


def moved_m(before: MotionBatch, after: MotionBatch) -> Array:
    """(N,) mean joint distance, metres."""
    if before is after:
        return np.zeros(len(before))
    distance = np.linalg.norm(before.world()[0] - after.world()[0], axis=-1)
    return np.asarray(distance.mean((1, 2)))
