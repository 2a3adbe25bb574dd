"""The audit on correctors whose answer is known, with a judge of plain features."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import InvalidMotion
from core.motion import MotionBatch
from core.protocols import Corrections, Tick, silent
from core.records import Outcome
from corrector.audit import Audit, Given, audit, inputs_of, snapped
from corrector.features import noise_scales, window_artefacts
from corrector.findings import findings
from corrector.minimal import Unchanged
from corrector.perturb import PERTURBATIONS, raised
from corrector.report import moved_m, precise
from tests.corrector.conftest import Make, same


@dataclass(frozen=True)
class PlainJudge:
    """Noise, height and speed of windows; its FID is the squared distance of mean features."""

    dataset: Any

    @cached_property
    def reference(self) -> NDArray[np.float64]:
        return self.features(self.dataset.held_out(240))

    def features(self, samples: MotionBatch) -> NDArray[np.float64]:
        speed = np.linalg.norm(np.diff(samples.root_position_m, axis=1), axis=-1).mean(1) * samples.fps
        height = samples.root_position_m[..., 1].mean(1)
        return np.stack([10 * height, np.log(1e-3 + noise_scales(samples).mean(1)), 2 * speed], axis=-1)

    def measure(self, samples: MotionBatch) -> dict[str, float]:
        shift = self.features(samples).mean(0) - self.reference.mean(0)
        means = {name.split("_")[0]: float(v.mean()) for name, v in window_artefacts(precise(samples)).items()}
        return {"fid": float(shift @ shift), **means}

    def floor(self, count: int) -> dict[str, list[float]]:
        return {"fid": [self.measure(self.dataset.held_out(count, draw))["fid"] for draw in (1, 2, 3)]}


@dataclass(frozen=True)
class Restore:
    """Gives back what was there before (it knows the windows by their number), and rejects every fifth."""

    clean: MotionBatch
    reject: bool = False
    splittable: bool = False

    def correct(
        self, samples: MotionBatch, *, rows: slice = slice(None), seed: int = 0, tick: Tick = silent
    ) -> Corrections:
        tick(0.5, "Restoring")
        chosen = precise(samples.take(rows))
        if len(chosen) != len(self.clean):
            return Corrections(chosen, tuple(Outcome("unchanged") for _ in range(len(chosen))))
        outcomes = tuple(
            Outcome("rejected", "no") if self.reject and i % 5 == 0 else Outcome("corrected")
            for i in range(len(chosen))
        )
        return Corrections(precise(self.clean), outcomes)


@pytest.fixture(scope="module")
def held_out(dataset: Any) -> MotionBatch:
    batch: MotionBatch = dataset.held_out(60, 1)
    return batch


def audited(dataset: Any, held_out: MotionBatch, corrector: Any, ways: Sequence[str] = ("jitter", "low")) -> Audit:
    return audit(corrector, PlainJudge(dataset), dataset.train(120), held_out, perturbations=ways)


def test_no_corrector_changes_nothing(dataset: Any, held_out: MotionBatch) -> None:
    found = audited(dataset, held_out, Unchanged())
    assert [e.name for e in found.effects] == [
        "real", "jitter-0.03", "jitter-0.1", "jitter-0.3", "low-0.02", "low-0.05", "low-0.1",
    ]  # fmt: skip
    for effect in found.effects:
        assert effect.moved_mm == effect.second_pass_mm == 0.0
        assert effect.fid[0] == effect.fid[1] and effect.kept == effect.untouched == 1.0
        assert effect.gamma.value is None or effect.gamma.value == pytest.approx(0.0, abs=1e-9)
    assert found.effect("real").gamma.value is None, "real input tells nothing of gamma"
    assert found.effect("jitter-0.3").fid[0] > found.effect("jitter-0.03").fid[0] > found.floor_fid


def test_a_perfect_corrector_reaches_the_real_row(dataset: Any, held_out: MotionBatch) -> None:
    found = audited(dataset, held_out, Restore(held_out))
    real = found.effect("real")
    for effect in found.effects[1:]:
        assert effect.from_clean_mm is not None and effect.from_clean_mm[1] < 1e-6 < effect.from_clean_mm[0]
        assert effect.fid[1] == pytest.approx(real.fid[0])
        assert effect.moved_mm == pytest.approx(effect.from_clean_mm[0])
        assert effect.second_pass_mm == pytest.approx(0.0, abs=1e-6)
    gamma = found.effect("jitter-0.3").gamma
    assert gamma.low is not None and gamma.low > 1
    assert any("Leaves real motion alone" in sentence for sentence in found.findings)


def test_rejected_windows_lower_the_kept_share_and_say_so(dataset: Any, held_out: MotionBatch) -> None:
    found = audited(dataset, held_out, Restore(held_out, reject=True), ("low",))
    assert found.effect("real").kept == pytest.approx(0.8)
    assert "rejects 20 %" in found.findings[0]


def test_the_kinematic_corrector_brings_broken_motion_nearer(dataset: Any, held_out: MotionBatch, make: Make) -> None:
    found = audited(dataset, held_out, make("kinematic"), ("low",))
    low = found.effect("low-0.1")
    assert low.from_clean_mm is not None and low.from_clean_mm[1] < 0.5 * low.from_clean_mm[0]
    assert low.fid[1] < low.fid[0] and low.penetration_mm[1] < low.penetration_mm[0]
    assert low.simulated == 0.0 and low.cpu_s_per_window > 0 and low.realtime_factor > 0


def test_the_verdict_on_real_motion_follows_distance_and_fid(dataset: Any, held_out: MotionBatch) -> None:
    found = audited(dataset, held_out, Unchanged(), ())
    real, noise = found.effect("real"), max(found.floor) - min(found.floor)
    worse = (real.fid[0], real.fid[0] + 1.01 * noise + 0.03 * real.fid[0])
    for changes, verdict in (
        ({}, "Leaves real motion alone"),
        ({"moved_mm": 9.0}, "Moves real motion, and leaves it as real"),
        ({"fid": worse}, "Makes real motion less real"),
        ({"moved_mm": None, "kept": 0.0}, "Lets no real motion through"),
    ):
        changed = found.model_copy(update={"effects": (real.model_copy(update=changes),)})
        assert next(findings(changed)).startswith(verdict)


def test_snapping_takes_the_nearest_of_the_class(dataset: Any, held_out: MotionBatch) -> None:
    real = dataset.train(120)
    found = snapped(held_out, real)
    assert np.array_equal(found.labels, held_out.labels)
    assert same(snapped(real, real), real), "a training window is its own nearest"
    foreign = snapped(held_out, real.take(real.labels == 3))
    assert (foreign.labels == 3).all(), "where a class has none, any will do"
    assert moved_m(precise(found), precise(held_out)).mean() < moved_m(precise(foreign), precise(held_out)).mean()


def test_generated_windows_are_measured_without_their_bad_ones(dataset: Any, held_out: MotionBatch) -> None:
    broken = raised(precise(held_out), -0.08)
    broken.root_position_m[3] = np.nan
    given = Given("g", "Generation 6", "generated", broken)
    found = audit(Unchanged(), PlainJudge(dataset), dataset.train(120), held_out, generated=[given], perturbations=())
    effect = found.effect("g")
    assert effect.windows == 59 and effect.from_clean_mm is None
    assert np.isfinite([*effect.fid, effect.ceiling_fid]).all()
    assert any(sentence.startswith("Generation 6: FID") for sentence in found.findings)
    broken.root_position_m[:50] = np.nan
    with pytest.raises(InvalidMotion, match="10 of 60"):
        audit(Unchanged(), PlainJudge(dataset), dataset.train(120), held_out, generated=[given], perturbations=())


def test_progress_grows_and_names_the_input(dataset: Any, held_out: MotionBatch) -> None:
    told: list[tuple[float, str]] = []
    audit(
        Restore(held_out), PlainJudge(dataset), dataset.train(120), held_out, perturbations=("high",),
        tick=lambda fraction, words: told.append((fraction, words)),
    )  # fmt: skip
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions) and 0.9 < fractions[-1] <= 1.0
    assert any("Too high 0.05 m (3 of 4)" in words for _, words in told)


def test_inputs_are_the_same_for_the_same_seed(held_out: MotionBatch) -> None:
    for one, other in zip(inputs_of(held_out, ["jitter"], 4), inputs_of(held_out, ["jitter"], 4), strict=True):
        assert one.name == other.name and same(one.samples, other.samples)
    assert len(list(inputs_of(held_out, list(PERTURBATIONS), 0))) == 13


def test_an_audit_is_json(dataset: Any, held_out: MotionBatch) -> None:
    found = audited(dataset, held_out, Unchanged(), ())
    assert Audit.model_validate_json(found.model_dump_json()) == found
