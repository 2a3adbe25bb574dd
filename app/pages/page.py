"""What the server needs to know of a page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Query = dict[str, str]
"""A view's address, as parsed from the query string."""


def _never(*_: Any) -> bool:
    return False


@dataclass(frozen=True)
class Page:
    """One tab.

    Attributes:
        name: in addresses (``?tab=name``) and as the tab's id.
        inputs: components that say what is shown.
        outputs: components that ``open`` and ``refresh`` set, in that order.
        open: shows the view of an address.
        refresh: shows the same view anew after a change; gets the inputs' values.
        query: the address of the view that the inputs' values stand for.
        live: refreshed at every poll, also when no loop has changed.
        behind: whether something else is shown than the inputs' values stand for: an answer that was under way when
            they changed came last. Then the next poll refreshes.
    """

    name: str
    inputs: Sequence[Any]
    outputs: Sequence[Any]
    open: Callable[[Query], list[Any]]
    refresh: Callable[..., list[Any]]
    query: Callable[..., Query]
    live: bool = False
    behind: Callable[..., bool] = _never


def quiet(**more: Any) -> dict[str, Any]:
    """Arguments of every listener: no spinner, no queue, nothing in the public API.

    Values come as the browser holds them (``preprocess=False``): the components' own checks compare them with choices
    that a restarted server has forgotten. Whoever reads them checks them.
    """
    return {"queue": False, "show_progress": "hidden", "api_visibility": "private", "preprocess": False} | more


def ids_of(text: str | None, most: int = 64) -> list[str]:
    """``a,b`` -> ids, at most so many."""
    return [bit for bit in (text or "").split(",") if bit][:most]


def whole(value: Any, default: int = 0) -> int:
    """A whole number of an address or of a listener's value, or the default when it is none."""
    try:
        return int(value or "")
    except (TypeError, ValueError, OverflowError):
        return default
