"""The physics corrector: kinematic steps, then a simulated body that follows the motion."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core import rotations as R
from core.config import digest
from core.motion import MotionBatch
from core.protocols import Corrections, Tick, silent
from core.records import Item
from core.skeleton import forward_kinematics
from corrector.bounds import ARTEFACTS, Bounds
from corrector.dead_zone import PROBES, blend, builtin_error, tracker_error
from corrector.features import window_artefacts
from corrector.minimal import BoundsSource, KinematicOptions, Steps, take_steps
from corrector.report import Improved, correct_rows
from corrector.tracker import Simulated, TrackerOptions, track
from corrector.world import SolverOptions, World, world_of

Array = R.Array

FALLEN_M = 0.5
TRACKER_VERSION = 1


class PhysicsOptions(KinematicOptions, TrackerOptions):
    """The kinematic steps and the tracker."""

    mode: Literal["minimal", "full"] = Field(
        "minimal",
        title="Mode",
        description="Minimal: real motion is left alone, and the simulation replaces only what it cannot follow. "
        "Full: the output is the simulated motion itself.",
    )
    simulate: Literal["outside", "moved", "always"] = Field(
        "outside",
        title="Simulate",
        description="Outside: only motions that the kinematic steps leave outside the bounds of real motion (cheap). "
        "Moved: every motion that these steps touch. Always: every motion; full mode does so anyway.",
    )


@dataclass(frozen=True)
class Physics:
    """Implements :class:`core.protocols.Corrector`."""

    options: PhysicsOptions
    source: BoundsSource
    splittable: bool = True

    def correct(
        self, samples: MotionBatch, *, rows: slice = slice(None), seed: int = 0, tick: Tick = silent
    ) -> Corrections:
        """See the protocol. The seed is not used: the same motion always gives the same result."""
        del seed
        bounds = self.source.bounds_for(samples, tick)

        def improve(batch: MotionBatch, index: NDArray[np.int64], tick: Tick) -> Improved:
            del index
            steps = take_steps(batch, bounds, self.options)
            return self._simulate(steps, self._chosen(steps, bounds), tick)

        return correct_rows(samples, rows, improve, tick)

    def _chosen(self, steps: Steps, bounds: Bounds) -> NDArray[np.int64]:
        """Which motions are simulated: those whose artefacts still exceed all real ones, or more on demand."""
        batch = steps.batch
        if self.options.mode == "full" or self.options.simulate == "always":
            return np.arange(len(batch))
        measured = window_artefacts(batch)
        limits = bounds.artefact_limit[bounds.rows_of(batch.labels)]
        outside = (np.stack([measured[name] for name in ARTEFACTS], axis=-1) > limits).any(1)
        return np.flatnonzero(outside | steps.touched if self.options.simulate == "moved" else outside)

    def _simulate(self, steps: Steps, chosen: NDArray[np.int64], tick: Tick) -> Improved:
        batch = steps.batch
        notes, failures = list(steps.notes), [""] * len(batch)
        root, rotations = batch.root_position_m.copy(), batch.local_rotations_wxyz.copy()
        residual = np.zeros((len(batch), batch.frames))
        if not len(chosen):
            return Improved(batch, notes, failures, residual)
        world = world_of(batch.skeleton, SolverOptions(iterations=self.options.iterations))
        if isinstance(world, str):
            for i in chosen:
                failures[i] = world
            return Improved(batch, notes, failures, residual)
        error = self._error(batch, world, tick) if self.options.mode == "minimal" else None
        for k, i in enumerate(chosen):

            def part_tick(fraction: float, sentence: str, k: int = k) -> None:
                tick((k + fraction) / len(chosen), sentence)

            part_tick(0.0, f"Simulating motion {k + 1} of {len(chosen)}")
            simulated = track(world, root[i], rotations[i], batch.fps, self.options, part_tick)
            failures[i] = _failure(batch, i, simulated)
            if failures[i]:
                continue
            residual[i] = simulated.residual_force_bw
            notes[i] = f"{notes[i]}, simulated" if notes[i] else "simulated"
            if error is None:
                root[i], rotations[i] = simulated.root_position_m, simulated.local_rotations_wxyz
            else:
                root[i], rotations[i] = blend(root[i], rotations[i], simulated, error)
        done = replace(batch, root_position_m=root, local_rotations_wxyz=rotations)
        return Improved(done, notes, failures, residual)

    def _error(self, batch: MotionBatch, world: World, tick: Tick) -> Array:
        """(1 + J) the dead zone: measured on the reference once, or built in."""
        reference = self.source.reference
        if reference is None or not self.source.applies_to(batch):
            return builtin_error(batch.skeleton)
        count = min(PROBES, len(reference.real))
        done = 0

        def follow(root: Array, rotations: Array) -> Simulated:
            nonlocal done
            tick(0.0, f"Measuring the tracker on real motion, {done} of {count}")
            done += 1
            rotations = R.normalize(rotations.astype(np.float64))
            return track(
                world, root.astype(np.float64), rotations, batch.fps, self.options,
                lambda _, sentence: tick(0.0, sentence),
            )  # fmt: skip

        settings = TrackerOptions(**{name: getattr(self.options, name) for name in TrackerOptions.model_fields})
        key = f"tracker-{digest([reference.digest, TRACKER_VERSION, settings.model_dump(mode='json')])}"
        item = reference.memo.get(key, lambda: Item({"error": tracker_error(reference.real, follow)}), tick)
        return np.asarray(item.arrays["error"])


def _failure(batch: MotionBatch, i: int, simulated: Simulated) -> str:
    """Why a simulated motion is rejected; "" for not."""
    if simulated.diverged is not None:
        return f"The simulation diverged in frame {simulated.diverged}."
    wanted, _ = forward_kinematics(batch.skeleton, batch.root_position_m[i], batch.local_rotations_wxyz[i])
    got, _ = forward_kinematics(batch.skeleton, simulated.root_position_m, simulated.local_rotations_wxyz)
    error = np.linalg.norm(wanted - got, axis=-1).mean(-1)
    if error.max() <= FALLEN_M:
        return ""
    frame = int(np.argmax(error > FALLEN_M))
    return (
        f"The simulated body fell: in frame {frame} its joints are {error[frame]:.2f} m from the motion's on average "
        f"(limit {FALLEN_M:g} m)."
    )
