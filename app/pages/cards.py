"""Preset cards: question, picture, minutes, what they show and what they do not."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.markup import act, duration, esc, link
from app.pages.protocolcard import choices_form
from backend.presets import PROTOCOL

if TYPE_CHECKING:
    from app.forms import Choices
    from backend.preset import Preset
    from backend.views import LoopView

SKETCH = """
<svg viewBox="0 0 270 170" role="img"
aria-label="Sketch: FID rises in the raw loop, stays lower when corrected, and is flat on real data">
<g fill="none" stroke-linecap="round">
<path d="M34 12 V140 H262" style="stroke:var(--ls-soft)" stroke-width="1"/>
<path d="M34 126 H262" style="stroke:var(--ls-real)" stroke-width="1.3" stroke-dasharray="4 4"/>
<path d="M36 122 C80 120 100 112 130 88 C160 62 180 42 202 26" style="stroke:var(--ls-raw)" stroke-width="3"/>
<path d="M36 122 C90 121 130 113 202 97" style="stroke:var(--ls-corrected)" stroke-width="3"/>
<path d="M36 122 C90 123 140 121 202 120" style="stroke:var(--ls-real)" stroke-width="3"/>
</g>
<g font-size="12" font-family="system-ui, sans-serif" style="fill:var(--body-text-color)">
<text x="208" y="30">raw</text><text x="208" y="101">corrected</text><text x="208" y="119">real only</text>
<text x="148" y="158" text-anchor="middle" style="fill:var(--ls-soft)">generation</text>
<text x="-76" y="20" transform="rotate(-90)" text-anchor="middle" style="fill:var(--ls-soft)">distance from real</text>
</g></svg>
"""


def preset_cards(presets: "dict[str, Preset]", loops: "dict[str, list[LoopView]]", data: "Choices" = ()) -> str:
    """Cards of all presets; the first is the demo, large and with a picture.

    Args:
        loops: by preset key, the loops of its group that exist already.
        data: the data sets that the paper's protocol offers.
    """
    cards = [
        _card(key, preset, loops.get(key, []), data, demo=i == 0) for i, (key, preset) in enumerate(presets.items())
    ]
    more = link("More experiments in the Lab", tab="lab")
    words = "Gaussians, regression, digits, text: each published loop at one click, theory beside measurement."
    return f'<div class="ls-cards">{"".join(cards)}<p class="ls-soft">{more}: {words}</p></div>'


def _card(key: str, preset: "Preset", loops: "Sequence[LoopView]", data: "Choices", *, demo: bool) -> str:
    heading = "h2" if demo else "h3"
    seeds = len({config.seed for _, config in preset.loops})
    count = f"{len(preset.loops)} loops" + (f", {seeds} seeds" if seeds > 1 else "")
    if preset.sized:
        count = f"{preset.sized} As chosen at first: {count}"
    generations = max(config.generations for _, config in preset.loops)
    buttons = _buttons(key, preset, loops, demo=demo)
    intro = (
        f"<div><{heading}>{esc(preset.title)}</{heading}><p class='ls-question'>{esc(preset.question)}</p>"
        f"{choices_form(buttons, data) if key == PROTOCOL else buttons}"
        f'<p class="ls-soft" style="font-size:13px">{count}, {generations} generations each.</p></div>'
    )
    facts = (
        f'<div class="ls-facts"><div><h4>What it shows</h4><p>{esc(preset.shows)}</p></div>'
        f"<div><h4>What it does not show</h4><p>{esc(preset.does_not_show)}</p></div>"
        f'<p class="ls-source">{esc(preset.paper)}.</p></div>'
    )
    if demo:
        return f'<section class="ls-card ls-demo" data-key="{esc(key)}">{intro}{SKETCH}{facts}</section>'
    folded = f"<details><summary>What it shows, and what it does not</summary>{facts}</details>"
    return f'<section class="ls-card" data-key="{esc(key)}">{intro}{folded}</section>'


def _buttons(key: str, preset: "Preset", loops: "Sequence[LoopView]", *, demo: bool) -> str:
    kind = "ls-primary ls-big" if demo else "ls-primary"
    button_id = f"launch-{key}"
    minutes = duration(preset.minutes * 60)
    if not loops:
        words = "Launch" if key == PROTOCOL else f"Launch ({minutes})"  # its choices say how long
        words = f"Start ({minutes} on 2 cores)" if demo else words
        button = act(words, "preset", kind=kind, elem_id=button_id, preset=key)
        return f'<div class="ls-row" style="margin-bottom:6px">{button}</div>'
    ids = ",".join(view.id for view in loops)
    done = sum(view.state == "done" for view in loops)
    busy = sum(view.state in ("queued", "running", "interrupted") for view in loops)
    words = f"{done} of {len(loops)} done" + (f", {busy} under way" if busy else "")
    links = link("Watch the curves", button=True, primary=True, tab="compare", loops=ids)
    if any(view.generation >= 0 for view in loops):
        links += link("Look at the motions", button=True, query=motions_query(loops))
    words_again = "Launch" if key == PROTOCOL else "Run again"  # its choices may be others by now
    again = act(words_again, "preset-again", elem_id=button_id, preset=key)
    return f'<div class="ls-row" style="margin-bottom:6px">{links}{again}<span class="ls-soft">{words}</span></div>'


def motions_query(loops: "Sequence[LoopView]") -> dict[str, str | int]:
    """Address of the view that compares the loops' own samples at their latest common generation."""
    chosen = [view for view in loops if view.generation >= 0][:3]
    order = {"real": 0, "raw": 1, "corrected": 2}
    chosen.sort(key=lambda view: order[view.arm])
    return {
        "tab": "inspect",
        "mode": "loops",
        "loops": ",".join(f"{view.id}:raw" for view in chosen),
        "generation": min(view.generation for view in chosen),
    }
