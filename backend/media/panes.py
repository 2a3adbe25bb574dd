"""What is asked of the renderer."""

from dataclasses import dataclass, field
from typing import Literal

from core.motion import Motion

ARM_COLORS = {"real": "#6B7280", "raw": "#D55E00", "corrected": "#0072B2"}


@dataclass(frozen=True, eq=False)
class Pane:
    """One motion to draw.

    Attributes:
        motion: world y up; the floor is y = 0.
        title: above the pane.
        color: of the figure, ``#RRGGBB``; see ``ARM_COLORS``.
        note: a sentence across the pane, e.g. why the sample was rejected.
    """

    motion: Motion
    title: str
    color: str = ARM_COLORS["real"]
    note: str = ""


@dataclass(frozen=True, eq=False)
class Job:
    """One call of the child process."""

    kind: Literal["film", "sheet", "thumbnail"]
    panes: tuple[Pane, ...]
    options: dict[str, float] = field(default_factory=dict)
