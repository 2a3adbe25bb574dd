import os
import time
from pathlib import Path

import numpy as np
import pytest

from backend.blobs import FolderBlobs
from backend.settings import Settings
from backend.store import ArtifactStore, digest_of, from_bytes, name_of, open_blobs, open_store, to_bytes
from core.errors import DataMissing, InvalidConfig
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
    return ArtifactStore(FolderBlobs(tmp_path))


def files(store: ArtifactStore) -> list[Path]:
    return [path for path in store.blobs.path(".").rglob("*") if path.is_file()]


def file_of(store: ArtifactStore, digest: str) -> Path:
    return store.blobs.path(name_of(digest))


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
    assert len(files(store)) == 2
    assert store.size() == store.put(item()).size + store.put(item(1)).size


@pytest.mark.parametrize("digest", ["../../etc/passwd", "", "ab", "A" * 64, "0" * 63 + "/"])
def test_only_digests_name_files(store: ArtifactStore, digest: str) -> None:
    with pytest.raises(DataMissing):
        store.get(digest)


def test_missing_and_damaged_files_are_told_in_words(store: ArtifactStore) -> None:
    for read in (store.get, store.local):
        with pytest.raises(DataMissing, match="000000000000 is not in the folder"):
            read("0" * 64)
    stored, data = store.put(item()), to_bytes(item())
    flipped = bytearray(data)
    flipped[-1] ^= 1  # an array's last byte: safetensors itself would not notice
    for damaged in (b"", data[:20], data[:-1], b"\xff" * 100, bytes(flipped)):
        file_of(store, stored.digest).write_bytes(damaged)
        for read in (store.get, store.local):
            with pytest.raises(DataMissing, match=f"{stored.digest[:12]} cannot be read"):
                read(stored.digest)
    with pytest.raises(DataMissing):
        from_bytes(b"no item at all")
    from_bytes(bytes(flipped))


def test_storing_the_same_again_repairs_it(store: ArtifactStore) -> None:
    stored = store.put(item())
    file_of(store, stored.digest).write_bytes(bytes(stored.size))
    assert store.put(item()) == stored
    assert store.read(stored.digest) == to_bytes(item())
    assert store.local(stored.digest).read_bytes() == to_bytes(item())


def test_a_write_that_fails_leaves_nothing(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="space"):
        store.put(item())
    assert files(store) == []


def test_collect_spares_what_is_wanted_or_young(store: ArtifactStore) -> None:
    kept, young, old = (store.put(item(seed)).digest for seed in range(3))
    for digest in (kept, old):
        os.utime(file_of(store, digest), (1, 1))
    assert store.collect([kept], before=time.time() - 3600) == 1
    assert [file_of(store, d).exists() for d in (kept, young, old)] == [True, True, False]


def test_collect_takes_what_killed_writers_left_and_leaves_what_is_not_ours(store: ArtifactStore) -> None:
    kept = file_of(store, store.put(item()).digest)
    left, foreign = kept.with_name(f".{kept.name}.0123456789ab"), kept.with_name("notes.txt")
    for path in (left, foreign):
        path.write_bytes(b"half")
        os.utime(path, (1, 1))
    assert store.collect([digest_of(f"artifacts/{kept.parent.name}/{kept.name}")], before=time.time() - 60) == 1
    assert (kept.exists(), left.exists(), foreign.exists()) == (True, False, True)


def test_a_name_is_a_digest_and_nothing_else() -> None:
    digest = "0123456789abcdef" * 4
    assert digest_of(name_of(digest)) == digest
    for name in ("artifacts/01/x", f"memo/{digest[:2]}/{digest[2:]}", f"artifacts/{digest}", f"{name_of(digest)}\n"):
        assert digest_of(name) == ""


def test_another_folder_by_its_address(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", artifacts_url=f"file://{tmp_path}/on%20the%20net")
    store = open_store(settings, open_blobs(settings))
    assert store.copies is None
    assert store.local(store.put(item()).digest).is_relative_to(tmp_path / "on the net" / "artifacts")


@pytest.mark.parametrize(
    "url",
    [
        "somewhere", "/folder", "gs://bucket", "http://host/x", "file://host/x", "file:relative", "s3://", "s3:///x", "s3://B_",
        "s3://bucket/../other", "s3://bucket/a b", "s3://key:geheim@bucket",
        "key:geheim@x", "s3://bucket?key=geheim", "memory://x", "s3://[",
    ],
)  # fmt: skip
def test_an_address_that_names_no_place(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidConfig, match="LOOPSCOPE_ARTIFACTS_URL") as caught:
        open_blobs(Settings(home=tmp_path, artifacts_url=url))
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("endpoint", ["host:9000", "ftp://host", "http://", "http://key:geheim@host"])
def test_an_endpoint_that_is_none(tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(InvalidConfig, match="LOOPSCOPE_S3_ENDPOINT") as caught:
        open_blobs(Settings(home=tmp_path, artifacts_url="s3://bucket", s3_endpoint=endpoint))
    assert "geheim" not in str(caught.value)
