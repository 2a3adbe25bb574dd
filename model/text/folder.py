"""A folder with a pre-trained model, checked before anything is loaded: safetensors only, no code, no network."""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.config import digest
from core.errors import DataMissing, InvalidConfig
from core.typedpaths import typed_path

FIELD = "model.options.path"
POSITIONS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")
MOST_CONFIG_BYTES = 1_000_000
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


@dataclass(frozen=True)
class Weights:
    """A folder whose weights can be loaded without running anything of its own.

    Attributes:
        config: what config.json says.
        digest: of its configuration, tokenizer and weights.
    """

    folder: Path
    config: dict[str, Any]
    digest: str


@dataclass(frozen=True)
class Pretrained:
    """What is known of a folder before its weights are read.

    Attributes:
        vocabulary: number of ids that the network knows.
        positions: longest text in tokens; None where the configuration sets no limit.
        digest: of its configuration, tokenizer and weights.
    """

    folder: Path
    vocabulary: int
    positions: int | None
    digest: str


def pretrained(path: str) -> Pretrained:
    """The facts of a folder with a language model.

    Raises:
        DataMissing, InvalidConfig: as :func:`safe_weights`.
        InvalidConfig: when it holds no causal language model.
    """
    found = safe_weights(path)
    vocabulary = found.config.get("vocab_size")
    if not isinstance(vocabulary, int) or vocabulary < 1:
        raise InvalidConfig(
            f"config.json in {path} names no vocab_size, so it is no language model.", "Choose a causal one.", FIELD
        )
    limits = [found.config[name] for name in POSITIONS if isinstance(found.config.get(name), int)]
    return Pretrained(found.folder, vocabulary, min(limits, default=None), found.digest)


def safe_weights(path: str) -> Weights:
    """The folder's facts; kept until its files change.

    Raises:
        DataMissing: when it is no folder, or files are missing or unreadable.
        InvalidConfig: when it holds pickled weights only, or code of its own.
    """
    folder = typed_path(path)
    if not folder.is_dir():
        raise DataMissing(
            f"There is no folder {path}.", "Give a folder with config.json, *.safetensors and the tokenizer's files."
        )
    try:
        files = [(file.name, file.stat()) for file in sorted(folder.iterdir()) if file.is_file()]
        return _checked(str(folder), tuple((name, state.st_size, state.st_mtime) for name, state in files))
    except OSError as error:
        raise DataMissing(f"{path} cannot be read: {error.strerror}.", "Check who may read it.") from None


@lru_cache(maxsize=4)
def _checked(path: str, files: tuple[tuple[str, int, float], ...]) -> Weights:
    folder = Path(path)
    names = [name for name, _, _ in files]
    if "config.json" not in names:
        raise DataMissing(f"{path} has no config.json.", "Give the folder that model.save_pretrained wrote.")
    weights = [name for name in names if name.endswith(".safetensors")]
    if not weights:
        pickles = sorted(file.name for pattern in PICKLES for file in folder.glob(pattern))
        if pickles:
            raise InvalidConfig(
                f"{path} has its weights in {pickles[0]} only, which could run code when it is opened.",
                "Save them as safetensors: model.save_pretrained(folder, safe_serialization=True).",
                FIELD,
            )
        raise DataMissing(f"{path} has no *.safetensors.", "Give the folder that model.save_pretrained wrote.")
    config = _config(folder)
    if "auto_map" in config:
        raise InvalidConfig(
            f"The model in {path} comes with code of its own, which is never run.",
            "Choose a model that the library transformers knows, such as GPT-2, OPT or CLIP.",
            FIELD,
        )
    content = [_sha256(folder / name) for name in names if name.endswith((".safetensors", ".json", "merges.txt"))]
    return Weights(folder, config, digest(content))


def _config(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    try:
        if file.stat().st_size > MOST_CONFIG_BYTES:
            raise ValueError(f"it has {file.stat().st_size:,} bytes")
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataMissing(f"config.json in {folder} cannot be read: {error}.", "Save the model anew.") from None
    if not isinstance(found, dict):
        raise DataMissing(f"config.json in {folder} is no object.", "Save the model anew.")
    return found


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
