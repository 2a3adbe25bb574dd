"""From corrected motions to :class:`core.protocols.Corrections`: rejections, outcomes, what moved by how much."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from core import rotations as R
from core.motion import MotionBatch
from core.protocols import Corrections, Tick
from core.records import Arrays, Outcome
from corrector.checks import rejections
from corrector.features import window_artefacts

Array = R.Array

BLOCK = 64
"""Motions that are corrected in one go, between two calls of tick."""
LEFT_ALONE_M = 1e-6
TRACKS = ("residual_force_bw", "residual_torque_nm", "tracking_error_m")
"""Per-frame tracks: help from outside the physics, and the mean joint distance between a simulated body and what it
follows; 0 where nothing was simulated. A rejected sample keeps the tracks of the simulation that failed."""


@dataclass(frozen=True, eq=False)
class Improved:
    """What a corrector made of usable motions.

    Attributes:
        batch: (N) motions, float64.
        notes: per motion what was done, in words; "" for nothing.
        failures: per motion why it is rejected after all; "" for not.
        tracks: (N, T) arrays by a name of TRACKS; missing ones are 0.
        simulations: per motion what its simulation needed, as in :class:`core.records.Outcome`.
    """

    batch: MotionBatch
    notes: list[str]
    failures: list[str] = field(default_factory=list)
    tracks: Arrays = field(default_factory=dict)
    simulations: Sequence[Mapping[str, float]] = ()


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
        return Corrections(samples.take(index), (), {name: np.zeros((0, samples.frames)) for name in TRACKS})
    tick(1.0, f"Corrected {len(index)} motions")
    first, *others = (part.samples for part in parts)
    return Corrections(
        first.concat(others) if others else first,
        tuple(outcome for part in parts for outcome in part.outcomes),
        {name: np.concatenate([part.tracks[name] for part in parts]) for name in TRACKS},
    )


def _correct_block(samples: MotionBatch, index: NDArray[np.int64], improve: Improve, tick: Tick) -> Corrections:
    reasons = rejections(samples)
    usable = np.flatnonzero([not reason for reason in reasons])
    tracks = {name: np.zeros((len(samples), samples.frames)) for name in TRACKS}
    outcomes = [Outcome("rejected", reason) for reason in reasons]
    if not len(usable):
        return Corrections(samples, tuple(outcomes), tracks)
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
    for name, values in improved.tracks.items():
        tracks[name][usable] = values
    simulations = improved.simulations or [{}] * len(usable)
    for k, i in enumerate(usable):
        simulation = simulations[k]
        was = {name: float(values[k]) for name, values in measured_before.items()}
        if failures[k]:
            outcomes[i] = Outcome("rejected", failures[k], before=was, after=was, simulation=simulation)
            continue
        now = {name: float(values[k]) for name, values in measured_after.items()}
        force = float(simulation.get("residual_force_bw", 0.0))
        if moved[k] <= LEFT_ALONE_M:
            outcomes[i] = Outcome("unchanged", improved.notes[k], 0.0, force, was, was, simulation)
            continue
        root[i] = improved.batch.root_position_m[k]
        rotations[i] = improved.batch.local_rotations_wxyz[k]
        outcomes[i] = Outcome("corrected", improved.notes[k], float(moved[k]), force, was, now, simulation)
    corrected = replace(samples, root_position_m=root, local_rotations_wxyz=rotations)
    return Corrections(corrected, tuple(outcomes), tracks)


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
