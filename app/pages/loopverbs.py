"""Buttons of the Loops page: what can be done to the chosen loop, by its state."""

from typing import TYPE_CHECKING

from app.domainwords import metric_title, samples_words, shows_motion
from app.markup import act, download, link
from backend.loops import HIGHEST, LOWEST

if TYPE_CHECKING:
    from backend.views import LoopView

GOES_ON = {"cancelled": "Resume", "stopped": "Resume", "interrupted": "Resume", "failed": "Retry"}


def loop_verbs(view: "LoopView") -> str:
    """Three rows: go on or stop, and where to look; change it; take it away."""
    base = f"/api/v1/loops/{view.id}/export"
    exports = download("Export CSV", f"{base}.csv") + download("Export JSON", f"{base}.json")
    delete = act("Delete", "delete", kind="ls-danger", loop=view.id, elem_id="loop-delete")
    changes = f"{_extend(view)}{_roll_back(view)}{_priority(view)}"
    return (
        f'<div class="ls-row">{_state_verbs(view)}{_ways_on(view)}</div>'
        f'<div class="ls-row ls-changes">{changes}</div>'
        f'<div class="ls-row" style="margin-top:8px">{exports}{delete}</div>'
    )


def _state_verbs(view: "LoopView") -> str:
    bits = ""
    if view.state in ("queued", "running", "interrupted"):
        bits += act("Cancel", "cancel", loop=view.id, elem_id="loop-cancel")
    if view.state in GOES_ON:
        words = GOES_ON[view.state]
        bits += act(words, words.lower(), loop=view.id, elem_id=f"loop-{words.lower()}", kind="ls-primary")
    return bits


def _ways_on(view: "LoopView") -> str:
    bits = ""
    if view.generation >= 0:
        bits += link("Curves", button=True, tab="compare", loops=view.id)
        bits += link(samples_words(view.config).capitalize(), button=True, tab="inspect", loop=view.id)
        if shows_motion(view.config):
            bits += link("Audit a corrector on it", button=True, tab="audit", loop=view.id)
    return bits + link("Clone with edits", button=True, tab="launch", clone=view.id)


def _extend(view: "LoopView") -> str:
    seen = {"seen": str(view.config["generations"])}
    return (
        '<span class="ls-row" data-form><label>Extend by <input name="generations" type="number" min="1" value="5" '
        f'aria-label="More generations"></label>{act("Extend", "extend", loop=view.id, elem_id="loop-extend", **seen)}'
        "</span>"
    )


def _roll_back(view: "LoopView") -> str:
    """For loops that rest, and have something to forget."""
    if view.state not in ("done", "cancelled", "stopped", "failed") or view.generation < 1:
        return ""
    best = f"To the best {metric_title(view.headline)}" if view.headline else "To the best"
    return (
        '<span class="ls-row" data-form><label>Back to generation '
        f'<input name="to" type="number" min="0" max="{view.generation - 1}" value="{view.generation - 1}" '
        f'aria-label="Generation to roll back to"></label>'
        f"{act('Roll back', 'rollback', loop=view.id, elem_id='loop-rollback')}"
        f"{act(best, 'rollback-best', loop=view.id, elem_id='loop-rollback-best')}</span>"
    )


def _priority(view: "LoopView") -> str:
    """For loops that have a turn to wait for."""
    if view.state not in ("queued", "running", "interrupted", "cancelled", "stopped", "failed"):
        return ""
    return (
        f'<span class="ls-row" data-form><label>Priority <input name="priority" type="number" min="{LOWEST}" '
        f'max="{HIGHEST}" value="{view.priority}" aria-label="Priority, higher ones go first"></label>'
        f"{act('Set', 'prioritize', loop=view.id, elem_id='loop-prioritize')}</span>"
    )
