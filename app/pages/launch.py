"""Launch: presets first, then the form of every registered part, checked as it is typed."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import gradio as gr

from app import forms, formvalues, widgets
from app.markup import notice
from app.pages.cards import preset_cards
from app.pages.launchform import FIRST, Held, Shelved, domain_of, draw, option_box_shown, shape, shelved_for, start_of
from app.pages.launchstatus import Typed, launch_typed, launched
from app.pages.launchstatus import status as status_of
from app.pages.page import Page, Query, quiet
from app.pages.protocolcard import choices_of, looked_at
from app.pages.sweeprow import KINDS, offered_fields
from backend import datasets, parts, roster
from backend import loops as verbs
from backend.presence import device_found
from backend.presets import PRESETS, PROTOCOL, launch_preset, preset
from core.errors import LoopscopeError

if TYPE_CHECKING:
    from backend.context import Backend


def build(backend: "Backend", address: Any) -> Page:
    catalogue = parts.catalogue()
    form = forms.form_of(catalogue)
    cards = widgets.live(_cards(backend), elem_id="launch-presets")
    message = widgets.live(elem_id="launch-notice")
    # The config that the form was filled from, as JSON (what has no control is kept from it), and whose it is.
    base = gr.Textbox("", visible="hidden", elem_id="launch-base")
    cloned = gr.Textbox("", visible="hidden", elem_id="launch-cloned")
    shelf = gr.Textbox("", visible="hidden", elem_id="launch-shelved")
    gr.HTML('<h3 class="ls-section-title">Your own loop</h3>', apply_default_css=False)
    drawn = draw(form, catalogue)
    seeds, controls = drawn.seeds, drawn.controls
    domain = controls[form.index("domain")]
    with gr.Row(elem_classes=["ls-launchbar"]):
        status = widgets.live(elem_id="launch-status", scale=4)
        submit = gr.Button("Launch", variant="primary", elem_id="launch-submit", scale=0, min_width=300)

    varied = drawn.sweep.controls

    def held(base_json: str, seeds_text: str, values: Sequence[Any]) -> Typed:
        """The form's values, and those of the sweep's row behind them."""
        return Typed(form, base_json, seeds_text, values[: len(controls)], values[len(controls) :])

    def check(base_json: str, seeds_text: str, *values: Any) -> list[Any]:
        return status_of(backend, held(base_json, seeds_text, values))

    typed = [base, seeds, *controls, *varied]
    gr.on(
        [c.change for c in (seeds, *controls, *varied)],
        check,
        typed,
        [status, submit],
        trigger_mode="always_last",
        **quiet(),
    )
    for part in dict.fromkeys(part for part, _, _ in drawn.boxes):
        boxes = [(kind, box) for of, kind, box in drawn.boxes if of == part]

        def toggle(chosen: Any, part: str = part) -> Any:
            shown = [gr.update(visible=option_box_shown(form, part, kind, chosen)) for kind in form.kinds(part)]
            return shown[0] if len(shown) == 1 else shown

        controls[form.index(part)].change(toggle, [controls[form.index(part)]], [box for _, box in boxes], **quiet())

    selectors = [controls[form.index(path)] for path in ("domain", *KINDS)]

    def offer(*values: Any) -> list[Any]:
        """Other parts have other options to vary."""
        return [gr.update(choices=list(offered_fields(form, values))) for _ in drawn.sweep.fields]

    gr.on([c.change for c in selectors], offer, controls, drawn.sweep.fields, trigger_mode="always_last", **quiet())

    def turn(shelf_json: str, base_json: str, *values: Any) -> list[Any]:
        """Another domain was chosen."""
        kept, now = Shelved(shelf_json).turn(form, Held(base_json, values))
        where = query("", str(now.values[form.index("domain")]))
        return [kept, now.base, "", urlencode({"tab": "launch", **where}), *shape(form, drawn, now.values)]

    # Only a person's choice: a clone sets the domain together with all the rest.
    domain.input(turn, [shelf, base, *controls], [shelf, base, cloned, address, *drawn.shaped], **quiet())

    def launch(base_json: str, seeds_text: str, title: str, *values: Any) -> list[Any]:
        wanted = held(base_json, seeds_text, values)
        try:
            said = launched(launch_typed(backend, wanted, title))
        except LoopscopeError as error:
            said = notice(str(error), kind="error")
        return [said, *status_of(backend, wanted)]

    submit.click(
        launch, [base, seeds, drawn.name, *controls, *varied], [message, status, submit], **quiet(trigger_mode="once")
    )

    def act_on_card(event: gr.EventData) -> list[Any]:
        data = widgets.data_of(event)
        key, action = str(data.get("preset")), data.get("act")
        try:
            choices = choices_of(data) if key == PROTOCOL else None
            if action == "preset-look":
                return [_cards(backend), looked_at(backend, choices or {})]
            views = launch_preset(backend, key, choices, again=action == "preset-again")
        except LoopscopeError as error:
            return [_cards(backend), notice(str(error), kind="error")]
        return [_cards(backend), launched(views)]

    cards.click(act_on_card, None, [cards, message], **quiet(trigger_mode="once"))

    outputs = [cards, message, status, submit, base, cloned, shelf, seeds, drawn.name, *drawn.shaped]
    as_they_are = [gr.skip()] * (len(outputs) - 4)

    def open_(asked: Query) -> list[Any]:
        try:
            if asked.get("clone"):
                source = verbs.show_loop(backend, asked["clone"])
                words = f"The form holds the settings of {source.name!r}. Change what should differ, then launch."
                config, title = source.config, f"{source.name}, edited"
                return filled(config, notice(words), cloned=source.id, title=title)
            if asked.get("dataset"):
                data = {"kind": "stored", "options": {"id": asked["dataset"]}}
                words = f"The form names {datasets.show(backend, asked['dataset']).name!r} as its data set."
                return filled({**start_of(FIRST), "data": data}, notice(words), cloned="", title="")
            if asked.get("domain"):
                return filled(start_of(asked["domain"]), "", cloned="", title="")
        except LoopscopeError as error:
            return [_cards(backend), notice(str(error), kind="error"), gr.skip(), gr.skip(), *as_they_are]
        return [_cards(backend), "", *status_of(backend, Typed(form, "", "0", form.defaults())), *as_they_are]

    def filled(config: dict[str, Any], said: str, *, cloned: str, title: str) -> list[Any]:
        """The whole form from a config."""
        seed, values, plain = str(config.get("seed", 0)), formvalues.values_of(form, config), json.dumps(config)
        known = domain_of(config)
        values[form.index("domain")] = known
        line = status_of(backend, Typed(form, plain, seed, values))
        rest = shape(form, drawn, values)
        return [_cards(backend), said, *line, plain, cloned, shelved_for(known), seed, title, *rest]

    def refresh(source_id: str, kind: str) -> list[Any]:
        del source_id, kind
        return [_cards(backend), *[gr.skip()] * (len(outputs) - 1)]

    def query(source_id: str, kind: str) -> Query:
        if source_id:
            return {"clone": source_id}
        return {"domain": kind} if kind != FIRST else {}

    return Page("launch", [cloned, domain], outputs, open_, refresh, query)


def _cards(backend: "Backend") -> str:
    known, found = roster.entries(backend), {}
    groups = roster.groups(known)
    shown = {**PRESETS, PROTOCOL: preset(PROTOCOL, device=device_found(backend))}
    for key, card in shown.items():
        names = [n for n, _ in card.loops]
        latest = next((g for g in groups if g == card.title or g.startswith(f"{card.title} ")), None)
        if latest is not None:
            group = roster.views_of(backend, [entry.id for entry in known if entry.group == latest])
            found[key] = sorted(group, key=lambda v: names.index(v.name) if v.name in names else len(names))
    return preset_cards(shown, found)
