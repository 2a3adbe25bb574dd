"""Audit: what a corrector does to real, broken and generated motion. The work is a worker's; the page follows it."""

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from app import widgets
from app.auditfigure import chart
from app.choices import part_of, parts_offered, value_of
from app.markup import duration, notice, status_line
from app.pages.auditresult import earlier, result, table
from app.pages.page import Page, Query, quiet, whole
from backend import audits, parts
from backend import loops as verbs
from backend.audits import AuditConfig
from core.config import PartConfig, parse
from core.errors import InvalidConfig, LoopscopeError

if TYPE_CHECKING:
    from backend.audits import AuditView
    from backend.context import Backend

INTRO = (
    '<section class="ls-card"><h3>What does a corrector do to motion?</h3><p class="ls-soft">A good one leaves real '
    "motion alone and brings broken motion back. An audit corrects held-out real windows, the same windows broken in "
    "known ways, and, if you choose a loop, what its models make; it measures each before and after, beside the floor "
    "(real windows themselves) and the ceiling (every window replaced by its nearest real one).</p></section>"
)
EMPTY = '<div class="ls-empty">No audit yet. Choose a corrector above and run one; its numbers stay here.</div>'
FIELDS = {  # beginning of an error's field -> the control that it is about
    "data.options": "audit-data-options", "data": "audit-data", "corrector.options": "audit-corrector-options",
    "corrector": "audit-corrector", "n": "audit-n", "real": "audit-real", "loop": "audit-loop",
    "generations": "audit-generations",
}  # fmt: skip
OWN = ""
"""Choice of no data set, or of no loop."""
LOOPS_OWN = ("Loop's, or DeepMimic", OWN)


def build(backend: "Backend", address: Any) -> Page:
    catalogue = parts.catalogue("motion")  # its inputs and its measures are those of motion
    chosen = gr.Textbox("", visible="hidden", elem_id="audit-chosen")
    of = gr.Textbox("", visible="hidden", elem_id="audit-of")  # the audit that the result is of
    widgets.live(INTRO, elem_id="audit-intro")
    with gr.Column(elem_classes=["ls-form"], elem_id="audit-form"):
        with gr.Row():
            corrector = gr.Dropdown(
                choices=[(p.title, k) for k, p in catalogue["corrector"].items()], value="physics", label="Corrector",
                elem_id="audit-corrector", filterable=False, interactive=True,
            )  # fmt: skip
            corrector_options = gr.Textbox(
                "", label="Its options", info='JSON, e.g. {"mode": "full"}; empty = default.', max_lines=1,
                elem_id="audit-corrector-options",
            )  # fmt: skip
            data = gr.Dropdown(
                choices=[LOOPS_OWN], value=OWN, label="Data set", elem_id="audit-data", filterable=False,
                interactive=True,
            )  # fmt: skip
            data_options = gr.Textbox(
                "", label="Its options", info='JSON, e.g. {"path": "/data/cmu"}; empty = default.', max_lines=1,
                elem_id="audit-data-options",
            )  # fmt: skip
        with gr.Row():
            n = gr.Number(255, label="Windows n", info="Per input; FID depends on it.", elem_id="audit-n")
            real = gr.Number(
                256, label="Real training windows", info="For bounds and ceiling.", elem_id="audit-real"
            )  # fmt: skip
            loop = gr.Dropdown(
                choices=[("None", OWN)], value=OWN, label="Loop", info="Also correct what its models make.",
                elem_id="audit-loop", interactive=True,
            )  # fmt: skip
            generations = gr.Textbox(
                "", label="Its generations", info="For example: 0, 6.", max_lines=1, elem_id="audit-generations"
            )
    with gr.Row(elem_classes=["ls-launchbar"]):
        status = widgets.live(elem_id="audit-status", scale=4)
        run = gr.Button("Run audit", variant="primary", elem_id="audit-run", scale=0, min_width=220)
    message = widgets.live(elem_id="audit-notice")
    head = widgets.live(elem_id="audit-result")
    plot = widgets.charts(elem_id="audit-plot")
    numbers = widgets.live(elem_id="audit-table")
    others = widgets.live(elem_id="audit-earlier")
    controls: list[Any] = [corrector, corrector_options, data, data_options, n, real, loop, generations]
    shown = [of, head, plot, numbers, others]

    def show(audit_id: str) -> list[Any]:
        """The chosen audit, what is known of it, and the list of all."""
        known = audits.list_audits(backend)
        listed = earlier(known, audit_id)
        view = _view(backend, audit_id) if audit_id else None
        if view is None:
            lost = notice(f"There is no audit {audit_id!r}.", kind="error") if audit_id else "" if known else EMPTY
            return [audit_id, lost, {"charts": [], "empty": ""}, "", listed]
        if view.result is None:
            return [audit_id, result(view), {"charts": [], "empty": ""}, "", listed]
        return [audit_id, result(view), chart(view.result), table(view.result), listed]

    def check(*values: Any) -> list[Any]:
        try:
            config = audits.check(backend, _typed(values))
        except InvalidConfig as error:
            return [_wrong(error), gr.update(interactive=False)]
        except LoopscopeError as error:
            return [status_line(str(error), state="invalid"), gr.update(interactive=False)]
        inputs = 1 + 3 * len(config.perturbations) + len(config.generations)
        words = f"{inputs} inputs of {config.n} windows, each corrected twice: about "
        return [status_line(words + duration(audits.estimate_s(backend, config)) + "."), gr.update(interactive=True)]

    gr.on([c.change for c in controls], check, controls, [status, run], trigger_mode="always_last", **quiet())

    def start(*values: Any) -> list[Any]:
        try:
            view = audits.start(backend, _typed(values))
        except LoopscopeError as error:
            return [gr.skip(), gr.skip(), notice(str(error), kind="error"), *[gr.skip()] * len(shown)]
        return [view.id, f"tab=audit&audit={view.id}", "", *show(view.id)]

    run.click(start, controls, [chosen, address, message, *shown], **quiet(trigger_mode="once"))

    def acted(event: gr.EventData, audit_id: str) -> list[Any]:
        """An earlier audit was chosen, or the shown one is to be stopped or done again."""
        asked = widgets.data_of(event)
        action, picked = str(asked.get("act", "")), str(asked.get("audit", audit_id))
        said = ""
        try:
            if action == "cancel":
                audits.cancel(backend, picked)
            elif action == "again":
                picked = audits.start(backend, audits.show(backend, picked).config, again=True).id
        except LoopscopeError as error:
            said = notice(str(error), kind="error")
        return [picked, f"tab=audit&audit={picked}", said, *show(picked)]

    for source in (head, others):
        source.click(acted, [chosen], [chosen, address, message, *shown], **quiet())

    def open_(query: Query) -> list[Any]:
        audit_id = query.get("audit", "")
        view = _view(backend, audit_id) if audit_id else None
        if view is None and not audit_id:
            newest = audits.list_audits(backend, 1)
            audit_id = newest[0].id if newest and "loop" not in query else ""
            view = _view(backend, audit_id) if audit_id else None
        values = _values(view.config) if view is not None else _values(AuditConfig())
        choices = _loops(backend)
        if view is None and any(query.get("loop") == i for _, i in choices[1:]):
            values[6] = query["loop"]
            values[7] = str(whole(query.get("generation"), verbs.show_loop(backend, values[6]).generation))
        line, button = check(*values)
        offers = {loop: gr.update(choices=choices, value=values[6]), data: _data(backend, values[2], set_it=True)}
        first = [offers.get(c, value) for c, value in zip(controls, values, strict=True)]
        return [audit_id, *first, line, button, "", *show(audit_id)]

    def refresh(audit_id: str, named: str, _: str) -> list[Any]:
        offers = {loop: gr.update(choices=_loops(backend)), data: _data(backend, str(named or OWN))}
        kept = [offers.get(c, gr.skip()) for c in controls]
        return [gr.skip(), *kept, gr.skip(), gr.skip(), gr.skip(), *show(audit_id)]

    def query(audit_id: str, *_: str) -> Query:
        return {"audit": audit_id} if audit_id else {}

    def behind(audit_id: str, named: str, shown_of: str) -> bool:
        del named
        return shown_of != audit_id

    outputs = [chosen, *controls, status, run, message, *shown]
    return Page("audit", [chosen, data, of], outputs, open_, refresh, query, behind=behind)


def _view(backend: "Backend", audit_id: str) -> "AuditView | None":
    try:
        return audits.show(backend, str(audit_id))
    except LoopscopeError:
        return None


def _loops(backend: "Backend") -> list[tuple[str, str]]:
    views = [v for v in verbs.list_loops(backend) if v.generation >= 0 and v.config["domain"] == "motion"]
    return [("None", OWN), *((f"{v.group}: {v.name}" if v.group else v.name, v.id) for v in views)]


def _data(backend: "Backend", value: str, *, set_it: bool = False) -> dict[str, Any]:
    """The data sets to choose from, imported ones by name; ``value`` among them even where it is gone."""
    known = parts_offered(backend, parts.catalogue("motion")["data"], value)
    more: dict[str, Any] = {"value": value} if set_it else {}
    update: dict[str, Any] = gr.update(choices=[LOOPS_OWN, *known], **more)
    return update


def _values(config: AuditConfig) -> list[Any]:
    """The controls' values that stand for a config."""
    corrector, options = config.corrector, _beside_defaults("corrector", config.corrector)
    found: list[Any] = [corrector.kind, _told(options), OWN, ""]
    if config.data is not None:
        known = parts.catalogue("motion")["data"]
        value = value_of(known, config.data)
        said = part_of(known, value)["options"]
        options = {name: v for name, v in _beside_defaults("data", config.data).items() if name not in said}
        found[2:] = [value, _told(options)]
    return [*found, config.n, config.real, config.loop, ", ".join(map(str, config.generations))]


def _told(options: dict[str, Any]) -> str:
    return json.dumps(options) if options else ""


def _beside_defaults(group: str, part: PartConfig) -> dict[str, Any]:
    """The options that differ from their defaults."""
    defaults = parts.catalogue()[group][part.kind].options().model_dump(mode="json")
    return {name: value for name, value in part.options.items() if name not in defaults or defaults[name] != value}


def _typed(values: Sequence[Any]) -> AuditConfig:
    """The config that the controls' values stand for.

    Raises:
        InvalidConfig: naming the field.
    """
    corrector, corrector_options, data, data_options, n, real, loop, generations = values
    typed: dict[str, Any] = {
        "corrector": {"kind": corrector, "options": _options(corrector_options, "corrector.options")},
        "n": _number(n, "n", "Windows n"),
        "real": _number(real, "real", "Real training windows"),
    }
    if data:
        part = part_of(parts.catalogue("motion")["data"], str(data))
        part["options"] = _options(data_options, "data.options") | part["options"]
        typed["data"] = part
    if loop:
        typed |= {"loop": loop, "generations": _generations(generations)}
    return parse(AuditConfig, typed)


def _options(text: str | None, field: str) -> dict[str, Any]:
    if not (text or "").strip():
        return {}
    try:
        value = json.loads(text or "")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise InvalidConfig("Options are a JSON object.", 'For example: {"mode": "full"}.', field)
    return value


def _number(value: Any, field: str, title: str) -> int:
    if isinstance(value, int | float) and value == int(value):
        return int(value)
    raise InvalidConfig(f"{title} is no whole number.", "For example: 255.", field)


def _generations(text: str | None) -> list[int]:
    bits = [bit for bit in re.split(r"[\s,;]+", text or "") if bit]
    if not all(bit.isdigit() for bit in bits):
        raise InvalidConfig(f"Generations: {text!r} is no list of numbers.", "For example: 0, 6.", "generations")
    return list(dict.fromkeys(int(bit) for bit in bits))


def _wrong(error: InvalidConfig) -> str:
    field = next((control for start, control in FIELDS.items() if error.field.startswith(start)), "")
    return status_line(str(error), state="invalid", field=field)
