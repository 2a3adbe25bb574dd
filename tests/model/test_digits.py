"""Digits: what there is of them, how they are learned and drawn, and a whole short loop."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.parts import build_run, check, read_config
from core.config import LoopConfig, PartConfig, SamplingConfig, TrainingConfig, parse, with_changes
from core.draws import Draws
from core.errors import Cancelled, DataMissing, InvalidConfig, LoopscopeError, TrainingDiverged
from core.loop import run_loop
from core.memory import MemoryMemo, MemoryShelf
from core.records import Item
from model.digits import evaluator as judging
from model.digits.data import DigitData, mnist, sklearn_digits
from model.digits.generator import DigitsGenerator
from model.digits.metrics import METRICS
from model.digits.registry import MODELS

SMALL: dict[str, dict[str, Any]] = {
    "digits-vae": {"latent": 4, "width": 32},
    "digits-diffusion": {"width": 32, "layers": 1},
}
Maker = Callable[..., DigitsGenerator]


@pytest.fixture
def make() -> Maker:
    def build(
        kind: str = "digits-diffusion", options: dict[str, Any] | None = None, **training: Any
    ) -> DigitsGenerator:
        part, chosen = MODELS[kind], SMALL[kind] if options is None else options
        return DigitsGenerator(
            PartConfig(kind=kind, options=chosen), part.build(parse(part.options, chosen))(), 64, 10,
            parse(TrainingConfig, {"batch_size": 16, **training}), SamplingConfig(steps=3), "cpu",
        )  # fmt: skip

    return build


@pytest.fixture(scope="module")
def data() -> DigitData:
    return sklearn_digits()


@pytest.fixture(scope="module")
def real(data: DigitData) -> Draws:
    return data.real(60)


def equal(a: Item, b: Item) -> bool:
    return a.arrays.keys() == b.arrays.keys() and all(np.array_equal(v, b.arrays[k]) for k, v in a.arrays.items())


def copied(item: Item) -> Item:
    return Item({name: values.copy() for name, values in item.arrays.items()}, item.meta)


def test_real_images_are_nested_balanced_and_apart_from_the_held_out_ones(data: DigitData) -> None:
    few, many = data.real(30), data.real(1000)
    np.testing.assert_array_equal(few.values, many.values[:, :30])
    for part in (few, many, data.reference, data.spare):
        assert len(set(np.bincount(part.labels, minlength=10))) == 1
        assert part.values.dtype == np.float32 and part.values.min() >= 0 and part.values.max() <= 1
    rows = [{row.tobytes() for row in part.values[0]} for part in (many, data.reference, data.spare)]
    assert not (rows[0] & rows[1] or rows[0] & rows[2] or rows[1] & rows[2])
    assert sum(map(len, rows)) >= 1738  # of 1,740, a few may be the same image twice


@pytest.mark.parametrize("kind", MODELS)
def test_same_seed_same_numbers_other_seed_other_numbers(kind: str, make: Maker, real: Draws) -> None:
    before = torch.get_rng_state()
    one, two = (make(kind).fit(real, start=None, scratch=False, steps=4, seed=3) for _ in range(2))
    other = make(kind).fit(real, start=None, scratch=False, steps=4, seed=4)
    assert equal(one, two) and one.meta == two.meta and not equal(one, other)
    drawn = [make(kind).sample(one, real.labels, guidance=2.0, seed=seed).values for seed in (1, 1, 2)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    assert torch.equal(before, torch.get_rng_state())  # nobody else's random numbers are used up


@pytest.mark.parametrize("kind", MODELS)
def test_samples_are_images_of_the_labels_asked_for(kind: str, make: Maker, real: Draws) -> None:
    generator = make(kind)
    checkpoint = generator.fit(real, start=None, scratch=False, steps=4, seed=0)
    labels = np.array([3, 3, 0, 9])
    drawn = generator.sample(copied(checkpoint), labels, guidance=1.0, seed=0)
    assert drawn.values.shape == (1, 4, 64) and drawn.values.dtype == np.float32
    assert drawn.labels.tolist() == [3, 3, 0, 9]
    assert drawn.values.min() >= 0 and drawn.values.max() <= 1
    more = generator.sample(checkpoint, np.tile(labels, 5), guidance=1.0, seed=0)
    np.testing.assert_allclose(more.values[:, :4], drawn.values, atol=1e-5)  # noise belongs to the position
    assert len(generator.sample(checkpoint, np.zeros(0, np.int64), guidance=2.0, seed=0)) == 0


@pytest.mark.parametrize("kind", MODELS)
def test_training_lowers_the_loss_and_fine_tuning_goes_on(kind: str, make: Maker, real: Draws) -> None:
    generator = make(kind)
    short = generator.fit(real, start=None, scratch=False, steps=10, seed=0)
    longer = generator.fit(real, start=None, scratch=False, steps=150, seed=0)
    assert longer.meta["training"]["loss"] < 0.8 * short.meta["training"]["loss"]
    tuned, again = (generator.fit(real, start=copied(longer), scratch=s, steps=20, seed=1) for s in (False, True))
    assert tuned.meta["training"]["loss"] < 0.9 * again.meta["training"]["loss"]
    assert equal(longer, generator.fit(real, start=longer, scratch=False, steps=0, seed=5))


def test_guidance_moves_the_diffusion_and_leaves_the_vae_alone(make: Maker, real: Draws) -> None:
    for kind, moves in {"digits-diffusion": True, "digits-vae": False}.items():
        generator = make(kind)
        checkpoint = generator.fit(real, start=None, scratch=False, steps=60, seed=0)
        plain, guided = (generator.sample(checkpoint, real.labels, guidance=w, seed=0).values for w in (1.0, 3.0))
        assert (np.abs(plain - guided).max() > 0.01) == moves


def test_a_sample_of_weight_nothing_is_not_learned_from(make: Maker, real: Draws) -> None:
    spoilt = Draws(real.values.copy(), real.labels, np.ones((1, 60)))
    spoilt.values[0, 40:] = np.nan
    assert spoilt.weight is not None
    spoilt.weight[0, 40:] = 0.0
    assert np.isfinite(make().fit(spoilt, start=None, scratch=False, steps=10, seed=0).meta["training"]["loss"])
    with pytest.raises(TrainingDiverged, match="step 0"):
        make().fit(Draws(spoilt.values, real.labels), start=None, scratch=False, steps=10, seed=0)


def test_the_tick_can_stop_training_and_sampling(make: Maker, real: Draws) -> None:
    def stop(fraction: float, sentence: str) -> None:
        assert 0 <= fraction <= 1 and sentence
        raise Cancelled

    generator = make()
    with pytest.raises(Cancelled):
        generator.fit(real, start=None, scratch=False, steps=100_000, seed=0, tick=stop)
    checkpoint = generator.fit(real, start=None, scratch=False, steps=1, seed=0)
    with pytest.raises(Cancelled):
        generator.sample(checkpoint, real.labels, guidance=1.0, seed=0, tick=stop)


def test_misfits_are_refused_in_words(make: Maker, real: Draws) -> None:
    checkpoint = make().fit(real, start=None, scratch=False, steps=1, seed=0)
    with pytest.raises(InvalidConfig, match="0 to 9; got 10"):
        make().sample(checkpoint, np.array([10]), guidance=1.0, seed=0)
    for other in (make("digits-vae"), make(options={"width": 16})):
        with pytest.raises(DataMissing, match="does not fit"):
            other.sample(checkpoint, np.array([0]), guidance=1.0, seed=0)


def config(**changes: Any) -> LoopConfig:
    return with_changes(read_config({"domain": "digits"}), changes)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"replicates": 2}, "replicates", "got 2 at once"),
        ({"n": 1001}, "n", "1001 real images were asked for.* has 1000"),
        ({"policy": {"kind": "fresh-real"}, "n": 100}, "generations", "has 1000 to train on"),
        ({"model.options": {"latent": 0}, "model.kind": "digits-vae"}, "model.options.latent", "at least 1"),
    ],
)
def test_what_cannot_run_is_refused_in_words(changes: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(InvalidConfig, match=words) as caught:
        check(config(**changes))
    assert caught.value.field == field


def test_fresh_images_are_new_in_every_generation() -> None:
    domain = build_run(config(n=100), shelf=MemoryShelf(), memo=MemoryMemo()).domain
    seen = [domain.real(100), domain.fresh_real(30, 1), domain.fresh_real(30, 2)]
    whole = domain.real(160)
    np.testing.assert_array_equal(np.concatenate([part.values for part in seen], axis=1), whole.values)


@pytest.mark.parametrize("kind", MODELS)
def test_a_loop_gives_the_same_numbers_twice(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "STEPS", 5)
    small = config(
        **{
            "n": 40, "generations": 1, "training.initial_steps": 8, "training.steps": 3, "evaluation.samples": 30,
            "evaluation.panel": 4, "model": {"kind": kind, "options": SMALL[kind]},
        }
    )  # fmt: skip

    def metrics() -> list[Any]:
        run = build_run(check(small), shelf=MemoryShelf(), memo=MemoryMemo(), device="cpu")
        return [record.metrics for record in run_loop(run)]

    found = metrics()
    assert found == metrics() and len(found) == 2 and found[0] != found[1]
    assert next(iter(found[0])) == "fid" and set(found[0]) == set(METRICS)


def write_mnist(folder: Path, *, size: int = 6, per_class: int = 12, zipped: bool = False) -> None:
    """Four IDX files with random images."""
    rng = np.random.default_rng(0)
    for name, count in (("train", 10 * per_class), ("t10k", 50)):
        images = rng.integers(0, 256, (count, size, size), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
            data = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()
            end = ".gz" if zipped else ""
            (folder / f"{name}-{kind}-ubyte{end}").write_bytes(gzip.compress(data) if zipped else data)


def test_mnist_is_read_from_its_files_zipped_or_not(tmp_path: Path) -> None:
    plain, zipped = tmp_path / "plain", tmp_path / "zipped"
    for folder in (plain, zipped):
        folder.mkdir()
        write_mnist(folder, zipped=folder is zipped)
    a, b = mnist(str(plain)), mnist(str(zipped))
    assert a.shape == (6, 6) and len(a.train) == 120 and len(a.reference) + len(a.spare) == 50
    assert a.digest == b.digest
    np.testing.assert_array_equal(a.train.values, b.train.values)
    raw = np.frombuffer((plain / "train-images-idx3-ubyte").read_bytes()[16:], np.uint8).reshape(120, 36)
    stored = {(row / np.float32(255)).tobytes() for row in raw}
    assert stored == {row.tobytes() for row in a.train.values[0]}


def spoil_nothing(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte").unlink()


def spoil_end(folder: Path) -> None:
    file = folder / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-5])


def spoil_header(folder: Path) -> None:
    (folder / "train-images-idx3-ubyte").write_bytes(b"\x80\x04pickled")


def spoil_kind(folder: Path) -> None:
    file = folder / "train-labels-idx1-ubyte"
    file.write_bytes((folder / "train-images-idx3-ubyte").read_bytes())


def spoil_zip(folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte").rename(folder / "train-labels-idx1-ubyte.gz")


def spoil_labels(folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte").write_bytes(struct.pack(">HBBI", 0, 8, 1, 30) + bytes(range(10)) * 3)


def spoil_classes(folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte").write_bytes(struct.pack(">HBBI", 0, 8, 1, 120) + bytes([7]) * 120)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_nothing, "no file t10k-labels-idx1-ubyte"),
        (spoil_end, "train-images-idx3-ubyte is truncated"),
        (spoil_header, "train-images-idx3-ubyte is truncated: 9 bytes"),
        (spoil_kind, "train-labels-idx1-ubyte begins with 00000803"),
        (spoil_zip, "train-labels-idx1-ubyte.gz cannot be read"),
        (spoil_labels, "30 labels for the 120 images"),
        (spoil_classes, r"it has \[7\]"),
    ],
)
def test_files_that_are_not_mnist_are_refused_by_name(
    spoil: Callable[[Path], None], words: str, tmp_path: Path
) -> None:
    write_mnist(tmp_path)
    spoil(tmp_path)
    part = {"kind": "mnist", "options": {"path": str(tmp_path)}}
    with pytest.raises(DataMissing, match=words):
        check(config(data=part, n=50))


@pytest.mark.parametrize("path", ["", "no/such/folder"])
def test_a_missing_folder_is_refused_in_words(path: str) -> None:
    with pytest.raises(LoopscopeError, match="no folder"):
        check(config(data={"kind": "mnist", "options": {"path": path}}))
