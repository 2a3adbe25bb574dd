"""The idealized correction of the papers: every sample is pulled towards a real one, with strength gamma.

(x + gamma y) / (1 + gamma) (Gillman et al. 2024, eq. 5), where y comes from a balanced one-to-one matching inside each
class, the pointwise form of optimal transport: nearest neighbours alone would forget modes. It injects real data
(gamma = 1 is half real), so it is a yardstick, not a cure.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core import rotations as R
from core.config import Options
from core.errors import InvalidConfig
from core.motion import MotionBatch, canonicalize, joint_distances
from core.protocols import Corrections, Reference, Tick, silent
from corrector.checks import rejections
from corrector.features import window_yaw
from corrector.report import Improved, correct_rows, precise

Array = R.Array


class IdealizedOptions(Options):
    """How strongly samples are pulled towards real ones."""

    gamma: float = Field(
        1.0,
        ge=0,
        le=1000,
        title="gamma",
        description="Correction strength: 0 leaves samples alone, 1 goes half way to the matched real window.",
    )


@dataclass(frozen=True)
class Idealized:
    """Implements :class:`core.protocols.Corrector`. Matching looks at the whole batch and is cheap, so rows can
    still be corrected apart: they come out the same however the batch is split."""

    options: IdealizedOptions
    real: MotionBatch
    splittable: bool = True
    whole_batch: bool = True
    cost_s: float = 0.01

    def correct(
        self, samples: MotionBatch, *, rows: slice = slice(None), seed: int = 0, tick: Tick = silent
    ) -> Corrections:
        """See the protocol.

        Raises:
            InvalidConfig: when the samples are of another body, length or frame rate than the real windows.
        """
        del seed
        real = self.real
        if samples.skeleton != real.skeleton or samples.frames != real.frames or samples.fps != real.fps:
            raise InvalidConfig(
                f"The idealized corrector blends with real windows of {real.frames} frames at {real.fps:g} fps of the "
                f"skeleton {real.skeleton.name!r}; got {samples.frames} frames at {samples.fps:g} fps of "
                f"{samples.skeleton.name!r}.",
                "Correct samples of the loop's own data set with it, or choose another corrector.",
            )
        partner = self._partners(samples, tick)
        weight = self.options.gamma / (1.0 + self.options.gamma)

        def improve(batch: MotionBatch, index: NDArray[np.int64], tick: Tick) -> Improved:
            del tick
            if weight == 0.0:
                return Improved(batch, [""] * len(batch))
            notes = [f"moved {weight:.0%} of the way to real window {partner[i]}" for i in index]
            return Improved(_blend(batch, precise(real.take(partner[index])), weight), notes)

        return correct_rows(samples, rows, improve, tick)

    def _partners(self, samples: MotionBatch, tick: Tick) -> NDArray[np.int64]:
        """(N,) the real window of each usable sample."""
        partner = np.zeros(len(samples), dtype=np.int64)
        usable = np.flatnonzero([not reason for reason in rejections(samples)])
        labels = samples.labels[usable]
        kinds = np.unique(labels)
        for k, label in enumerate(kinds):
            tick(k / max(len(kinds), 1) * 0.5, "Matching samples with real windows")
            mine = usable[labels == label]
            theirs = np.flatnonzero(self.real.labels == label)
            if not len(theirs):
                theirs = np.arange(len(self.real))
            distance = joint_distances(precise(samples.take(mine)), precise(self.real.take(theirs)))
            partner[mine] = theirs[balanced_matching(distance)]
        return partner


def balanced_matching(distance: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,) for each row its column, at the least total distance such that every column of M is used floor(N / M) or
    ceil(N / M) times (Hungarian method, Jonker & Volgenant 1987)."""
    from scipy.optimize import linear_sum_assignment

    count, choices = distance.shape
    full, extra = divmod(count, choices)
    cost = np.tile(distance, (1, full + (extra > 0)))
    if full and extra:  # dummy rows may take only columns of the last copy, so that all others are used
        forbidden = (float(distance.max()) + 1.0) * (count + 1)
        dummies = np.zeros((cost.shape[1] - count, cost.shape[1]))
        dummies[:, : full * choices] = forbidden
        cost = np.concatenate([cost, dummies])
    chosen = linear_sum_assignment(cost)[1][:count] % choices
    return np.asarray(chosen, dtype=np.int64)


def _blend(batch: MotionBatch, partners: MotionBatch, weight: float) -> MotionBatch:
    """Between motions and their partners: rotations by slerp, the root's path and height linearly, both in the heading
    and from the starting point of each motion (blending paths from a common start is blending velocities)."""
    own, other = canonicalize(batch), canonicalize(partners)
    rotations = R.slerp(own.local_rotations_wxyz, other.local_rotations_wxyz, np.array(weight))
    root = own.root_position_m + weight * (other.root_position_m - own.root_position_m)
    turn = R.yaw_to_unitquat(window_yaw(batch))[:, None]
    rotations[:, :, 0] = R.multiply(np.broadcast_to(turn, rotations[:, :, 0].shape), rotations[:, :, 0])
    start = batch.root_position_m[:, :1] * np.array([1.0, 0.0, 1.0])
    return replace(batch, root_position_m=R.rotate(turn, root) + start, local_rotations_wxyz=rotations)


def build_idealized(options: IdealizedOptions, reference: Reference | None) -> Idealized:
    """The corrector.

    Raises:
        InvalidConfig: without real windows to pull towards.
    """
    if reference is None or not len(reference.real):
        raise InvalidConfig(
            "The idealized corrector needs real windows to pull towards, and there are none here.",
            "Use it inside a loop, or choose kinematic or physics for single motions.",
            "corrector.kind",
        )
    return Idealized(options, reference.real)
