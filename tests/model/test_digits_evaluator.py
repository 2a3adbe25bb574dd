"""The frozen judge's sanity table: what spoils digits must raise FID, in the right order and by enough."""

import numpy as np
import pytest

from core.draws import Draws
from core.memory import MemoryMemo
from model.digits import evaluator as module
from model.digits.data import DigitData, sklearn_digits
from model.digits.evaluator import DigitsEvaluator
from model.digits.metrics import METRICS

COUNT = 300


@pytest.fixture(scope="module")
def data() -> DigitData:
    return sklearn_digits()


@pytest.fixture(scope="module")
def judge(data: DigitData) -> DigitsEvaluator:
    return DigitsEvaluator(data, MemoryMemo())


@pytest.fixture(scope="module")
def real(data: DigitData) -> Draws:
    return data.spare.take(slice(0, COUNT))


def test_noise_raises_fid_step_by_step(judge: DigitsEvaluator, real: Draws) -> None:
    noise = np.random.default_rng(0).standard_normal(real.values.shape)
    fid = [judge.measure(real.with_values((real.values + std * noise).clip(0, 1)))["fid"] for std in (0, 0.1, 0.2, 0.4)]
    assert 1.05 * fid[0] < fid[1] and 1.4 * fid[1] < fid[2] and 1.4 * fid[2] < fid[3]


def test_blur_and_wrong_images_are_far_from_real(judge: DigitsEvaluator, data: DigitData, real: Draws) -> None:
    clean = judge.measure(real)["fid"]
    images = real.values.reshape(-1, 8, 8)
    blurred = (images + sum(np.roll(images, by, axis) for by in (-1, 1) for axis in (1, 2))) / 5
    ones = np.flatnonzero(data.train.labels == 1)
    spoilt = {
        "blur": blurred.reshape(real.values.shape),
        "noise alone": np.random.default_rng(0).random(real.values.shape),
        "one class": data.train.values[:, np.resize(ones, COUNT)],
    }
    found = {name: judge.measure(real.with_values(values)) for name, values in spoilt.items()}
    assert all(measured["fid"] > 8 * clean for measured in found.values())
    assert found["noise alone"]["accuracy"] < 0.3 and found["one class"]["coverage"] < 0.3


def test_collapse_within_classes_is_seen(judge: DigitsEvaluator, data: DigitData, real: Draws) -> None:
    whole = judge.measure(real)
    few = judge.measure(real.take(np.resize(np.arange(50), COUNT)))  # five images of each digit, again and again
    assert few["fid"] > 2.5 * whole["fid"] and few["accuracy"] > 0.9
    assert few["recall"] < 0.3 < 0.9 < whole["recall"] and few["coverage"] < 0.7 * whole["coverage"]
    means = np.stack([data.train.values[0, data.train.labels == digit].mean(0) for digit in range(10)])
    towards = real.with_values((0.5 * real.values + 0.5 * means[real.labels]).astype(np.float32))
    shrunk = judge.measure(towards)
    assert shrunk["multimodality"] < 0.7 * whole["multimodality"] and shrunk["fid"] > 1.5 * whole["fid"]
    before, after = judge.tails(real), judge.tails(towards)
    assert before is not None and after is not None
    assert 0.02 < before.beyond(0.05)[0] < 0.12 and after.beyond(0.05)[0] < 0.01


def test_all_metrics_are_measured_and_real_digits_are_recognised(judge: DigitsEvaluator, real: Draws) -> None:
    measured = judge.measure(real)
    assert [*measured, "tail"] == list(METRICS) and measured == judge.measure(real)
    assert measured["accuracy"] > 0.95
    with pytest.raises(ValueError, match="two samples"):
        judge.measure(real.take([0]))


def test_the_floor_is_a_few_draws_of_real_images(judge: DigitsEvaluator) -> None:
    floor = judge.floor(100)
    assert set(floor) == set(METRICS) and floor == judge.floor(100)
    assert all(len(values) == module.FLOOR_DRAWS for values in floor.values()) and len(set(floor["fid"])) > 1
    assert len(judge.floor(100_000)["fid"]) == module.FLOOR_DRAWS  # more than there are: all that there are


def test_training_is_deterministic_kept_and_told(data: DigitData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEPS", 4)
    monkeypatch.setattr(module, "TICK_S", 0.0)
    told: list[float] = []
    one, two = module.train(data, lambda fraction, _: told.append(fraction)), module.train(data)
    for name, values in one.arrays.items():
        np.testing.assert_array_equal(values, two.arrays[name])
    assert len(told) == 4 and told[-1] == 1.0
    memo = MemoryMemo()
    DigitsEvaluator(data, memo)
    kept = dict(memo.items)
    DigitsEvaluator(data, memo)
    assert memo.items == kept and len(kept) == 1
