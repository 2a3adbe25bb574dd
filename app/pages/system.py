"""Data and System: what this installation runs on, seen live, and what loops can learn from."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from app import widgets
from app.markup import esc
from app.pages.machine import overview
from app.pages.page import Page
from core.errors import LoopscopeError

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.datacards import DataView


def build(backend: "Backend", address: Any) -> Page:
    from backend.observe.observer import Observer

    del address
    observer = Observer(backend)
    box = widgets.live(elem_id="system-facts")
    cards = widgets.live(elem_id="system-data")
    filled = gr.Textbox("", visible="hidden", elem_id="system-filled")  # the browser has the data cards: they stay

    def open_(asked: dict[str, str]) -> list[Any]:
        del asked
        return [overview(observer.system()), _data(), "1"]

    def refresh(has_cards: str) -> list[Any]:
        if has_cards != "1":
            return open_({})
        return [overview(observer.system()), gr.skip(), gr.skip()]

    return Page("system", [filled], [box, cards, filled], open_, refresh, _nothing, live=True)


def _nothing(has_cards: str) -> dict[str, str]:
    del has_cards
    return {}


def _data() -> str:
    from backend import datacards

    try:
        views = datacards.cards()
    except LoopscopeError as error:
        return f'<section class="ls-card">{esc(error)}</section>'
    described = "".join(_card(view) for view in views if view.card)
    return f'<div class="ls-stack">{described}{_others([view for view in views if not view.card])}</div>'


def _card(view: "DataView") -> str:
    rows = "".join(
        f"<tr><td>{esc(str(k).replace('_', ' ').capitalize())}</td><td>{esc(_words(v))}</td></tr>"
        for k, v in (view.card or {}).items()
    )
    return (
        f'<section class="ls-card"><h3>{esc(view.title)}</h3><p>{esc(view.description)} '
        f'<span class="ls-soft">{esc(view.domain)}.</span></p><table class="ls-pairs"><tbody>{rows}</tbody></table>'
        f"</section>"
    )


def _others(views: "Sequence[DataView]") -> str:
    """Data sets that have no card, or none before a path is given."""
    if not views:
        return ""
    rows = "".join(
        f"<tr><td><b>{esc(view.title)}</b></td><td>{esc(view.domain)}</td><td>{esc(view.description)} "
        f'<span class="ls-soft">{esc(view.needs or _options(view))}</span></td></tr>'
        for view in views
    )
    return (
        '<section class="ls-card"><h3>Further data sets</h3><table><thead><tr><th scope=col>Data set</th>'
        f"<th scope=col>Domain</th><th scope=col>What it is</th></tr></thead><tbody>{rows}</tbody></table></section>"
    )


def _options(view: "DataView") -> str:
    """What can be chosen of it, by the titles of its options."""
    known = view.options.get("properties") or {}
    titles = [str(entry.get("title", name)) for name, entry in known.items()]
    return f"Options: {', '.join(titles)}." if titles else ""


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_words(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        words = [_words(v) for v in value]
        return (" " if any(w.endswith(".") for w in words) else ", ").join(words)
    return f"{value:g}" if isinstance(value, float) else str(value)
