"""The idealized correction of the papers: samples are brought towards real ones, with strength gamma.

``blend`` is the pointwise form: (x + gamma y) / (1 + gamma) (Gillman et al. 2024, eq. 5), where y comes from a balanced
one-to-one matching inside each class: nearest neighbours alone would forget modes. ``mixture`` and ``rejection`` are
forms of distributions, pi_gamma p = (p + gamma p_real) / (1 + gamma): exact, and as the paper's published toy draws it
(:mod:`corrector.mixture`). All of them inject real data (gamma = 1 is half real): a yardstick, not a cure.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core import rotations as R
from core.config import Options
from core.draws import Draws
from core.errors import InvalidConfig
from core.motion import MotionBatch, canonicalize, joint_distances
from core.protocols import Corrections, Corrector, Reference, Tick, silent
from core.seeds import uniform
from corrector.checks import rejections
from corrector.features import window_yaw
from corrector.idealized_draws import idealized_draws
from corrector.matching import balanced_matching
from corrector.report import Improved, correct_rows, precise

Array = R.Array


class IdealizedOptions(Options):
    """How strongly samples are brought towards real ones."""

    gamma: float = Field(
        1.0,
        ge=0,
        le=1000,
        title="gamma",
        description="Correction strength: 0 leaves samples alone, 1 is half real.",
    )
    form: Literal["blend", "mixture", "rejection"] = Field(
        "blend",
        title="Form",
        description="blend: every sample goes the share gamma / (1 + gamma) of the way to a matched real one. mixture: "
        "that share of the samples is replaced by real ones. rejection: the sampler of the published Gaussian toy, for "
        "data of at most 3 dimensions whose law is known; it also cuts off far samples, even at gamma = 0.",
    )


@dataclass(frozen=True)
class Idealized:
    """Implements :class:`core.protocols.Corrector` for motions. Matching looks at the whole batch and is cheap, so rows
    can still be corrected apart: they come out the same however the batch is split."""

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
        real = self.real
        if samples.skeleton != real.skeleton or samples.frames != real.frames or samples.fps != real.fps:
            raise InvalidConfig(
                f"The idealized corrector blends with real windows of {real.frames} frames at {real.fps:g} fps of the "
                f"skeleton {real.skeleton.name!r}; got {samples.frames} frames at {samples.fps:g} fps of "
                f"{samples.skeleton.name!r}.",
                "Correct samples of the loop's own data set with it, or choose another corrector.",
            )
        share = self.options.gamma / (1.0 + self.options.gamma)
        if self.options.form == "blend":
            partner, weight = self._partners(samples, tick), np.full(len(samples), share)
            said = f"moved {share:.0%} of the way to real window"
        else:
            chance = uniform(seed, (1, len(samples), 2))[0]
            partner, weight = self._random_real(samples, chance[:, 1]), np.where(chance[:, 0] < share, 1.0, 0.0)
            said = "replaced by real window"

        def improve(batch: MotionBatch, index: NDArray[np.int64], tick: Tick) -> Improved:
            del tick
            notes = [f"{said} {partner[i]}" if weight[i] > 0 else "" for i in index]
            if not any(notes):
                return Improved(batch, notes)
            blended = _blend(batch, precise(real.take(partner[index])), weight[index])
            return Improved(blended if all(notes) else _where(weight[index] > 0, blended, batch), notes)

        return correct_rows(samples, rows, improve, tick)

    def _partners(self, samples: MotionBatch, tick: Tick) -> NDArray[np.int64]:
        """(N,) the real window of each usable sample."""
        partner = np.zeros(len(samples), dtype=np.int64)
        usable = np.flatnonzero([not reason for reason in rejections(samples)])
        labels = samples.labels[usable]
        kinds = np.unique(labels)
        for k, label in enumerate(kinds):
            tick(k / max(len(kinds), 1) * 0.5, "Matching samples with real windows")
            mine, theirs = usable[labels == label], self._of_class(label)
            distance = joint_distances(precise(samples.take(mine)), precise(self.real.take(theirs)))
            partner[mine] = theirs[balanced_matching(distance)]
        return partner

    def _random_real(self, samples: MotionBatch, chance: Array) -> NDArray[np.int64]:
        """(N,) any real window of each sample's class."""
        of_class = {label: self._of_class(label) for label in np.unique(samples.labels)}
        return np.array(
            [of_class[label][int(c * len(of_class[label]))] for label, c in zip(samples.labels, chance, strict=True)],
            dtype=np.int64,
        )

    def _of_class(self, label: int) -> NDArray[np.int64]:
        """The real windows of a class; all, where it has none."""
        found = np.flatnonzero(self.real.labels == label)
        return found if len(found) else np.arange(len(self.real))


def _blend(batch: MotionBatch, partners: MotionBatch, weight: Array) -> MotionBatch:
    """Between motions and their partners: rotations by slerp, the root's path and height linearly, both in the heading
    and from the starting point of each motion (blending paths from a common start is blending velocities).

    Args:
        weight: (N,) share of the way.
    """
    own, other = canonicalize(batch), canonicalize(partners)
    rotations = R.slerp(own.local_rotations_wxyz, other.local_rotations_wxyz, weight[:, None, None])
    root = own.root_position_m + weight[:, None, None] * (other.root_position_m - own.root_position_m)
    turn = R.yaw_to_unitquat(window_yaw(batch))[:, None]
    rotations[:, :, 0] = R.multiply(np.broadcast_to(turn, rotations[:, :, 0].shape), rotations[:, :, 0])
    start = batch.root_position_m[:, :1] * np.array([1.0, 0.0, 1.0])
    return replace(batch, root_position_m=R.rotate(turn, root) + start, local_rotations_wxyz=rotations)


def _where(chosen: NDArray[np.bool_], batch: MotionBatch, otherwise: MotionBatch) -> MotionBatch:
    """Motions of the one batch where chosen (N,), of the other elsewhere."""
    return replace(
        batch,
        root_position_m=np.where(chosen[:, None, None], batch.root_position_m, otherwise.root_position_m),
        local_rotations_wxyz=np.where(
            chosen[:, None, None, None], batch.local_rotations_wxyz, otherwise.local_rotations_wxyz
        ),
    )


def build_idealized(options: IdealizedOptions, reference: Reference | None) -> Corrector:
    """The corrector for the reference's kind of samples.

    Raises:
        InvalidConfig: without real samples to pull towards, or for a form that these samples do not have.
    """
    if reference is None or not len(reference.real):
        raise InvalidConfig(
            "The idealized corrector needs real windows to pull towards, and there are none here.",
            "Use it inside a loop, or choose kinematic or physics for single motions.",
            "corrector.kind",
        )
    real: Any = reference.real
    if isinstance(real, Draws):
        return idealized_draws(options.form, options.gamma, reference)
    if options.form == "rejection":
        raise InvalidConfig(
            "The form 'rejection' draws from the density of the real data, which nobody knows of motions.",
            "Choose the form 'blend' or 'mixture'.",
            "corrector.options.form",
        )
    return Idealized(options, real)
