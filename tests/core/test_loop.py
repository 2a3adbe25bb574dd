from dataclasses import dataclass, replace

import numpy as np
import pytest

from core.config import CorrectionConfig, LoopConfig, PartConfig
from core.errors import Cancelled
from core.loop import STAGES, Run, needs_of, parts_of, ready_stages, record_of, run_loop, stages_of
from core.memory import MemoryMemo, MemoryShelf
from core.records import GenerationRecord
from tests.core.toy import Clip, MeanGenerator, toy_run


def config(
    policy: str = "replace", corrector: str = "none", generations: int = 3, seed: int = 0, **more: object
) -> LoopConfig:
    return LoopConfig(
        policy=PartConfig(kind=policy), corrector=PartConfig(kind=corrector), generations=generations, seed=seed, n=100,
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


def records(run: Run) -> list[GenerationRecord]:
    return list(run_loop(run))


@pytest.mark.parametrize("policy", ["real", "augment", "replace", "accumulate"])
@pytest.mark.parametrize("corrector", ["none", "clip"])
def test_a_record_per_generation_with_counts(policy: str, corrector: str) -> None:
    found = records(toy_run(config(policy, corrector)))
    assert [r.index for r in found] == [0, 1, 2, 3]
    assert found[0].counts == {"real": 100, "synthetic": 0}
    fresh = 0 if policy == "real" else 100
    learned = [r.counts["synthetic"] + r.counts.get("rejected", 0) for r in found[1:]]
    assert learned[0] == fresh
    if policy == "accumulate":
        assert found[3].counts["synthetic"] > 2 * 90


def test_same_seed_same_numbers_other_seed_others() -> None:
    a, b, c = (records(toy_run(config(seed=s))) for s in (0, 0, 1))
    assert [r.metrics for r in a] == [r.metrics for r in b]
    assert [r.metrics for r in a] != [r.metrics for r in c]


def test_stages_in_any_allowed_order_give_the_same_numbers() -> None:
    straight = toy_run(config("augment", "clip"))
    expected = [r.metrics for r in records(straight)]
    shuffled = toy_run(config("augment", "clip"))
    rng, done = np.random.default_rng(5), set[tuple[int, str]]()
    while ready := ready_stages(shuffled.config, done):
        t, stage = ready[rng.integers(len(ready))]
        for part in rng.permutation(parts_of(shuffled, stage)):
            STAGES[stage](shuffled, t, int(part))
        done.add((t, stage))
    assert isinstance(shuffled.shelf, MemoryShelf)
    assert [shuffled.shelf.load(t, "metrics").meta["metrics"] for t in range(4)] == expected


def test_needs_are_stages_of_the_loop_and_acyclic() -> None:
    for policy in ("real", "replace"):
        c = config(policy, "clip")
        seen: set[tuple[int, str]] = set()
        for t in range(4):
            for stage in stages_of(c, t):
                assert set(needs_of(c, t, stage)) <= seen
                seen.add((t, stage))


def test_loops_that_begin_alike_share_generation_zero() -> None:
    memo, before = MemoryMemo(), MeanGenerator.fits
    for policy in ("real", "replace"):
        records(toy_run(config(policy, generations=0), memo=memo))
    assert MeanGenerator.fits == before + 1
    records(toy_run(config("replace", generations=0, seed=1), memo=memo))
    assert MeanGenerator.fits == before + 2


def test_correction_acts_inside_the_loop_or_at_the_output() -> None:
    raw = records(toy_run(config()))
    output = records(toy_run(config(corrector="clip", correction=CorrectionConfig(where="output")), limit=0.1))
    inside = records(toy_run(config(corrector="clip", correction=CorrectionConfig(where="loop")), limit=0.1))
    assert "correct" not in stages_of(config(corrector="clip", correction=CorrectionConfig(where="output")), 1)
    assert output[2].training == raw[2].training and output[2].counts == raw[2].counts
    assert output[0].metrics != raw[0].metrics
    assert inside[0].metrics == raw[0].metrics and inside[1].metrics != raw[1].metrics


def test_rejected_samples_are_dropped_or_let_in_raw() -> None:
    dropped = records(toy_run(config(corrector="clip"), limit=0.8))[1].counts
    kept = records(toy_run(config(corrector="clip", correction=CorrectionConfig(rejected="keep raw")), limit=0.8))[
        1
    ].counts
    assert dropped["rejected"] > 0
    assert dropped["synthetic"] == 100 - dropped["rejected"]
    assert kept["synthetic"] == 100
    assert kept["corrected"] + kept["unchanged"] + kept["rejected"] == 100


REDRAW = CorrectionConfig(rejected="redraw")
HALF = 0.337  # of a normal distribution lies within twice this


def test_rejected_samples_are_drawn_anew_a_few_times() -> None:
    dropped = records(toy_run(config(corrector="clip"), limit=HALF))[1].counts
    found = records(toy_run(config(corrector="clip", correction=REDRAW), limit=HALF))[1].counts
    assert dropped["dropped"] == dropped["rejected"] > 30
    assert found["redrawn"] == dropped["rejected"]  # the same first draw
    assert 0 < found["rejected"] < found["redrawn"] / 2
    assert found["dropped"] == found["rejected"]
    assert found["synthetic"] == 100 - found["dropped"]
    often = CorrectionConfig(rejected="redraw", attempts=20)
    assert records(toy_run(config(corrector="clip", correction=often), limit=HALF))[1].counts["synthetic"] == 100


@pytest.mark.parametrize("policy", ["augment", "replace", "accumulate"])
def test_redraws_do_not_depend_on_the_order_or_the_number_of_parts(policy: str) -> None:
    def run(cost_s: float) -> Run:
        made = toy_run(config(policy, "clip", correction=REDRAW), limit=HALF)
        return replace(made, corrector=Priced(HALF, cost_s=cost_s))

    expected = records(run(0.0))
    for cost_s in (0.02, 0.15):
        shuffled = run(cost_s)
        rng, done = np.random.default_rng(5), set[tuple[int, str]]()
        while ready := ready_stages(shuffled.config, done):
            t, stage = ready[rng.integers(len(ready))]
            for part in rng.permutation(parts_of(shuffled, stage)):
                STAGES[stage](shuffled, t, int(part))
            done.add((t, stage))
        assert [record_of(shuffled.shelf, t, {}).metrics for t in range(4)] == [r.metrics for r in expected]
        assert [record_of(shuffled.shelf, t, {}).counts for t in range(4)] == [r.counts for r in expected]


@dataclass(frozen=True)
class Priced(Clip):
    """Clips, and says what that costs."""

    cost_s: float = 0.0


@pytest.mark.parametrize(
    ("cost_s", "parts"), [(0.0, 1), (0.004, 1), (0.02, 2), (0.05, 8), (0.08, 8), (2.0, 64), (50.0, 64)]
)
def test_the_correct_stage_is_split_by_what_its_samples_cost(cost_s: float, parts: int) -> None:
    run = replace(toy_run(config(corrector="clip")), corrector=Priced(1.0, cost_s=cost_s))
    assert parts_of(run, "correct") == parts
    assert parts_of(run, "learn") == 1
    assert parts_of(replace(run, corrector=Priced(1.0, splittable=False, cost_s=cost_s)), "correct") == 1


def test_a_set_is_put_together_from_the_parts_it_was_corrected_in() -> None:
    """Also when the corrector's cost, or the version that stored the set, was another one."""
    run = toy_run(config("accumulate", "clip"))
    expected = records(run)
    again = replace(toy_run(config("accumulate", "clip")), corrector=Priced(1.0, cost_s=0.15))
    list(run_loop(replace(again, config=config("accumulate", "clip", generations=1))))
    assert isinstance(again.shelf, MemoryShelf)
    assert (1, "corrected-15") in again.shelf.items
    later = list(run_loop(replace(again, corrector=Priced(1.0, cost_s=0.0)), start=2))
    assert [r.metrics for r in later] == [r.metrics for r in expected[2:]]


def test_the_panel_has_the_same_noise_in_every_generation_and_loop() -> None:
    a, b = toy_run(config(seed=0)), toy_run(config("real", seed=7))
    for run in (a, b):
        records(run)

    def noise(run: Run, t: int) -> np.ndarray:
        return run.shelf.load(t, "panel-raw").arrays["values"] - run.shelf.load(t, "model").arrays["mean"]

    assert np.allclose(noise(a, 0), noise(a, 3))
    assert np.allclose(noise(a, 1), noise(b, 2))
    assert len(a.shelf.load(1, "panel-corrected").meta["outcomes"]) == a.config.evaluation.panel
    real = a.shelf.load(1, "panel-real").arrays
    assert np.array_equal(real["labels"], a.shelf.load(1, "panel-raw").arrays["labels"])


def test_resuming_goes_on_as_if_never_stopped() -> None:
    whole = records(toy_run(config("accumulate")))
    run = toy_run(config("accumulate"))
    first = [next(iterator := run_loop(run)), next(iterator)]
    rest = list(run_loop(run, start=2))
    assert [r.metrics for r in first + rest] == [r.metrics for r in whole]


def test_a_tick_can_cancel() -> None:
    def stop(fraction: float, sentence: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        records(toy_run(config(), tick=stop))


def test_from_scratch_keeps_the_first_representation() -> None:
    run = toy_run(config(training={"mode": "from-scratch"}))
    found = records(run)
    assert run.shelf.load(2, "model").meta["scratch"] is True
    assert found[2].training["steps"] == run.config.training.initial_steps
