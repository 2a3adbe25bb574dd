"""What a look at the data found wrong."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """One kind of damage in one place.

    Attributes:
        kind: stable identifier for programs, e.g. ``"digest_mismatch"``.
        where: the loop, generation, artifact or file.
        what: what is wrong with it, in words.
        hint: what to do.
    """

    kind: str
    where: str
    what: str
    hint: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def some(names: Sequence[object]) -> str:
    """The first few of many, and how many more."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(str(name) for name in names[:SHOWN]) + more
