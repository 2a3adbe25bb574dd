"""The dashboard: header, tabs, one poll for changes, one address per view."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import gradio as gr

from app import widgets
from app.markup import notice
from app.pages import audit, compare, inspect, lab, launch, loops, system
from app.pages.page import Page, Query, quiet
from backend import loops as verbs
from core.errors import LoopscopeError

if TYPE_CHECKING:
    from backend.context import Backend

POLL_S = 1.5
TITLES = {
    "launch": "Launch",
    "loops": "Loops",
    "compare": "Compare",
    "inspect": "Inspect",
    "lab": "Lab",
    "audit": "Audit",
    "system": "Data and system",
}
_BUILDERS: "dict[str, Callable[[Backend, Any], Page]]" = {
    "launch": launch.build,
    "loops": loops.build,
    "compare": compare.build,
    "inspect": inspect.build,
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
        seen = gr.Number(-1, visible="hidden", elem_id="seen-revision")
        address, links = widgets.address(), widgets.navigation()
        tabs: list[gr.Tab] = []
        pages: list[Page] = []
        with gr.Tabs(elem_id="pages", selected="launch") as strip:
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
            return [*go(dict(request.query_params)), _header(backend)]

        def follow(event: gr.EventData) -> list[Any]:
            return go(dict(parse_qsl(str(widgets.data_of(event).get("query", "")))))

        view = [strip, shown, address, *everything]
        blocks.load(load, None, [*view, header], **quiet())
        links.click(follow, None, view, **quiet())

        for tab, page in zip(tabs, pages, strict=True):
            _on_select(tab, page, shown, address)

        def tick(name: str, revision: float, *values: Any) -> list[Any]:
            nothing = [gr.skip()] * len(everything)
            try:
                now = verbs.revision(backend)
            except LoopscopeError as error:
                return [notice(str(error), kind="error"), gr.skip(), *nothing]
            if now == revision:
                return [gr.skip(), gr.skip(), *nothing]
            updates: list[Any] = []
            at = 0
            for page in pages:
                mine = values[at : at + len(page.inputs)]
                at += len(page.inputs)
                updates += page.refresh(*mine) if page.name == name else [gr.skip()] * len(page.outputs)
            return [_header(backend), now, *updates]

        gr.Timer(POLL_S).tick(
            tick, [shown, seen, *(c for page in pages for c in page.inputs)], [header, seen, *everything], **quiet()
        )
    return blocks


def _on_select(tab: gr.Tab, page: Page, shown: Any, address: Any) -> None:
    def select(*values: Any) -> list[Any]:
        query = {"tab": page.name, **page.query(*values)}
        return [page.name, urlencode(query, safe=",:"), *page.refresh(*values)]

    tab.select(select, list(page.inputs), [shown, address, *page.outputs], **quiet())


def header_markup(running: int, queued: int) -> str:
    bits = [f"{running} running"] if running else []
    bits += [f"{queued} queued"] if queued else []
    state = ", ".join(bits) or "idle"
    return (
        '<header class="ls-header"><span class="ls-brand">Loopscope</span>'
        '<span class="ls-soft">self-consuming training loops of generative models</span>'
        f'<span class="ls-right"><span class="ls-pill" id="running-count" data-busy="{str(bool(bits)).lower()}" '
        f'role="status">{state}</span><button type="button" class="ls-button" data-theme-toggle '
        'aria-label="Switch between light and dark">Light / dark</button></span></header>'
    )


def _header(backend: "Backend") -> str:
    states: Sequence[str] = [view.state for view in verbs.list_loops(backend)]
    return header_markup(sum(s in ("running", "cancelling") for s in states), states.count("queued"))
