"""Inspect: one generation slider and one sample drive synchronized panes and the numbers of what they show."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import gradio as gr

from app import previews, viewer_embed, widgets
from app.markup import link, status_line
from app.pages import drawnew
from app.pages.page import Page, Query, ids_of, quiet, whole
from app.pages.sampledetail import across_detail, one_loop_detail, sample_detail
from app.theme import ARM_COLOURS
from app.viewer_embed import Choice, Kind, Start
from backend import drawing, measures, panels, roster
from backend import loops as verbs
from core.errors import LoopscopeError

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.drawing import DrawView
    from backend.views import LoopView, PanelSampleView, PanelView

ONE, ACROSS = "one", "loops"
DRAW = 2  # place of the chosen draw among what is shown
MODES = [("One loop", ONE), ("Across loops", ACROSS)]
NO_LOOPS = "Nothing to show yet. Launch a loop on the Launch page; its first samples are here within two minutes."
NO_VIEWER = {"panes": [], "message": "", "hidden": True}


def build(backend: "Backend", address: Any) -> Page:
    start = gr.Textbox(visible="hidden", elem_id="inspect-start")
    with gr.Row(elem_classes=["ls-form"]):
        mode = gr.Radio(MODES, value=ONE, label="Panes", elem_id="inspect-mode", scale=3)
        loop = gr.Dropdown(choices=[], label="Loop", elem_id="inspect-loop", scale=4, interactive=True)
        choices = gr.Dropdown(
            choices=[], multiselect=True, max_choices=viewer_embed.MOST_PANES, label="Loops (at most 4 panes)",
            elem_id="inspect-loops", scale=5, interactive=True, visible=False,
        )  # fmt: skip
        sample = gr.Dropdown(
            choices=[("0", 0)], value=0, label="Sample", elem_id="inspect-sample", scale=2, interactive=True
        )
        generation = gr.Slider(
            0, 1, value=0, step=1, label="Generation", elem_id="inspect-generation", scale=4, interactive=True,
            buttons=[],
        )  # fmt: skip
    chosen = gr.Textbox("", visible="hidden", elem_id="inspect-draw")  # the draw that is shown; "" = the panel
    banner = widgets.live(elem_id="inspect-draw-banner")
    viewer = widgets.viewer(elem_id="inspect-viewer")
    section = drawnew.build_section()
    pictures = widgets.pictures(elem_id="inspect-pictures")
    detail = widgets.live(elem_id="inspect-details")
    key = gr.Textbox("", visible="hidden", elem_id="inspect-key")  # what the figures are of: see _key
    inputs = [mode, loop, choices, sample, generation, start, chosen, key]
    shown = [generation, sample, chosen, key, viewer, pictures, detail, banner, section.fold, section.status,
             section.earlier]  # fmt: skip

    def show(
        mode: str, loop_id: str, keys: Sequence[str], index: Any, t: Any, at: str, draw_id: str, _: str = ""
    ) -> list[Any]:
        """What :data:`shown` is set to. The chosen draw is left alone, for another one may be chosen meanwhile, unless
        there is none such."""
        t, index, begin = whole(t), whole(index), Start.of(at)
        now = _key(mode, loop_id, keys, index, t, draw_id)
        if mode == ACROSS:
            slider, samples, *figures = _across(backend, keys, index, t, begin)
            return [slider, samples, "", now, *figures, "", gr.update(visible=False), gr.skip(), gr.skip()]
        draw = _draw(backend, loop_id, t, draw_id)
        slider, samples, *figures = _one(backend, loop_id, index, t, begin, draw)
        kept = "" if draw is None and draw_id else gr.skip()
        there = bool(figures[0]["panes"])
        return [slider, samples, kept, now, *figures, *_drawing(backend, loop_id, t, draw, there)]

    def changed(*values: Any) -> list[Any]:
        updates = show(*values)
        draw_id = "" if updates[DRAW] == "" else values[-2]
        return [*updates, address_of(query(*values[:-2], draw_id))]

    def picked(*values: Any) -> list[Any]:
        """The same with a draw, or none, that is chosen by this."""
        updates = changed(*values)
        updates[DRAW] = "" if updates[DRAW] == "" else values[-2]
        return updates

    gr.on(
        [c.change for c in (loop, choices, sample, generation)], changed, inputs, [*shown, address],
        **quiet(trigger_mode="always_last"),
    )  # fmt: skip

    def form(loop_id: str, label: Any) -> list[Any]:
        return drawnew.form_of(backend, loop_id, label if isinstance(label, str) else "")

    loop.change(form, [loop, section.label], section.asking, **quiet())

    def switched(mode: str, loop_id: str, keys: Sequence[str], *values: Any) -> list[Any]:
        """Another mode begins with the loops that make sense there."""
        if mode == ACROSS and not keys:
            keys = _companions(backend, loop_id)
        return [gr.update(visible=mode == ONE), gr.update(visible=mode == ACROSS, value=list(keys or [])),
                *changed(mode, loop_id, keys, *values)]  # fmt: skip

    # Only a person's choice: an address that opens this mode brings its own loops.
    mode.input(switched, inputs, [loop, choices, *shown, address], **quiet())

    def asked_for(*values: Any) -> list[Any]:
        """A draw of what the form holds; what is wrong with it is said there, and nothing else changes."""
        held, typed = values[: len(inputs)], values[len(inputs) :]
        try:
            draw = drawnew.start(backend, held[1], whole(held[4]), typed)
        except LoopscopeError as error:
            return [gr.skip() if c is not section.status else drawnew.refused(error) for c in [*shown, address]]
        return picked(*held[:-2], draw.id, "")

    section.run.click(asked_for, [*inputs, *section.controls], [*shown, address], **quiet(trigger_mode="once"))

    def acted(event: gr.EventData, *values: Any) -> list[Any]:
        """An earlier draw was chosen, the panel is wanted back, or a draw is to be forgotten."""
        asked = widgets.data_of(event)
        chosen_one = str(asked.get("draw", "")) if asked.get("act") == "choose" else ""
        try:
            if asked.get("act") == "delete":
                drawing.delete(backend, values[1], str(asked.get("draw", "")))
        except LoopscopeError as error:
            return [gr.skip() if c is not section.status else drawnew.refused(error) for c in [*shown, address]]
        updates = picked(*values[:-2], chosen_one, "")
        return [status_line("") if c is section.status and not chosen_one else u
                for c, u in zip([*shown, address], updates, strict=True)]  # fmt: skip

    for source in (banner, section.earlier):
        source.click(acted, inputs, [*shown, address], **quiet())

    def stepped(event: gr.EventData, *values: Any) -> Any:
        step = whole(str(widgets.data_of(event).get("step", 0)))
        return min(max(whole(values[4]) + step, 0), _last(backend, *values[:3]))

    viewer.select(stepped, inputs, [generation], **quiet())

    def went(event: gr.EventData, *values: Any) -> Any:
        wanted = whole(str(widgets.data_of(event).get("generation", 0)))
        return min(max(wanted, 0), _last(backend, *values[:3]))

    pictures.select(went, inputs, [generation], **quiet())

    def open_(asked: Query) -> list[Any]:
        views = _with_motions(backend)
        known = {view.id for view in views}
        loop_id = asked.get("loop", "")
        if loop_id not in known:
            loop_id = _first_choice(views)
        keys = [k for k in ids_of(asked.get("loops")) if (c := Choice.of(k)) and c.loop_id in known]
        chosen_mode = ACROSS if asked.get("mode") == ACROSS else ONE
        if chosen_mode == ACROSS and not keys:
            keys = _companions(backend, loop_id)
        last = _last(backend, chosen_mode, loop_id, keys)
        t = min(max(whole(asked.get("generation"), last), 0), last)
        index = max(whole(asked.get("sample"), 0), 0)
        at = f"{asked.get('frame', '')};{asked.get('camera', '')}"
        draw_id = asked.get("draw", "")
        _, samples, kept, now, *rest = show(chosen_mode, loop_id, keys, index, t, at, draw_id)
        return [
            chosen_mode,
            gr.update(choices=_loop_choices(views), value=loop_id or None, visible=chosen_mode == ONE),
            gr.update(choices=_pane_choices(views), value=keys, visible=chosen_mode == ACROSS),
            {"value": index, **samples} if samples.get("choices") else samples,
            gr.update(maximum=max(last, 1), value=t),
            at, "" if kept == "" else draw_id, now, *rest, *drawnew.form_of(backend, loop_id),
        ]  # fmt: skip

    def refresh(mode: str, loop_id: str, *values: Any) -> list[Any]:
        views = _with_motions(backend)
        if not loop_id and views:
            return open_({})
        slider, samples, kept, now, *rest = show(mode, loop_id, *values)
        return [gr.skip(), gr.update(choices=_loop_choices(views)), gr.update(choices=_pane_choices(views)), samples,
                slider, gr.skip(), kept, now, *rest, *[gr.skip()] * len(section.asking)]  # fmt: skip

    def query(
        mode: str, loop_id: str, keys: Sequence[str], index: Any, t: Any, _: str, draw_id: str, *__: str
    ) -> Query:
        which: Query = {"mode": ACROSS, "loops": ",".join(keys or [])} if mode == ACROSS else {"loop": loop_id or ""}
        drawn: Query = {"draw": draw_id} if draw_id and mode == ONE else {}
        return which | {"generation": str(whole(t)), "sample": str(whole(index))} | drawn

    outputs = [*inputs, viewer, pictures, detail, banner, section.fold, section.status, section.earlier,
               *section.asking]  # fmt: skip

    def behind(mode: str, loop_id: str, keys: Sequence[str], index: Any, t: Any, _: str, draw_id: str, of: str) -> bool:
        return of != _key(mode, loop_id, keys, index, t, draw_id)

    return Page("inspect", inputs, outputs, open_, refresh, query, behind=behind)


def address_of(query: Query) -> str:
    return urlencode({"tab": "inspect", **query}, safe=",:")


def _key(mode: str, loop_id: str, keys: Sequence[str], index: Any, t: Any, draw_id: str) -> str:
    """Names what is shown for these values."""
    which = ",".join(keys or []) if mode == ACROSS else f"{loop_id or ''} {draw_id or ''}"
    return f"{mode} {which} {whole(t)} {whole(index)}"


def _draw(backend: "Backend", loop_id: str, t: int, draw_id: str) -> "DrawView | None":
    """The draw of that id, where it is one of this generation."""
    try:
        found = drawing.show(backend, loop_id, draw_id) if loop_id and draw_id else None
    except LoopscopeError:
        return None
    return found if found is not None and found.generation == t else None


def _drawing(backend: "Backend", loop_id: str, t: int, draw: "DrawView | None", there: bool) -> list[Any]:
    """The banner of a draw that is shown; the section with its status and list, where there are motions."""
    if not there:
        return ["", gr.update(visible=False), gr.skip(), ""]
    may, picked = drawnew.may_draw(backend), "" if draw is None else draw.id
    return [
        "" if draw is None else drawnew.banner(draw, may),
        gr.update(visible=True),
        gr.skip() if draw is None else drawnew.status_of(draw),
        drawnew.earlier(drawing.list_draws(backend, loop_id, t), picked, t, may),
    ]


def _one(
    backend: "Backend", loop_id: str, index: int, t: int, start: Start, draw: "DrawView | None" = None
) -> list[Any]:
    try:
        view = verbs.show_loop(backend, loop_id) if loop_id else None
    except LoopscopeError:
        view = None
    if view is None:
        return [gr.skip(), gr.skip(), viewer_embed.spec(message=NO_LOOPS), previews.nothing(), _teach()]
    last = last_panel(backend, view)
    panel = _panel(backend, view.id, t)
    slider = gr.update(maximum=max(last, 1))
    if previews.view_of(view) != "motion":
        t = min(t, last)
        words = previews.generation_detail(
            view, t, _panel(backend, view.id, t), panels.measured(backend, view.id, t), _floor(backend, view)
        )
        return [slider, gr.update(visible=False), NO_VIEWER, previews.one_loop(view, t, last=last), words]
    if panel is None:
        words = f"Generation {t} of {view.name!r} has no motions yet. {view.sentence}."
        return [slider, gr.skip(), viewer_embed.spec(message=words), previews.nothing(), ""]
    tails = previews.tails_of([view], [ARM_COLOURS[view.arm]], t, last=last)
    if draw is not None and draw.samples:
        samples, index = _samples(draw.samples, index), min(index, len(draw.samples) - 1)
        samples["choices"] = [(f"#{s.index} {s.label}".rstrip(), s.index) for s in draw.samples]  # often all alike
        words = sample_detail(draw.samples[index].outcome, viewer_embed.draw_url(view.id, draw.id), index)
        return [slider, samples, viewer_embed.drawn(view, draw, index, start=start), tails, words]
    samples, index = _samples(panel.samples, index), min(index, len(panel.samples) - 1)
    spec = viewer_embed.one_loop(view, panel, index, last=last, start=start)
    return [slider, samples, spec, tails, one_loop_detail(view, panel, index)]


def _across(backend: "Backend", keys: Sequence[str], index: int, t: int, start: Start) -> list[Any]:
    wanted = [c for k in keys or () if (c := Choice.of(k))]
    by_id = {view.id: view for view in roster.views_of(backend, [c.loop_id for c in wanted])}
    chosen = [c for c in wanted if c.loop_id in by_id]
    if not chosen:
        words = "Choose two or more loops above: the same samples of each, at the same generation."
        return [gr.skip(), gr.skip(), viewer_embed.spec(message=words), previews.nothing(), ""]
    last = max(last_panel(backend, by_id[c.loop_id]) for c in chosen)
    pairs = [(by_id[c.loop_id], c.kind) for c in chosen][: viewer_embed.MOST_PANES]
    slider = gr.update(maximum=max(last, 1))
    if any(previews.view_of(view) != "motion" for view, _ in pairs):
        numbers = [(view, kind, panels.measured(backend, view.id, t)) for view, kind in pairs]
        pictures = previews.across_loops(pairs, t, last=last)
        return [slider, gr.update(visible=False), NO_VIEWER, pictures, previews.loops_detail(numbers, t)]
    rows = [(view, kind, _panel(backend, view.id, t)) for view, kind in pairs]
    panel = next((p for *_, p in rows if p is not None), None)
    samples = gr.skip() if panel is None else _samples(panel.samples, index)
    if panel is not None:
        index = min(index, min(len(p.samples) for *_, p in rows if p is not None) - 1)
    spec = viewer_embed.across_loops(rows, t, index, last=last, start=start)
    tails = previews.tails_of([view for view, _ in pairs], viewer_embed.pane_colours(pairs), t, last=last)
    curves = measures.curves(backend, [view.id for view, _ in pairs])
    fids = {key: dict(metrics.get("fid", ())) for key, metrics in curves.items()}
    at_t = {key: by_generation[t] for key, by_generation in fids.items() if t in by_generation}
    return [slider, samples, spec, tails, across_detail(rows, t, index, at_t)]


def last_panel(backend: "Backend", view: "LoopView") -> int:
    """The newest generation that can be looked at; a running loop's panel is there before its record."""
    ahead = view.generation + 1
    if view.state in ("running", "cancelling", "interrupted") and _panel(backend, view.id, ahead) is not None:
        return ahead
    return max(view.generation, 0)


def _last(backend: "Backend", mode: str, loop_id: str, keys: Sequence[str]) -> int:
    ids = [c.loop_id for k in keys or () if (c := Choice.of(k))] if mode == ACROSS else [loop_id]
    found = 0
    for one in ids:
        try:
            found = max(found, last_panel(backend, verbs.show_loop(backend, one)))
        except LoopscopeError:
            continue
    return found


def _panel(backend: "Backend", loop_id: str, t: int) -> "PanelView | None":
    try:
        return verbs.panel(backend, loop_id, t)
    except LoopscopeError:
        return None


def _with_motions(backend: "Backend") -> "list[LoopView]":
    """Loops that have something to look at, newest first."""
    return [v for v in verbs.list_loops(backend) if v.generation >= 0 or last_panel_quick(backend, v)]


def last_panel_quick(backend: "Backend", view: "LoopView") -> bool:
    """Whether a loop without a record has its first panel already."""
    return view.state == "running" and _panel(backend, view.id, 0) is not None


def _first_choice(views: "Sequence[LoopView]") -> str:
    """A raw loop of the newest group (there, real, raw and corrected differ most), else the newest loop."""
    if not views:
        return ""
    newest = [view for view in views if view.group == views[0].group] if views[0].group else views[:1]
    return next((view.id for view in newest if view.arm == "raw"), newest[0].id)


def _companions(backend: "Backend", loop_id: str) -> list[str]:
    """The raw samples of a loop and of its group's other settings (one seed each), real first."""
    views = _with_motions(backend)
    here = next((view for view in views if view.id == loop_id), views[0] if views else None)
    if here is None:
        return []
    group = [v for v in views if here.group and v.group == here.group and v.config["seed"] == here.config["seed"]]
    order = {"real": 0, "raw": 1, "corrected": 2}
    chosen = sorted(group or [here], key=lambda v: (order[v.arm], v.created_at))
    return [Choice(view.id, "raw").key for view in chosen[: viewer_embed.MOST_PANES]]


def _title(view: "LoopView") -> str:
    return f"{view.group}: {view.name}" if view.group else view.name


def _loop_choices(views: "Sequence[LoopView]") -> list[tuple[str, str]]:
    return [(_title(view), view.id) for view in views]


def _pane_choices(views: "Sequence[LoopView]") -> list[tuple[str, str]]:
    """Each loop's own samples, and their corrected form."""
    kinds: tuple[tuple[Kind, str], ...] = (("raw", ""), ("corrected", ", after correction"))
    return [(_title(view) + words, Choice(view.id, kind).key) for view in views for kind, words in kinds]


def _samples(samples: "Sequence[PanelSampleView]", index: int) -> Any:
    """The motions of a panel or draw to choose from; pictures show all samples at once and hide this. The chosen one
    stays, unless there are fewer."""
    choices = [(f"{s.label or 'sample'} (#{s.index})", s.index) for s in samples]
    update: dict[str, Any] = gr.update(choices=choices, visible=True)
    return update | {"value": len(samples) - 1} if index >= len(samples) else update


def _floor(backend: "Backend", view: "LoopView") -> dict[str, list[float]]:
    try:
        return measures.floor(backend, view.id) if view.generation >= 0 else {}
    except LoopscopeError:
        return {}


def _teach() -> str:
    return f'<div class="ls-row">{link("Open Launch", button=True, primary=True, tab="launch")}</div>'
