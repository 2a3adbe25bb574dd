"""The launch form on the page: its controls, and how it takes the shape of a domain."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from app import forms, formvalues, widgets
from app.choices import SOURCES, fields_of, offered
from app.markup import esc
from app.pages.sweeprow import SweepRow, draw_sweep, offered_fields
from backend import parts
from core.errors import LoopscopeError

if TYPE_CHECKING:
    from app.forms import Catalogue, Field, Form
    from backend.context import Backend

SECTION_TITLES = {"training": "Training", "sampling": "Sampling", "evaluation": "Evaluation"}
FIRST = "motion"
"""The domain that the form begins with."""


@dataclass(frozen=True)
class Drawn:
    """The components of a form.

    Attributes:
        name, seeds: what is asked beside the fields of a config.
        controls: one per field, in the form's order.
        boxes: (part, kind, the column that holds the kind's options).
        folds: (section, its accordion).
        sweep: what a sweep varies.
        sentences: for each field whose choices come from a source, in the form's order: what is said where there are
            none.
    """

    name: gr.Textbox
    seeds: gr.Textbox
    controls: list[Any]
    boxes: list[tuple[str, str, gr.Column]]
    folds: list[tuple[str, gr.Accordion]]
    sweep: SweepRow
    sentences: list[gr.HTML]

    @property
    def shaped(self) -> list[Any]:
        """The components that :func:`shape` and :func:`offer_anew` give updates for."""
        boxes, folds = (box for _, _, box in self.boxes), (fold for _, fold in self.folds)
        return [*self.controls, *self.sentences, *boxes, *folds]


def draw(form: "Form", catalogue: "Catalogue") -> Drawn:
    """All controls of all domains, those of the first one shown."""
    controls: list[Any] = [None] * len(form.fields)
    boxes: list[tuple[str, str, gr.Column]] = []
    folds: list[tuple[str, gr.Accordion]] = []
    sentences: dict[int, gr.HTML] = {}

    def put(indices: Sequence[int]) -> None:
        for i in indices:
            path = form.fields[i].path
            controls[i] = forms.component(
                form.fields[i], choices=form.choices(path, FIRST), visible=_field_shown(form, path, FIRST)
            )

    def put_sentences(indices: Sequence[int]) -> None:
        for i in indices:
            if form.fields[i].source:
                sentences[i] = widgets.live(elem_id=f"{form.fields[i].elem_id}-none")

    def put_options(part: str) -> None:
        for kind in form.kinds(part):
            shown = option_box_shown(form, part, kind, form.fields[form.index(part)].default)
            with gr.Column(visible=shown, elem_classes=["ls-options"], elem_id=f"options-{part}-{kind}") as box:
                title = catalogue[part][kind].title
                gr.HTML(f'<span class="ls-soft">{esc(title)}, options</span>', apply_default_css=False)
                put_sentences(form.of_kind(part, kind))
                with gr.Row():
                    put(form.of_kind(part, kind))
            boxes.append((part, kind, box))

    with gr.Column(elem_classes=["ls-form"], elem_id="launch-form"):
        with gr.Row():
            put([form.index("domain"), form.index("data")])
            name = gr.Textbox(label="Name", info="Empty = made from the settings.", elem_id="field-name", max_lines=1)
        put_options("data")
        with gr.Row(elem_classes=["ls-grid"]):
            put([form.index(path) for path in forms.COUNTS])
            seeds = gr.Textbox(
                "0", label="Seeds", info="One loop each: 0, 1, 2 or 0-4.", elem_id="field-seed", max_lines=1
            )
        put([form.index("policy")])
        put_options("policy")
        with gr.Row():
            put([form.index("corrector")])
            put(form.of_section("correction"))
        put_options("corrector")
        with gr.Row():
            put([form.index("model")])
        put_options("model")
        with gr.Row():
            put([form.index(forms.RULES)])
        for section, title in SECTION_TITLES.items():
            with (
                gr.Accordion(title, open=False, visible=section in form.sections(FIRST)) as fold,
                gr.Row(elem_classes=["ls-grid"]),
            ):
                put(form.of_section(section))
            folds.append((section, fold))
        sweep = draw_sweep(offered_fields(form, form.defaults()))
    return Drawn(name, seeds, controls, boxes, folds, sweep, [sentences[i] for i in fields_of(form)])


def shape(backend: "Backend", form: "Form", drawn: Drawn, values: Sequence[Any]) -> list[Any]:
    """Updates of ``drawn.shaped``: the values, and only what the domain among them can use. Options of other domains'
    parts stay as they are."""
    chosen = {path: values[form.index(path)] for path in ("domain", *forms.SINGLE_PARTS, "corrector")}
    domain = str(chosen["domain"])
    updates: list[Any] = []
    for field, value in zip(form.fields, values, strict=True):
        if field.when is not None:
            part, kind = field.when
            here = part == "policy" or kind in (form.chain, *(k for _, k in form.choices(part, domain)))
            update = _offer(backend, field, value) if field.source else gr.update(value=value)
            updates.append(update if here else gr.skip())
            continue
        more: dict[str, Any] = {}
        if field.path in form.offers[domain].choices:
            more["choices"] = list(form.choices(field.path, domain))
        if field.path == "corrector" or "part" not in field.control:
            more["visible"] = _field_shown(form, field.path, domain)
        updates.append(gr.update(value=value, **more))
    updates += [_sentence(backend, form.fields[i]) for i in fields_of(form)]
    updates += [gr.update(visible=option_box_shown(form, part, kind, chosen[part])) for part, kind, _ in drawn.boxes]
    return updates + [gr.update(visible=section in form.sections(domain)) for section, _ in drawn.folds]


def offer_anew(backend: "Backend", form: "Form", drawn: Drawn, values: Mapping[int, Any]) -> list[Any]:
    """Updates of ``drawn.shaped`` once there is other to choose from; what was chosen stays.

    Args:
        values: of the fields whose choices come from a source, by index; of fields left out nothing is known.
    """
    updates = [gr.skip()] * len(drawn.shaped)
    for k, i in enumerate(fields_of(form)):
        updates[i] = _offer(backend, form.fields[i], values.get(i), set_it=i in values and not values[i])
        updates[len(form.fields) + k] = _sentence(backend, form.fields[i])
    return updates


def _offer(backend: "Backend", field: "Field", value: Any, *, set_it: bool = True) -> dict[str, Any]:
    """The choices of a field that has them from a source, and its value; nothing to choose from is not shown.

    Args:
        set_it: whether the browser does not hold the value already.
    """
    choices, chosen = offered(backend, field, str(value or ""))
    more = {"value": chosen or None} if set_it else {}
    update: dict[str, Any] = gr.update(choices=list(choices), visible=bool(choices), **more)
    return update


def _sentence(backend: "Backend", field: "Field") -> str:
    choices, _ = offered(backend, field, "")
    return "" if choices else f'<p class="ls-soft">{SOURCES[field.source].empty}</p>'


def _field_shown(form: "Form", path: str, domain: str) -> bool:
    """Options' fields are shown with their box; selectors always, but for one that has nothing to offer."""
    field = form.fields[form.index(path)]
    if path == "corrector":
        return bool(form.choices(path, domain))
    return field.when is not None or "part" in field.control or form.shows(path, domain)


def option_box_shown(form: "Form", part: str, kind: str, chosen: Any) -> bool:
    if part != "corrector":
        return bool(kind == chosen)
    return len(chosen or []) > 1 if kind == form.chain else kind in (chosen or [])


def start_of(domain: str) -> dict[str, Any]:
    """The config that a domain starts with, as plain data.

    Raises:
        UnknownPart: for a domain that there is not.
    """
    return parts.read_config({"domain": domain}).model_dump(mode="json")


@dataclass(frozen=True)
class Held:
    """What the form holds: the config that it was filled from, as JSON ("" for none), and its values."""

    base: str
    values: Sequence[Any]


class Shelved:
    """What was typed for domains that the form does not show now: JSON in a hidden box of the page.

    Attributes:
        domain: the one that is shown.
    """

    def __init__(self, text: str) -> None:
        try:
            plain = json.loads(text or "{}")
        except ValueError:
            plain = {}
        self._plain: dict[str, Any] = plain if isinstance(plain, dict) else {}

    @property
    def domain(self) -> str:
        return str(self._plain.get("shown", FIRST))

    def turn(self, form: "Form", held: Held) -> tuple[str, Held]:
        """Put away what is held for the domain shown before, and take up the one that it now names: what was typed
        for that, or its start.

        Returns:
            the new text of the hidden box, and what the form holds from now on.
        """
        wanted = str(held.values[form.index("domain")])
        previous = list(held.values)
        previous[form.index("domain")] = self.domain
        away: Mapping[str, Any] = self._plain.get("away") or {}
        stored = away.get(wanted)
        if stored is None or len(stored["values"]) != len(form.fields):
            start = start_of(wanted)
            stored = {"base": json.dumps(start), "values": formvalues.values_of(form, start)}
        kept = {**away, self.domain: {"base": held.base, "values": previous}}
        kept.pop(wanted, None)
        return json.dumps({"shown": wanted, "away": kept}), Held(stored["base"], stored["values"])


def shelved_for(domain: str) -> str:
    """Text of the hidden box when the form is filled anew."""
    return json.dumps({"shown": domain})


def domain_of(config: Mapping[str, Any]) -> str:
    """The domain of a stored config; the first one where it names one that is gone."""
    kind = str(config.get("domain", FIRST))
    try:
        parts.domain_part(kind)
    except LoopscopeError:
        return FIRST
    return kind
