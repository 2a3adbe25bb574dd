"""What clips are said to show, and what the same words are in the mirror."""

import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

LONGEST = 300  # characters of a caption; what is beyond is cut

_IMAGES = {
    "left": "right",
    "right": "left",
    "clockwise": "counterclockwise",
    "counterclockwise": "clockwise",
    "counter-clockwise": "clockwise",
    "anticlockwise": "clockwise",
}
_SIDES = re.compile(r"(?<![\w-])(counter-?clockwise|anticlockwise|clockwise|left|right)(?=(?:wards?)?(?!\w))", re.I)


def captions_in(cell: str) -> tuple[str, ...]:
    """The captions of a cell of text, one per line: printable, blanks made single, each once."""
    lines = (" ".join("".join(c if c.isprintable() else " " for c in line).split()) for line in cell.splitlines())
    return tuple(dict.fromkeys(line[:LONGEST].rstrip() for line in lines if line))


def mirrored_text(text: str) -> str:
    """The caption of the mirror image: sides and turns change places (as in HumanML3D; Guo et al. 2022)."""

    def image(found: re.Match[str]) -> str:
        word = found[0]
        swapped = _IMAGES[word.lower()]
        return swapped.upper() if word.isupper() else swapped.capitalize() if word[0].isupper() else swapped

    return _SIDES.sub(image, text)


def unique_captions(texts: Iterable[str], *, mirror: bool) -> tuple[str, ...]:
    """Each text once, sorted; with those of mirror images where windows are mirrored."""
    found = set(texts)
    return tuple(sorted(found | {mirrored_text(text) for text in found} if mirror else found))


def image_index(captions: tuple[str, ...]) -> NDArray[np.int64]:
    """(K + 1,) for each of the captions the index of its mirror image's (its own where that is none of them); the last
    one, -1, stays -1."""
    at = {text: i for i, text in enumerate(captions)}
    return np.array([*(at.get(mirrored_text(text), i) for i, text in enumerate(captions)), -1], dtype=np.int64)
