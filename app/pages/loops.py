"""Loops: a live table; the chosen row opens its stages, events, error, config and verbs."""

from typing import TYPE_CHECKING, Any

import gradio as gr

from app import widgets
from app.domainwords import domain_title
from app.markup import act, esc, link, notice
from app.pages.looprows import loop_detail, loop_table
from app.pages.page import Page, Query, quiet, whole
from backend import loops as verbs
from core.errors import LoopscopeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from backend.context import Backend
    from backend.views import LoopView

EMPTY = (
    '<div class="ls-empty">No loops yet. Start with "Collapse and correction" on the Launch page: three loops, '
    "about 4 minutes. The Lab has experiments that take seconds.</div>"
)


def build(backend: "Backend", address: Any) -> Page:
    chosen = gr.Textbox(visible="hidden", elem_id="loops-chosen")
    message = widgets.live(elem_id="loops-notice")
    with gr.Row():
        text = gr.Textbox(
            show_label=False, placeholder="Filter by name, group, domain, data set, policy, corrector or state",
            max_lines=1, elem_id="loops-filter", container=False,
        )  # fmt: skip
    table = widgets.live(elem_id="loops-table")

    def show(loop_id: str, wanted: str) -> list[Any]:
        views = verbs.list_loops(backend)
        if not views:
            return [link_to_launch()]
        if all(view.id != loop_id for view in views):
            loop_id = ""
        found = [view for view in views if matches(view, wanted)]
        return [loop_table(found, loop_id, _detail(backend, loop_id) if loop_id else "")]

    def acted(event: gr.EventData, loop_id: str, wanted: str) -> list[Any]:
        """A row was chosen (or closed), or a verb asked for."""
        data = widgets.data_of(event)
        picked = str(data.get("loop", loop_id))
        if data.get("act") == "choose":
            said, next_id = "", "" if picked == loop_id else picked
        else:
            said, next_id = _act(backend, str(data.get("act", "")), picked, data)
        return [next_id, *show(next_id, wanted), query_text(next_id), said]

    for source in (table, message):
        source.click(acted, [chosen, text], [chosen, table, address, message], **quiet())
    text.change(show, [chosen, text], [table], **quiet(trigger_mode="always_last"))

    def open_(query: Query) -> list[Any]:
        loop_id = query.get("loop", "")
        return [loop_id, *show(loop_id, query.get("filter", "")), query.get("filter", ""), ""]

    def refresh(loop_id: str, wanted: str) -> list[Any]:
        return [gr.skip(), *show(loop_id, wanted), gr.skip(), gr.skip()]

    def query(loop_id: str, wanted: str) -> Query:
        return ({"loop": loop_id} if loop_id else {}) | ({"filter": wanted} if wanted else {})

    return Page("loops", [chosen, text], [chosen, table, text, message], open_, refresh, query)


def query_text(loop_id: str) -> str:
    return f"tab=loops&loop={loop_id}" if loop_id else "tab=loops"


def link_to_launch() -> str:
    return (
        f'<div class="ls-stack">{EMPTY}<div class="ls-row">'
        f"{link('Open Launch', button=True, primary=True, tab='launch')}{link('Open the Lab', button=True, tab='lab')}"
        f"</div></div>"
    )


def matches(view: "LoopView", wanted: str) -> bool:
    """Whether every word is in the loop's name, group, state, domain, data set, policy or corrector."""
    config = view.config
    kinds = f"{domain_title(config)} {config['domain']} {config['data']['kind']} {config['policy']['kind']}"
    hay = f"{view.name} {view.group} {view.state} {view.id} {kinds} {config['corrector']} {view.arm}"
    return all(word in hay.lower() for word in (wanted or "").lower().split())


def _detail(backend: "Backend", loop_id: str) -> str:
    try:
        view = verbs.show_loop(backend, loop_id)
        return loop_detail(view, verbs.generations(backend, loop_id), verbs.events(backend, loop_id, 80))
    except LoopscopeError as error:
        return notice(str(error), kind="error")


def _act(backend: "Backend", action: str, loop_id: str, data: dict[str, Any]) -> tuple[str, str]:
    """Do a verb; what to say, and which loop stays chosen."""
    simple: dict[str, tuple[Callable[..., LoopView], str]] = {
        "cancel": (verbs.cancel, "Asked {name} to stop."),
        "resume": (verbs.resume, "{name} goes on."),
        "restore": (verbs.restore, "{name} is back."),
    }
    try:
        if action in simple:
            do, words = simple[action]
            view = do(backend, loop_id)
            return notice(words.format(name=repr(view.name))), loop_id
        if action == "extend":
            view = verbs.extend(backend, loop_id, whole(str(data.get("generations")), 0))
            return notice(f"{view.name!r} now runs to generation {view.config['generations']}."), loop_id
        if action == "delete":
            view = verbs.delete(backend, loop_id)
            undo = act("Undo", "restore", loop=loop_id)
            return notice(f"Deleted {view.name!r}.", more=undo), ""
    except LoopscopeError as error:
        return notice(str(error), kind="error"), loop_id
    return notice(f"There is no verb {esc(action)!r}.", kind="error"), loop_id
