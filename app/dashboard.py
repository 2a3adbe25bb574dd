"""The dashboard: header, tabs, one poll for changes, one address per view."""

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import gradio as gr

from app import widgets
from app.markup import notice
from app.pages import audit, compare, data, inspect, lab, launch, loops, system
from app.pages.page import Page, Query, quiet
from app.pulse import pulse_of
from backend import roster
from backend.api.errors import AWAY, DatabaseAway
from backend.gate import Actor
from core.errors import LoopscopeError

if TYPE_CHECKING:
    from backend.context import Backend

POLL_S = 1.5
UNSEEN, UNOPENED = -1, -2
"""In place of a revision: what is shown is out of date; the view of the address could not be opened yet."""
TITLES = {
    "launch": "Launch",
    "loops": "Loops",
    "compare": "Compare",
    "inspect": "Inspect",
    "data": "Data",
    "lab": "Lab",
    "audit": "Audit",
    "system": "System",
}
FIRST = "launch"
"""The tab that an address without one opens."""
_BUILDERS: "dict[str, Callable[[Backend, Any], Page]]" = {
    "launch": launch.build,
    "loops": loops.build,
    "compare": compare.build,
    "inspect": inspect.build,
    "data": data.build,
    "lab": lab.build,
    "audit": audit.build,
    "system": system.build,
}


def build_blocks(backend: "Backend") -> gr.Blocks:
    """All pages over one backend."""
    blocks: gr.Blocks
    with gr.Blocks(title="Loopscope", analytics_enabled=False, fill_width=True) as blocks:
        header = widgets.live(header_markup(0, 0), elem_id="header")
        # What must survive a restart of the server lives in the browser, in hidden boxes, not in the session.
        shown = gr.Textbox("", visible="hidden", elem_id="shown-page")
        seen = gr.Number(UNSEEN, visible="hidden", elem_id="seen-revision")
        address, links = widgets.address(), widgets.navigation()
        tabs: list[gr.Tab] = []
        pages: list[Page] = []
        with gr.Tabs(elem_id="pages", selected=FIRST) as strip:
            for name, title in TITLES.items():
                with gr.Tab(title, id=name, elem_id=f"page-{name}") as tab:
                    pages.append(_BUILDERS[name](backend, address))
                    tabs.append(tab)
        everything = [component for page in pages for component in page.outputs]

        def go(query: Query) -> list[Any]:
            """Show the view of an address."""
            wanted = next((page for page in pages if page.name == query.get("tab")), pages[0])
            updates: list[Any] = []
            for page in pages:
                updates += page.open(query) if page is wanted else [gr.skip()] * len(page.outputs)
            kept = {k: v for k, v in query.items() if not k.startswith("__")} | {"tab": wanted.name}
            return [gr.Tabs(selected=wanted.name), wanted.name, urlencode(kept, safe=",:"), *updates]

        def load(request: gr.Request) -> list[Any]:
            try:
                return [*go(dict(request.query_params)), _header(backend), gr.skip()]
            except AWAY:
                return [*[gr.skip()] * len(view), _trouble(DatabaseAway()), UNOPENED]

        def follow(event: gr.EventData) -> list[Any]:
            try:
                return go(dict(parse_qsl(str(widgets.data_of(event).get("query", "")))))
            except AWAY:
                return [gr.skip()] * len(view)  # the next tick says why

        view = [strip, shown, address, *everything]
        blocks.load(load, None, [*view, header, seen], **quiet())
        links.click(follow, None, view, **quiet())

        for tab, page in zip(tabs, pages, strict=True):
            _on_select(tab, page, shown, address)

        def tick(request: gr.Request, name: str, revision: float, *values: Any) -> list[Any]:
            same = [gr.skip()] * len(view)
            try:
                now = pulse_of(backend).revision(backend)
                still = now == revision
                if still and not any(page.live for page in pages if page.name == name):
                    return [gr.skip(), gr.skip(), *same]
                if revision == UNOPENED:
                    return [_header(backend), UNSEEN, *go(dict(request.query_params))]
                updates: list[Any] = []
                at = 0
                for page in pages:
                    mine = values[at : at + len(page.inputs)]
                    at += len(page.inputs)
                    updates += page.refresh(*mine) if page.name == name else [gr.skip()] * len(page.outputs)
                header = gr.skip() if still else _header(backend)
                return [header, now, *[gr.skip()] * (len(view) - len(everything)), *updates]
            except LoopscopeError as error:
                return [_trouble(error), UNSEEN, *same]
            except AWAY:
                return [_trouble(DatabaseAway()), UNOPENED if revision == UNOPENED else UNSEEN, *same]

        gr.Timer(POLL_S).tick(
            tick, [shown, seen, *(c for page in pages for c in page.inputs)], [header, seen, *view], **quiet()
        )
    return blocks


def opened_at(body: bytes, query: bytes) -> bytes:
    """The page's markup, beginning on the tab of its address: else another is shown until the first answer comes."""
    wanted = dict(parse_qsl(query.decode("latin-1"))).get("tab", "")
    if wanted not in TITLES:
        return body
    return body.replace(f'"selected":"{FIRST}"'.encode(), f'"selected":"{wanted}"'.encode(), 1)


def _on_select(tab: gr.Tab, page: Page, shown: Any, address: Any) -> None:
    def select(before: str, *values: Any) -> list[Any]:
        if not before:  # the page has just begun, and the view of its address is on the way
            return [gr.skip()] * (2 + len(page.outputs))
        query = {"tab": page.name, **page.query(*values)}
        try:
            updates = page.refresh(*values)
        except AWAY:
            updates = [gr.skip()] * len(page.outputs)  # the next tick says why
        return [page.name, urlencode(query, safe=",:"), *updates]

    tab.select(select, [shown, *page.inputs], [shown, address, *page.outputs], **quiet())


def header_markup(running: int, queued: int, actor: Actor | None = None) -> str:
    """Brand, what runs, and who is logged in."""
    bits = [f"{running} running"] if running else []
    bits += [f"{queued} queued"] if queued else []
    state = ", ".join(bits) or "idle"
    who = ""
    if actor is not None and actor.name:
        who = (
            f'<span class="ls-soft" id="who">{escape(actor.name)} ({actor.role})</span>'
            '<form method="post" action="/logout"><button type="submit" class="ls-button">Log out</button></form>'
        )
    return (
        '<header class="ls-header"><span class="ls-brand">Loopscope</span>'
        '<span class="ls-soft">self-consuming training loops of generative models</span>'
        f'<span class="ls-right"><span class="ls-pill" id="running-count" data-busy="{str(bool(bits)).lower()}" '
        f'role="status">{state}</span>{who}<button type="button" class="ls-button" data-theme-toggle '
        'aria-label="Switch between light and dark">Light / dark</button></span></header>'
    )


def _trouble(error: LoopscopeError) -> str:
    """The header while nothing can be shown anew."""
    return header_markup(0, 0).replace(">idle<", ">no answer<") + notice(str(error), kind="error")


def _header(backend: "Backend") -> str:
    found = roster.counts(backend)
    running = found.get("running", 0) + found.get("cancelling", 0)
    return header_markup(running, found.get("queued", 0), backend.gate.require("viewer"))
