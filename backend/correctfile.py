"""Corrects one motion file: what ``loopscope correct in.bvh out.bvh`` and the upload page do."""

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from backend.correctreport import Trial, check_target, write_report
from backend.motionfiles import SUFFIXES, Unit, read_motion_file, write_motion
from backend.motionfiles.rest import without_rest_pose
from backend.motionfiles.source import MAX_FRAMES, shown
from core.artefacts import measure, tracks_of
from core.config import parse
from core.errors import InvalidMotion, LoopscopeError, UnknownPart
from core.motion import Motion, MotionBatch, batch_of
from core.protocols import Tick, silent

FLOOR_NOTE_M = 0.05


class Measures(BaseModel):
    """Mean artefacts of a motion."""

    model_config = ConfigDict(frozen=True)

    penetration_mm: float
    float_mm: float
    skate_m_s: float
    jerk_m_s3: float


class CorrectReport(BaseModel):
    """What became of a file. ``after`` is None, and nothing was written, where the motion was rejected."""

    model_config = ConfigDict(frozen=True)

    status: Literal["corrected", "unchanged", "rejected"]
    reason: str
    before: Measures
    after: Measures | None
    tracking_error_m: float
    residual_force_bw: float
    simulation: dict[str, float]
    seconds: float
    motion_seconds: float
    notes: list[str]


def correct_file(
    input_path: str | Path,
    output_path: str | Path,
    *,
    kind: str = "physics",
    options: Mapping[str, Any] | None = None,
    unit: Unit = "auto",
    report_path: str | Path | None = None,
    file_name: str = "",
    max_frames: int = MAX_FRAMES,
    tick: Tick = silent,
) -> CorrectReport:
    """Read, correct and write a motion file; frame rate, skeleton and joint names stay.

    Args:
        output_path: ``.bvh`` or ``.npz``; untouched where the motion is rejected.
        kind: a corrector of the registry that works on motions and needs no reference data.
        options: of that corrector.
        unit: length unit of a BVH input.
        report_path: ``.html`` or ``.png``, where to write curves before and after; for a rejected motion too.
        file_name: what messages and the report call the input; "" for the name that it has.
        max_frames: longer motions are refused.

    Raises:
        InvalidMotion: for an unreadable input or a suffix that cannot be written.
        UnknownPart, InvalidConfig: for a corrector, an option or a form of report that does not exist or does not suit.
        LoopscopeError: when the output or the report cannot be written.
    """
    from corrector.registry import CORRECTORS

    target = Path(output_path)
    if target.suffix.lower() not in SUFFIXES:
        raise InvalidMotion(
            f"Motions cannot be written as {target.suffix!r}.", f"Choose one of: {', '.join(SUFFIXES)}."
        )
    if kind not in CORRECTORS:
        raise UnknownPart("corrector", kind, CORRECTORS, "kind")
    if report_path is not None:
        check_target(report_path)
    part = CORRECTORS[kind]
    checked = parse(part.options, dict(options or {}), "options")
    source = read_motion_file(input_path, file_name, unit=unit, max_frames=max_frames)
    notes = list(source.notes)
    motion = without_rest_pose(source.motion, notes)
    _note_floor(motion, notes)
    started = time.perf_counter()
    corrections = part.build(checked, None, tick).correct(batch_of([motion]), seed=0, tick=tick)
    seconds = time.perf_counter() - started
    outcome = corrections.outcomes[0]
    rejected = outcome.status == "rejected"
    fixed = _first(corrections.samples, motion)
    if not rejected:
        _write(target, write_motion(fixed, target.suffix))
    after = None if rejected else fixed
    if report_path is not None:
        chosen = tuple(name for name in type(checked).model_fields if name in checked.model_fields_set)
        trial = Trial(
            file=shown(file_name or Path(input_path).name),
            form=f"{source.format.upper()}, lengths in {source.unit}",
            corrector=part.title,
            options=checked.model_dump(mode="json"),
            chosen=chosen,
            before=motion,
            after=after,
            outcome=outcome,
            tracks={name: track[0] for name, track in corrections.tracks.items()},
            notes=tuple(notes),
            seconds=seconds,
            left_out=len(source.motion) - len(motion),
        )
        write_report(trial, report_path)
    return CorrectReport(
        status=outcome.status,
        reason=outcome.reason,
        before=Measures(**asdict(measure(motion))),
        after=None if after is None else Measures(**asdict(measure(after))),
        tracking_error_m=outcome.moved_m,
        residual_force_bw=outcome.residual_force_bw,
        simulation=dict(outcome.simulation),
        seconds=seconds,
        motion_seconds=motion.seconds,
        notes=notes,
    )


def _first(samples: MotionBatch, source: Motion) -> Motion:
    return replace(
        source, root_position_m=samples[0].root_position_m, local_rotations_wxyz=samples[0].local_rotations_wxyz
    )


def _note_floor(motion: Motion, notes: list[str]) -> None:
    lowest = float(np.median(tracks_of(motion).lowest_m))
    if abs(lowest) > FLOOR_NOTE_M:
        side = "above" if lowest > 0 else "below"
        notes.append(
            f"The body's lowest point is {abs(lowest) * 100:.0f} cm {side} the floor (y = 0) half of the time."
        )


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise LoopscopeError(
            f"{path.name} cannot be written: {error.strerror or error}.", "Check the folder."
        ) from error
