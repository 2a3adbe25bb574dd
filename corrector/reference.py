"""A contact-consistent reference for the simulation: feet that stand do not slide, sink or hover, feet that swing clear
the floor, and the body flies on a parabola.

Each step is a small least-squares problem along time (corrector.fitting) whose solution is a smooth displacement of the
root or of a foot; leg inverse kinematics then brings the feet where they should be.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core import rotations as R
from core.body import REFERENCE_LEG_M, body_of
from core.config import Options
from core.motion import MotionBatch
from corrector.contacts import Soles, feet_floor, soles_of, stance_from
from corrector.drift import drift_of
from corrector.features import lowest_of, surface_of
from corrector.filters import covering, smoothstep
from corrector.fitting import Wish, fit
from corrector.flight import calmed, center_of_mass, flight_of
from corrector.footing import level_soles, pinned, step_to
from corrector.legs import legs_of

Array = R.Array
Mask = NDArray[np.bool_]

MINIMUM_FRAMES = 5
TOUCHING_M = 0.03  # a foot that is higher in the end was near something, not standing on the floor
SINK_M = 0.01  # soft parts may press into the floor by this
LIFT_SIGMA_S = 0.08
HANGING_M = (0.12, 0.18)  # who is higher than this on the whole climbs, sits or hangs
# Of the root's going along with the feet.
LYING_M = 0.03  # a body whose other parts are this close to the floor does not go down with its feet
ROOT_TOLERANCE_M, ROOT_AWAY_M, ROOT_JERK_M_S3 = 0.01, 0.005, 4.0


class ContactOptions(Options):
    """Which steps make the reference consistent with its contacts before it is simulated."""

    reference_floor: bool = Field(
        True,
        title="Reference: floor height",
        description="Put the standing feet on the floor, and lift the body where other parts sink into it.",
    )
    reference_drift: bool = Field(
        True,
        title="Reference: remove drift",
        description="Take steady sliding of the standing feet out of the path of the whole body.",
    )
    reference_flight: bool = Field(
        True,
        title="Reference: ballistic flight",
        description="Let the centre of mass follow a parabola while nothing touches the floor.",
    )
    reference_calm: bool = Field(
        True,
        title="Reference: calm centre of mass",
        description="Take noise of a few millimetres out of the path of the centre of mass.",
    )
    reference_level: bool = Field(
        False,
        title="Reference: level soles",
        description="Put standing soles flat on the floor, unless they stand on heel or toes.",
    )
    reference_lock: bool = Field(
        True,
        title="Reference: lock standing feet",
        description="Keep standing feet from sliding, sinking and hovering by bending the legs.",
    )
    reference_clearance: bool = Field(
        True,
        title="Reference: swing clearance",
        description="Lift swinging feet that would scuff the floor.",
    )


@dataclass(frozen=True, eq=False)
class Planned:
    """A reference to be simulated.

    Attributes:
        batch: the motions.
        stance: (N, T, F) which foot is planned to stand.
        notes: per motion, in words.
    """

    batch: MotionBatch
    stance: Mask
    notes: list[str]


def plan_reference(batch: MotionBatch, options: ContactOptions) -> Planned:
    """The reference of each motion, float64.

    Motions of fewer than MINIMUM_FRAMES frames and bodies without feet come back as they are.
    """
    points = surface_of(batch)
    stance = stance_from(batch, points)
    count = len(batch)
    if not count or batch.frames < MINIMUM_FRAMES or not stance.shape[2]:
        return Planned(batch, stance, [""] * count)
    plan = _Plan(batch, stance)
    if options.reference_floor:
        plan.settle(points)
    if options.reference_drift:
        plan.remove_drift()
    if options.reference_flight or options.reference_calm:
        plan.carry(options)
    if options.reference_level:
        plan.level()
    if options.reference_lock or options.reference_clearance:
        if None in legs_of(batch.skeleton):
            for note in plan.notes:
                note.append("no legs found for some feet, they stay as they are")
        plan.lock(options)
    touching = plan.soles().height_m < TOUCHING_M * plan.scale
    return Planned(plan.batch, stance & touching, [", ".join(note) for note in plan.notes])


class _Plan:
    """The motions on their way through the steps."""

    def __init__(self, batch: MotionBatch, stance: Mask) -> None:
        self.batch = replace(
            batch,
            root_position_m=batch.root_position_m.astype(np.float64),
            local_rotations_wxyz=R.normalize(batch.local_rotations_wxyz.astype(np.float64)),
        )
        self.stance, self.fps = stance, batch.fps
        self.scale = batch.skeleton.leg_length_m / REFERENCE_LEG_M
        self.notes: list[list[str]] = [[] for _ in range(len(batch))]

    def move(self, way_m: Array) -> None:
        """Displace the root by (N, T, 3)."""
        self.batch = replace(self.batch, root_position_m=self.batch.root_position_m + way_m)

    def note(self, values: Array, least: float, sentence: str) -> None:
        for i in np.flatnonzero(np.abs(values) >= least):
            self.notes[i].append(sentence.format(values[i]))

    def soles(self) -> Soles:
        return soles_of(self.batch, surface_of(self.batch))

    def settle(self, points: Array) -> None:
        """Standing feet to y = 0 on the whole, then a smooth lift where other parts sink."""
        soles = soles_of(self.batch, points)
        between = np.linalg.norm(soles.step_m[..., [0, 2]], axis=-1) * self.fps
        speed = np.concatenate([between[:, :1], between], axis=1)
        lowest = lowest_of(points)
        floor = feet_floor(soles.height_m, np.where(self.stance, speed, np.inf), lowest, self.scale, share=0.5)
        hanging = smoothstep((floor / self.scale - HANGING_M[0]) / (HANGING_M[1] - HANGING_M[0]))
        shift = -floor * (1.0 - hanging)
        sunk = -SINK_M * self.scale - self._clear_of_floor() - shift[:, None]
        sigma = LIFT_SIGMA_S * self.fps
        lift = covering(np.maximum(sunk, 0.0), sigma, int(np.ceil(2 * sigma)))
        way = np.zeros_like(self.batch.root_position_m)
        way[..., 1] = shift[:, None] + lift
        self.move(way)
        self.note(shift * 100, 0.1, "shifted {:+.1f} cm")
        self.note(lift.max(1) * 100, 0.1, "lifted by up to {:.1f} cm")

    def remove_drift(self) -> None:
        """The steady part of the standing feet's speed goes, where they agree about it and it is more than real."""
        velocity = drift_of(self.soles(), self.stance, self.fps, self.scale)
        way = np.zeros_like(self.batch.root_position_m)
        way[:, 1:, [0, 2]] = -np.cumsum(velocity, axis=1) / self.fps
        self.move(way)
        self.note(np.linalg.norm(velocity, axis=-1).mean(1), 0.02, "drift of {:.2f} m/s removed")

    def carry(self, options: ContactOptions) -> None:
        """The centre of mass moves as a heavy thing can."""
        positions, rotations = self.batch.world()
        lowest = lowest_of(body_of(self.batch.skeleton).surface_points(positions, rotations))
        center = center_of_mass(self.batch, positions, rotations)
        flying = flight_of(self.stance, lowest, self.scale)
        way = calmed(center, flying, self.fps, fly=options.reference_flight, calm=options.reference_calm)
        self.move(way)
        self.note(np.linalg.norm(way, axis=-1).max(1) * 100, 1.0, "centre of mass moved by up to {:.1f} cm")

    def level(self) -> None:
        """Standing soles flat on the floor."""
        self.batch, turn = level_soles(self.batch, self.stance)
        self.note(np.degrees(turn), 5.0, "soles levelled by up to {:.0f} degrees")

    def lock(self, options: ContactOptions) -> None:
        """Standing feet stay in place; the root goes along with what they have in common."""
        stance = self.stance if options.reference_lock else np.zeros_like(self.stance)
        ways = pinned(self.soles(), stance, self.fps, self.scale, clear=options.reference_clearance)
        hold = stance.astype(np.float64)
        together = (ways * hold[..., None]).sum(2) / np.maximum(hold.sum(2), 1.0)[..., None]
        upright = smoothstep(self._clear_of_floor() / (LYING_M * self.scale) - 1.0)
        together[..., 1] *= upright
        along = fit(
            len(self.batch), self.batch.frames, 3, self.fps,
            [
                Wish(0, hold.sum(2) / (ROOT_TOLERANCE_M * self.scale) ** 2, together),
                Wish(0, np.array((ROOT_AWAY_M * self.scale) ** -2.0)),
                Wish(3, np.array((ROOT_JERK_M_S3 * self.scale) ** -2)),
            ],
        )  # fmt: skip
        self.move(along)
        self.batch, _ = step_to(self.batch, ways - along[:, :, None])
        self.note(np.linalg.norm(ways, axis=-1).max((1, 2)) * 100, 0.5, "feet moved by up to {:.1f} cm")

    def _clear_of_floor(self) -> Array:
        """(N, T) height of the lowest point that belongs to no foot."""
        points = surface_of(self.batch)
        soles = np.concatenate(body_of(self.batch.skeleton).sole_points)
        others = np.setdiff1d(np.arange(points.shape[2]), soles)
        if not len(others):
            return np.full(points.shape[:2], np.inf)
        return np.asarray(points[:, :, others, 1].min(-1))
