"""What the Lab knows of its cards, ready to be shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.labplot import Line
    from backend.lab.card import Card
    from backend.lab.results import LabResult
    from backend.preset import Preset
    from backend.theory import Refusal, TheoryView
    from backend.views import LoopView
    from core.protocols import Metric

ACTIVE = ("queued", "running", "cancelling", "interrupted")


@dataclass(frozen=True)
class Edit:
    """A number that a card invites to change. ``value``: the published one, as typed."""

    path: str
    title: str
    info: str
    value: str


@dataclass(frozen=True)
class Said:
    """What became of the last click on a card: an error with the field that it is about, or what was done.

    Attributes:
        run: the group of loops that the card is to show; "" = its newest.
    """

    card: str = ""
    kind: str = "info"
    text: str = ""
    field: str = ""
    run: str = ""


@dataclass(frozen=True)
class Shown:
    """What the page knows of a card.

    Attributes:
        views: loops of the run that is shown, in drawing order; none where it has not been launched.
        lines: its picture: the run's, or before it the closed forms alone.
        theory: closed forms that hold for any arm.
        changed: how the run differs from the card, in words.
        runs: names of all its runs, newest first.
    """

    card: "Card"
    metric: "Metric | None"
    views: "Sequence[LoopView]" = ()
    result: "LabResult | None" = None
    lines: "Sequence[Line]" = ()
    theory: "Sequence[TheoryView]" = ()
    refusals: "Sequence[Refusal]" = ()
    edits: Sequence[Edit] = ()
    changed: str = ""
    trouble: str = ""
    runs: Sequence[str] = ()

    @property
    def busy(self) -> "list[LoopView]":
        """Loops that are not at their end."""
        return [view for view in self.views if view.state in ACTIVE]

    @property
    def measured(self) -> bool:
        """Whether any generation is recorded."""
        return any(line.points for line in self.lines)


@dataclass(frozen=True)
class Lab:
    """The whole page. ``motion``: the presets of the Launch page, listed so that nobody misses them."""

    cards: Mapping[str, Shown]
    motion: "Mapping[str, Preset]" = field(default_factory=dict)
