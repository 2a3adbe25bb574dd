"""Theory beside measurement: which closed forms hold for the lines of a comparison, and the words below the charts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.groups import Group, setting_of
from app.markup import esc, number
from app.series import Pairs
from app.theorywords import explained
from core.config import LoopConfig
from core.errors import LoopscopeError

if TYPE_CHECKING:
    from backend.theory import Refusal, TheoryView, ThresholdView

DASHES = {"exact": "6px,3px", "first order": "8px,3px,2px,3px", "bound": "2px,3px"}


@dataclass(frozen=True)
class Drawn:
    """A predicted curve and the titles of the lines that it is for (arms that it predicts the same for share it)."""

    view: "TheoryView"
    titles: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Overlay:
    """What theory says of the chosen lines: curves, ends of statements, and what is not drawn and why."""

    lines: "tuple[Drawn, ...]" = ()
    thresholds: "tuple[ThresholdView, ...]" = ()
    refusals: "tuple[tuple[str, Refusal], ...]" = ()

    def of(self, metric: str) -> list[Drawn]:
        return [drawn for drawn in self.lines if drawn.view.metric == metric]


MOST_NAMES = 3
NOTHING = Overlay()


def overlay_of(groups: Sequence[Group], curves: Pairs) -> Overlay:
    """Theory for groups that are one setting each; constants that it lacks are estimated from their first loop."""
    from backend import theory

    drawn: dict[Any, Drawn] = {}
    ends: dict[Any, ThresholdView] = {}
    refused: list[tuple[str, Refusal]] = []
    for group in groups:
        if len({setting_of(view) for view in group.loops}) != 1:
            continue
        first = group.loops[0]
        config, measured = LoopConfig.model_validate(first.config), curves.get(first.id, {})
        last = max((t for points in measured.values() for t, _ in points), default=config.generations)
        try:
            lines = theory.lines(config, last, measured=measured)
            thresholds = theory.thresholds(config)
            refused += [(group.title, one) for one in theory.refusals(config, measured=measured)]
        except LoopscopeError:
            continue  # a loop of a part that is gone
        for line in lines:
            key = (line.key, tuple(line.points))
            known = drawn.get(key)
            titles, labels = (known.titles, known.labels) if known else ((), ())
            drawn[key] = Drawn(line, (*titles, group.title), (*labels, group.label))
        for end in thresholds:
            ends.setdefault((end.option, round(end.value, 9)), end)
    return Overlay(tuple(drawn.values()), tuple(ends.values()), tuple(refused))


def theory_fold(overlay: Overlay, shown: Sequence[str]) -> str:
    """Formula, symbols, assumptions and source of every curve drawn for the metrics ``shown``; then what is not drawn.

    Empty where theory has nothing to say at all.
    """
    by_key: dict[str, list[Drawn]] = {}
    for line in overlay.lines:
        if line.view.metric in shown:
            by_key.setdefault(line.view.key, []).append(line)
    blocks = "".join(_block(lines) for lines in by_key.values())
    blocks += "".join(_threshold(end) for end in overlay.thresholds)
    refused = _refused(overlay)
    if not blocks and not refused:
        return ""
    count = len(by_key) + len(overlay.thresholds)
    title = f"Theory: {count} {'statement' if count == 1 else 'statements'} for these loops" if count else (
        "Theory: nothing to draw for these loops, and why"
    )  # fmt: skip
    return (
        '<div class="ls-card ls-fold"><details data-key="theory">'
        f"<summary>{title}</summary>{blocks}{refused}</details></div>"
    )


def _block(lines: Sequence[Drawn]) -> str:
    view = lines[0].view
    titles = list(dict.fromkeys(title for line in lines for title in line.titles))
    notes = list(dict.fromkeys(line.view.note for line in lines if line.view.note))
    return (
        f'<section><h4>{esc(view.title)} <span class="ls-soft">'
        f"({esc(view.kind)}; for {esc(_lines(titles))})</span></h4>"
        f"{explained(view, notes)}</section>"
    )


def _lines(titles: Sequence[str]) -> str:
    """The lines by name, or how many."""
    return ", ".join(titles) if len(titles) <= MOST_NAMES else f"{len(titles)} lines"


def _threshold(end: "ThresholdView") -> str:
    return (
        f'<section><h4>{esc(end.title)}: {number(end.value)} <span class="ls-soft">(threshold)</span></h4>'
        f"{explained(end, [end.note] if end.note else [])}</section>"
    )


def _refused(overlay: Overlay) -> str:
    """Statements that are drawn for none of the lines, each with its reasons; lines of which nothing is known."""
    drawn = {line.view.key for line in overlay.lines}
    about: dict[str, dict[str, list[str]]] = {}
    for title, refusal in overlay.refusals:
        if refusal.key not in drawn:
            about.setdefault(refusal.title, {}).setdefault(refusal.reason, []).append(title)
    rows = "".join(
        f"<li><b>{esc(statement)}</b>: "
        + " ".join(f"{esc(reason)} <small>({esc(_lines(titles))})</small>" for reason, titles in reasons.items())
        + "</li>"
        for statement, reasons in about.items()
    )
    known = {title for line in overlay.lines for title in line.titles}
    silent = dict.fromkeys(title for title, _ in overlay.refusals if title not in known)
    told = f"<p>No closed form here speaks of {esc(_lines(list(silent)))}.</p>" if silent and known else ""
    return f"<section><h4>Not drawn</h4>{told}<ul>{rows}</ul></section>" if rows or told else ""
