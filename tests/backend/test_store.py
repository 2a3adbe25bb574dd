import os
import time
from pathlib import Path

import numpy as np
import pytest

from backend.store import ArtifactStore, from_bytes, to_bytes
from core.errors import DataMissing
from core.records import Arrays, Item


def item(seed: int = 0) -> Item:
    rng = np.random.default_rng(seed)
    arrays: Arrays = {
        "b": rng.normal(size=(3, 4)).astype(np.float32), "a": np.arange(5), "none": np.zeros((0, 3)),
        "flag": np.array([True, False]), "turned": rng.normal(size=(4, 3)).T,
    }  # fmt: skip
    return Item(arrays, {"text": "ü", "numbers": [1, 2.5, None], "nan": float("nan"), "deep": {"x": {}}})


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path)


def test_an_item_comes_back_bit_for_bit(store: ArtifactStore) -> None:
    found = store.get(store.put(item()).digest)
    for name, values in item().arrays.items():
        assert found.arrays[name].dtype == values.dtype
        np.testing.assert_array_equal(found.arrays[name], values)
    assert np.isnan(found.meta.pop("nan"))
    assert found.meta == {k: v for k, v in item().meta.items() if k != "nan"}


def test_equal_items_are_one_file(store: ArtifactStore) -> None:
    shuffled = Item(dict(reversed(item().arrays.items())), dict(reversed(item().meta.items())))
    assert store.put(item()) == store.put(shuffled)
    assert store.put(item(1)).digest != store.put(item()).digest
    assert len([p for p in store.folder.rglob("*") if p.is_file()]) == 2
    assert store.size() == store.put(item()).size + store.put(item(1)).size


@pytest.mark.parametrize("digest", ["../../etc/passwd", "", "ab", "A" * 64, "0" * 63 + "/"])
def test_only_digests_name_files(store: ArtifactStore, digest: str) -> None:
    with pytest.raises(DataMissing):
        store.get(digest)


def test_missing_and_damaged_files_are_told_in_words(store: ArtifactStore) -> None:
    with pytest.raises(DataMissing, match="not in the data folder"):
        store.get("0" * 64)
    stored = store.put(item())
    data = to_bytes(item())
    for damaged in (b"", data[:20], data[:-1], b"\xff" * 100):
        store.path(stored.digest).write_bytes(damaged)
        with pytest.raises(DataMissing, match="cannot be read"):
            store.get(stored.digest)
    with pytest.raises(DataMissing):
        from_bytes(b"no item at all")


def test_a_write_that_fails_leaves_nothing(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="space"):
        store.put(item())
    assert [p for p in store.folder.rglob("*") if p.is_file()] == []


def test_collect_spares_what_is_wanted_or_young(store: ArtifactStore) -> None:
    kept, young, old = (store.put(item(seed)).digest for seed in range(3))
    for digest in (kept, old):
        os.utime(store.path(digest), (1, 1))
    assert store.collect([kept], before=time.time() - 3600) == 1
    assert [store.path(d).exists() for d in (kept, young, old)] == [True, True, False]
