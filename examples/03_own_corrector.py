"""A corrector of one's own in a loop: it raises sunken windows until nothing penetrates the floor.

`.venv/bin/python examples/03_own_corrector.py`
"""

from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field

from backend.parts import build_run, check
from core.artefacts import measure, tracks_of
from core.config import EvaluationConfig, LoopConfig, Options, PartConfig, TrainingConfig
from core.loop import run_loop
from core.memory import MemoryMemo, MemoryShelf
from core.motion import MotionBatch
from core.protocols import Corrections, Part, Reference, Tick, silent
from core.records import Outcome, Status
from corrector.registry import CORRECTORS


class LiftOptions(Options):
    margin_m: float = Field(0.0, ge=0, le=0.1, title="Margin", description="Height above the floor to lift to, metres.")


@dataclass(frozen=True)
class Lift:
    margin_m: float
    splittable: bool = True  # rows do not depend on one another

    def correct(
        self, samples: MotionBatch, *, rows: slice = slice(None), seed: int = 0, tick: Tick = silent
    ) -> Corrections:
        del seed
        chosen = samples.take(rows)
        tick(0.0, "Lifting")
        lift_m = np.maximum(self.margin_m - tracks_of(chosen).lowest_m.min(-1), 0.0)
        lifted = replace(chosen, root_position_m=chosen.root_position_m + lift_m[:, None, None] * np.array([0, 1, 0]))
        outcomes = []
        for before, after, moved in zip(chosen, lifted, lift_m, strict=True):
            was, now = measure(before).penetration_mm, measure(after).penetration_mm
            status: Status = "corrected" if moved > 0 else "unchanged"
            outcomes.append(Outcome(status, "", float(moved), 0.0, {"penetration_mm": was}, {"penetration_mm": now}))
        return Corrections(lifted, tuple(outcomes))


def build_lift(options: LiftOptions, reference: Reference | None, tick: Tick = silent) -> Lift:
    del reference, tick
    return Lift(options.margin_m)


if __name__ == "__main__":
    CORRECTORS["lift"] = Part("Lift", "Raises sunken motion to the floor.", LiftOptions, build_lift)
    config = check(
        LoopConfig(
            n=64,
            policy=PartConfig(kind="replace"),
            corrector=PartConfig(kind="lift", options={"margin_m": 0.0}),
            training=TrainingConfig(initial_steps=600, steps=60),
            evaluation=EvaluationConfig(samples=150),
            generations=2,
        )
    )
    for record in run_loop(build_run(config, shelf=MemoryShelf(), memo=MemoryMemo())):
        print(
            f"generation {record.index}: penetration {record.metrics['penetration']:.1f}, counts {dict(record.counts)}"
        )
