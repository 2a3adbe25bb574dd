"""What all light domains have in common."""

import json
from typing import Any

import numpy as np
import pytest

from core.config import with_changes
from core.draws import Draws, stack
from core.errors import InvalidConfig
from core.records import Item
from core.seeds import seed_for
from model.analytic.light import check_size
from model.domains import DOMAINS
from tests.model.lightloops import LIGHT, config_of, domain_of, fitted, ran

every_light = pytest.mark.parametrize("kind", LIGHT)


def beside(one: Item, other: Item) -> Item:
    """Two checkpoints as one, their seeds side by side."""
    return Item({name: np.concatenate([one.arrays[name], other.arrays[name]]) for name in one.arrays})


def rows_of(item: Item, rows: slice) -> Item:
    return Item({name: values[rows] for name, values in item.arrays.items()})


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-9, atol=1e-12, err_msg=name)


@every_light
@pytest.mark.parametrize("policy", ["replace", "accumulate", "augment"])
def test_a_loop_gives_the_same_finite_numbers_twice(kind: str, policy: str) -> None:
    config = config_of(kind, {"policy": {"kind": policy, "options": {}}})
    one, two = ran(config), ran(config)
    assert [r.metrics for r in one.records] == [r.metrics for r in two.records]
    for record in one.records:
        assert list(record.metrics) == list(DOMAINS[kind].metrics)
        assert all(np.isfinite(value) for value in [*record.metrics.values(), *record.training.values()])
    assert ran(with_changes(config, {"seed": 1})).records[0].metrics != one.records[0].metrics


@every_light
def test_stacked_loops_compute_what_each_computes_alone(kind: str) -> None:
    configs = [config_of(kind), config_of(kind, {"seed": 7, "replicates": 2})]
    domains = [domain_of(config) for config in configs]
    begin = [seed_for(config.seed, 0, "learn") for config in configs]
    alone = [fitted(domain, domain.real(40), seed=seed) for domain, seed in zip(domains, begin, strict=True)]
    domain, both = domains[0], beside(*alone)
    first = fitted(domain, stack([domain.real(40) for domain in domains]), seed=((begin[0], 3), (begin[1], 2)))
    assert_same(first.arrays, both.arrays)
    labels = np.resize(np.unique(domain.real(40).labels), 50)
    seed = ((11, 3), (12, 2))
    samples = domain.generator().sample(both, labels, guidance=1.0, seed=seed)
    each = [
        domain.generator().sample(one, labels, guidance=1.0, seed=number)
        for domain, one, number in zip(domains, alone, (11, 12), strict=True)
    ]
    assert_same(samples.arrays(), stack(each).arrays())
    again = [
        fitted(domain, one.concat([domain.real(40)]), start)
        for domain, one, start in zip(domains, each, alone, strict=True)
    ]
    real = stack([domain.real(40) for domain in domains])
    together = fitted(domain, samples.concat([real]), both, ((1, 3), (1, 2)))
    assert_same(together.arrays, beside(*again).arrays)
    judge = domain.evaluator()
    measured = judge.measure(samples, together)
    parts = [domain.evaluator().measure(one, fit) for domain, one, fit in zip(domains, each, again, strict=True)]
    assert_same(dict(measured), {name: np.concatenate([np.asarray(p[name]) for p in parts]) for name in measured})
    tails = judge.tails(samples, together)
    assert tails is not None and tails.shares.shape == (5, 5)


@every_light
def test_a_sample_of_weight_zero_is_not_there(kind: str) -> None:
    config = config_of(kind)
    domain = domain_of(config)
    first = fitted(domain, domain.real(40))
    samples = domain.generator().sample(first, domain.real(40).labels, guidance=1.0, seed=3)
    weight = np.ones((3, 40))
    weight[0, 5:20] = weight[1, 25:] = 0.0
    weighted = fitted(domain, Draws(samples.values, samples.labels, weight), first)
    labels = np.resize(samples.labels, 30)
    drawn = domain.generator().sample(weighted, labels, guidance=1.0, seed=4)
    measured = domain.evaluator().measure(drawn, weighted)
    for row in range(3):
        there = np.flatnonzero(weight[row])
        start = rows_of(first, slice(row, row + 1))
        alone = fitted(domain, samples.of_seed(row).take(there), start)
        generator = domain.generator()
        part = rows_of(weighted, slice(row, row + 1))
        one = generator.sample(part, labels, guidance=1.0, seed=4)
        two = generator.sample(alone, labels, guidance=1.0, seed=4)
        np.testing.assert_allclose(one.values, two.values, rtol=1e-9, atol=1e-12)
        if kind != "kde":  # its checkpoint is the samples themselves, absent ones too
            assert_same(part.arrays, alone.arrays)
        expected = domain.evaluator().measure(drawn.of_seed(row), alone)
        for name, values in expected.items():
            np.testing.assert_allclose(np.asarray(measured[name])[row], values, rtol=1e-9, err_msg=name)


@every_light
def test_a_seed_without_samples_keeps_what_it_had(kind: str) -> None:
    domain = domain_of(config_of(kind, {"replicates": 2}))
    real = domain.real(40)
    first = fitted(domain, real)
    weight = np.stack([np.ones(40), np.zeros(40)])
    second = fitted(domain, Draws(real.values * 0.5, real.labels, weight), first)
    labels, draw = real.labels, domain.generator().sample
    before, after = (draw(item, labels, guidance=1.0, seed=3).values for item in (first, second))
    if kind == "regression":  # least squares without any label is the shortest solution, zero
        np.testing.assert_allclose(second.arrays["weights"][1], 0.0)
    else:
        np.testing.assert_allclose(after[1], before[1])
    assert not np.allclose(after[0], before[0])


@every_light
def test_the_checkpoint_of_the_first_seed_samples_alone(kind: str) -> None:
    domain = domain_of(config_of(kind))
    real = domain.real(40)
    first = rows_of(fitted(domain, real), slice(0, 1))
    samples = domain.generator().sample(first, real.labels[:6], guidance=1.0, seed=2)
    assert samples.values.shape == (1, 6, *real.values.shape[2:])
    assert domain.distance(samples, real).shape == (6, 40)


@every_light
def test_every_seed_and_generation_draws_real_data_of_its_own(kind: str) -> None:
    domain, other = domain_of(config_of(kind)), domain_of(config_of(kind, {"seed": 1}))
    real, fresh = domain.real(40), domain.fresh_real(40, 1)
    assert real is domain.real(40) and np.array_equal(real.values, domain_of(config_of(kind)).real(40).values)
    every = [*real.values, *fresh.values, *domain.fresh_real(40, 2).values, *other.real(40).values]
    assert len({one.tobytes() for one in every}) == len(every)
    assert domain.digest != other.digest
    assert domain.digest == domain_of(config_of(kind, {"generations": 9})).digest


@every_light
def test_a_body_is_json_for_its_view(kind: str) -> None:
    domain = domain_of(config_of(kind))
    body = json.loads(json.dumps(domain.body()))
    assert body["view"] == DOMAINS[kind].view
    labels, values = domain.real(40).labels, domain.real(40).values
    assert labels.max() < len(body["class_names"])
    if body["view"] == "curve":
        assert len(body["abscissa"]) == len(body["class_names"])
    else:
        low, high = np.array(body["limits"]).T
        inside = (values[..., :2] > low) & (values[..., :2] < high)
        assert inside.mean() > 0.99


@every_light
def test_the_floor_is_what_real_samples_measure(kind: str) -> None:
    floor = domain_of(config_of(kind)).evaluator().floor(400)
    assert np.mean(floor["tail"]) == pytest.approx(0.05, abs=0.02)
    assert set(floor) <= set(DOMAINS[kind].metrics)


def test_more_numbers_than_fit_are_refused_in_words() -> None:
    config = config_of("gaussian", {"replicates": 10_000, "n": 100_000})
    with pytest.raises(InvalidConfig, match="10000 seeds at once x n = 100000 x 3 dimensions") as refused:
        check_size(config, 3)
    assert refused.value.field == "replicates"
    for kind in LIGHT:
        with pytest.raises(InvalidConfig, match="seeds at once"):
            DOMAINS[kind].check(
                with_changes(config, {"domain": kind, **DOMAINS[kind].start, "replicates": 10_000, "n": 100_000})
            )
