"""Data and System: what loops can learn from, and what this installation runs on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from app import widgets
from app.markup import esc
from app.pages.page import Page
from core.errors import LoopscopeError

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.datacards import DataView


def build(backend: "Backend", address: Any) -> Page:
    del address
    box = widgets.live(elem_id="system-facts")
    cards = widgets.live(elem_id="system-data")

    def refresh() -> list[Any]:
        return [_facts(backend), _data()]

    def open_(asked: dict[str, str]) -> list[Any]:
        del asked
        return refresh()

    return Page("system", [], [box, cards], open_, refresh, lambda: {})


def _facts(backend: "Backend") -> str:
    import platform
    import shutil

    settings = backend.settings
    free = shutil.disk_usage(settings.home).free / 1e9
    waiting = {name: backend.queue.waiting(name) for name in ("gpu", "cpu")}
    queue = (
        "the broker does not answer; loops wait until it does"
        if any(count is None for count in waiting.values())
        else f"{waiting['gpu']} network and {waiting['cpu']} physics stages wait for a worker"
    )
    rows = {
        "Queue": queue,
        "Device": f"{settings.device} (networks), {settings.processes_for_physics} CPU processes (physics)",
        "Data folder": f"{settings.home}, {free:.0f} GB free",
        "Database": "SQLite in the data folder" if not settings.database_url else "as LOOPSCOPE_DATABASE_URL says",
        "Python": platform.python_version(),
        "API": "/api/v1 (described at /docs)",
    }
    body = "".join(f"<tr><td>{esc(k)}</td><td>{esc(v)}</td></tr>" for k, v in rows.items())
    table = f'<table class="ls-pairs"><tbody>{body}</tbody></table>'
    return f'<section class="ls-card"><h3>This installation</h3>{table}</section>'


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
