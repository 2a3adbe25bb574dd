"""Where text comes from: Python's own documentation topics, or a file of the user's, as titled documents."""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from core.errors import DataMissing, InvalidConfig
from core.typedpaths import typed_path

MOST_BYTES = 32 * 1024 * 1024
LEAST_CHARACTERS = 4_000
SECTIONS = 60  # that a file without documents of its own is cut into, about
TITLE_CHARACTERS = 32
REPEATED_CHARACTERS = 60  # of a paragraph, from which on finding it in two documents is no chance
FIELD = "data.options.path"


@dataclass(frozen=True)
class Document:
    """A text that lies in one split as a whole."""

    title: str
    text: str


def documents_of(path: str) -> tuple[Document, ...]:
    """The documents of a text file; Python's documentation topics where the path is empty. Kept until the file changes.

    Raises:
        DataMissing: when the file is not there or cannot be read as UTF-8 text.
        InvalidConfig: when it is empty, too short or too large to learn from.
    """
    if not path.strip():
        return topics()
    file = typed_path(path)
    if file.is_dir():
        raise DataMissing(f"{path} is a folder, not a text file.", "Give one .txt file.")
    if not file.is_file():
        raise DataMissing(f"There is no file {path}.", "Give the path of a .txt file on the server, in UTF-8.")
    state = file.stat()
    return _of_file(str(file), state.st_size, state.st_mtime)


@lru_cache(maxsize=1)
def topics() -> tuple[Document, ...]:
    """What ``help("if")`` and the like print: some 80 chapters of the language reference, PSF licence.

    Several topics are parts of others; a paragraph stays in the shortest topic that has it, so that no text is in two
    splits.

    Raises:
        DataMissing: where Python was installed without its documentation.
    """
    try:
        from pydoc_data import topics as chapters
    except ImportError:
        raise DataMissing(
            "This Python was installed without its documentation topics (pydoc_data).", "Give a .txt file as the path."
        ) from None
    found: dict[str, str] = chapters.topics
    seen: set[str] = set()
    documents = []
    for title in sorted(found, key=lambda name: (len(found[name]), name)):
        kept = []
        for paragraph in re.split(r"\n\s*\n", found[title].strip("\n")):
            words = " ".join(paragraph.split())
            if len(words) < REPEATED_CHARACTERS or words not in seen:
                kept.append(paragraph)
            seen.add(words)
        documents.append(Document(title, "\n\n".join(kept) + "\n\n"))
    return tuple(sorted(documents, key=lambda document: document.title))


@lru_cache(maxsize=2)
def _of_file(path: str, size: int, changed: float) -> tuple[Document, ...]:
    del changed
    name = Path(path).name
    if size > MOST_BYTES:
        raise InvalidConfig(
            f"{name} has {size / 2**20:.0f} MB; a corpus may have {MOST_BYTES // 2**20}.", "Give a part of it.", FIELD
        )
    content = _read(path, name)
    text = content.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not text:
        raise InvalidConfig(f"{name} is empty.", "Give a text of some ten pages or more.", FIELD)
    if len(text) < LEAST_CHARACTERS:
        raise InvalidConfig(
            f"{name} has {len(text)} characters; nothing can be learned from fewer than {LEAST_CHARACTERS}.",
            "Give a text of some ten pages or more.",
            FIELD,
        )
    return sections(text)


def _read(path: str, name: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataMissing(
            f"{name} is not UTF-8 text: byte {error.start} cannot be read.", "Save it as plain text in UTF-8."
        ) from None
    except OSError as error:
        raise DataMissing(f"{name} cannot be read: {error.strerror}.", "Check who may read it.") from None


def sections(text: str) -> tuple[Document, ...]:
    """One long text as about :data:`SECTIONS` documents, cut between paragraphs (lines, blanks) where it can be."""
    length = max(len(text) // SECTIONS, LEAST_CHARACTERS // 10)
    cuts = [0]
    while len(text) - cuts[-1] > 1.5 * length:
        wanted = cuts[-1] + length
        window = text[wanted : wanted + length // 2]
        ends = (found.end() for gap in ("\n\n", "\n", " ") if (found := re.search(gap, window)))
        cuts.append(wanted + next(ends, 0))
    parts = [text[start:stop] for start, stop in pairwise([*cuts, len(text)])]
    return tuple(Document(_title(part, index), part) for index, part in enumerate(parts))


def held_out(documents: tuple[Document, ...], share: float) -> frozenset[int]:
    """Which documents are kept from training: a share of all characters at most, chosen by what they hold."""
    order = sorted(range(len(documents)), key=lambda i: _name(documents[i]))
    room = share * sum(len(document.text) for document in documents)
    chosen: set[int] = set()
    for index in order:
        if len(documents[index].text) <= room:
            chosen.add(index)
            room -= len(documents[index].text)
    return frozenset(chosen)


def _name(document: Document) -> str:
    return hashlib.sha256(f"{document.title}\n{document.text}".encode()).hexdigest()


def _title(text: str, index: int) -> str:
    words = " ".join(text[: 4 * TITLE_CHARACTERS].split())
    short = words if len(words) <= TITLE_CHARACTERS else words[:TITLE_CHARACTERS].rsplit(" ", 1)[0] + " ..."
    return short or f"section {index + 1}"
