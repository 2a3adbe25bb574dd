"""The Lab: every published loop as an experiment at one click, theory drawn beside measurement."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from backend.lab import launching, results
from backend.lab.card import Card, CardView, view_of
from backend.lab.findings import Verdict
from backend.lab.registry import CARDS
from backend.lab.results import LabArm, LabResult
from core.errors import NotFound

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.views import LoopView

__all__ = ["CARDS", "Card", "CardView", "LabArm", "LabResult", "Verdict", "card", "launch_card", "result", "views"]


def card(key: str) -> Card:
    """The card of that key.

    Raises:
        NotFound: naming the keys that exist.
    """
    if key not in CARDS:
        raise NotFound(f"There is no experiment named {key!r}.", f"Choose one of: {', '.join(CARDS)}.")
    return CARDS[key]


def views() -> list[CardView]:
    """All cards, in the order of the page."""
    return [view_of(key, found) for key, found in CARDS.items()]


def launch_card(
    backend: "Backend", key: str, changes: Mapping[str, Any] | None = None, *, again: bool = False
) -> "list[LoopView]":
    """The loops of a card in one group; see :func:`backend.lab.launching.launch`.

    Raises:
        NotFound: for an unknown key.
        UnknownPart, InvalidConfig, DataMissing: when a change cannot be, naming the field.
    """
    return launching.launch(backend, card(key), changes, again=again)


def result(backend: "Backend", key: str, group: str = "") -> LabResult:
    """What a card's newest group of loops measured, or the group named.

    Args:
        key: of a card; or, in its place, the name of a group that was launched by one.

    Raises:
        NotFound: for an unknown key, or while nothing of it has been launched.
    """
    if key not in CARDS and not group:
        for known, found in CARDS.items():
            if results.is_group_of(found, key):
                return results.result(backend, known, found, key)
    return results.result(backend, key, card(key), group)
