"""What digits are judged by: the measures of :mod:`model.metrics`, in words about images."""

from core.protocols import Metric
from model.tails import TAIL

_ALL = (
    Metric(
        "fid", "FID", "", "lower", "fidelity",
        "Frechet distance between the evaluator's features of generated and held-out real images; depends on how many "
        "are compared, so read it against its floor.",
    ),
    Metric(
        "precision", "Precision", "", "higher", "fidelity",
        "Share of generated images that lie among real ones (within a real image's 5 nearest neighbours); blind to "
        "missing modes.",
    ),
    Metric(
        "density", "Density", "", "real", "fidelity",
        "How crowded with real images the places are where images are generated; above 1 when they keep to the middle "
        "of the data.",
    ),
    Metric(
        "accuracy", "Recognition accuracy", "", "higher", "fidelity",
        "Share of generated images that the frozen evaluator recognises as their digit; does not see collapse within "
        "digits.",
    ),
    Metric(
        "multimodality", "Within-class diversity", "", "real", "diversity",
        "Mean feature distance between images of one digit; falls to 0 when every digit repeats one image.",
    ),
    Metric(
        "recall", "Recall", "", "higher", "diversity",
        "Share of real images that lie among generated ones; falls when modes are lost.",
    ),
    Metric(
        "coverage", "Coverage", "", "higher", "diversity",
        "Share of real images with a generated one among their 5 nearest neighbours; robust against outliers.",
    ),
    Metric(
        "diversity", "Global diversity", "", "real", "diversity",
        "Mean feature distance between any two images; mostly distance between digits, so it misses collapse within "
        "them.",
    ),
    TAIL,
)  # fmt: skip

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
