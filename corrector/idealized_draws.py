"""The idealized correction of plain draws, of all seeds at once."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.draws import Draws
from core.errors import InvalidConfig
from core.protocols import Corrections, Reference, Tick, silent
from core.rotations import Array
from core.seeds import Seed
from corrector.kinds import flat
from corrector.matching import in_order_of, partners
from corrector.mixture import MOST_AXES, Truth, peak_of, rejection_sample, replaced
from corrector.report import Improved, correct_rows

Form = Literal["blend", "mixture", "rejection"]
MOST_ASSIGNED = 200
"""Samples up to which those of a rejection sample are assigned one to one: which is which then matters to the eye; the
work grows with the third power, and no model learns from the order."""


@dataclass(frozen=True, eq=False)
class IdealizedDraws:
    """Implements :class:`core.protocols.Corrector`; see :mod:`corrector.idealized`.

    Attributes:
        gamma: the strength.
        real: real samples of the same seeds.
        truth: the real distribution, where the domain knows it.
    """

    form: Form
    gamma: float
    real: Draws
    truth: Truth | None = None
    splittable: bool = True
    whole_batch: bool = True
    cost_s: float = 1e-4
    _peak: list[float] = field(default_factory=list)

    def correct(self, samples: Draws, *, rows: slice = slice(None), seed: Seed = 0, tick: Tick = silent) -> Corrections:
        """See the protocol. Samples of one seed are taken for those of the first (a panel's).

        Raises:
            InvalidConfig: when the samples are of another shape than the real ones, or of other seeds.
        """
        real = self._real_for(samples)
        share = np.full(samples.seeds, self.gamma / (1.0 + self.gamma))
        moved = samples.with_values(samples.values.astype(np.float64))

        def improve(batch: Draws, index: NDArray[np.int64], tick: Tick) -> Improved:
            del tick
            whole = moved if len(batch) == len(moved) else moved.take(index)
            return Improved(whole, [""] * len(batch))

        usable = np.isfinite(flat(moved.values)).all((0, 2))
        if usable.any():
            whole = moved if usable.all() else moved.take(usable)
            values = self._corrected(whole, real, share, seed)
            if not usable.all():
                values, corrected = moved.values.copy(), values
                values[:, usable] = corrected
            moved = moved.with_values(values)
        return correct_rows(samples, rows, improve, tick)

    def _corrected(self, samples: Draws, real: Draws, share: Array, seed: Seed) -> Array:
        """(S, N, ...) values."""
        if self.form == "mixture":
            return replaced(samples, real, self.truth, share, seed)
        if self.form == "blend":
            if not share.any():
                return samples.values
            partner = partners(samples, real)
            other = real.values[np.arange(samples.seeds)[:, None], partner]
            part = share.reshape(-1, *[1] * (other.ndim - 1))
            blended: Array = samples.values + part * (other - samples.values)
            return blended
        assert self.truth is not None  # idealized_draws made sure
        if not self._peak:
            self._peak.append(peak_of(self.truth))
        values = rejection_sample(samples, self.truth, self._peak[0], share, seed)
        if len(samples) <= MOST_ASSIGNED:
            values = in_order_of(samples, values)
        return values.reshape(samples.values.shape)

    def _real_for(self, samples: Draws) -> Draws:
        real = self.real
        if samples.values.shape[2:] != real.values.shape[2:]:
            raise InvalidConfig(
                f"The idealized corrector has real samples of shape {real.values.shape[2:]}; got "
                f"{samples.values.shape[2:]}.",
                "Correct samples of the loop's own data set with it.",
            )
        if samples.seeds == real.seeds:
            return real
        if samples.seeds == 1:
            return real.of_seed(0)
        raise InvalidConfig(
            f"The idealized corrector has real samples of {real.seeds} seeds; got samples of {samples.seeds}.",
            "Correct samples of the loop's own seeds with it.",
        )


def idealized_draws(form: Form, gamma: float, reference: Reference) -> IdealizedDraws:
    """The corrector.

    Raises:
        InvalidConfig: for a form that these samples do not have.
    """
    real: Draws = reference.real
    if not np.issubdtype(real.values.dtype, np.inexact):
        raise InvalidConfig(
            f"The idealized corrector computes with numbers; these samples are of type {real.values.dtype}.",
            "Choose another corrector.",
            "corrector.kind",
        )
    if form == "rejection":
        _check_rejection(real, reference.truth)
    return IdealizedDraws(form, gamma, real, reference.truth)


def _check_rejection(real: Draws, truth: Truth | None) -> None:
    axes, classes = flat(real.values).shape[2], len(np.unique(real.labels))
    why = ""
    if truth is None:
        why = "whose density nobody knows here"
    elif axes > MOST_AXES:
        why = f"of {axes} dimensions; its histogram is for at most {MOST_AXES}"
    elif classes > 1:
        why = f"of {classes} classes; its histogram is for one"
    if why:
        raise InvalidConfig(
            f"The form 'rejection' draws from a histogram and the real density; these are samples {why}.",
            "Choose the form 'mixture' (exact in any number of dimensions) or 'blend'.",
            "corrector.options.form",
        )
