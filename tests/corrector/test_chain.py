import numpy as np
import pytest

from core.errors import InvalidConfig
from core.motion import MotionBatch
from core.protocols import Corrector
from corrector.chain import Chain, looks_at_whole_batch
from corrector.report import moved_m
from tests.corrector.conftest import Make, jittered, raised, same
from tests.corrector.draws import Normal, corrector_of, drawn, reference_of, values_of

KINEMATIC: dict[str, object] = {"kind": "kinematic"}
IDEALIZED: dict[str, object] = {"kind": "idealized"}
NONE: dict[str, object] = {"kind": "none"}
PHYSICS: dict[str, object] = {"kind": "physics"}


def chain_of(make: Make, *parts: object, strength: float = 1.0) -> Corrector:
    return make("chain", parts=list(parts), strength=strength)


def test_a_chain_of_one_is_that_one(make: Make, clean: MotionBatch) -> None:
    low = raised(clean, -0.05)
    alone, chained = make("kinematic").correct(low), chain_of(make, KINEMATIC).correct(low)
    assert same(alone.samples, chained.samples)
    assert [o.moved_m for o in alone.outcomes] == pytest.approx([o.moved_m for o in chained.outcomes])
    assert [o.before for o in alone.outcomes] == [o.before for o in chained.outcomes]


def test_a_chain_corrects_one_after_the_other(make: Make, clean: MotionBatch) -> None:
    noisy = jittered(clean)
    first = make("idealized").correct(noisy)
    second = make("kinematic").correct(first.samples)
    chained = chain_of(make, IDEALIZED, KINEMATIC).correct(noisy)
    assert same(second.samples, chained.samples)
    assert all(
        o.before["jerk_m_s3"] == pytest.approx(f.before["jerk_m_s3"])
        for o, f in zip(chained.outcomes, first.outcomes, strict=True)
    )


@pytest.mark.parametrize(
    ("parts", "splittable"),
    [
        ([KINEMATIC, NONE], True),
        ([IDEALIZED, KINEMATIC], True),
        ([KINEMATIC, IDEALIZED], False),
        ([{"kind": "chain", "options": {"parts": [IDEALIZED]}}, KINEMATIC], True),
        ([KINEMATIC, {"kind": "chain", "options": {"parts": [IDEALIZED]}}], False),
    ],
)
def test_rows_are_rows_of_the_whole(make: Make, clean: MotionBatch, parts: list[object], splittable: bool) -> None:
    corrector = chain_of(make, *parts)
    assert corrector.splittable is splittable
    assert isinstance(corrector, Chain)
    assert looks_at_whole_batch(corrector) is (IDEALIZED in parts or any("parts" in str(p) for p in parts))
    noisy = jittered(clean)
    whole, part = corrector.correct(noisy), corrector.correct(noisy, rows=slice(5, 9))
    assert same(whole.samples.take(slice(5, 9)), part.samples)
    assert whole.outcomes[5:9] == part.outcomes
    assert np.array_equal(whole.tracks["residual_force_bw"][5:9], part.tracks["residual_force_bw"])


def test_strength_blends_between_input_and_result(make: Make, clean: MotionBatch) -> None:
    low = raised(clean, -0.05)
    assert same(chain_of(make, KINEMATIC, strength=0).correct(low).samples, low)
    full = chain_of(make, KINEMATIC).correct(low).samples
    half = chain_of(make, KINEMATIC, strength=0.5).correct(low)
    moved = moved_m(low, half.samples)
    assert np.allclose(moved, moved_m(low, full) / 2, rtol=0.05, atol=1e-6)
    assert [o.moved_m for o in half.outcomes] == pytest.approx(moved.tolist(), abs=1e-6)


def test_a_rejection_names_its_part_and_keeps_the_input(make: Make, clean: MotionBatch) -> None:
    far = raised(clean.take([0, 1]), 0.0)
    far.root_position_m[1] = np.nan
    result = chain_of(make, NONE, KINEMATIC).correct(far)
    assert [o.status for o in result.outcomes] == ["unchanged", "rejected"]
    assert "none (part 1 of 2)" in result.outcomes[1].reason
    assert np.isnan(result.samples.root_position_m[1]).all()


def test_the_force_of_the_last_simulation_counts(make: Make, clean: MotionBatch) -> None:
    low = raised(clean.take([0]), -0.05)
    moved = {"simulate": "moved"}
    result = chain_of(make, {**PHYSICS, "options": moved}, KINEMATIC).correct(low)
    alone = make("physics", **moved).correct(low)
    assert alone.outcomes[0].residual_force_bw > 0
    assert result.outcomes[0].residual_force_bw == pytest.approx(alone.outcomes[0].residual_force_bw)
    assert np.array_equal(result.tracks["residual_force_bw"], alone.tracks["residual_force_bw"])


def test_faults_in_parts_are_named(make: Make) -> None:
    with pytest.raises(InvalidConfig, match="no corrector named 'magic'"):
        chain_of(make, {"kind": "magic"})
    with pytest.raises(InvalidConfig, match="parts.1.options.gamma"):
        chain_of(make, KINEMATIC, {"kind": "idealized", "options": {"gamma": -1}})


def test_strength_is_linear_in_draws() -> None:
    samples, reference = drawn(1, 3, 12), reference_of(drawn(2, 3, 20))
    full, part = (
        values_of(corrector_of("chain", reference, parts=[IDEALIZED], strength=s).correct(samples).samples)
        for s in (1.0, 0.25)
    )
    assert not np.array_equal(full, samples.values)
    assert part == pytest.approx(samples.values + 0.25 * (full - samples.values))


def test_parts_that_draw_at_random_draw_apart() -> None:
    mixture = {"kind": "idealized", "options": {"gamma": 1.0, "form": "mixture"}}
    samples, reference = drawn(1, 1, 400), reference_of(drawn(2, 1, 20), Normal(2))
    twice = corrector_of("chain", reference, parts=[mixture, mixture]).correct(samples, seed=1)
    assert np.mean([o.status == "corrected" for o in twice.outcomes]) == pytest.approx(0.75, abs=0.08)


@pytest.mark.parametrize("order", [0, 1])
def test_a_filter_in_a_chain_rejects_the_same_samples_for_all_seeds_as_for_each(order: int) -> None:
    parts: list[dict[str, object]] = [{"kind": "quality", "options": {"share": 0.5}}, {"kind": "none"}]
    parts = parts[::-1] if order else parts
    samples, real = drawn(1, 3, 16), drawn(2, 3, 30)
    together = corrector_of("chain", reference_of(real), parts=parts).correct(samples)
    left = [i for i, o in enumerate(together.outcomes) if o.status != "rejected"]
    assert len(left) == 8
    for seed in range(3):
        alone = corrector_of("chain", reference_of(real.of_seed(seed)), parts=parts).correct(samples.of_seed(seed))
        mine = [i for i, o in enumerate(alone.outcomes) if o.status != "rejected"]
        assert np.array_equal(values_of(together.samples)[seed, left], values_of(alone.samples)[0, mine])


def test_a_filter_for_several_seeds_has_no_half_strength() -> None:
    chained = corrector_of("chain", reference_of(drawn(2, 3, 20)), parts=[{"kind": "quality"}], strength=0.5)
    with pytest.raises(InvalidConfig, match="strength of 1") as error:
        chained.correct(drawn(1, 3, 10))
    assert error.value.field == "corrector.options.strength"
    assert len(chained.correct(drawn(1, 1, 10)).outcomes) == 10
