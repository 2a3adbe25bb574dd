"""Metrics that the domains of points have in common."""

from core.protocols import Metric

NLL = Metric(
    "nll", "Negative log likelihood", "nats", "lower", "fidelity",
    "Of real samples under the fitted density, expected over the true law; its floor is the law's own entropy.",
)  # fmt: skip
SLICED_W2 = Metric(
    "sliced_w2", "Sliced Wasserstein-2", "", "lower", "fidelity",
    "2-Wasserstein distance between generated and real points, root mean square over projections; depends on how many "
    "points are compared, so read it against its floor.",
)  # fmt: skip
MODES = Metric(
    "modes", "Mode coverage", "", "higher", "diversity",
    "Share of the data's modes (clusters; equal pieces of a curve) that get at least a tenth of their share of the "
    "samples; a sample outside of where 99.9 % of the real ones lie counts for none.",
)  # fmt: skip
