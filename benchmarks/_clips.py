"""Motions to measure the physics corrector on, and how they are measured."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import LoopscopeError
from core.motion import Motion, MotionBatch, batch_of
from core.protocols import Corrector
from corrector import perturb
from corrector.features import window_artefacts
from corrector.report import moved_m, precise
from model.datasets import npz_files as files

CMU = Path(__file__).resolve().parents[2] / "shared" / "data" / "cmu"
"""The sibling folder with motion capture, where there is one."""

FIGURES = (
    "clips", "kept", "global_mm", "root_relative_mm", "penetration_mm", "float_mm", "skate_before", "skate_after",
    "jerk_before", "jerk_after", "residual_force_bw", "residual_torque_nm", "realtime_factor",
)  # fmt: skip

Break = Callable[[MotionBatch, np.random.Generator], MotionBatch]

BROKEN: dict[str, Break] = {
    "jitter .1 rad": lambda b, rng: perturb.jittered(b, 0.1, 0.0, rng),
    "jitter .3 rad": lambda b, rng: perturb.jittered(b, 0.3, 0.0, rng),
    "10 cm low": lambda b, _: perturb.raised(b, -0.1),
    "10 cm high": lambda b, _: perturb.raised(b, 0.1),
    "drift .3 m/s": lambda b, rng: perturb.slid(b, 0.3, rng),
    "x2 speed": lambda b, _: perturb.sped_up(b, 2),
    "5 blocks shuffled": lambda b, rng: perturb.shuffled(b, 5, rng),
    "noise": lambda b, rng: perturb.random_noise(b, rng),
    "NaN": lambda b, _: perturb.without_numbers(b),
    "teleport 2 m": lambda b, rng: perturb.teleported(b, perturb.TELEPORT_M, rng),
}
"""Ways to break whole clips."""


def as_batch(motion: Motion) -> MotionBatch:
    return precise(batch_of([motion]))


def cmu_clips(folder: Path) -> list[Motion]:
    """The test-split clips of a folder with clips.npz and index.csv, each as it was recorded."""
    archive, index = files.locate(folder)
    arrays = files.load(archive)
    skeleton = files.skeleton(archive, arrays)
    root, rotations, fps = files.motion(archive, arrays, skeleton)
    clips = [clip for clip in files.read_index(index, len(root)) if clip.split == "test"]
    return [
        Motion(skeleton, root[clip.start : clip.stop], rotations[clip.start : clip.stop], fps, _name(clip))
        for clip in clips
    ]


def _name(clip: files.Clip) -> str:
    return f"{clip.action}, from frame {clip.start}"


def broken(clips: Sequence[Motion], name: str) -> Iterator[Motion]:
    """The clips, broken in the way of that name in BROKEN; every clip draws for itself."""
    for k, clip in enumerate(clips):
        batch = BROKEN[name](as_batch(clip), perturb.generator_for(name, k))
        yield replace(batch[0], label=clip.label)


def quiet(words: str) -> None:
    """Progress that nobody follows."""
    del words


def measure(
    corrector: Corrector,
    clips: Sequence[Motion],
    clean: Sequence[Motion] | None = None,
    say: Callable[[str], None] = quiet,
) -> dict[str, Any]:
    """The figures of correcting clips one by one; distances, artefacts and forces are means over the kept ones.

    Args:
        clean: what the clips were before they were broken; adds how far from it they are before and after.
    """
    rows, rejected = [], []
    if clips:
        corrector.correct(as_batch(clips[0]))  # builds the body: not the running cost
    motion_s = cpu_s = 0.0
    for k, clip in enumerate(clips):
        say(f"{k + 1} of {len(clips)}: {clip.label}")
        before = as_batch(clip)
        began = time.process_time()
        try:
            result = corrector.correct(before)
        except LoopscopeError as error:
            rejected.append({"clip": clip.label, "reason": str(error)})
            continue
        cpu_s += time.process_time() - began
        motion_s += len(clip) / clip.fps
        outcome = result.outcomes[0]
        if outcome.status == "rejected":
            rejected.append({"clip": clip.label, "reason": outcome.reason})
            continue
        row = _row(before, precise(result.samples)) | {
            "residual_force_bw": outcome.residual_force_bw,
            "residual_torque_nm": outcome.simulation.get("residual_torque_nm", 0.0),
            "residual_force_peak_bw": outcome.simulation.get("residual_force_peak_bw", 0.0),
            "at_limit_share": outcome.simulation.get("at_limit_share", 0.0),
            "limit_bw": outcome.simulation.get("limit_bw", 0.0),
        }
        if clean is not None and len(clean[k]) == len(clip):
            was = as_batch(clean[k])
            row["from_clean_before_mm"] = 1e3 * float(moved_m(was, before)[0])
            row["from_clean_after_mm"] = 1e3 * float(moved_m(was, precise(result.samples))[0])
        rows.append(row)
    names = list(rows[0]) if rows else []
    means: dict[str, Any] = {name: float(np.mean([row[name] for row in rows])) for name in names}
    means |= {name: None for name in FIGURES if name not in means}
    return means | {
        "clips": len(clips),
        "kept": len(rows),
        "kept_share": len(rows) / len(clips) if clips else 0.0,
        "realtime_factor": motion_s / cpu_s if cpu_s else None,
        "motion_s": motion_s,
        "cpu_s": cpu_s,
        "rejected": rejected,
    }


def _row(before: MotionBatch, after: MotionBatch) -> dict[str, float]:
    was, now = window_artefacts(before), window_artefacts(after)
    return {
        "global_mm": 1e3 * float(moved_m(before, after)[0]),
        "root_relative_mm": 1e3 * root_relative_m(before, after),
        "penetration_before_mm": float(was["penetration_mm"][0]),
        "penetration_mm": float(now["penetration_mm"][0]),
        "float_before_mm": float(was["float_mm"][0]),
        "float_mm": float(now["float_mm"][0]),
        "skate_before": float(was["skate_m_s"][0]),
        "skate_after": float(now["skate_m_s"][0]),
        "jerk_before": float(was["jerk_m_s3"][0]),
        "jerk_after": float(now["jerk_m_s3"][0]),
    }


def root_relative_m(before: MotionBatch, after: MotionBatch) -> float:
    """Mean joint distance once the root's place is taken from both, metres."""
    a, b = (batch.world()[0] for batch in (before, after))
    apart = (a - a[:, :, :1]) - (b - b[:, :, :1])
    return float(np.linalg.norm(apart, axis=-1).mean())
