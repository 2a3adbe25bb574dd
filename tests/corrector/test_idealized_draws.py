import numpy as np
import pytest

from core.config import parse
from core.draws import Draws
from core.errors import InvalidConfig
from core.protocols import Reference
from core.seeds import normal
from corrector.idealized import IdealizedOptions
from corrector.idealized_draws import Form, idealized_draws
from corrector.matching import partners
from tests.corrector.draws import Normal, corrector_of, drawn, reference_of, values_of

FORMS: tuple[Form, ...] = ("blend", "mixture", "rejection")


def test_a_blend_is_the_papers_formula() -> None:
    samples, real = drawn(1, 3, 20, classes=2), drawn(2, 3, 20, classes=2)
    values = values_of(corrector_of("idealized", reference_of(real), gamma=0.5).correct(samples).samples)
    other = real.values[np.arange(3)[:, None], partners(samples, real)]
    assert values == pytest.approx((samples.values + 0.5 * other) / 1.5)


def test_without_strength_a_blend_and_a_mixture_leave_everything_as_it_is() -> None:
    samples = drawn(1, 3, 20)
    for form in ("blend", "mixture"):
        done = corrector_of("idealized", reference_of(drawn(2, 3, 20), Normal(2)), gamma=0, form=form).correct(samples)
        assert np.array_equal(values_of(done.samples), samples.values)
        assert {o.status for o in done.outcomes} == {"unchanged"}


@pytest.mark.parametrize("form", ["mixture", "rejection"])
def test_corrected_samples_come_nearer_to_the_truth_with_gamma(form: str) -> None:
    samples, truth = drawn(1, 200, 25, std=0.4), Normal(2)
    reference = reference_of(drawn(2, 200, 50), truth)
    spread = [
        values_of(corrector_of("idealized", reference, gamma=gamma, form=form).correct(samples, seed=1).samples).std()
        for gamma in (0.0, 0.3, 1.0, 5.0, 1000.0)
    ]
    assert spread == sorted(spread)
    assert spread[-1] == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("form", FORMS)
def test_rows_of_a_stack_are_corrected_as_alone(form: Form) -> None:
    samples, real, seed = drawn(1, 5, 20, std=0.5), drawn(2, 5, 30), ((7, 3), (8, 2))
    truth = Normal(2)
    together = idealized_draws(form, 0.4, reference_of(real, truth)).correct(samples, seed=seed)
    for rows, own in ((slice(0, 3), 7), (slice(3, 5), 8)):
        alone = corrector_of("idealized", reference_of(real.of_seed(rows), truth), gamma=0.4, form=form)
        expected = values_of(alone.correct(samples.of_seed(rows), seed=own).samples)
        assert values_of(together.samples)[rows] == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_a_rejection_sample_stands_in_the_order_of_the_samples() -> None:
    samples = drawn(1, 4, 60)
    done = corrector_of("idealized", reference_of(drawn(2, 4, 50), Normal(2)), form="rejection").correct(
        samples, seed=3
    )
    values = values_of(done.samples)
    rng = np.random.default_rng(0)
    shuffled = np.linalg.norm(values[:, rng.permutation(60)] - samples.values, axis=2).mean()
    assert np.mean([o.moved_m for o in done.outcomes]) < 0.5 * shuffled


def test_images_keep_their_shape() -> None:
    labels = np.zeros(6, dtype=np.int64)
    samples, real = (Draws(normal(seed, (1, 6, 4, 3)), labels) for seed in (1, 2))
    for form in ("blend", "mixture"):
        done = corrector_of("idealized", reference_of(real), form=form, gamma=1000.0).correct(samples)
        assert values_of(done.samples).shape == (1, 6, 4, 3)
    ends = values_of(corrector_of("idealized", reference_of(real), gamma=1000.0).correct(samples).samples)
    assert sorted(ends.sum((0, 2, 3))) == pytest.approx(sorted(real.values.sum((0, 2, 3))), abs=0.05)


@pytest.mark.parametrize("gamma", [-0.1, float("inf"), float("nan"), "strong"])
def test_a_strength_is_a_finite_number_from_zero(gamma: object) -> None:
    with pytest.raises(InvalidConfig, match="corrector.options.gamma"):
        parse(IdealizedOptions, {"gamma": gamma}, "corrector.options")


@pytest.mark.parametrize(
    ("reference", "word"),
    [
        (reference_of(drawn(1, 2, 30)), "nobody knows"),
        (reference_of(drawn(1, 2, 30, 4), Normal(4)), "4 dimensions"),
        (reference_of(drawn(1, 2, 30, classes=3), Normal(2)), "3 classes"),
    ],
)
def test_rejection_is_refused_where_there_is_no_density_to_draw_from(reference: Reference, word: str) -> None:
    with pytest.raises(InvalidConfig, match=word) as error:
        corrector_of("idealized", reference, form="rejection")
    assert error.value.field == "corrector.options.form"
    assert "mixture" in error.value.hint


def test_token_ids_are_no_numbers_to_compute_with() -> None:
    tokens = Draws(np.ones((1, 5, 8), dtype=np.int64), np.zeros(5, dtype=np.int64))
    with pytest.raises(InvalidConfig, match="int64"):
        corrector_of("idealized", reference_of(tokens))


def test_samples_of_other_seeds_or_shapes_are_refused() -> None:
    corrector = corrector_of("idealized", reference_of(drawn(1, 3, 30)))
    with pytest.raises(InvalidConfig, match="3 seeds; got samples of 2"):
        corrector.correct(drawn(2, 2, 5))
    with pytest.raises(InvalidConfig, match="shape"):
        corrector.correct(drawn(2, 3, 5, 7))
