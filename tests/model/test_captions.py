"""What clips are said to show, and how windows carry it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.config import parse
from model.datasets.base import Dataset
from model.datasets.captions import LONGEST, captions_in, image_index, mirrored_text, unique_captions
from model.datasets.registry import DATASETS
from tests.model.npzfiles import rows_of, write_files


def build(path: Path, **options: Any) -> Dataset:
    part = DATASETS["npz"]
    dataset: Dataset = part.build(parse(part.options, {"path": str(path), **options}))
    return dataset


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("turns left, then Right", "turns right, then Left"),
        ("leftwards and clockwise", "rightwards and counterclockwise"),
        ("counter-clockwise", "clockwise"),
        ("stands upright, alright", "stands upright, alright"),
        ("walks", "walks"),
    ],
)
def test_words_in_the_mirror(text: str, image: str) -> None:
    assert mirrored_text(text) == image


def test_a_cell_holds_one_caption_per_line() -> None:
    assert captions_in("a  walk\n\n a run \r\na walk") == ("a walk", "a run")
    assert captions_in("a\x07b\u202ec") == ("a b c",)
    assert len(captions_in("x" * 9999)[0]) == LONGEST
    assert captions_in(" \n ") == ()


def test_mirror_images_have_captions_of_their_own() -> None:
    captions = unique_captions(["kick left", "walk"], mirror=True)
    assert captions == ("kick left", "kick right", "walk")
    assert image_index(captions).tolist() == [1, 0, 2, -1]
    assert unique_captions(["kick left", "walk", "walk"], mirror=False) == ("kick left", "walk")


def test_windows_carry_the_caption_of_their_clip_and_of_its_mirror_image(tmp_path: Path) -> None:
    rows = rows_of(400)
    said = ["walks to the left", "walks on", "sits\nrests", ""]
    for row, text in zip(rows, said, strict=True):
        row["text"] = text
    plain, mirror = (build(write_files(tmp_path, rows), mirror=flag) for flag in (False, True))
    assert plain.captions == ("rests", "sits", "walks on", "walks to the left")
    assert mirror.captions == ("rests", "sits", "walks on", "walks to the left", "walks to the right")
    walks, sits = (
        {plain.captions[c] for c in plain.train(60).captions[plain.train(60).labels == label]} for label in (1, 0)
    )
    assert walks == {"walks to the left"} and sits == {"sits", "rests"}
    held = plain.held_out(60)
    assert set(held.captions[held.labels == 0]) == {-1} and set(held.captions[held.labels == 1]) == {2}
    # The body walks to the left (+x), its image to the right: the words go with it.
    seen = mirror.train(60)
    flipped = seen.root_position_m[:, -1, 0] < 0
    right = np.array([mirror.captions[c] == "walks to the right" for c in seen.captions])
    assert right.any() and np.array_equal(right[seen.labels == 1], flipped[seen.labels == 1])


def test_captions_change_no_window(tmp_path: Path) -> None:
    rows = rows_of(400)
    before = build(write_files(tmp_path, rows)).train(20)
    assert (before.captions == -1).all() and "captions" not in before.arrays()
    told = build(write_files(tmp_path, [row | {"text": ""} for row in rows]))
    assert told.captions == ()


def test_deepmimic_has_one_caption_per_class(deepmimic: Dataset) -> None:
    assert len(set(deepmimic.captions)) == len(deepmimic.class_names)
    batch = deepmimic.train(30)
    assert np.array_equal(batch.captions, batch.labels)
    assert all(text.startswith("a person ") for text in deepmimic.captions)


def test_cmu_windows_are_told_by_their_take(cmu: Dataset) -> None:
    batch = cmu.train(200)
    walking = batch.captions[batch.labels == cmu.class_names.index("walk")]
    assert (walking >= 0).all() and {"walk", "slow walk"} <= {cmu.captions[c] for c in walking}
