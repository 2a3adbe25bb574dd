"""A corpus as blocks of tokens: what is learned from, and what is held out."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from core.config import digest
from core.errors import InvalidConfig
from core.protocols import Labels
from model.text.documents import Document, held_out
from model.text.folder import Pretrained
from model.text.tokens import Tokens, from_folder, learn

HELD_OUT = 0.15  # of the characters
LEAST_TRAINING, LEAST_HELD_OUT = 8, 16  # blocks
_ORDER = 20


@dataclass(frozen=True, eq=False)
class Blocks:
    """Blocks of L tokens of one split, in an order that mixes the documents and never changes.

    Attributes:
        stream: (T,) ids of all documents of the split, one after another.
        starts: (N,) where in it the blocks begin; at least L tokens come before each.
        names: N titles: document and place in it.
        length: L.
    """

    stream: NDArray[np.int32]
    starts: NDArray[np.int64]
    names: tuple[str, ...]
    length: int

    def __len__(self) -> int:
        return len(self.starts)

    def values(self, index: Labels) -> NDArray[np.int32]:
        """(N, L) ids of blocks."""
        return np.asarray(self.stream[self.starts[index][:, None] + np.arange(self.length)], np.int32)

    def before(self, index: Labels, count: int) -> NDArray[np.int32]:
        """(N, count) ids of what comes before them, up to L."""
        return np.asarray(self.stream[self.starts[index][:, None] + np.arange(-count, 0)], np.int32)


@dataclass(frozen=True, eq=False)
class Corpus:
    """Both splits; a document lies in one of them as a whole."""

    tokens: Tokens
    train: Blocks
    held_out: Blocks
    digest: str


@lru_cache(maxsize=4)
def corpus_of(
    documents: tuple[Document, ...], length: int, vocabulary: int, source: Pretrained | None = None
) -> Corpus:
    """Documents cut into blocks; kept, because every stage asks for them.

    Args:
        vocabulary: pieces to learn from the training documents; does not count where there is a source.
        source: pre-trained model whose vocabulary to use.

    Raises:
        InvalidConfig: when the text is too short for its blocks.
        DataMissing: when the source's vocabulary cannot be read.
    """
    outside = held_out(documents, HELD_OUT)
    inside = [document for i, document in enumerate(documents) if i not in outside]
    tokens = from_folder(source.folder) if source else learn([document.text for document in inside], vocabulary)
    train = _blocks(inside, tokens, length)
    rest = _blocks([documents[i] for i in sorted(outside)], tokens, length)
    if len(train) < LEAST_TRAINING or len(rest) < LEAST_HELD_OUT:
        raise InvalidConfig(
            f"The text gives {len(train)} training blocks and {len(rest)} held-out ones of {length} tokens; "
            f"{LEAST_TRAINING} and {LEAST_HELD_OUT} are the least.",
            "Give a longer text, or choose shorter blocks.",
            "data.options.length",
        )
    content = [[document.title, document.text] for document in documents]
    return Corpus(tokens, train, rest, digest([content, length, tokens.digest]))


def _blocks(documents: Sequence[Document], tokens: Tokens, length: int) -> Blocks:
    parts = [tokens.encode(document.text) for document in documents]
    stream = np.concatenate([np.zeros(0, np.int32), *parts])
    begins = np.cumsum([0, *(len(part) for part in parts)])[:-1].tolist()
    places = np.arange(1, max(len(stream) // length, 1)) * length
    order = np.random.Generator(np.random.PCG64(_ORDER)).permutation(len(places))
    names = []
    for start in places[order].tolist():
        owner = bisect_right(begins, start) - 1
        names.append(f"{documents[owner].title} \u00b7 {(start - begins[owner]) // length + 1}")
    return Blocks(stream, places[order], tuple(names), length)
