"""System: what this installation runs on, seen live."""

from typing import TYPE_CHECKING, Any

from app import widgets
from app.pages.machine import overview
from app.pages.page import Page

if TYPE_CHECKING:
    from backend.context import Backend


def build(backend: "Backend", address: Any) -> Page:
    from backend.observe.observer import Observer

    del address
    observer = Observer(backend)
    box = widgets.live(elem_id="system-facts")

    def open_(asked: dict[str, str]) -> list[Any]:
        del asked
        return refresh()

    def refresh() -> list[Any]:
        return [overview(observer.system())]

    return Page("system", [], [box], open_, refresh, dict, live=True)
