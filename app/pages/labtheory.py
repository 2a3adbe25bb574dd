"""Closed forms in words: formula, symbols, assumptions, source; and which are not drawn, and why."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.markup import esc
from app.theorywords import explained

if TYPE_CHECKING:
    from backend.theory import Refusal, TheoryView


def theory_fold(lines: "Sequence[TheoryView]", refusals: "Sequence[Refusal]") -> str:
    """A fold with every closed form of a card; "" where there is none to speak of."""
    if not lines and not refusals:
        return ""
    told = "".join(_section(line) for line in lines)
    count = "1 closed form" if len(lines) == 1 else f"{len(lines)} closed forms"
    if not lines:
        count = "no closed form holds here"
    not_drawn = ""
    if refusals:
        items = "".join(f"<li><b>{esc(r.title)}</b>: {esc(r.reason)}</li>" for r in refusals)
        not_drawn = f'<h4>Not drawn, and why</h4><ul class="ls-findings">{items}</ul>'
    summary = f"<summary>Theory: {count}</summary>"
    return f'<details class="ls-fold ls-bare" data-key="theory">{summary}{told}{not_drawn}</details>'


def _section(line: "TheoryView") -> str:
    return (
        f'<section data-key="{esc(line.key)}"><h4>{esc(line.title)} '
        f'<span class="ls-soft">({esc(line.kind)}; curve of {esc(line.metric)})</span></h4>'
        f"{explained(line, [line.note] if line.note else [])}</section>"
    )
