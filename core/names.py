"""Names that people give: whatever is typed, they can be stored, compared and shown on one line anywhere."""

import unicodedata

LONGEST = 200
INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode categories: controls, formatting (which may turn the direction of all that follows), halves of characters,
line and paragraph ends."""
JOINERS = "\u200c\u200d"  # parts of words in some scripts, and of pictures


def plain_name(text: str, longest: int = LONGEST) -> str:
    """The text without what cannot be seen, and without blanks around it; cut where it is too long."""
    seen = ("" if _hidden(character) else character for character in _spaced(text[: 4 * longest]))
    name = "".join(seen).strip()
    return name if len(name) <= longest else f"{name[: longest - 3].rstrip()}..."


def _spaced(text: str) -> str:
    """Tabs and line ends as blanks."""
    return "".join(" " if character.isspace() else character for character in text)


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in INVISIBLE and character not in JOINERS
