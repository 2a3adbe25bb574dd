"""Pre-trained models in local folders."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from backend.parts import check
from core.errors import LoopscopeError
from core.memory import MemoryMemo, MemoryShelf
from model.domains.text import build_text
from model.text.documents import topics
from model.text.network import transformers
from model.text.tokens import learn
from tests.model.texts import config, no_net, quick_judge, records, trained  # noqa: F401  # fixtures


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pre-trained model as people have it on disk: a tiny OPT and its tokenizer."""
    place = tmp_path / "opt"
    tokens = learn([document.text for document in topics()[:20]], 200)
    options = transformers.OPTConfig(
        vocab_size=208, hidden_size=16, ffn_dim=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=64, word_embed_proj_dim=16,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.OPTForCausalLM(options).save_pretrained(place)
    tokens.tokenizer.save(str(place / "tokenizer.json"))
    return place


@pytest.mark.usefixtures("quick_judge", "no_net")
def test_a_local_model_is_read_and_trained_on(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    chosen = config(**{"model.options": {"path": str(folder), "prompt": 4}, "generations": 1})
    domain = build_text(check(chosen), MemoryMemo(), "cpu")
    first = domain.generator().fit(domain.real(40), start=None, scratch=False, steps=0, seed=1)
    weights = load((folder / "model.safetensors").read_bytes())
    table = next(values for name, values in weights.items() if name.endswith("embed_tokens.weight"))
    assert any(values.shape == table.shape and np.array_equal(values, table) for values in first.arrays.values())
    assert len(domain.body()["pieces"]) == 208
    shelf = MemoryShelf()
    found = records(chosen, shelf)
    assert all(np.isfinite(list(r.metrics.values())).all() for r in found)
    again = build_text(chosen, MemoryMemo(), "cpu").generator()
    labels = np.arange(5)
    mine = domain.generator().sample(shelf.load(1, "model"), labels, guidance=1.0, seed=1)
    assert np.array_equal(mine.values, again.sample(shelf.load(1, "model"), labels, guidance=1.0, seed=1).values)
    assert capfd.readouterr() == ("", "")


def test_another_model_in_the_folder_is_another_domain(folder: Path) -> None:
    chosen = config(**{"model.options": {"path": str(folder), "prompt": 4}})
    before = build_text(chosen, MemoryMemo()).digest
    weights = load((folder / "model.safetensors").read_bytes())
    (folder / "model.safetensors").write_bytes(save({name: values + 1 for name, values in weights.items()}))
    assert build_text(chosen, MemoryMemo()).digest != before


def _without(name: str) -> Any:
    return lambda folder: (folder / name).unlink()


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _config_with(**changes: Any) -> Any:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        found = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps({name: value for name, value in found.items() if value is not None}))

    return change


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: folder.rename(folder.with_name("gone")), "no folder"),
        (_without("config.json"), "has no config.json"),
        (_without("model.safetensors"), r"has no \*.safetensors"),
        (_without("tokenizer.json"), "neither tokenizer.json nor"),
        (_pickled, "in pytorch_model.bin only"),
        (_config_with(auto_map={"AutoModelForCausalLM": "evil.Model"}), "code of its own"),
        (_config_with(vocab_size=None), "names no vocab_size"),
        (_config_with(vocab_size=100), "has 200 pieces, its model 100"),
        (_config_with(max_position_embeddings=19), "reads 19 at most"),
        (lambda folder: (folder / "config.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "tokenizer in .* cannot be read"),
    ],
)
def test_bad_folders_are_refused_before_anything_is_loaded(folder: Path, spoil: Any, words: str) -> None:
    spoil(folder)
    with pytest.raises(LoopscopeError, match=words) as raised:
        check(config(**{"model.options": {"path": str(folder), "prompt": 4}}))
    assert raised.value.hint


@pytest.mark.usefixtures("no_net")
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_config_with(ffn_dim=48), "cannot be loaded|do not fit"),
        (_config_with(model_type="no-such-model", architectures=None), "cannot be loaded"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"nonsense"), "cannot be loaded"),
        (
            lambda folder: (folder / "model.safetensors").write_bytes(save({"other": np.zeros(3, np.float32)})),
            "do not fit",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused_in_words(folder: Path, spoil: Any, words: str) -> None:
    spoil(folder)
    domain = build_text(config(**{"model.options": {"path": str(folder), "prompt": 4}}), MemoryMemo(), "cpu")
    with pytest.raises(LoopscopeError, match=words):
        trained(domain, 0)
