"""Every random number of a loop comes from (seed, generation, stage, part)."""

from collections.abc import Iterator
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Seed = int | tuple[tuple[int, int], ...]
"""One seed; or, where loops are stacked, (seed, how many rows draw from it) of each of them in order."""


def seed_for(seed: int, generation: int, stage: str, part: int = 0) -> int:
    """A 63-bit seed, independent between any two different arguments (numpy's SeedSequence does the mixing)."""
    sequence = np.random.SeedSequence([seed, generation, crc32(stage.encode()), part])
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


def streams(seed: Seed, rows: int) -> Iterator[tuple[slice, np.random.Generator]]:
    """Which of the rows (seeds of an experiment) draw from which stream: stacked loops draw what each draws alone.

    Raises:
        ValueError: when a stack's counts do not add up to ``rows``.
    """
    shares = ((seed, rows),) if isinstance(seed, int) else seed
    if sum(count for _, count in shares) != rows:
        raise ValueError(f"{rows} rows cannot draw from streams for {[count for _, count in shares]}")
    start = 0
    for one, count in shares:
        yield slice(start, start + count), np.random.Generator(np.random.SFC64(one))
        start += count


def normal(seed: Seed, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Standard normal numbers; the first axis is that of the experiment's seeds."""
    found = np.empty(shape)
    for rows, stream in streams(seed, shape[0]):
        stream.standard_normal(out=found[rows])
    return found


def uniform(seed: Seed, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1); the first axis is that of the experiment's seeds."""
    found = np.empty(shape)
    for rows, stream in streams(seed, shape[0]):
        stream.random(out=found[rows])
    return found
