"""Loops: a live table; the chosen row opens its stages, events, error, config and verbs."""

from typing import TYPE_CHECKING, Any

import gradio as gr

from app import widgets
from app.domainwords import domain_title
from app.kept import Keeper
from app.markup import act, esc, link, notice
from app.pages.looprows import loop_detail, loop_table
from app.pages.page import Page, Query, ids_of, quiet, whole
from app.pulse import pulse_of
from backend import loops as verbs
from backend import roster
from backend.drift import drift_of_loop
from backend.grouped import to_all, to_group
from backend.rollback import rollback
from core.errors import LoopscopeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from backend.context import Backend
    from backend.grouped import GroupOutcome, GroupVerb
    from backend.views import LoopView

EMPTY = (
    '<div class="ls-empty">No loops yet. Start with "Collapse and correction" on the Launch page: three loops, '
    "about 2 minutes on two cores. The Lab has experiments that take seconds.</div>"
)


MOST_ROWS, MOST_GROUPED = 200, 5000  # loops in the table; that a verb of a whole group is for
MOVING = ("running", "cancelling", "interrupted")  # what is told of these changes with time alone


def build(backend: "Backend", address: Any) -> Page:
    chosen = gr.Textbox(visible="hidden", elem_id="loops-chosen")
    of = gr.Textbox(visible="hidden", elem_id="loops-of")  # what the table is of
    message = widgets.live(elem_id="loops-notice")
    with gr.Row():
        text = gr.Textbox(
            show_label=False, placeholder="Filter by name, group, domain, data set, policy, corrector or state",
            max_lines=1, elem_id="loops-filter", container=False,
        )  # fmt: skip
    table = widgets.live(elem_id="loops-table")

    keeper = Keeper()

    def show(loop_id: str, wanted: str) -> list[Any]:
        """The table, and what it is of."""
        known, asked = roster.entries(backend), key_of(loop_id, wanted)
        if not known:
            return [link_to_launch(), asked]
        views = keeper.views(backend, known)
        if all(view.id != loop_id for view in views):
            loop_id = ""
        found = [view for view in views if matches(view, wanted)]
        shown = [*found[:MOST_ROWS], *(view for view in found[MOST_ROWS:] if view.id == loop_id)]
        now = {view.id: view for view in roster.views_of(backend, [v.id for v in shown if v.state in MOVING])}
        rows = [now.get(view.id, view) for view in shown]
        drawn = loop_table(rows, loop_id, _detail(backend, loop_id), found)
        return [_told_how_many(shown, found) + drawn, asked]

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
        source.click(acted, [chosen, text], [chosen, table, of, address, message], **quiet())
    text.change(show, [chosen, text], [table, of], **quiet(trigger_mode="always_last"))

    def open_(query: Query) -> list[Any]:
        loop_id = query.get("loop", "")
        return [loop_id, *show(loop_id, query.get("filter", "")), query.get("filter", ""), ""]

    def refresh(loop_id: str, wanted: str, _: str) -> list[Any]:
        looked = (str(loop_id or ""), str(wanted or ""))
        drawn = pulse_of(backend).shared(backend, ("loops", *looked), lambda: show(*looked))
        return [gr.skip(), *drawn, gr.skip(), gr.skip()]

    def query(loop_id: str, wanted: str, *_: str) -> Query:
        return ({"loop": loop_id} if loop_id else {}) | ({"filter": wanted} if wanted else {})

    def behind(loop_id: str, wanted: str, shown_of: str) -> bool:
        return shown_of != key_of(loop_id, wanted)

    outputs = [chosen, table, of, text, message]
    return Page("loops", [chosen, text, of], outputs, open_, refresh, query, behind=behind)


def key_of(loop_id: str, wanted: str) -> str:
    """Stands for what a table shows: the loop whose row is open, and the filter."""
    return f"{loop_id or ''} {wanted or ''}"


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
    kinds = f"{domain_title(config)} {config['domain']} {view.data} {config['policy']['kind']}"
    hay = f"{view.name} {view.group} {view.state} {view.id} {kinds} {config['corrector']} {view.arm}"
    return all(word in hay.lower() for word in (wanted or "").lower().split())


SIMPLE: "dict[str, tuple[Callable[[Backend, str], LoopView], str]]" = {
    "cancel": (verbs.cancel, "Asked {name} to stop."),
    "resume": (verbs.resume, "{name} goes on."),
    "retry": (verbs.retry, "{name} is tried again."),
    "restore": (verbs.restore, "{name} is back."),
}


def _told_how_many(shown: "Sequence[LoopView]", found: "Sequence[LoopView]") -> str:
    if len(shown) == len(found):
        return ""
    words = f"The newest {len(shown)} of {len(found)} loops. Type above to find others."
    return f'<p class="ls-soft" role="status">{words}</p>'


def _detail(backend: "Backend", loop_id: str) -> str:
    if not loop_id:
        return ""
    try:
        view = verbs.show_loop(backend, loop_id)
        drift = drift_of_loop(backend, view) if view.generation >= 0 else None
        return loop_detail(view, verbs.generations(backend, loop_id), verbs.events(backend, loop_id, 80), drift)
    except LoopscopeError as error:
        return notice(str(error), kind="error")


def _act(backend: "Backend", action: str, loop_id: str, data: dict[str, Any]) -> tuple[str, str]:
    """Do a verb; what to say, and which loop stays chosen."""
    try:
        if action in TO_ALL:
            outcome = to_all(backend, TO_ALL[action], ids_of(str(data.get("loops", "")), MOST_GROUPED))
            return _told_of_all(outcome), loop_id
        if action == "delete-all":
            return _told_of_all(to_group(backend, "delete", str(data.get("group", "")))), ""
        if action in SIMPLE:
            do, words = SIMPLE[action]
            view = do(backend, loop_id)
            return notice(words.format(name=repr(view.name))), loop_id
        if action == "extend":
            seen = data.get("seen")
            more, known = whole(str(data.get("generations"))), whole(str(seen)) if seen is not None else None
            view = verbs.extend(backend, loop_id, more, seen=known)
            return notice(f"{view.name!r} now runs to generation {view.config['generations']}."), loop_id
        if action in ("rollback", "rollback-best"):
            to = whole(str(data.get("to")), -1)
            view = rollback(backend, loop_id, "best" if action == "rollback-best" else to)
            return notice(f"{view.name!r} is back at generation {view.generation}. Resume goes on from there."), loop_id
        if action == "prioritize":
            view = verbs.prioritize(backend, loop_id, whole(str(data.get("priority")), verbs.HIGHEST + 1))
            return notice(f"{view.name!r} has priority {view.priority:+d}."), loop_id
        if action == "delete":
            view = verbs.delete(backend, loop_id)
            undo = act("Undo", "restore", loop=loop_id)
            return notice(f"Deleted {view.name!r}.", more=undo), ""
    except LoopscopeError as error:
        return notice(str(error), kind="error"), loop_id
    return notice(f"There is no verb {esc(action)!r}.", kind="error"), loop_id


TO_ALL: "dict[str, GroupVerb]" = {
    "cancel-all": "cancel", "resume-all": "resume", "restore-all": "restore",
}  # fmt: skip


def _told_of_all(outcome: "GroupOutcome") -> str:
    """What became of a verb for a whole group; a deletion can be undone."""
    kind = "info" if not outcome.refused else "warn" if outcome.done else "error"
    undo = ""
    if outcome.verb == "delete" and outcome.done:
        undo = act("Undo", "restore-all", loops=",".join(view.id for view in outcome.done))
    return notice(outcome.sentence, kind=kind, more=undo)
