"""A closed form in words: formula, symbols, assumptions, source."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.markup import esc

if TYPE_CHECKING:
    from backend.theory import TheoryView, ThresholdView


def explained(view: "TheoryView | ThresholdView", notes: Sequence[str]) -> str:
    """Everything but the title; ``notes``: where its constants come from."""
    symbols = "".join(f"<li><code>{esc(name)}</code> {esc(words)}</li>" for name, words in view.symbols.items())
    assumed = "".join(f"<li>{esc(sentence)}</li>" for sentence in view.assumptions)
    told = "".join(f"<p>Constants: {esc(note)}.</p>" for note in notes)
    return (
        f'<p><code class="ls-formula">{esc(view.formula)}</code></p><div class="ls-facts"><div><h4>Symbols</h4>'
        f"<ul>{symbols}</ul></div><div><h4>Assumes</h4><ul>{assumed}</ul></div></div>{told}"
        f'<p class="ls-soft">Source: {esc(view.source)}</p>'
    )
