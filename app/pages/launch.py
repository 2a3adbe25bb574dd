"""Launch: presets first, then the form of every registered part, checked as it is typed."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from app import forms, widgets
from app.markup import esc, notice
from app.pages.cards import preset_cards
from app.pages.launchstatus import Typed, launch_typed, launched
from app.pages.launchstatus import status as status_of
from app.pages.page import Page, Query, quiet
from backend import loops as verbs
from backend import parts
from backend.presets import PRESETS, launch_preset
from core.errors import LoopscopeError

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.views import LoopView


def build(backend: "Backend", address: Any) -> Page:
    del address  # the form has no address of its own
    catalogue = parts.catalogue()
    form = forms.form_of(catalogue)
    cards = widgets.live(_cards(backend), elem_id="launch-presets")
    message = widgets.live(elem_id="launch-notice")
    # The config that the form was filled from, as JSON (what has no control is kept from it), and whose it is.
    base = gr.Textbox("", visible="hidden", elem_id="launch-base")
    cloned = gr.Textbox("", visible="hidden", elem_id="launch-cloned")
    controls: list[Any] = [None] * len(form.fields)
    boxes: dict[str, list[tuple[str, gr.Column]]] = {}

    def draw(indices: Sequence[int]) -> None:
        for i in indices:
            controls[i] = forms.component(form.fields[i])

    def draw_options(part: str) -> None:
        boxes[part] = []
        for kind in form.kinds(part):
            shown = _option_box_shown(form, part, kind, form.fields[form.index(part)].default)
            with gr.Column(visible=shown, elem_classes=["ls-options"], elem_id=f"options-{part}-{kind}") as box:
                title = catalogue[part][kind].title
                gr.HTML(f'<span class="ls-soft">{esc(title)}, options</span>', apply_default_css=False)
                with gr.Row():
                    draw(form.of_kind(part, kind))
            boxes[part].append((kind, box))

    gr.HTML('<h3 class="ls-section-title">Your own loop</h3>', apply_default_css=False)
    with gr.Column(elem_classes=["ls-form"], elem_id="launch-form"):
        with gr.Row():
            name = gr.Textbox(label="Name", info="Empty = made from the settings.", elem_id="field-name", max_lines=1)
            draw([form.index("data")])
            draw([form.index("n"), form.index("generations")])
            seeds = gr.Textbox(
                "0", label="Seeds", info="One loop each: 0, 1, 2 or 0-4.", elem_id="field-seed",
                max_lines=1,
            )  # fmt: skip
        draw_options("data")
        draw([form.index("policy")])
        draw_options("policy")
        with gr.Row():
            draw([form.index("corrector")])
            draw(form.of_section("correction"))
        draw_options("corrector")
        with gr.Row():
            draw([form.index("model")])
        draw_options("model")
        for section, title in (("training", "Training"), ("sampling", "Sampling"), ("evaluation", "Evaluation")):
            with gr.Accordion(title, open=False), gr.Row(elem_classes=["ls-grid"]):
                draw(form.of_section(section))
    with gr.Row(elem_classes=["ls-launchbar"]):
        status = widgets.live(elem_id="launch-status", scale=4)
        submit = gr.Button("Launch", variant="primary", elem_id="launch-submit", scale=0, min_width=300)

    def check(base_json: str, seeds_text: str, *values: Any) -> list[Any]:
        return status_of(backend, Typed(form, base_json, seeds_text, values))

    typed = [base, seeds, *controls]
    gr.on([c.change for c in (seeds, *controls)], check, typed, [status, submit], trigger_mode="always_last", **quiet())
    for part, kinds in boxes.items():
        selector = controls[form.index(part)]

        def toggle(chosen: Any, part: str = part) -> Any:
            shown = [gr.update(visible=_option_box_shown(form, part, kind, chosen)) for kind in form.kinds(part)]
            return shown[0] if len(shown) == 1 else shown

        if kinds:
            selector.change(toggle, [selector], [box for _, box in kinds], **quiet())

    def launch(base_json: str, seeds_text: str, title: str, *values: Any) -> list[Any]:
        held = Typed(form, base_json, seeds_text, values)
        try:
            said = launched(launch_typed(backend, held, title))
        except LoopscopeError as error:
            said = notice(str(error), kind="error")
        return [said, *status_of(backend, held)]

    submit.click(launch, [base, seeds, name, *controls], [message, status, submit], **quiet(trigger_mode="once"))

    def act_on_card(event: gr.EventData) -> list[Any]:
        data = widgets.data_of(event)
        try:
            views = launch_preset(backend, str(data.get("preset")), again=data.get("act") == "preset-again")
        except LoopscopeError as error:
            return [_cards(backend), notice(str(error), kind="error")]
        return [_cards(backend), launched(views)]

    cards.click(act_on_card, None, [cards, message], **quiet(trigger_mode="once"))

    outputs = [cards, message, status, submit, base, cloned, seeds, name, *controls]

    def open_(query: Query) -> list[Any]:
        kept = [gr.skip()] * (4 + len(controls))
        if not query.get("clone"):
            return [_cards(backend), "", *status_of(backend, Typed(form, "", "0", form.defaults())), *kept]
        try:
            source = verbs.show_loop(backend, query["clone"])
        except LoopscopeError as error:
            return [_cards(backend), notice(str(error), kind="error"), gr.skip(), gr.skip(), *kept]
        words = f"The form holds the settings of {source.name!r}. Change what should differ, then launch."
        seed, values = str(source.config.get("seed", 0)), forms.values_of(form, source.config)
        filled = [json.dumps(source.config), source.id, seed, f"{source.name}, edited", *values]
        return [_cards(backend), notice(words), *status_of(backend, Typed(form, filled[0], seed, values)), *filled]

    def refresh(source_id: str) -> list[Any]:
        del source_id
        return [_cards(backend), *[gr.skip()] * (len(outputs) - 1)]

    def query(source_id: str) -> Query:
        return {"clone": source_id} if source_id else {}

    return Page("launch", [cloned], outputs, open_, refresh, query)


def _option_box_shown(form: forms.Form, part: str, kind: str, chosen: Any) -> bool:
    if part != "corrector":
        return bool(kind == chosen)
    return len(chosen or []) > 1 if kind == form.chain else kind in (chosen or [])


def _cards(backend: "Backend") -> str:
    by_group: dict[str, list[LoopView]] = {}
    for view in verbs.list_loops(backend):
        by_group.setdefault(view.group, []).append(view)
    found = {}
    for key, preset in PRESETS.items():
        names = [n for n, _ in preset.loops]
        latest = next((g for g in by_group if g == preset.title or g.startswith(f"{preset.title} ")), None)
        if latest is not None:
            group = by_group[latest]
            found[key] = sorted(group, key=lambda v: names.index(v.name) if v.name in names else len(names))
    return preset_cards(PRESETS, found)
