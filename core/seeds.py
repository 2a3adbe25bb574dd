"""Every random number of a loop comes from (seed, generation, stage, part)."""

from zlib import crc32

import numpy as np


def seed_for(seed: int, generation: int, stage: str, part: int = 0) -> int:
    """A 63-bit seed, independent between any two different arguments (numpy's SeedSequence does the mixing)."""
    sequence = np.random.SeedSequence([seed, generation, crc32(stage.encode()), part])
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))
