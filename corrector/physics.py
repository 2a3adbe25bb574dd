"""The physics corrector: kinematic steps, a contact-consistent reference, then a simulated body that follows it."""

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
from corrector.anneal import track_least
from corrector.bounds import ARTEFACTS, Bounds
from corrector.dead_zone import blend, builtin_error, probes_of, tracker_error
from corrector.features import window_artefacts
from corrector.links import reduction_note
from corrector.minimal import BoundsSource, KinematicOptions, Steps, take_steps
from corrector.reference import ContactOptions, plan_reference
from corrector.report import TRACKS, Improved, correct_rows, precise
from corrector.threads import one_thread
from corrector.tracker import Simulated, TrackerOptions
from corrector.verdict import Followed, LimitOptions, facts, followed, rejection
from corrector.world import SolverOptions, World, world_of

Array = R.Array

TRACKER_VERSION = 2


class PhysicsOptions(KinematicOptions, ContactOptions, TrackerOptions, LimitOptions):
    """The kinematic steps, the reference, the tracker, and what it rejects."""

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


@dataclass(frozen=True, eq=False)
class Attempt:
    """A motion's simulation, and how well it followed its reference."""

    simulated: Simulated
    followed: Followed


@dataclass(frozen=True)
class Physics:
    """Implements :class:`core.protocols.Corrector`."""

    options: PhysicsOptions
    source: BoundsSource
    splittable: bool = True

    @property
    def cost_s(self) -> float:
        """40 ms of one core per simulated second of motion, measured; in minimal mode allowed for half of the motions
        (1 to 22 of 100 were simulated in generated and blended windows)."""
        reference = self.source.reference
        seconds = reference.real.frames / reference.real.fps if reference is not None else 2.0
        every = self.options.mode == "full" or self.options.simulate == "always"
        return 0.005 + 0.04 * seconds * self.options.passes * (1.0 if every else 0.5)

    def correct(
        self, samples: MotionBatch, *, rows: slice = slice(None), seed: int = 0, tick: Tick = silent
    ) -> Corrections:
        """See the protocol. The seed is not used: the same motion always gives the same result."""
        del seed
        with one_thread():
            return self._correct(samples, rows, tick)

    def _correct(self, samples: MotionBatch, rows: slice, tick: Tick) -> Corrections:
        bounds = self.source.bounds_for(samples, tick)

        def improve(batch: MotionBatch, index: NDArray[np.int64], tick: Tick) -> Improved:
            del index
            steps = take_steps(batch, bounds, self.options)
            return self._improve(steps, self._chosen(steps, bounds), tick)

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

    def _improve(self, steps: Steps, chosen: NDArray[np.int64], tick: Tick) -> Improved:
        batch, count = steps.batch, len(steps.batch)
        notes, failures = list(steps.notes), [""] * count
        if not len(chosen):
            return Improved(batch, notes, failures)
        world = world_of(batch.skeleton, SolverOptions(iterations=self.options.iterations))
        if isinstance(world, str):
            for i in chosen:
                failures[i] = world
            return Improved(batch, notes, failures)
        error = self._error(batch, world, tick) if self.options.mode == "minimal" else None
        root, rotations = batch.root_position_m.copy(), batch.local_rotations_wxyz.copy()
        tracks = {name: np.zeros((count, batch.frames)) for name in TRACKS}
        simulations: list[dict[str, float]] = [{} for _ in range(count)]
        reduced = reduction_note(batch.skeleton)
        planned, attempts = self._attempt(batch.take(chosen), world, tick)
        for k, i in enumerate(chosen):
            simulated, found = attempts[k].simulated, attempts[k].followed
            tracks["residual_force_bw"][i] = simulated.residual_force_bw
            tracks["residual_torque_nm"][i] = simulated.residual_torque_nm
            tracks["tracking_error_m"][i] = found.error_m
            simulations[i] = facts(simulated, found)
            failures[i] = rejection(simulated, found.error_m, batch.fps, self.options)
            if failures[i]:
                continue
            reference = f"reference {planned[k]}" if planned[k] else ""
            notes[i] = ", ".join(note for note in (notes[i], reference, "simulated") if note)
            notes[i] = f"{notes[i]}. {reduced}" if reduced else notes[i]
            if error is None:
                root[i], rotations[i] = simulated.root_position_m, simulated.local_rotations_wxyz
            else:
                root[i], rotations[i] = blend(root[i], rotations[i], simulated, error)
        done = replace(batch, root_position_m=root, local_rotations_wxyz=rotations)
        return Improved(done, notes, failures, tracks, simulations)

    def _attempt(self, batch: MotionBatch, world: World, tick: Tick) -> tuple[list[str], list[Attempt]]:
        """Plan a reference for each motion and let the body follow it; what was planned, in words."""
        planned = plan_reference(batch, self.options)
        attempts = []
        for k in range(len(batch)):

            def part_tick(fraction: float, sentence: str, k: int = k) -> None:
                tick((k + fraction) / len(batch), sentence)

            part_tick(0.0, f"Simulating motion {k + 1} of {len(batch)}")
            root, rotations = planned.batch.root_position_m[k], planned.batch.local_rotations_wxyz[k]
            simulated = track_least(
                world, root, rotations, batch.fps, self.options, part_tick, stance=planned.stance[k]
            )
            attempts.append(Attempt(simulated, followed(batch.skeleton, root, rotations, simulated)))
        return planned.notes, attempts

    def _error(self, batch: MotionBatch, world: World, tick: Tick) -> Array:
        """(1 + J) the dead zone: measured on the reference once, or built in."""
        reference = self.source.reference
        if reference is None or not self.source.applies_to(batch):
            return builtin_error(batch.skeleton)
        probes = precise(probes_of(reference.real))

        def measure() -> Item:
            def on_tick(fraction: float, _: str) -> None:
                done = int(fraction * len(probes))
                tick(0.0, f"Measuring the tracker on real motion, {done} of {len(probes)}")

            _, attempts = self._attempt(probes, world, on_tick)
            return Item({"error": tracker_error(probes, [a.simulated for a in attempts])})

        shaping = [*ContactOptions.model_fields, *TrackerOptions.model_fields]
        settings = {name: getattr(self.options, name) for name in shaping}
        key = f"tracker-{digest([reference.digest, TRACKER_VERSION, settings])}"
        return np.asarray(reference.memo.get(key, measure, tick).arrays["error"])
