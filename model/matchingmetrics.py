"""Matching score and R-precision (Guo et al. 2022), in numpy."""

import numpy as np
from numpy.typing import NDArray

from core.protocols import Metric

POOL = 32
"""Captions that a motion chooses from: its own and 31 others'."""
_ORDER = 22  # seed of the order in which samples come into pools

_NEEDS = (
    "Measured where the data has captions and the model is told text; weak captions lower the real data's value too."
)

MATCHING: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "matching", "Matching score", "", "lower", "fidelity",
            f"Mean distance between a motion and its caption in the space that a frozen head has learned (0 to 2). "
            f"{_NEEDS}",
        ),
        *(
            Metric(
                f"r_precision_{k}", f"R-precision, top {k}", "", "higher", "fidelity",
                f"Share of motions whose own caption is among the {k} nearest of {POOL}; captions that read "
                f"alike count as one's own. {_NEEDS}",
            )
            for k in (1, 2, 3)
        ),
    )
}  # fmt: skip


def matching_metrics(
    motions: NDArray[np.float64], texts: NDArray[np.float64], captions: NDArray[np.int64]
) -> dict[str, float]:
    """The metrics of :data:`MATCHING`; what does not fill a pool is left out.

    Args:
        motions: (N, D), at least POOL of them.
        texts: (K, D) of all captions.
        captions: (N,) index of each motion's own.
    """
    order = np.random.default_rng(_ORDER).permutation(len(motions))
    own, beaten = [], []
    for first in range(0, len(order) - POOL + 1, POOL):
        rows = order[first : first + POOL]
        said = captions[rows]
        distance = np.linalg.norm(motions[rows][:, None] - texts[said][None], axis=-1)
        right = np.diag(distance)
        own.append(right)
        beaten.append(((distance < right[:, None]) & (said[:, None] != said[None])).sum(1))
    ranks = np.concatenate(beaten)
    found = {"matching": float(np.concatenate(own).mean())}
    return found | {f"r_precision_{k}": float((ranks < k).mean()) for k in (1, 2, 3)}
