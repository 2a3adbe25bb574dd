"""Closed forms in words: formula, symbols, assumptions, source; and which are not drawn, and why."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.labplot import KINDS
from app.markup import esc

if TYPE_CHECKING:
    from backend.theory import Refusal, TheoryView


def theory_fold(lines: "Sequence[TheoryView]", refusals: "Sequence[Refusal]") -> str:
    """A fold with every closed form of a card; "" where there is none to speak of."""
    if not lines and not refusals:
        return ""
    told = "".join(_explained(line) for line in lines)
    count = "1 closed form" if len(lines) == 1 else f"{len(lines)} closed forms"
    if not lines:
        count = "no closed form holds here"
    not_drawn = ""
    if refusals:
        items = "".join(f"<li><b>{esc(r.title)}</b>: {esc(r.reason)}</li>" for r in refusals)
        not_drawn = f'<h4>Not drawn, and why</h4><ul class="ls-findings">{items}</ul>'
    return f'<details data-key="theory"><summary>Theory: {count}</summary>{told}{not_drawn}</details>'


def _explained(line: "TheoryView") -> str:
    symbols = "".join(f"<tr><td>{esc(s)}</td><td>{esc(meaning)}</td></tr>" for s, meaning in line.symbols.items())
    assumptions = "".join(f"<li>{esc(a)}</li>" for a in line.assumptions)
    note = f'<p class="ls-soft">{esc(line.note)}</p>' if line.note else ""
    return (
        f'<section class="ls-theory" data-key="{esc(line.key)}"><h4>{esc(line.title)} '
        f'<span class="ls-soft">({KINDS[line.kind]}; curve of {esc(line.metric)})</span></h4>'
        f'<p class="ls-formula">{esc(line.formula)}</p>{note}'
        f'<div class="ls-theorybody"><table class="ls-pairs"><tbody>{symbols}</tbody></table>'
        f'<div><b>Holds where</b><ul class="ls-findings">{assumptions}</ul></div></div>'
        f'<p class="ls-soft ls-labpaper">{esc(line.source)}</p></section>'
    )
