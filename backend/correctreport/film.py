"""A few poses before and after, as a PNG; or a sentence where this machine cannot render."""

from dataclasses import dataclass

from backend import media
from backend.correctreport.trial import Trial
from backend.media import ARM_COLORS, Pane

COLUMNS = 8


@dataclass(frozen=True)
class Film:
    """PNG bytes, or none and the reason why."""

    png: bytes = b""
    absent: str = ""


def film_of(trial: Trial) -> Film:
    """A strip of ``COLUMNS`` moments of the common time: the motion as read, and below it the corrected one."""
    panes = [Pane(trial.before, "Before", ARM_COLORS["raw"])]
    if trial.after is not None:
        panes.append(Pane(trial.after, "After", ARM_COLORS["corrected"]))
    try:
        return Film(media.contact_sheet(panes, columns=COLUMNS))
    except media.RenderFailed as error:
        return Film(absent=f"The poses are not shown. {error.message}")
