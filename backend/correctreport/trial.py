"""One correction of one motion file, with everything that a report tells of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.outcomes import rejected_frame, simulation_rows, simulation_sentence
from core.artefacts import measure
from core.motion import Motion
from core.records import Outcome

MEASURES = {
    "penetration_mm": ("Floor penetration", "mm"),
    "float_mm": ("Floating", "mm"),
    "skate_m_s": ("Foot skate while in contact", "m/s"),
    "jerk_m_s3": ("Jerk", "m/s³"),
}
VERDICT = {"corrected": "Corrected", "unchanged": "Left unchanged", "rejected": "Rejected"}
Rows = list[tuple[str, str]]


@dataclass(frozen=True, eq=False)
class Trial:
    """A correction, as a report tells it.

    Attributes:
        file: name of the input file, as the user wrote it.
        form: what kind of file it is, and its unit of length.
        corrector: title of the corrector.
        options: all of its options.
        chosen: names of the options that are not at their defaults.
        before: the motion as read. T frames.
        after: the corrected motion; None where it was rejected.
        outcome: what the corrector says of it.
        tracks: (T,) per-frame tracks of the corrector.
        notes: what was changed or noticed while reading, sentences.
        seconds: how long the correction took.
        left_out: frames of the file before the first one of ``before``.
    """

    file: str
    form: str
    corrector: str
    before: Motion
    after: Motion | None
    outcome: Outcome
    options: Mapping[str, Any] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()
    tracks: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    left_out: int = 0

    @property
    def rejected_frame(self) -> int | None:
        """The frame that the rejection names."""
        frame = rejected_frame({"status": self.outcome.status, "reason": self.outcome.reason})
        return frame if frame is not None and frame < len(self.before) else None

    @property
    def verdict(self) -> str:
        """One sentence: what became of the motion, and why."""
        word, reason = VERDICT[self.outcome.status], self.outcome.reason.rstrip(".")
        return f"{word}: {reason}." if reason else f"{word}."

    def sentences(self) -> list[str]:
        """What was done and noticed, one sentence each."""
        found = [simulation_sentence(self.outcome.simulation)]
        if self.after is not None and self.outcome.status == "corrected":
            found.insert(0, f"The joints moved by {1000 * self.outcome.moved_m:.1f} mm on average.")
        if self.after is None:
            found.append(
                "No file was written; the curves show the motion as it was read, and the simulation as far as it went."
            )
        if (frame := self.rejected_frame) is not None:
            own = f", frame {frame + self.left_out} of the file" if self.left_out else ""
            found.append(f"The line in the curves marks frame {frame} ({frame / self.before.fps:.2f} s{own}).")
        return [sentence for sentence in (*found, *self.notes) if sentence]

    def facts(self) -> Rows:
        """The head of the report: name and value."""
        skeleton, motion = self.before.skeleton, self.before
        feet = ", ".join(skeleton.joint_names[j] for j in skeleton.feet)
        options = ", ".join(f"{name} = {_plain(self.options[name])}" for name in self.chosen)
        speed = f" ({motion.seconds / self.seconds:.1f} times real time)" if self.seconds > 0 else ""
        return [
            ("File", f"{self.file} ({self.form})"),
            ("Skeleton", f"{skeleton.joint_count} joints; feet: {feet}"),
            ("Motion", f"{len(motion):,} frames, {motion.seconds:.2f} s at {motion.fps:g} frames per second"),
            ("Corrector", f"{self.corrector}; {options or 'all options at their defaults'}"),
            ("Time", f"{self.seconds:.2f} s{speed}"),
        ]

    def all_options(self) -> Rows:
        """Every option and its value."""
        return [(name, _plain(value)) for name, value in self.options.items()]

    def measures(self) -> list[tuple[str, str, str, str]]:
        """(title, unit, before, after); "" where there is no value."""
        with np.errstate(invalid="ignore", over="ignore"):
            was = asdict(measure(self.before))
        now = asdict(measure(self.after)) if self.after is not None else {}
        rows = [(*MEASURES[name], figure(was[name]), figure(now.get(name))) for name in MEASURES]
        simulated = [
            (title, unit, "", figure(value)) for title, unit, value in simulation_rows(self.outcome.simulation)
        ]
        return rows + simulated


def figure(value: float | None) -> str:
    """Three significant digits without an exponent; "" for no value."""
    if value is None or not np.isfinite(value):
        return ""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 0.1 else f"{value:.3g}"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
