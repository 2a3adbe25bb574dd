import numpy as np
import pytest

from core.errors import InvalidConfig
from core.panel import names_of_samples, panel_labels, prompted, shown
from core.records import Item
from tests.core.toy import Clip, MeanGenerator, Numbers, ToyDomain


def numbers(values: list[float], labels: list[int]) -> Numbers:
    return Numbers(np.array(values), np.array(labels))


def test_beside_each_sample_stands_the_nearest_real_one_of_its_class() -> None:
    real = numbers([0.0, 5.0, 1.0, 6.0], [0, 0, 1, 1])
    raw = numbers([1.0, 5.9, 5.9], [0, 1, 7])
    items = shown(ToyDomain(), real, raw, Clip(2.0), seed=0)
    assert items["real"].meta["index"] == [0, 3, 3], "of any class where its own has none"
    np.testing.assert_array_equal(items["real"].arrays["labels"], [0, 1, 1])
    np.testing.assert_array_equal(items["raw"].arrays["labels"], raw.labels)
    assert len(items["corrected"].meta["outcomes"]) == 3


def test_a_small_panel_spreads_over_all_classes() -> None:
    labels = panel_labels(np.repeat(np.arange(15), 3), 4)
    assert labels[0] == 0 and labels[-1] == 14 and len(set(labels.tolist())) == 4
    assert np.bincount(panel_labels(np.arange(3), 7)).tolist() == [3, 2, 2]


def test_names_are_classes_captions_and_prompts() -> None:
    names = list(ToyDomain().class_names)
    labels = {"labels": np.array([1, -1, 0, -1])}
    assert names_of_samples(ToyDomain(), labels, ["words"]) == [names[1], "", names[0], "words"]


def test_who_is_told_no_sentences_says_so() -> None:
    with pytest.raises(InvalidConfig, match="told sentences"):
        prompted(MeanGenerator(), Item(), ["a person walks"], guidance=1.0, seed=0)
