"""Stacked loops get the numbers that each gets alone."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.config import CorrectionConfig, LoopConfig, PartConfig
from core.errors import Cancelled
from core.loop import Run, run_loop
from core.memory import MemoryShelf
from core.records import GenerationRecord, Item, Outcome
from core.stack import NotStackable, can_be_stacked, run_stack, run_stacked, stack_of
from tests.core.light import Shrink, light_config, light_run

STACKS: dict[str, list[dict[str, Any]]] = {
    "seeds": [{"seed": 1}, {"seed": 2, "replicates": 1}, {"seed": 3, "replicates": 5}],
    "seeds, accumulate": [{"seed": s, "policy": "accumulate"} for s in (1, 2)],
    "seeds, real": [{"seed": s, "policy": "real"} for s in (1, 2)],
    "one seed each": [{"seed": s, "replicates": 1} for s in (1, 2, 3)],
    "lambda": [{"policy": "augment", "options": {"lam": lam}} for lam in (0.25, 2.0, 1.0)],
    "lambda and seed, corrected": [
        {"policy": "augment", "options": {"lam": lam}, "seed": s, "corrector": "shrink", "replicates": 1 + s}
        for lam in (0.5, 1.0) for s in (0, 1)
    ],
    "all past": [
        {"policy": "augment", "options": {"lam": 0.5, "source": "all past"}, "corrector": "shrink"}, {
            "policy": "augment", "options": {"lam": 0.5, "source": "all past"}, "corrector": "shrink", "seed": 4},
    ],
    "what is drawn alike": [{"policy": "accumulate-subsample", "replicates": r} for r in (2, 3)],
    "fresh real": [{"policy": "fresh-real", "options": {"share": 0.5}, "seed": s} for s in (1, 2)],
}  # fmt: skip


def runs_of(stack: list[dict[str, Any]]) -> list[Run]:
    """Runs of a stack; those that correct do so with different strength."""
    return [light_run(light_config(**loop), share=1.0 - 0.1 * i) for i, loop in enumerate(stack)]


def close(a: GenerationRecord, b: GenerationRecord) -> None:
    assert (a.index, a.counts, a.training.keys()) == (b.index, b.counts, b.training.keys())
    assert a.metrics == pytest.approx(b.metrics, abs=1e-9)


def items_alike(a: Item, b: Item) -> None:
    assert a.arrays.keys() == b.arrays.keys()
    for name, values in a.arrays.items():
        np.testing.assert_allclose(values, b.arrays[name], atol=1e-9, err_msg=name)


@pytest.mark.parametrize("name", STACKS)
def test_stacked_loops_get_the_numbers_that_each_gets_alone(name: str) -> None:
    alone, together = runs_of(STACKS[name]), runs_of(STACKS[name])
    expected = [list(run_loop(run)) for run in alone]
    found = list(zip(*run_stacked(together), strict=True))
    for mine, theirs in zip(found, expected, strict=True):
        assert len(mine) == 6
        for a, b in zip(mine, theirs, strict=True):
            close(a, b)


@pytest.mark.parametrize("name", ["seeds", "lambda and seed, corrected"])
def test_each_loop_finds_on_its_shelf_what_it_would_have_left_there(name: str) -> None:
    alone, together = runs_of(STACKS[name]), runs_of(STACKS[name])
    for run in alone:
        list(run_loop(run))
    list(run_stacked(together))
    for one, other in zip(alone, together, strict=True):
        assert isinstance(one.shelf, MemoryShelf)
        assert isinstance(other.shelf, MemoryShelf)
        assert one.shelf.items.keys() == other.shelf.items.keys()
        for key, item in one.shelf.items.items():
            items_alike(other.shelf.items[key], item)
            assert other.shelf.items[key].meta.keys() == item.meta.keys()
        assert (
            other.shelf.load(3, "metrics").meta.get("traces", {}).keys()
            == one.shelf.load(3, "metrics").meta.get("traces", {}).keys()
        )


@pytest.mark.parametrize("name", ["seeds, accumulate", "lambda and seed, corrected", "all past"])
def test_a_stack_goes_on_where_loops_stopped_alone(name: str) -> None:
    expected = [list(run_loop(run)) for run in runs_of(STACKS[name])]
    together = runs_of(STACKS[name])
    for run in together:
        for record in run_loop(run):
            if record.index == 2:
                break
    found = list(zip(*run_stacked(together, start=3), strict=True))
    for mine, theirs in zip(found, expected, strict=True):
        for a, b in zip(mine, theirs[3:], strict=True):
            close(a, b)


def test_a_block_of_a_stack_is_a_block_of_each() -> None:
    together = runs_of(STACKS["lambda"])
    clock = iter(range(100))
    blocks = run_stack(together, 0, seconds=1.5, clock=lambda: float(next(clock)))
    for block, run in zip(blocks, runs_of(STACKS["lambda"]), strict=True):
        assert (block.first, block.last, block.stopped) == (0, 1, None)
        for a, b in zip(block.records, run_loop(run), strict=False):
            close(a, b)
        assert (1, "model") in block.kept
        assert len(block.traces()[1]["std"]) == 3


def test_what_stops_one_stops_the_block_of_all() -> None:
    calls = 0

    def tick(fraction: float, sentence: str) -> None:
        nonlocal calls
        calls += 1
        if calls > 20:
            raise Cancelled

    first, second = runs_of(STACKS["seeds"][:2])
    blocks = run_stack([first, replace(second, tick=tick)], 0)
    assert [type(block.stopped) for block in blocks] == [Cancelled, Cancelled]
    assert blocks[0].last == blocks[1].last < 5


PLAIN = light_config()


@pytest.mark.parametrize(
    ("one", "other", "can"),
    [
        (PLAIN, light_config(seed=1), True),
        (PLAIN, light_config(n=21), False),
        (PLAIN, light_config(policy="accumulate"), False),
        (PLAIN, light_config(generations=6), False),
        (light_config(policy="accumulate-subsample"), light_config(policy="accumulate-subsample", seed=1), False),
        (light_config(policy="augment"), light_config(policy="augment", options={"lam": 0.5}), True),
        (
            light_config(policy="augment", options={"lam": 1.0, "source": "all past"}),
            light_config(policy="augment", options={"lam": 0.5, "source": "all past"}),
            False,
        ),
        (
            light_config(policy="augment", options={"lam": 1.0, "synthetic_cap": 0.2}),
            light_config(policy="augment", options={"lam": 0.5, "synthetic_cap": 0.2}),
            False,
        ),
        (
            light_config(corrector="shrink", correction=CorrectionConfig(where="both")),
            light_config(corrector="shrink", correction=CorrectionConfig(where="both"), seed=1),
            False,
        ),
    ],
)
def test_only_what_gives_the_same_numbers_is_stacked(one: LoopConfig, other: LoopConfig, can: bool) -> None:
    assert can_be_stacked(one, other) == can_be_stacked(other, one) == can
    if not can:
        with pytest.raises(NotStackable):
            stack_of([light_run(one), light_run(other)])


def test_loops_of_another_gamma_are_stacked() -> None:
    weak, strong = (
        light_config().model_copy(update={"corrector": PartConfig(kind="idealized", options={"gamma": gamma})})
        for gamma in (0.1, 5.0)
    )
    assert can_be_stacked(weak, strong)
    assert not can_be_stacked(weak, light_config())


def test_a_rejected_sample_ends_the_stack() -> None:
    class Refuse(Shrink):
        def correct(self, samples: Any, **more: Any) -> Any:
            found = super().correct(samples, **more)
            return replace(found, outcomes=(Outcome("rejected"), *found.outcomes[1:]))

    first, second = runs_of([{"corrector": "shrink"}, {"corrector": "shrink", "seed": 1}])
    with pytest.raises(NotStackable):
        list(run_stacked([first, replace(second, corrector=Refuse())]))
