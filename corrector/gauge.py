"""Bounds of one quantity, per class: inside them nothing is moved.

A quantity may have two witnesses, such as how a window's feet meet the floor and how its pose moves. Each of them says
how far a window was shifted or how fast it was slid, and something of its own. Their mean, weighted so that real
windows spread least, is held against the class's centre.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.rotations import Array
from corrector.filters import smoothstep

SHARES = np.linspace(0.0, 1.0, 6)  # of the first witness, that are tried
QUANTILE, TAIL = 0.9, 1.5
SLACK = 1.25
FEW = 8.0  # independent windows (mirror images count) at which bounds are twice as wide as those of very many
FEWEST = 3
MOSTLY = 0.9  # of a class's windows that a witness can speak of; it is not asked about classes where it often cannot
RAMP = 0.5  # the whole excess counts at 1.5 times the radius


@dataclass(frozen=True, eq=False)
class Gauge:
    """Bounds of a quantity of k values, for R rows.

    Attributes:
        share: (R,) of the first witness; 1 - share is the second's.
        center: (R, k) of real windows.
        radius: (R,) how far real windows stray from it; infinite where nothing was learned.
        apart: (R, k) first witness less second, of real windows.
        discord: (R,) how far they stray from that; where they disagree more, both are trusted less.
    """

    share: Array
    center: Array
    radius: Array
    apart: Array
    discord: Array

    def excess(
        self, first: Array, second: Array | None, rows: NDArray[np.int64], error: Array | float = 0.0
    ) -> tuple[Array, Array]:
        """What is beyond the bounds.

        Args:
            first, second: (N, k) what the witnesses say; NaN where they cannot tell.
            rows: (N,).
            error: (N,) by how much more than usual the first witness may err; bounds are wider by its share of that.

        Returns:
            (N, k) distance from the centre, and (N,) its weight: 0 within the bounds, 1 well beyond them.
        """
        share = self.share[rows]
        away = _mean(first, second, share) - self.center[rows]
        known = np.asarray(np.isfinite(away).all(-1))
        away = np.where(known[:, None], away, 0.0)
        room = self.radius[rows] + share * error
        if second is not None:
            discord = np.linalg.norm(first - second - self.apart[rows], axis=-1)
            room = room + np.nan_to_num(np.maximum(discord - self.discord[rows], 0.0))
        return away, smoothstep((np.linalg.norm(away, axis=-1) / room - 1.0) / RAMP) * known

    def above(self, value: Array, rows: NDArray[np.int64]) -> Array:
        """(N,) weight by which values (N,) of one witness are too high."""
        away, weight = self.excess(value[:, None], None, rows)
        return np.where(away[:, 0] > 0, weight, 0.0)


def narrower(one: Gauge, other: Gauge) -> Gauge:
    """Row by row the gauge of smaller radius; how far the witnesses agree is the first gauge's."""
    take = other.radius < one.radius
    return replace(
        one,
        share=np.where(take, other.share, one.share),
        center=np.where(take[:, None], other.center, one.center),
        radius=np.where(take, other.radius, one.radius),
    )


def fixed_gauge(center: Array, radius: float) -> Gauge:
    """A gauge of one row and one witness."""
    one = np.ones(1)
    return Gauge(one, center[None], radius * one, np.zeros((1, len(center))), np.inf * one)


def learn_gauge(
    rows: Sequence[tuple[Array, Array | None]], evidence: NDArray[np.int64], allowance: float, slack: float = SLACK
) -> Gauge:
    """A gauge from what the witnesses say of each row's real windows, (n, k) each; the second one may be missing.

    The radius is the largest distance from the median, or 1.5 times the 90 % quantile where single windows stray far,
    with slack where the row's independent windows (R,) are few; ``allowance`` lets still classes breathe.
    """
    found = []
    for (first, second), count in zip(rows, evidence, strict=True):
        room = slack * (1.0 + FEW / max(count, 1))
        shares = SHARES if second is not None else SHARES[-1:]
        tried = [(float(share), *_spread(_mean(first, second, float(share)), room, allowance)) for share in shares]
        best = min(reversed(tried), key=lambda row: row[2])
        apart = _spread(first - second, slack, allowance) if second is not None else (np.zeros(first.shape[1]), np.inf)
        found.append((*best, *apart))
    return Gauge(*(np.array(column) for column in zip(*found, strict=True)))


def _spread(told: Array, room: float, allowance: float) -> tuple[Array, float]:
    """Centre (k,) and radius of real windows' values (n, k)."""
    known = told[np.isfinite(told).all(-1)]
    if len(known) < max(FEWEST, MOSTLY * len(told)):
        return np.zeros(told.shape[1]), np.inf
    center = np.median(known, axis=0)
    away = np.linalg.norm(known - center, axis=1)
    spread = min(float(away.max()), TAIL * float(np.quantile(away, QUANTILE)))
    return center, room * spread + allowance


def _mean(first: Array, second: Array | None, share: Array | float) -> Array:
    """(N, k) the witnesses' mean; one without a share is not asked."""
    weight = np.broadcast_to(np.asarray(share, dtype=np.float64), (len(first),))[:, None]
    told = np.where(weight > 0, weight * first, 0.0)
    if second is None:
        return np.where(weight >= 1, told, np.nan)
    return told + np.where(weight < 1, (1.0 - weight) * second, 0.0)
