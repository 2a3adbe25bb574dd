"""The launch form's last row: which fields a sweep varies, and over which values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from app import forms

if TYPE_CHECKING:
    from app.forms import Choices, Form

AXES = 2
KINDS = {"data": "Data set", "policy": "Policy", "corrector": "Corrector", "model": "Model"}
TITLE = "Sweep: vary a field or two; one loop for each combination and seed"


@dataclass(frozen=True)
class SweepRow:
    """The components: a field and its values for each axis, one after the other."""

    fold: gr.Accordion
    fields: list[gr.Dropdown]
    values: list[gr.Textbox]

    @property
    def controls(self) -> list[Any]:
        return [one for pair in zip(self.fields, self.values, strict=True) for one in pair]


def draw_sweep(offered: "Choices") -> SweepRow:
    """Closed until somebody opens it."""
    fields, values = [], []
    with gr.Accordion(TITLE, open=False, elem_id="launch-sweep") as fold, gr.Row(elem_classes=["ls-sweep"]):
        for i in range(AXES):
            fields.append(
                gr.Dropdown(
                    choices=list(offered), value=None, label="Vary" if i == 0 else "and",
                    elem_id=f"field-sweep-{i}", interactive=True, allow_custom_value=True,
                )
            )  # fmt: skip
            values.append(
                gr.Textbox(
                    "", label="over", placeholder=".25, .5, .75, 1" if i == 0 else "none, physics",
                    elem_id=f"field-sweep-{i}-values", max_lines=1,
                )
            )  # fmt: skip
    return SweepRow(fold, fields, values)


def axes_typed(held: Sequence[Any]) -> list[tuple[int, str, str]]:
    """(axis, path, text) of the axes that have both; a field without values, or none, is no axis yet."""
    pairs = [(str(held[i] or "").strip(), str(held[i + 1] or "").strip()) for i in range(0, len(held), 2)]
    return [(i, path, text) for i, (path, text) in enumerate(pairs) if path and text]


def offered_fields(form: "Form", values: Sequence[Any]) -> "Choices":
    """(title, dotted path) of what a sweep may vary of the config that the form holds."""
    chosen = {field.path: value for field, value in zip(form.fields, values, strict=True) if not field.when}
    domain = str(chosen["domain"])
    found: list[tuple[str, str]] = []
    correctors = [str(kind) for kind in chosen.get("corrector") or []]
    for field in form.fields:
        if field.when is not None:
            part, kind = field.when
            name = field.path.rsplit("/", 1)[1]
            if part != "corrector":
                if kind == chosen[part]:
                    found.append((f"{field.title} ({KINDS[part].lower()})", f"{part}.options.{name}"))
            elif kind in correctors:
                inner = f".parts.{correctors.index(kind)}.options" if len(correctors) > 1 else ""
                found.append((f"{field.title} ({kind})", f"corrector.options{inner}.{name}"))
        elif field.path in KINDS:
            if len(form.choices(field.path, domain)) > 1 or field.path == "corrector":
                found.append((KINDS[field.path], f"{field.path}.kind"))
        elif field.path not in ("domain", forms.RULES, forms.PANEL_CORRECTOR) and form.shows(field.path, domain):
            found.append((field.title, field.path))
    first = {"policy.options.lam": 0, "corrector.kind": 1, "policy.kind": 2, "n": 3}
    return tuple(sorted(found, key=lambda one: first.get(one[1], len(first))))


def words_of(axes: Mapping[str, int], seeds: int) -> str:
    """``λ over 4 values x corrector over 2 x 3 seeds``, from how many values each named axis has."""
    bits = [f"{name} over {count}" for name, count in axes.items()]
    return " x ".join([*bits, *([f"{seeds} seeds"] if seeds > 1 else [])])
