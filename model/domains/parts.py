"""What the domains share."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from core.config import PartConfig, parse
from core.errors import UnknownPart
from core.protocols import Part


def part_of(registry: Mapping[str, Part], what: str, part: PartConfig, field: str) -> Callable[..., Any]:
    """The builder of a part, holding its checked options.

    Raises:
        UnknownPart, InvalidConfig: naming the field.
    """
    if part.kind not in registry:
        raise UnknownPart(what, part.kind, registry, f"{field}.kind")
    entry = registry[part.kind]
    return partial(entry.build, parse(entry.options, part.options, f"{field}.options"))
