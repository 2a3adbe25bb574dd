"""Blocks give the numbers of a loop that runs in one go, wherever they are cut."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest

from core.blocks import SHOWN, Block, BlockShelf, run_block
from core.config import CorrectionConfig, LoopConfig, TrainingConfig
from core.errors import Cancelled, TrainingDiverged
from core.loop import Run, run_loop
from core.memory import MemoryShelf
from core.packs import reading, unpack
from tests.core.light import light_config, light_run

POLICIES: list[dict[str, Any]] = [
    {"policy": "real"},
    {"policy": "replace"},
    {"policy": "accumulate"},
    {"policy": "augment", "options": {"lam": 0.5}},
    {"policy": "replace", "corrector": "shrink"},
    {"policy": "accumulate", "corrector": "shrink", "correction": CorrectionConfig(where="both")},
    {"policy": "replace", "training": TrainingConfig(mode="from-scratch")},
]


def ticking(step: float = 1.0) -> Any:
    """A clock that goes on by one step whenever it is read."""
    steps: Iterator[int] = count()
    return lambda: next(steps) * step


def blocks_of(run: Run, seconds: float) -> list[Block]:
    """A whole loop in blocks, each from what the packs of those before hold."""
    shelf, found, t = MemoryShelf(), list[Block](), 0
    while t <= run.config.generations:
        block = run_block(replace(run, shelf=shelf), t, seconds=seconds, clock=ticking())
        packed = block.item()
        for generation, name in block.kept:
            item = unpack(packed.meta, generation, name, reading(packed))
            assert item is not None
            shelf.save(generation, name, item)
        found.append(block)
        t = block.last + 1
    return found


@pytest.mark.parametrize("loop", POLICIES, ids=lambda loop: "-".join(str(v) for v in loop.values())[:40])
@pytest.mark.parametrize("seconds", [0.5, 2.5])
def test_blocks_give_the_numbers_of_one_go(loop: dict[str, Any], seconds: float) -> None:
    config = light_config(**loop)
    alone = [(r.index, r.metrics, r.counts) for r in run_loop(light_run(config))]
    blocks = blocks_of(light_run(config), seconds)
    assert len(blocks) == (6 if seconds < 1 else 2)
    assert [(r.index, r.metrics, r.counts) for block in blocks for r in block.records] == alone


def test_a_block_keeps_what_is_looked_at_and_what_comes_next_needs() -> None:
    def names(**loop: Any) -> set[tuple[int, str]]:
        kept = run_block(light_run(light_config(generations=9, **loop)), 0, seconds=2.5, clock=ticking()).kept
        assert {(t, name) for t in range(3) for name in SHOWN} <= kept.keys()
        return {key for key in kept if key[1] not in SHOWN}

    assert names(policy="augment") == {(0, "model"), (2, "model")}
    assert names(policy="accumulate") == {(0, "model"), (2, "model"), (1, "raw"), (2, "raw")}
    corrected = names(policy="accumulate", corrector="shrink")
    assert corrected == {(0, "model"), (2, "model"), (1, "corrected-0"), (2, "corrected-0")}


def test_traces_are_told_apart_and_not_packed() -> None:
    block = run_block(light_run(light_config(generations=2)), 0)
    traces = block.traces()
    assert list(traces) == [0, 1, 2]
    for record in block.records:
        assert len(traces[record.index]["std"]) == 3
        assert float(np.mean(traces[record.index]["std"])) == record.metrics["std"]
    assert all("traces" not in meta for meta in block.item().meta["items"]["metrics"]["metas"])


class Trouble:
    """A tick that raises on its n-th call."""

    def __init__(self, error: Exception, after: int) -> None:
        self.error, self.left = error, after

    def __call__(self, fraction: float, sentence: str) -> None:
        self.left -= 1
        if self.left < 0:
            raise self.error


@pytest.mark.parametrize("calls", [12, 20, 33])
def test_a_cancel_keeps_the_generations_before_it(calls: int) -> None:
    config = light_config(generations=50)
    block = run_block(light_run(config, tick=Trouble(Cancelled(), calls)), 0)
    assert isinstance(block.stopped, Cancelled)
    assert 0 <= block.last < 50
    assert {t for t, _ in block.kept} == set(range(block.last + 1))
    alone = [r.metrics for r in run_loop(light_run(config.model_copy(update={"generations": block.last})))]
    assert [r.metrics for r in block.records] == alone


def test_what_stops_the_first_generation_is_raised() -> None:
    with pytest.raises(Cancelled):
        run_block(light_run(light_config(), tick=Trouble(Cancelled(), 0)), 0)


def test_an_error_of_a_later_generation_is_raised_by_its_own_block() -> None:
    config = light_config(training=TrainingConfig(initial_steps=1, steps=13))
    run = light_run(config)
    block = run_block(run, 0)
    assert (block.last, type(block.stopped)) == (0, TrainingDiverged)
    for key, item in block.kept.items():
        run.shelf.save(*key, item)
    with pytest.raises(TrainingDiverged):
        run_block(run, 1)


def test_progress_is_the_share_of_what_the_loop_still_had_to_do() -> None:
    told: list[tuple[float, str]] = []
    run = light_run(light_config(generations=9), tick=lambda fraction, sentence: told.append((fraction, sentence)))
    first = run_block(run, 0, seconds=3.5, clock=ticking())
    for key, item in first.kept.items():
        run.shelf.save(*key, item)
    assert told[-1][0] == pytest.approx(0.4)
    assert told[-1][1] == "at generation 4"
    run_block(run, 4)
    shares = [share for share, _ in told[told.index((0.0, "at generation 4")) :]]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_shelf_asks_below_once() -> None:
    class Counting(MemoryShelf):
        asked = 0

        def load(self, generation: int, name: str) -> Any:
            Counting.asked += 1
            return super().load(generation, name)

    config: LoopConfig = light_config(policy="accumulate", generations=8)
    below = Counting()
    first = run_block(replace(light_run(config), shelf=below), 0, seconds=3.5, clock=ticking())
    for key, item in first.kept.items():
        below.save(*key, item)
    run_block(replace(light_run(config), shelf=below), 4)
    assert Counting.asked == 1 + 3  # the model of generation 3, the sets of 1 to 3
    assert BlockShelf(below).kept(0, 9) == {}
