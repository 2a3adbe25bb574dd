"""From corrected samples to :class:`core.protocols.Corrections`: rejections, outcomes, what moved by how much."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.protocols import Corrections, Tick
from core.records import Arrays, Outcome
from corrector.kinds import TRACKS as TRACKS
from corrector.kinds import kind_of
from corrector.kinds import moved_m as moved_m
from corrector.kinds import precise as precise


@dataclass(frozen=True, eq=False)
class Improved:
    """What a corrector made of usable samples.

    Attributes:
        batch: (N) samples, float64.
        notes: per sample what was done, in words; "" for nothing.
        failures: per sample why it is rejected after all; "" for not.
        tracks: (N, T) arrays by a name of TRACKS; missing ones are 0.
        simulations: per motion what its simulation needed, as in :class:`core.records.Outcome`.
    """

    batch: Any
    notes: list[str]
    failures: list[str] = field(default_factory=list)
    tracks: Arrays = field(default_factory=dict)
    simulations: Sequence[Mapping[str, float]] = ()


Improve = Callable[[Any, NDArray[np.int64], Tick], Improved]
"""``improve(batch, index, tick)``: usable samples as float64 (motions with unit rotations), and which ones they are."""


def correct_rows(samples: Any, rows: slice, improve: Improve, tick: Tick) -> Corrections:
    """Run ``improve`` over the usable samples among ``rows``, block by block.

    Rejected and unmoved samples come back exactly as they were.
    """
    index = np.arange(len(samples))[rows]
    kind = kind_of(samples)
    parts = []
    for start in range(0, len(index), kind.block):
        chosen = index[start : start + kind.block]

        def part_tick(fraction: float, sentence: str, start: int = start, size: int = len(chosen)) -> None:
            tick((start + fraction * size) / len(index), sentence)

        part_tick(0.0, f"Correcting {kind.word} {start + 1} of {len(index)}")
        parts.append(_correct_block(samples.take(chosen), chosen, improve, part_tick))
    if not parts:
        empty = samples.take(index)
        return Corrections(empty, (), kind.tracks(empty))
    tick(1.0, f"Corrected {len(index)} {kind.word}s")
    first, *others = (part.samples for part in parts)
    return Corrections(
        first.concat(others) if others else first,
        tuple(outcome for part in parts for outcome in part.outcomes),
        {name: np.concatenate([part.tracks[name] for part in parts]) for name in parts[0].tracks},
    )


def _correct_block(samples: Any, index: NDArray[np.int64], improve: Improve, tick: Tick) -> Corrections:
    kind = kind_of(samples)
    reasons = kind.rejections(samples)
    usable = np.flatnonzero([not reason for reason in reasons])
    tracks = kind.tracks(samples)
    outcomes = [Outcome("rejected", reason) for reason in reasons]
    if not len(usable):
        return Corrections(samples, tuple(outcomes), tracks)
    before = kind.precise(samples.take(usable))
    improved = improve(before, index[usable], tick)
    failures = improved.failures or [""] * len(usable)
    moved = kind.moved(before, improved.batch)
    measured_before = kind.measures(before)
    changed = np.flatnonzero(moved > kind.left_alone)
    measured_after = {name: values.copy() for name, values in measured_before.items()}
    for name, values in kind.measures(improved.batch.take(changed)).items():
        measured_after[name][changed] = values
    for name, values in improved.tracks.items():
        tracks[name][usable] = values
    simulations = improved.simulations or [{}] * len(usable)
    taken = []
    for k, i in enumerate(usable):
        simulation = simulations[k]
        was = {name: float(values[k]) for name, values in measured_before.items()}
        if failures[k]:
            outcomes[i] = Outcome("rejected", failures[k], before=was, after=was, simulation=simulation)
            continue
        now = {name: float(values[k]) for name, values in measured_after.items()}
        force = float(simulation.get("residual_force_bw", 0.0))
        if moved[k] <= kind.left_alone:
            outcomes[i] = Outcome("unchanged", improved.notes[k], 0.0, force, was, was, simulation)
            continue
        taken.append(k)
        outcomes[i] = Outcome("corrected", improved.notes[k], float(moved[k]), force, was, now, simulation)
    corrected = kind.put(samples, usable[taken], improved.batch.take(np.array(taken, dtype=np.int64)))
    return Corrections(corrected, tuple(outcomes), tracks)
