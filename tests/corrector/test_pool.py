"""Laws of the pool: the result is that of one process, nothing is computed twice, and nothing is left running."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.config import PartConfig, parse
from core.errors import Cancelled, InvalidConfig, SimulationFailed, UnknownPart
from core.motion import MotionBatch
from core.protocols import Corrections, Reference, Tick
from corrector.pool import CorrectorPool, correct_in_processes
from corrector.registry import CORRECTORS
from tests.corrector.conftest import CountingMemo, Make, jittered

FULL = PartConfig(kind="physics", options={"mode": "full"})


def alike(a: Corrections, b: Corrections) -> bool:
    arrays = zip(
        [*a.samples.arrays().values(), *a.tracks.values()], [*b.samples.arrays().values(), *b.tracks.values()],
        strict=True,
    )  # fmt: skip
    return a.outcomes == b.outcomes and all(np.array_equal(x, y) for x, y in arrays)


def alive(pid: int) -> bool:
    """Whether a process runs (one that was not waited for does not)."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def windows(clean: MotionBatch) -> MotionBatch:
    return clean.take(slice(0, 6))


def test_full_simulation_gives_bit_for_bit_what_one_process_gives(windows: MotionBatch, make: Make) -> None:
    expected = make("physics", learned=False, mode="full").correct(windows)
    with CorrectorPool(FULL, 2) as pool:
        assert alike(pool.correct(windows), expected)
        assert len(pool.pids) == 2
        first = pool.pids
        part = pool.correct(windows, rows=slice(1, 4))  # worlds and processes are used again
        assert pool.pids == first
        assert part.outcomes == expected.outcomes[1:4]
    assert not any(alive(pid) for pid in first)


def test_learned_bounds_are_computed_once_for_all(clean: MotionBatch, reference: Reference) -> None:
    broken = jittered(clean, 0.25, 0.05)
    part = CORRECTORS["physics"]
    alone, shared = CountingMemo(), CountingMemo()
    expected = part.build(part.options(), replace(reference, memo=alone)).correct(broken)
    got = correct_in_processes(
        PartConfig(kind="physics"), broken, processes=2, reference=replace(reference, memo=shared)
    )
    assert alike(got, expected)
    assert alone.computed and sorted(shared.computed) == sorted(alone.computed)


def test_a_corrector_that_looks_at_the_whole_batch_sees_it(clean: MotionBatch, reference: Reference) -> None:
    part = PartConfig(kind="idealized", options={"gamma": 1.0})
    entry = CORRECTORS["idealized"]
    expected = entry.build(parse(entry.options, part.options), reference).correct(clean)
    assert alike(correct_in_processes(part, clean, processes=2, reference=reference), expected)


def test_batches_of_different_lengths_come_back_each_as_if_alone(windows: MotionBatch, make: Make) -> None:
    root, rotations = windows.root_position_m[:, :11], windows.local_rotations_wxyz[:, :11]
    short = replace(windows, root_position_m=root, local_rotations_wxyz=rotations)
    one = make("physics", learned=False, mode="full")
    batches = [short.take([0]), windows.take([1, 2]), short.take([]), windows.take([3])]
    with CorrectorPool(FULL, 2) as pool:
        found = pool.correct_each(batches)
    assert len(found) == 4 and len(found[2].outcomes) == 0
    assert all(alike(a, one.correct(b)) for a, b in zip(found, batches, strict=True))


def test_progress_is_told_and_ends_at_one(windows: MotionBatch) -> None:
    said: list[tuple[float, str]] = []
    correct_in_processes(FULL, windows, processes=2, tick=lambda f, s: said.append((f, s)))
    fractions = [f for f, _ in said]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert said[-1][1] == "Corrected 6 of 6 motions in 2 processes"


def test_cancelling_ends_the_processes_at_once(clean: MotionBatch) -> None:
    many, pids = clean.take(np.arange(300) % len(clean)), list[int]()
    with CorrectorPool(FULL, 2) as pool:

        def stop(fraction: float, sentence: str) -> None:
            pids.extend(pool.pids)
            if fraction > 0:
                raise Cancelled

        with pytest.raises(Cancelled):
            pool.correct(many, tick=stop)
        assert pids and pool.pids == []
    assert not any(alive(pid) for pid in pids)


def test_a_process_that_dies_is_a_sentence_and_leaves_none_behind(clean: MotionBatch) -> None:
    many, pids = clean.take(np.arange(300) % len(clean)), list[int]()
    with CorrectorPool(FULL, 2) as pool:

        def kill(fraction: float, sentence: str) -> None:
            if not pids:
                pids.extend(pool.pids)
                os.kill(pids[0], signal.SIGKILL)

        with pytest.raises(SimulationFailed, match="ended by signal 9"):
            pool.correct(many, tick=kill)
        assert not any(alive(pid) for pid in pids)
        one = clean.take([0])  # and the pool can be used again
        assert alike(pool.correct(one), correct_in_processes(FULL, one, processes=1))


def test_processes_end_with_their_parent(clean: MotionBatch, tmp_path: Path) -> None:
    """Also when it is killed."""
    import subprocess
    import sys

    program = (
        "import numpy as np, sys\n"
        "from core.config import PartConfig\n"
        "from corrector.pool import CorrectorPool\n"
        "from tests.core.bodies import standing\n"
        "pool = CorrectorPool(PartConfig(kind='physics', options={'mode': 'full'}), 2)\n"
        "def tick(*_):\n"
        "    print(*pool.pids, flush=True)\n"
        "pool.correct(standing(2000, 60), tick=tick)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert len(pids) == 2
    deadline = time.monotonic() + 30
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(alive(pid) for pid in pids)


def test_what_cannot_be_built_is_said_before_anything_starts(windows: MotionBatch) -> None:
    with pytest.raises(UnknownPart, match="nothing"):
        CorrectorPool(PartConfig(kind="nothing"), 2)
    with pytest.raises(InvalidConfig, match="options.mode"):
        CorrectorPool(PartConfig(kind="physics", options={"mode": "sideways"}), 2)


def test_an_error_of_ours_comes_back_as_itself(clean: MotionBatch, reference: Reference) -> None:
    part = PartConfig(kind="idealized", options={"gamma": 1.0})
    short = replace(
        clean, root_position_m=clean.root_position_m[:, :9], local_rotations_wxyz=clean.local_rotations_wxyz[:, :9]
    )
    with pytest.raises(InvalidConfig, match="9 frames") as caught:
        correct_in_processes(part, short, processes=2, reference=reference)
    assert caught.value.hint


def test_nothing_in_nothing_out(windows: MotionBatch) -> None:
    def tick(fraction: float, sentence: str) -> None: ...

    quiet: Tick = tick
    done = correct_in_processes(FULL, windows.take([]), processes=2, tick=quiet)
    assert len(done.samples) == 0 and done.outcomes == ()
