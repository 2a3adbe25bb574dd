"""What the loop leaves behind: outcomes of corrections, and one record per generation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
Status = Literal["corrected", "unchanged", "rejected"]


@dataclass(frozen=True)
class Item:
    """A stored thing: named arrays (safetensors) and JSON-ready facts about them.

    Attributes:
        pace: what clock and memory said while it was made (``steps_per_s``...). Known to whoever made it, but no part
            of what it is: neither compared nor written to its file.
    """

    arrays: Arrays = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    pace: dict[str, float] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Outcome:
    """What a corrector did to one sample.

    Attributes:
        status: ``corrected`` (moved), ``unchanged`` (left alone) or ``rejected`` (unusable; the sample stays raw).
        reason: why it was rejected, or what was done, in words.
        moved_m: mean joint distance between input and output (motion), metres; the tracking error of a simulation.
        residual_force_bw: mean help from outside the physics, in body weights; 0 where nothing was simulated.
        before, after: named measures of the sample, e.g. ``penetration_mm``.
        simulation: what a simulation of it needed and how well it followed (forces in body weights, torques in newton
            metres, errors in millimetres); empty where nothing was simulated.
    """

    status: Status
    reason: str = ""
    moved_m: float = 0.0
    residual_force_bw: float = 0.0
    before: Mapping[str, float] = field(default_factory=dict)
    after: Mapping[str, float] = field(default_factory=dict)
    simulation: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "reason": self.reason,
            "moved_m": self.moved_m,
            "residual_force_bw": self.residual_force_bw,
            "before": dict(self.before),
            "after": dict(self.after),
            "simulation": dict(self.simulation),
        }


@dataclass(frozen=True)
class GenerationRecord:
    """One finished generation.

    Attributes:
        index: 0 is the model trained on real data alone.
        metrics: by name of the domain's metric registry.
        counts: training samples by origin (real, synthetic) and corrections by outcome: corrected, unchanged, rejected,
            and of the rejected ones dropped and redrawn.
        training: what the learner reported (loss, steps).
        seconds: wall time by stage, parts summed.
        pace: steps and samples per second, peak memory of training; empty where that was done elsewhere.
    """

    index: int
    metrics: Mapping[str, float]
    counts: Mapping[str, int]
    training: Mapping[str, float]
    seconds: Mapping[str, float]
    pace: Mapping[str, float] = field(default_factory=dict)


def count_statuses(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many of each status."""
    statuses = [o["status"] for o in outcomes]
    return {name: statuses.count(name) for name in ("corrected", "unchanged", "rejected")}


def usable(outcomes: Sequence[Mapping[str, Any]]) -> NDArray[np.bool_]:
    """(N,) False where rejected."""
    return np.array([o["status"] != "rejected" for o in outcomes], dtype=bool)
