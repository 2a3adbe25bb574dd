"""Networks of the library transformers that read texts, from folders on this machine."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from tokenizers import Tokenizer
from torch import Tensor

from core.errors import DataMissing
from model.text.network import quiet, transformers

HINT = "Give the folder that model.save_pretrained and tokenizer.save_pretrained wrote."


def mean_of_tokens(folder: Path, texts: Sequence[str], longest: int, at_once: int) -> NDArray[np.float32]:
    """(N, E) the mean of a BERT-like encoder's last states over the tokens of each text (Reimers & Gurevych 2019)."""
    network = _loaded("AutoModel", folder)
    return _encoded(folder, texts, longest, at_once, lambda ids: network(input_ids=ids).last_hidden_state.mean(1))


def clip_texts(folder: Path, texts: Sequence[str], longest: int, at_once: int) -> NDArray[np.float32]:
    """(N, E) the projected text features of a CLIP model (Radford et al. 2021)."""
    network = _loaded("CLIPTextModelWithProjection", folder)
    return _encoded(folder, texts, longest, at_once, lambda ids: network(input_ids=ids).text_embeds)


def _loaded(name: str, folder: Path) -> Any:
    try:
        with quiet():
            network = getattr(transformers, name).from_pretrained(
                folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=torch.float32
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise DataMissing(f"The weights in {folder} cannot be loaded: {str(error).splitlines()[0]}", HINT) from None
    return network.eval()


def _encoded(
    folder: Path, texts: Sequence[str], longest: int, at_once: int, encode: Callable[[Tensor], Tensor]
) -> NDArray[np.float32]:
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises plain exceptions
        raise DataMissing(f"tokenizer.json in {folder} cannot be read: {error}", HINT) from None
    tokenizer.enable_truncation(longest)
    tokenizer.no_padding()
    tokens = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    found: dict[int, NDArray[np.float32]] = {}
    with torch.no_grad():
        for rows in _of_one_length(tokens, at_once):
            vectors = encode(torch.tensor([tokens[i] for i in rows])).numpy()
            found |= dict(zip(rows, vectors, strict=True))
    return np.stack([found[i] for i in range(len(texts))])


def _of_one_length(tokens: Sequence[Sequence[int]], at_once: int) -> Iterator[list[int]]:
    """Rows of equal length together, so that nothing is padded and no text's vector depends on its neighbours."""
    by_length: dict[int, list[int]] = {}
    for i, row in enumerate(tokens):
        by_length.setdefault(len(row), []).append(i)
    for rows in by_length.values():
        yield from (rows[first : first + at_once] for first in range(0, len(rows), at_once))
