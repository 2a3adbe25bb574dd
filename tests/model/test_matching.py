"""Do words and motions fit: the metrics, and the head that measures them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.protocols import silent
from model.datasets.base import Dataset
from model.evaluator import MotionEvaluator
from model.matching import CaptionedEvaluator, Head, train
from model.matchingmetrics import MATCHING, POOL, matching_metrics
from model.metrics import METRICS
from model.sentences import sentences


def test_perfect_pairs_and_chance() -> None:
    texts = np.eye(64)
    captions = np.arange(64)
    perfect = matching_metrics(texts, texts, captions)
    assert perfect == {"matching": 0.0, "r_precision_1": 1.0, "r_precision_2": 1.0, "r_precision_3": 1.0}
    rng = np.random.default_rng(0)
    many = rng.normal(size=(3200, 8))
    chance = matching_metrics(many, rng.normal(size=(3200, 8)), np.arange(3200))
    for k in (1, 2, 3):
        assert chance[f"r_precision_{k}"] == pytest.approx(k / POOL, abs=0.02)
    assert list(chance) == list(MATCHING)


def test_captions_that_read_alike_are_no_wrong_answers() -> None:
    texts, captions = np.eye(2), np.tile([0, 1], 32)
    assert matching_metrics(texts[captions], texts, captions)["r_precision_1"] == 1.0
    assert matching_metrics(texts[1 - captions], texts, captions)["r_precision_3"] == 0.0


def test_the_head_learns_which_words_go_with_which_motions() -> None:
    rng = np.random.default_rng(1)
    centres, sentences = rng.normal(size=(12, 64)), rng.normal(size=(12, 32)).astype(np.float32)
    said = rng.integers(0, 12, 600)
    features = centres[said] + 0.3 * rng.normal(size=(600, 64))
    item, again = (train(sentences, features[:400], said[:400], silent, steps=60) for _ in range(2))
    assert all(np.array_equal(item.arrays[name], again.arrays[name]) for name in item.arrays)
    head = Head(32)
    head.load_state_dict({name: torch.from_numpy(np.array(values)) for name, values in item.arrays.items()})
    head.eval()
    with torch.no_grad():
        texts, motions = (
            each.double().numpy()
            for each in head(torch.from_numpy(sentences), torch.from_numpy(features[400:]).float())
        )
    found = matching_metrics(motions, texts, said[400:])
    mixed = matching_metrics(motions, texts, rng.permutation(said[400:]))
    assert found["r_precision_1"] > 0.9 and found["matching"] < mixed["matching"]
    assert mixed["r_precision_1"] < 0.3


def test_real_motions_fit_their_captions_and_no_others(deepmimic: Dataset, evaluator: MotionEvaluator) -> None:
    judge = CaptionedEvaluator(deepmimic, sentences("words"), evaluator._memo)
    floor = judge.floor(64)
    assert list(floor) == [*METRICS, *MATCHING]
    assert np.mean(floor["r_precision_1"]) > 0.8
    held = deepmimic.held_out(64)
    measured, wrong = judge.measure(held), judge.measure(replace(held, captions=(held.captions + 4) % 15))
    assert list(measured) == [*METRICS, *MATCHING]
    assert wrong["r_precision_1"] < 0.3 and wrong["matching"] > measured["matching"]
    assert judge.measure(replace(held, captions=np.full(64, -1))) == evaluator.measure(held)


@pytest.mark.parametrize("name", list(MATCHING))
def test_the_metrics_say_that_they_need_captions(name: str) -> None:
    assert MATCHING[name].name == name and "has captions" in MATCHING[name].description
