"""What a report draws over time: rows of curves before and after, with the feet's stance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.correctreport.trial import Trial
from backend.tracks import stance_of_motion, track_of
from core.artefacts import ArtefactTracks, tracks_of
from core.motion import Motion
from core.rotations import Array

Ink = Literal["before", "after", "help"]
INK_WORDS: Mapping[Ink, str] = {"before": "before", "after": "after", "help": "of the correction itself"}


@dataclass(frozen=True, eq=False)
class Curve:
    """One line of a row: (T,) values in the row's unit."""

    ink: Ink
    values: Array


@dataclass(frozen=True, eq=False)
class Row:
    """One chart of the column; all share the time axis.

    Attributes:
        title, unit: of the values.
        curves: drawn in order.
        stance: per ink a (T,) mask, drawn as bars below.
        least: the axis reaches at least from 0 to here, so that noise is not blown up.
        limit: a dashed line that the values cannot pass.
        filled: whether the area down to 0 is filled.
    """

    title: str
    unit: str
    curves: tuple[Curve, ...]
    stance: tuple[tuple[Ink, NDArray[np.bool_]], ...] = ()
    least: float = 0.0
    limit: float | None = None
    filled: bool = False

    def span(self) -> tuple[float, float]:
        """Lowest and highest value of the axis; 0 is always inside."""
        values = np.concatenate([curve.values for curve in self.curves])
        values = values[np.isfinite(values)]
        low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
        if self.limit is not None and high > 0.5 * self.limit:
            high = max(high, self.limit)
        return min(low, 0.0), max(high, self.least)


class _Side(NamedTuple):
    """Before or after, and what is measured on it."""

    ink: Ink
    found: ArtefactTracks
    stance: NDArray[np.bool_]


def _side(ink: Ink, motion: Motion) -> _Side:
    with np.errstate(invalid="ignore", over="ignore"):
        return _Side(ink, tracks_of(motion), stance_of_motion(motion))


def rows_of(trial: Trial) -> list[Row]:
    """Foot heights with stance, skate, lowest point, how far the joints moved, and the simulation's tracks."""
    sides = [_side("before", trial.before)]
    if trial.after is not None:
        sides.append(_side("after", trial.after))
    skeleton = trial.before.skeleton
    rows = [
        Row(
            f"Height of {_foot_name(skeleton.joint_names[joint], skeleton.sides[joint])}",
            "cm",
            tuple(Curve(side.ink, 100 * side.found.foot_height_m[:, foot]) for side in sides),
            tuple((side.ink, side.stance[:, foot]) for side in sides),
            least=10.0,
        )
        for foot, joint in enumerate(skeleton.feet)
    ]
    skate = [Curve(side.ink, side.found.skate_m_s.max(1, initial=0.0)) for side in sides]
    depth = [Curve(side.ink, 100 * side.found.penetration_m) for side in sides]
    rows.append(Row("Foot skate: speed of the soles near the floor", "m/s", tuple(skate), least=0.2))
    rows.append(Row("Penetration: deepest point below the floor", "cm", tuple(depth), least=1.0))
    if trial.after is not None and trial.outcome.status == "corrected":
        moved = moved_mm(trial.before, trial.after)
        rows.append(Row("Moved: mean joint distance, before to after", "mm", (Curve("help", moved),), least=5.0))
    return rows + _simulated(trial)


def moved_mm(before: Motion, after: Motion) -> Array:
    """(T,) mean joint distance, millimetres."""
    distance: Array = np.linalg.norm(before.world()[0] - after.world()[0], axis=-1).mean(-1)
    return 1000 * distance


def _simulated(trial: Trial) -> list[Row]:
    """Rows of the tracks that are there; a rejected simulation's too."""
    frames, rows = len(trial.before), []
    error = track_of(trial.tracks, ["tracking_error_m"], frames)
    if error is not None:
        rows.append(
            Row("Tracking error: simulated body to its reference", "mm", (Curve("help", 1000 * error),), least=5.0)
        )
    force = track_of(trial.tracks, ["residual_force_bw", "residual_force"], frames)
    if force is not None:
        limit = float(trial.outcome.simulation.get("limit_bw", 0.0)) or None
        rows.append(
            Row("Residual force: help from outside", "body weights", (Curve("help", force),), (), 0.1, limit, True)
        )
    torque = track_of(trial.tracks, ["residual_torque_nm"], frames)
    if torque is not None:
        rows.append(Row("Residual torque: help from outside", "N m", (Curve("help", torque),), (), 5.0, None, True))
    return rows


def _foot_name(joint: str, side: str) -> str:
    return f"the {side} foot" if side in ("left", "right") else f"the foot {joint}"


def legend_of(rows: Sequence[Row]) -> list[tuple[Ink, str]]:
    """The inks that are there, and what they mean."""
    there = {curve.ink for row in rows for curve in row.curves}
    return [(ink, words) for ink, words in INK_WORDS.items() if ink in there]
