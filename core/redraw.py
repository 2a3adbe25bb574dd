"""Fresh draws in place of samples that a corrector rejects."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.protocols import Corrections, Corrector, Tick

Draw = Callable[[int, int], Any]
"""``draw(row, attempt)``: one fresh sample with the label of a row of the batch; attempts count from 1."""


def redraw_rejected(
    corrector: Corrector, samples: Any, rows: slice, corrections: Corrections, draw: Draw, *, attempts: int, seed: int,
    tick: Tick,
) -> tuple[Corrections, NDArray[np.int64]]:  # fmt: skip
    """Draw each rejected sample anew and correct the draw in its place, until one is usable or the attempts are over.

    Every row is drawn and corrected by itself, so that the outcome is the same however the rows are split.

    Args:
        samples: the whole batch.
        rows: those that ``corrections`` holds.

    Returns:
        The corrections with usable draws in place of rejected samples (which stay as they are where none was found),
        and how often each row was drawn anew.
    """
    index = np.arange(len(samples))[rows]
    rejected = [k for k, outcome in enumerate(corrections.outcomes) if outcome.status == "rejected"]
    drawn = np.zeros(len(index), dtype=np.int64)
    found: dict[int, Corrections] = {}
    for done, k in enumerate(rejected):
        row = int(index[k])

        def row_tick(_: float, __: str, done: int = done) -> None:
            tick(1.0, f"Drawing rejected samples anew: {done + 1} of {len(rejected)}")

        for attempt in range(1, attempts + 1):
            row_tick(1.0, "")
            drawn[k] = attempt
            batch = samples.take(slice(0, row)).concat([draw(row, attempt), samples.take(slice(row + 1, None))])
            one = corrector.correct(batch, rows=slice(row, row + 1), seed=seed, tick=row_tick)
            if one.outcomes[0].status != "rejected":
                found[k] = one
                break
    return _with_rows(corrections, found), drawn


def _with_rows(corrections: Corrections, found: dict[int, Corrections]) -> Corrections:
    """The corrections with some rows taken from elsewhere."""
    if not found:
        return corrections
    order = np.arange(len(corrections.outcomes))
    outcomes = list(corrections.outcomes)
    tracks = {name: values.copy() for name, values in corrections.tracks.items()}
    for place, (k, one) in enumerate(found.items()):
        order[k] = len(corrections.outcomes) + place
        outcomes[k] = one.outcomes[0]
        for name, values in tracks.items():
            values[k] = one.tracks[name][0]
    samples = corrections.samples.concat([one.samples for one in found.values()]).take(order)
    return replace(corrections, samples=samples, outcomes=tuple(outcomes), tracks=tracks)
