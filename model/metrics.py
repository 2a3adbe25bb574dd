"""What a generation is judged by: one dict for measuring, records, API, CLI and page.

Computations are numpy on features (N, F); sources stand at the functions.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from core.artefacts import Artefacts
from core.protocols import Metric

Features = NDArray[np.float64]

NEAREST = 5
"""k of the nearest-neighbour metrics, as in Naeem et al. 2020."""

_ALL = (
    Metric(
        "fid", "FID", "", "lower", "fidelity",
        "Frechet distance between features of generated and held-out real windows; depends on how many are compared, "
        "so read it against its floor.",
    ),
    Metric(
        "kid", "KID", "", "lower", "fidelity",
        "Kernel distance between features of generated and held-out real windows; unbiased, so it is about 0 for real "
        "motion at every count, and may be a little below.",
    ),
    Metric(
        "precision", "Precision", "", "higher", "fidelity",
        "Share of generated windows that lie among real ones (within a real window's 5 nearest neighbours); blind to "
        "missing modes.",
    ),
    Metric(
        "density", "Density", "", "real", "fidelity",
        "How crowded with real windows the places are where windows are generated; above 1 when they keep to the "
        "middle of the data.",
    ),
    Metric(
        "accuracy", "Recognition accuracy", "", "higher", "fidelity",
        "Share of generated windows that the frozen evaluator recognises as their class; does not see collapse "
        "within classes.",
    ),
    Metric(
        "multimodality", "Within-class diversity", "", "real", "diversity",
        "Mean feature distance between windows of one class; falls to 0 when every class repeats one motion.",
    ),
    Metric(
        "recall", "Recall", "", "higher", "diversity",
        "Share of real windows that lie among generated ones; falls when modes are lost.",
    ),
    Metric(
        "coverage", "Coverage", "", "higher", "diversity",
        "Share of real windows with a generated one among their 5 nearest neighbours; robust against outliers.",
    ),
    Metric(
        "diversity", "Global diversity", "", "real", "diversity",
        "Mean feature distance between any two windows; mostly distance between classes, so it misses collapse "
        "within them.",
    ),
    Metric(
        "penetration", "Floor penetration", "mm", "lower", "physics",
        "Mean depth of the body's lowest point under the floor; real data has some.",
    ),
    Metric(
        "float", "Floating", "mm", "real", "physics",
        "Mean height of the body's lowest point above 3 cm; jumps float rightly, so compare with real data.",
    ),
    Metric(
        "skate", "Foot skate", "m/s", "lower", "physics",
        "Mean horizontal speed of soles near the floor; real data has some.",
    ),
    Metric(
        "jerk", "Jerk", "m/s³", "real", "physics",
        "Mean norm of the third derivative of joint positions; noise raises it, over-smoothing lowers it below real.",
    ),
)  # fmt: skip

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}


def moments(features: Features) -> tuple[Features, Features]:
    """Mean (F,) and covariance (F, F)."""
    features = np.asarray(features, np.float64)
    return features.mean(0), np.cov(features, rowvar=False)


def frechet_of_moments(a: tuple[Features, Features], b: tuple[Features, Features]) -> float:
    """Squared Frechet distance of two Gaussians given by mean and covariance (Heusel et al. 2017).

    |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a^1/2 C_b C_a^1/2)^1/2).
    The product is symmetric, so eigenvalues do: no complex square root, and a singular covariance does no harm.
    """
    values, vectors = np.linalg.eigh(a[1])
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.linalg.eigvalsh(root @ b[1] @ root)
    gap = a[0] - b[0]
    found = gap @ gap + np.trace(a[1]) + np.trace(b[1]) - 2 * np.sqrt(cross.clip(0)).sum()
    return max(float(found), 0.0)


def cubic_kernel(a: Features, b: Features) -> Features:
    """(N, M) (x.y / F + 1)^3 of features (N, F) and (M, F): with it, the unbiased squared maximum mean discrepancy is
    the kernel inception distance (KID; Binkowski et al. 2018)."""
    found: Features = (a @ b.T / a.shape[1] + 1.0) ** 3
    return found


def distances(a: Features, b: Features) -> Features:
    """(N, M) Euclidean distances."""
    square = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    root: Features = np.sqrt(square.clip(0))
    return root


def nearest_radii(features: Features, k: int = NEAREST) -> Features:
    """(N,) distance of each row to its k-th nearest other row; of the farthest where there are fewer."""
    between = distances(features, features)
    np.fill_diagonal(between, 0.0)
    k = min(k, len(features) - 1)
    radii: Features = np.partition(between, k, axis=1)[:, k]
    return radii


def manifold_metrics(real: Features, fake: Features, real_radii: Features, k: int = NEAREST) -> dict[str, float]:
    """Precision and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020).

    Args:
        real_radii: ``nearest_radii(real, k)``; asked for, because it is the same for every generation.
    """
    between = distances(real, fake)
    in_real = between <= real_radii[:, None]
    return {
        "precision": float(in_real.any(0).mean()),
        "recall": float((between <= nearest_radii(fake, k)[None]).any(1).mean()),
        "density": float(in_real.sum(0).mean() / k),
        "coverage": float(in_real.any(1).mean()),
    }


SHARES = ("precision", "recall", "coverage", "accuracy")
SURE = 0.05
"""Standard error of a share from which on it is called uncertain."""


def caveats(samples: int, features: int, classes: int) -> dict[str, str]:
    """What must be known of metrics measured on few samples: a sentence by name; none where they are enough.

    Args:
        features: F, that Frechet distances are taken in.
        classes: that samples are spread over evenly.
    """
    found = {}
    if samples <= features:
        found["fid"] = (
            f"{samples} samples cannot give the covariance of {features} features: FID is far too high, and compares "
            f"with equal counts only. Measure more than {features}."
        )
    worst = 0.5 / samples**0.5  # of a share of one half
    if worst > SURE:
        enough = round((0.5 / SURE) ** 2)
        words = f"With {samples} samples a share is known to about ±{worst:.2f} only. Measure {enough} or more."
        found |= dict.fromkeys(SHARES, words)
    if samples < 2 * classes:
        lone = classes - max(samples - classes, 0)
        found["multimodality"] = (
            f"{lone} of {classes} classes have fewer than two samples and say nothing here. Measure {2 * classes} or "
            "more."
        )
    return found


def multimodality(features: Features, labels: NDArray[np.int64]) -> float:
    """Mean over classes of the mean distance between two samples of the class; 0 where every class has one."""
    within = [mean_distance(features[labels == label]) for label in np.unique(labels) if (labels == label).sum() > 1]
    return float(np.mean(within)) if within else 0.0


def mean_distance(features: Features) -> float:
    """Mean distance between two different rows."""
    count = len(features)
    return float(distances(features, features).sum() / (count * (count - 1))) if count > 1 else 0.0


def physics_metrics(artefacts: Artefacts) -> dict[str, float]:
    """The artefact means under their metric names."""
    return {
        "penetration": artefacts.penetration_mm,
        "float": artefacts.float_mm,
        "skate": artefacts.skate_m_s,
        "jerk": artefacts.jerk_m_s3,
    }


def in_order(values: Mapping[str, float]) -> dict[str, float]:
    """All metrics of :data:`METRICS`, in its order."""
    return {name: float(values[name]) for name in METRICS}
