"""Inspect's section of new samples: what can be asked of a generation, how far a draw is, and the earlier ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from app import widgets
from app.markup import act, ago, esc, notice, status_line
from backend import drawing
from backend.drawing import MOST_SAMPLES, DrawRequest, DrawView, asked_words
from core.config import parse
from core.errors import InvalidConfig, LoopscopeError

if TYPE_CHECKING:
    from backend.context import Backend

TITLE = "Draw new samples"
ONLY_LOOKS = "You may look at what was drawn; whoever may run loops can ask for more."
FIELDS = {
    "label": "inspect-draw-class", "prompt": "inspect-draw-prompt", "guidance_scale": "inspect-draw-guidance",
    "count": "inspect-draw-count", "seed": "inspect-draw-seed",
}  # fmt: skip
"""Field of a request -> the control that it is about."""


@dataclass(frozen=True)
class Section:
    """The components; ``form`` holds the controls, which those who may only look do not see."""

    fold: gr.Accordion
    form: gr.Column
    label: gr.Dropdown
    prompt: gr.Textbox
    guidance: gr.Number
    count: gr.Slider
    seed: gr.Number
    run: gr.Button
    status: gr.HTML
    earlier: gr.HTML

    @property
    def controls(self) -> list[Any]:
        """What a request is typed into."""
        return [self.label, self.prompt, self.guidance, self.count, self.seed]

    @property
    def asking(self) -> list[Any]:
        """What depends on the loop: see :func:`form_of`."""
        return [self.form, self.label, self.prompt, self.guidance]


def build_section() -> Section:
    """Closed until somebody opens it; hidden until there is a motion."""
    with gr.Accordion(TITLE, open=False, visible=False, elem_id="inspect-drawing") as fold:
        with gr.Column(elem_classes=["ls-form", "ls-drawnew"]) as form:
            with gr.Row():
                label = gr.Dropdown(
                    choices=[], label="Class", elem_id="inspect-draw-class", interactive=True, scale=3, min_width=130
                )
                prompt = gr.Textbox(
                    "", label="Or a sentence", placeholder="a person walks in a circle", max_lines=1, visible=False,
                    elem_id="inspect-draw-prompt", scale=6, min_width=190,
                )  # fmt: skip
                guidance = gr.Number(
                    1.0, label="Guidance", minimum=0, maximum=20, step=0.5, elem_id="inspect-draw-guidance",
                    scale=2, min_width=90,
                )  # fmt: skip
                count = gr.Slider(
                    1, MOST_SAMPLES, value=4, step=1, label="Samples", elem_id="inspect-draw-count", interactive=True,
                    buttons=[], scale=3, min_width=150,
                )  # fmt: skip
                seed = gr.Number(
                    0, label="Seed", minimum=0, precision=0, elem_id="inspect-draw-seed", scale=2, min_width=80
                )
                run = gr.Button("Draw", variant="primary", elem_id="inspect-draw-run", scale=0, min_width=90)
        status = widgets.live(elem_id="inspect-draw-status")
        earlier = widgets.live(elem_id="inspect-draw-earlier")
    return Section(fold, form, label, prompt, guidance, count, seed, run, status, earlier)


def may_draw(backend: "Backend") -> bool:
    """Whether the one who looks is more than a viewer."""
    return backend.gate.require("viewer").role != "viewer"


def form_of(backend: "Backend", loop_id: str, label: str = "") -> list[Any]:
    """The controls as a loop's model can be asked: updates of :attr:`Section.asking`. A class that it has too stays
    chosen, and so does what was typed."""
    try:
        can = drawing.askable(backend, loop_id)
    except LoopscopeError:
        return [gr.update(visible=False), *[gr.skip()] * 3]
    names = can.class_names if can.told != "none" else []
    return [
        gr.update(visible=may_draw(backend)),
        gr.update(choices=names, value=label if label in names else next(iter(names), None), visible=bool(names)),
        gr.update(visible=can.told == "text"),
        gr.update(value=can.guidance_scale, visible=can.told != "none"),
    ]


def start(backend: "Backend", loop_id: str, t: int, typed: Sequence[Any]) -> DrawView:
    """Ask for what the controls hold; a sentence, where one can be said, goes before the class.

    Raises:
        InvalidConfig: naming the field; and as :func:`backend.drawing.start`.
    """
    label, prompt, guidance, count, seed = typed
    numbers: dict[str, Any] = {"guidance_scale": guidance, "count": count, "seed": seed}
    for name, value in numbers.items():
        if value in (None, ""):
            raise InvalidConfig(f"{DrawRequest.model_fields[name].title} is empty.", "Give a number.", name)
    said = str(prompt or "").strip() if drawing.askable(backend, loop_id).told == "text" else ""
    what = {"prompt": said} if said else {"label": label or ""}
    return drawing.start(backend, parse(DrawRequest, {"loop": loop_id, "generation": t, **what, **numbers}))


def refused(error: LoopscopeError) -> str:
    """What is wrong, in one sentence beside the control that it is about, and in its words."""
    field, words = getattr(error, "field", ""), str(error)
    if field in FIELDS and words.startswith(f"{field}: "):
        words = f"{DrawRequest.model_fields[field].title}: {words.removeprefix(f'{field}: ')}"
    return status_line(words, state="invalid", field=FIELDS.get(field, ""))


def status_of(draw: DrawView) -> str:
    """What is said below the button while a draw is under way, or where it failed."""
    return status_line("" if draw.state == "done" else _told(draw))


def banner(draw: DrawView, may: bool) -> str:
    """Above the figures: that they are drawn ones, or how far the drawing is; and the way back."""
    words = f"{asked_words(draw.request)}, generation {draw.generation}"
    back = act("Back to the panel", "back", elem_id="inspect-draw-back")
    delete = act("Delete" if draw.state == "done" else "Stop", "delete", kind="ls-danger", draw=draw.id) if may else ""
    if draw.state == "done":
        how = f"guidance {draw.request.guidance_scale:g}, seed {draw.request.seed}"
        line = notice(f"Drawn on demand, not of the panel: {words}; {how}.", kind="warn", more=back + delete)
        return f'<div data-reveal="{esc(draw.id)}">{line}</div>'
    if draw.state in ("failed", "cancelled"):
        return notice(f"Drawing {words}. {_told(draw)}", kind="error", more=back)
    bar = (
        '<div class="ls-bar" role="progressbar" aria-label="Drawing" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{100 * draw.fraction:.0f}"><i style="width:{100 * draw.fraction:.1f}%"></i></div>'
    )
    return notice(f"Drawing {words}. {_told(draw)} The panel is shown until then.", more=bar + delete)


def earlier(draws: Sequence[DrawView], chosen: str, t: int, may: bool) -> str:
    """The draws of a generation, to be chosen again; a sentence where there are none."""
    only = "" if may else f'<p class="ls-soft">{ONLY_LOOKS}</p>'
    if not draws:
        more = " Ask for some above; they stay here." if may else ""
        return f'{only}<p class="ls-soft">Nothing has been drawn from generation {t} yet.{more}</p>'
    heads = "".join(f'<th class="ls-right">{name}</th>' for name in ("guidance", "samples", "seed"))
    return (
        f'{only}<div class="ls-scroll"><table aria-label="Draws of generation {t}"><thead><tr>'
        f"<th>Drawn from generation {t}</th>{heads}<th>State</th><th>Asked for</th></tr></thead>"
        f"<tbody>{''.join(_row(draw, draw.id == chosen) for draw in draws)}</tbody></table></div>"
    )


def _row(draw: DrawView, chosen: bool) -> str:
    asked = draw.request
    numbers = "".join(
        f'<td class="ls-right ls-num">{number}</td>'
        for number in (f"{asked.guidance_scale:g}", asked.count, asked.seed)
    )
    return (
        f'<tr data-key="{esc(draw.id)}" data-act="choose" data-draw="{esc(draw.id)}" tabindex="0" '
        f'aria-expanded="{str(chosen).lower()}"><td>{esc(asked_words(asked))}</td>{numbers}'
        f'<td><span class="ls-state" data-state="{draw.state}" style="white-space:normal">{esc(draw.sentence)}</span>'
        f'</td><td class="ls-soft">{ago(draw.created_at)}</td></tr>'
    )


def _told(draw: DrawView) -> str:
    """How far a draw is, or why it failed and what to do."""
    return f"{draw.sentence.rstrip('.')}. {draw.error.hint if draw.error is not None else ''}".rstrip()
