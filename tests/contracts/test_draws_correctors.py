"""Laws that every corrector of plain draws keeps, of one seed and of several at once."""

import json
from typing import Any

import numpy as np
import pytest

from backend.parts import ANYWHERE
from core.draws import Draws
from core.memory import MemoryMemo
from core.protocols import Corrections, Corrector, Reference
from corrector.registry import CORRECTORS
from model.domains import DOMAINS
from tests.corrector.draws import Normal, corrector_of, drawn

FITTING = {kind for part in DOMAINS.values() if part.view != "motion" for kind in (*ANYWHERE, *part.correctors)}
CHAIN: dict[str, Any] = {"parts": [{"kind": "quality"}, {"kind": "idealized"}]}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    **{kind: (kind, {}) for kind in CORRECTORS if kind in FITTING},
    "chain": ("chain", CHAIN),
    "mixture": ("idealized", {"form": "mixture"}),
    "rejection": ("idealized", {"form": "rejection"}),
    "density": ("quality", {"score": "density", "share": 0.5}),
}
KINDS = list(CASES)
MOVING = [kind for kind in KINDS if kind not in ("none", "quality", "density")]


def make(case: str, seeds: int) -> tuple[Corrector, Draws]:
    """A corrector and samples for it."""
    if case == "kmeans" and seeds > 1:
        pytest.skip("corrects one seed at a time, and says so")
    classes = 1 if case == "rejection" else 3
    kind, options = CASES[case]
    real = drawn(1, seeds, 60, classes=classes)
    truth = Normal(2) if classes == 1 else None
    return corrector_of(kind, Reference(real, case, MemoryMemo(), truth), **options), drawn(
        2, seeds, 24, classes=classes, std=1.5
    )


def same(a: Corrections, b: Corrections) -> bool:
    return a.outcomes == b.outcomes and np.array_equal(a.samples.values, b.samples.values)


def test_every_corrector_of_draws_is_under_these_laws() -> None:
    assert {kind for kind, _ in CASES.values()} == {kind for kind in CORRECTORS if kind in FITTING}


@pytest.mark.parametrize("seeds", [1, 4])
@pytest.mark.parametrize("case", KINDS)
def test_shape_type_and_labels_are_kept(case: str, seeds: int) -> None:
    corrector, samples = make(case, seeds)
    done = corrector.correct(samples, seed=1)
    assert done.samples.values.shape == samples.values.shape
    assert done.samples.values.dtype == samples.values.dtype
    assert np.array_equal(done.samples.labels, samples.labels)
    assert len(done.outcomes) == len(samples)
    assert np.isfinite(done.samples.values).all()
    assert json.loads(json.dumps([o.as_dict() for o in done.outcomes]))


@pytest.mark.parametrize("case", KINDS)
def test_single_precision_stays_single_precision(case: str) -> None:
    corrector, samples = make(case, 1)
    done = corrector.correct(samples.with_values(samples.values.astype(np.float32)), seed=1)
    assert done.samples.values.dtype == np.float32


@pytest.mark.parametrize("seeds", [1, 4])
@pytest.mark.parametrize("case", KINDS)
def test_outcomes_say_what_happened(case: str, seeds: int) -> None:
    corrector, samples = make(case, seeds)
    done = corrector.correct(samples, seed=1)
    statuses = [o.status for o in done.outcomes]
    if case in MOVING:
        assert "corrected" in statuses
    for i, outcome in enumerate(done.outcomes):
        assert (outcome.status == "corrected") == (outcome.moved_m > 0)
        assert outcome.reason or outcome.status != "rejected"
        if seeds == 1 and outcome.status != "corrected":
            assert np.array_equal(done.samples.values[:, i], samples.values[:, i])


@pytest.mark.parametrize("seeds", [1, 4])
@pytest.mark.parametrize("case", KINDS)
def test_same_seed_same_result(case: str, seeds: int) -> None:
    corrector, samples = make(case, seeds)
    assert same(corrector.correct(samples, seed=3), corrector.correct(samples, seed=3))


@pytest.mark.parametrize("seeds", [1, 4])
@pytest.mark.parametrize("case", KINDS)
def test_rows_apart_are_rows_together(case: str, seeds: int) -> None:
    corrector, samples = make(case, seeds)
    whole, part = corrector.correct(samples, seed=2), corrector.correct(samples, rows=slice(5, 9), seed=2)
    assert part.outcomes == whole.outcomes[5:9]
    assert np.array_equal(part.samples.values, whole.samples.values[:, 5:9])


@pytest.mark.parametrize("case", KINDS)
def test_stacked_loops_are_corrected_as_each_alone(case: str) -> None:
    """Seeds 3 + 2 side by side, each drawing from its own stream."""
    if case == "kmeans":
        pytest.skip("corrects one seed at a time, and says so")
    classes = 1 if case == "rejection" else 3
    kind, options = CASES[case]
    truth = Normal(2) if classes == 1 else None
    loops = [(7, 3), (8, 2)]
    reals = [drawn(seed, seeds, 60, classes=classes) for seed, seeds in loops]
    batches = [drawn(seed + 10, seeds, 24, classes=classes, std=1.5) for seed, seeds in loops]

    def corrected(real: Draws, samples: Draws, seed: Any) -> np.ndarray:
        corrector = corrector_of(kind, Reference(real, "stack", MemoryMemo(), truth), **options)
        return np.asarray(corrector.correct(samples, seed=seed).samples.values)

    def together(batches: list[Draws]) -> Draws:
        return Draws(np.concatenate([b.values for b in batches]), batches[0].labels)

    whole = corrected(together(reals), together(batches), ((70, 3), (80, 2)))
    alone = [corrected(real, batch, seed) for real, batch, seed in zip(reals, batches, (70, 80), strict=True)]
    assert np.allclose(whole, np.concatenate(alone), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seeds", [1, 4])
@pytest.mark.parametrize("case", KINDS)
def test_nothing_in_nothing_out(case: str, seeds: int) -> None:
    corrector, samples = make(case, seeds)
    done = corrector.correct(samples.take(np.arange(0)), seed=0)
    assert len(done.samples) == 0 and done.outcomes == ()


@pytest.mark.parametrize("seeds", [1, 4])
@pytest.mark.parametrize("case", KINDS)
def test_one_bad_sample_is_data_not_an_exception(case: str, seeds: int) -> None:
    corrector, samples = make(case, seeds)
    values = samples.values.copy()
    values[0, 1, 0], values[-1, 3] = np.nan, np.inf
    done = corrector.correct(samples.with_values(values), seed=0)
    assert [done.outcomes[i].status for i in (1, 3)] == ["rejected", "rejected"]
    assert all("NaN" in done.outcomes[i].reason for i in (1, 3))
    assert [o.status for o in done.outcomes].count("rejected") < len(samples) - 2
    good = np.setdiff1d(np.arange(len(samples)), [1, 3])
    assert np.isfinite(done.samples.values[:, good]).all()


@pytest.mark.parametrize("case", [k for k in KINDS if k != "kmeans"])
def test_a_panel_of_the_first_seed_can_be_corrected(case: str) -> None:
    corrector, samples = make(case, 4)
    done = corrector.correct(samples.of_seed(0), seed=5)
    assert done.samples.values.shape == (1, *samples.values.shape[1:])


@pytest.mark.parametrize("case", [k for k in KINDS if k != "none"])
def test_fractions_rise_to_one(case: str) -> None:
    corrector, samples = make(case, 1)
    corrector.correct(samples)  # whatever is learned once is learned now
    seen: list[float] = []
    corrector.correct(samples, tick=lambda fraction, _: seen.append(fraction))
    assert seen[-1] == pytest.approx(1.0) and 0 <= min(seen) and max(seen) <= 1 + 1e-9
