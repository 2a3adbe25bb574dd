"""Launch: presets first, then the form of every registered part, checked as it is typed."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import gradio as gr

from app import forms, formvalues, widgets
from app.choices import fields_of, stamp
from app.markup import notice
from app.pages.cards import preset_cards
from app.pages.launchform import (
    FIRST,
    Held,
    Shelved,
    domain_of,
    draw,
    offer_anew,
    option_box_shown,
    shape,
    shelved_for,
    start_of,
)
from app.pages.launchstatus import Typed, launch_typed, launched
from app.pages.launchstatus import status as status_of
from app.pages.page import Page, Query, quiet
from app.pages.protocolcard import choices_of, data_offered, looked_at
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
    # The config that the form was filled from, as JSON (what has no control is kept from it), and the query that named
    # it; which choices the browser has of those that change.
    base = gr.Textbox("", visible="hidden", elem_id="launch-base")
    origin = gr.Textbox("", visible="hidden", elem_id="launch-origin")
    stamped = gr.Textbox("", visible="hidden", elem_id="launch-stamp")
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
        [c.change for c in (stamped, seeds, *controls, *varied)],
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
        kind = str(now.values[form.index("domain")])
        said = urlencode({"tab": "launch", **query("", kind)})
        return [kept, now.base, "", said, *shape(backend, form, drawn, now.values)]

    # Only a person's choice: a clone sets the domain together with all the rest.
    domain.input(turn, [shelf, base, *controls], [shelf, base, origin, address, *drawn.shaped], **quiet())

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
            views = launch_preset(backend, key, choices, again=action == "preset-again")
        except LoopscopeError as error:
            return [_cards(backend), notice(str(error), kind="error")]
        return [_cards(backend), launched(views)]

    def look_at_choices(event: gr.EventData) -> str:
        try:
            return looked_at(backend, choices_of(widgets.data_of(event)))
        except LoopscopeError as error:
            return notice(str(error), kind="error")

    cards.click(act_on_card, None, [cards, message], **quiet(trigger_mode="once"))
    cards.input(look_at_choices, None, message, **quiet(trigger_mode="always_last"))

    changing = fields_of(form)
    outputs = [cards, message, status, submit, stamped, base, origin, shelf, seeds, drawn.name, *drawn.shaped]
    as_they_are = [gr.skip()] * (len(outputs) - 5 - len(drawn.shaped))

    def open_(asked: Query) -> list[Any]:
        try:
            if asked.get("clone"):
                source = verbs.show_loop(backend, asked["clone"])
                words = f"The form holds the settings of {source.name!r}. Change what should differ, then launch."
                config, title = source.config, f"{source.name}, edited"
                return filled(config, notice(words), {"clone": source.id}, title)
            if asked.get("dataset"):
                wanted = datasets.show(backend, asked["dataset"])
                words = f"The form names {wanted.name!r} as its data set."
                data = {"kind": "stored", "options": {"id": wanted.id}}
                return filled({**start_of(FIRST), "data": data}, notice(words), {"dataset": wanted.id})
            if asked.get("domain"):
                return filled(start_of(asked["domain"]), "")
        except LoopscopeError as error:
            said, line = notice(str(error), kind="error"), [gr.skip(), gr.skip()]
        else:
            said, line = "", status_of(backend, Typed(form, "", "0", form.defaults()))
        # No stamp: the next refresh, which knows what the browser holds, offers anew.
        return [_cards(backend), said, *line, "", *as_they_are, *offer_anew(backend, form, drawn, {})]

    def filled(config: dict[str, Any], said: str, named: Query | None = None, title: str = "") -> list[Any]:
        """The whole form from a config, which the query names."""
        seed, values, plain = str(config.get("seed", 0)), formvalues.values_of(form, config), json.dumps(config)
        known = domain_of(config)
        values[form.index("domain")] = known
        line = status_of(backend, Typed(form, plain, seed, values))
        whose, rest = urlencode(named or {}), shape(backend, form, drawn, values)
        kept = [stamp(backend, form), plain, whose, shelved_for(known), seed, title]
        return [_cards(backend), said, *line, *kept, *rest]

    def refresh(named: str, kind: str, held_stamp: str, *picked: Any) -> list[Any]:
        del named, kind
        now = stamp(backend, form)
        if now == held_stamp:
            return [_cards(backend), *[gr.skip()] * (len(outputs) - 1)]
        anew = offer_anew(backend, form, drawn, dict(zip(changing, picked, strict=True)))
        return [_cards(backend), *[gr.skip()] * 3, now, *as_they_are, *anew]

    def query(named: str, kind: str, *more: Any) -> Query:
        del more
        if named:
            return dict(parse_qsl(named))
        return {"domain": kind} if kind != FIRST else {}

    inputs = [origin, domain, stamped, *(controls[i] for i in changing)]
    return Page("launch", inputs, outputs, open_, refresh, query)


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
    return preset_cards(shown, found, data_offered(backend))
