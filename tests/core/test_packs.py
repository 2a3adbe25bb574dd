"""What is packed comes out as it went in."""

import numpy as np
import pytest

from core.packs import pack, reading, unpack
from core.records import Item


def same(a: Item | None, b: Item) -> bool:
    return (
        a is not None
        and a.meta == b.meta
        and a.arrays.keys() == b.arrays.keys()
        and all(np.array_equal(a.arrays[k], b.arrays[k]) and a.arrays[k].shape == b.arrays[k].shape for k in b.arrays)
        and all(a.arrays[k].dtype == b.arrays[k].dtype for k in b.arrays)
    )


ITEMS = {
    (3, "rows"): Item({"x": np.arange(4.0), "label": np.array([1, 2])}, {"a": 1}),
    (4, "rows"): Item({"x": np.arange(4.0) + 1, "label": np.array([1, 2])}, {"a": 1}),
    (5, "rows"): Item({"x": np.arange(4.0) + 2, "label": np.array([1, 2])}, {"a": 2}),
    (3, "ragged"): Item({"x": np.zeros((2, 3))}),
    (5, "ragged"): Item({"x": np.ones((0, 3)), "y": np.array(2.5)}),
    (4, "types"): Item({"x": np.array([1])}),
    (5, "types"): Item({"x": np.array([1.0])}),
    (5, "alone"): Item({"x": np.array(7.0)}, {"nan": "kept"}),
}


@pytest.mark.parametrize("key", ITEMS, ids=lambda key: f"{key[0]}-{key[1]}")
def test_every_item_comes_out_as_it_went_in(key: tuple[int, str]) -> None:
    packed = pack(ITEMS)
    assert same(unpack(packed.meta, *key, reading(packed)), ITEMS[key])


@pytest.mark.parametrize("key", [(4, "ragged"), (6, "rows"), (3, "nothing")])
def test_what_was_not_packed_is_not_found(key: tuple[int, str]) -> None:
    packed = pack(ITEMS)
    assert unpack(packed.meta, *key, reading(packed)) is None


def test_what_is_equal_in_all_generations_is_kept_once() -> None:
    packed = pack({key: item for key, item in ITEMS.items() if key[1] == "rows"})
    assert packed.arrays["rows/label"].shape == (1, 2)
    assert packed.arrays["rows/x"].shape == (3, 4)
    assert packed.meta["items"]["rows"]["metas"] == [{"a": 1}, {"a": 2}]
