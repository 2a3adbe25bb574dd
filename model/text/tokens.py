"""Text as numbers: pieces of words learned from a corpus, or those of a pre-trained model."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.config import digest
from core.errors import DataMissing

if TYPE_CHECKING:
    from tokenizers import Tokenizer

UNKNOWN = "\ufffd"  # what a character that was not learned reads as
WORDS = r"\n+| ?[^\W\d_]+| ?\d| ?[^\s\w]+| ?_+|\s+(?=\S)|\s+"  # pieces do not go over the borders of these


@dataclass(frozen=True, eq=False)
class Tokens:
    """A vocabulary.

    Attributes:
        pieces: the text of each id, as it is shown.
        digest: of the rules.
    """

    tokenizer: "Tokenizer"
    pieces: tuple[str, ...]
    digest: str

    def __len__(self) -> int:
        return len(self.pieces)

    def encode(self, text: str) -> NDArray[np.int32]:
        """(T,) ids."""
        return np.array(self.tokenizer.encode(text, add_special_tokens=False).ids, np.int32)

    def text(self, ids: Sequence[int] | NDArray[np.int32]) -> str:
        """The text of ids."""
        return "".join(self.pieces[int(i)] for i in ids)


def learn(texts: Sequence[str], vocabulary: int) -> Tokens:
    """Byte-pair encoding over characters (Sennrich et al. 2016): the most frequent pairs become pieces.

    Args:
        vocabulary: pieces at most; rare characters are unknown where there are more characters than half of it.
    """
    tokenizers = _library()
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token=UNKNOWN, fuse_unk=False))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Split(tokenizers.Regex(WORDS), "isolated")
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=[UNKNOWN], limit_alphabet=vocabulary // 2, show_progress=False,
        min_frequency=2,
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    return _tokens(tokenizer, [str(tokenizer.id_to_token(i)) for i in range(tokenizer.get_vocab_size())])


def from_folder(folder: Path) -> Tokens:
    """The vocabulary of a pre-trained model: ``tokenizer.json``, or GPT-2's ``vocab.json`` and ``merges.txt``.

    Raises:
        DataMissing: when neither is there or readable.
    """
    tokenizers = _library()
    whole, words, merges = (folder / name for name in ("tokenizer.json", "vocab.json", "merges.txt"))
    if not whole.is_file() and not (words.is_file() and merges.is_file()):
        raise DataMissing(
            f"{folder} has neither tokenizer.json nor vocab.json and merges.txt.",
            "Save the model's tokenizer there too (tokenizer.save_pretrained).",
        )
    try:
        if whole.is_file():
            tokenizer = tokenizers.Tokenizer.from_file(str(whole))
        else:
            tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE.from_file(str(words), str(merges)))
            tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
            tokenizer.decoder = tokenizers.decoders.ByteLevel()
    except Exception as error:  # the library raises nothing narrower
        raise DataMissing(f"The tokenizer in {folder} cannot be read: {error}.", "Save it anew.") from None
    count = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1
    return _tokens(tokenizer, [tokenizer.decode([i], skip_special_tokens=False) for i in range(count)])


def _tokens(tokenizer: "Tokenizer", pieces: Sequence[str]) -> Tokens:
    return Tokens(tokenizer, tuple(pieces), digest(tokenizer.to_str()))


def _library() -> Any:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # workers fork after this
    return import_module("tokenizers")
