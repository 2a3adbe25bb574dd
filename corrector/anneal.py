"""The least help that keeps a simulated body with its motion: short passes, each with targets learned from the last.

Iterative learning control (Arimoto et al. 1984): what the body fell short of in one pass is added to what it aims at in
the next one. With better aims half the help does; this goes on while the body stays with the motion.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core import rotations as R
from core.protocols import Tick, silent
from core.skeleton import Skeleton
from corrector.filters import gaussian
from corrector.tracker import Simulated, TrackerOptions, track, wrench_of
from corrector.verdict import followed
from corrector.world import World
from corrector.wrench import Wrench

Array = R.Array

LOST_M = 0.25  # mean joint error of a frame at which a body is losing its motion: half of what counts as fallen
RESCUES = 2  # times that help is doubled for a body that loses its motion
LEARNED_TURN = 0.7  # share of a joint's error that is learned from one pass
FARTHEST_LEARNED_M, FARTHEST_LEARNED_RAD = 0.1, 0.3
CLOSE_M = 0.03  # a pass with less help may be this far off on average, or as far as the first one
CLOSE_PEAK_M = 0.15  # and this far in its worst frame, or as far as the first one


@dataclass(frozen=True)
class _Follow:
    """How far a pass was from the motion: mean joint distance, mean over the frames and in the worst frame."""

    mean_m: float
    peak_m: float

    @property
    def lost(self) -> bool:
        return not self.peak_m <= LOST_M

    def close_as(self, first: "_Follow") -> bool:
        return self.mean_m <= max(first.mean_m, CLOSE_M) and self.peak_m <= max(first.peak_m, CLOSE_PEAK_M)


def track_least(
    world: World, root_position_m: Array, local_rotations_wxyz: Array, fps: float, options: TrackerOptions,
    tick: Tick = silent, *, stance: NDArray[np.bool_] | None = None,
) -> Simulated:  # fmt: skip
    """Simulate one motion (T, 3), (T, J, 4) with the smallest wrench that keeps the body with it.

    Up to ``options.passes`` simulations, and RESCUES more of the first one for a body that loses its motion: it gets
    stiffer help within the limits. With ``options.help == "none"`` there is one pass without any.
    """
    root = np.asarray(root_position_m, dtype=np.float64)
    rotations = R.make_continuous(np.asarray(local_rotations_wxyz, dtype=np.float64))
    wrench, passes = wrench_of(options), options.passes

    def simulate(number: int, wrench: Wrench, aim: tuple[Array, Array] | None) -> Simulated:
        def part(fraction: float, sentence: str) -> None:
            tick((number + fraction) / passes, sentence)

        return track(world, root, rotations, fps, options, part, stance=stance, wrench=wrench, aim=aim)

    best = simulate(0, wrench, None)
    first = _follow(world.body.skeleton, root, rotations, best)
    if options.help == "none" or len(root) < 2:
        return best
    for _ in range(RESCUES):
        if not first.lost:
            break
        wrench = wrench.scaled(2.0)
        best = simulate(0, wrench, None)
        first = _follow(world.body.skeleton, root, rotations, best)
    aim: tuple[Array, Array] = (root, rotations)
    for number in range(1, passes):
        if best.diverged is not None or first.lost:
            break
        aim = _learn(aim, root, rotations, best)
        wrench = wrench.scaled(0.5)
        found = simulate(number, wrench, aim)
        if found.diverged is not None or not _follow(world.body.skeleton, root, rotations, found).close_as(first):
            break
        best = found
    return best


def _follow(skeleton: Skeleton, root: Array, rotations: Array, simulated: Simulated) -> _Follow:
    if simulated.diverged is not None:
        return _Follow(np.inf, np.inf)
    error = followed(skeleton, root, rotations, simulated).error_m
    return _Follow(float(error.mean()), float(error.max()))


def _learn(
    aim: tuple[Array, Array], root: Array, rotations: Array, simulated: Simulated
) -> tuple[Array, Array]:  # fmt: skip
    """The aim of the next pass: smooth, bounded shares of the last one's errors are added."""
    short = gaussian((root - simulated.root_position_m)[None], 1.0, 3)[0]
    turn = R.unitquat_to_rotvec(R.multiply(R.conjugate(simulated.local_rotations_wxyz), rotations))
    angle = np.linalg.norm(turn, axis=-1, keepdims=True)
    turn = gaussian((turn * np.minimum(1.0, FARTHEST_LEARNED_RAD / np.maximum(angle, 1e-9)))[None], 1.0, 3)[0]
    return (
        aim[0] + np.clip(short, -FARTHEST_LEARNED_M, FARTHEST_LEARNED_M),
        R.make_continuous(R.multiply(aim[1], R.rotvec_to_unitquat(LEARNED_TURN * turn))),
    )
