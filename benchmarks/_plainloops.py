"""The Lab's light experiments as one would write them down: one seed at a time, NumPy, SciPy and scikit-learn.

Each loop draws, fits and measures what the product's does: the same n, the same metrics, tail shares and histogram.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.config import LoopConfig

Array = NDArray[np.float64]
Figures = dict[str, float]
LEVELS, BINS, HELD_OUT, DIRECTIONS = (0.5, 0.2, 0.1, 0.05, 0.01), 24, 4000, 8


class Tails:
    """Shares beyond the real score's quantiles, and a histogram of the score."""

    def __init__(self, real: Array) -> None:
        self.bounds = np.quantile(real, 1.0 - np.array(LEVELS))
        self.edges = np.linspace(real.min(), np.quantile(real, 0.999), BINS + 1)

    def __call__(self, scores: Array) -> float:
        shares = [float(np.mean(scores > bound)) for bound in self.bounds]
        np.histogram(scores.clip(self.edges[0], self.edges[-1]), self.edges)
        return shares[3]


class Sliced:
    """Sliced 2-Wasserstein distance to a large reference in evenly spaced directions of the plane."""

    def __init__(self, reference: Array) -> None:
        angles = np.arange(DIRECTIONS) * np.pi / DIRECTIONS
        self.directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        self.reference = [np.sort(reference @ direction) for direction in self.directions]

    def __call__(self, values: Array) -> float:
        place = (np.arange(len(values)) + 0.5) / len(values)
        squares = []
        for direction, reference in zip(self.directions, self.reference, strict=True):
            index = (place * len(reference)).astype(int)
            squares.append(np.mean((np.sort(values @ direction) - reference[index]) ** 2))
        return float(np.sqrt(np.mean(squares)))


def gaussian(config: LoopConfig, rng: np.random.Generator) -> Figures:
    """One dimension, replace."""
    n, tails = config.n, Tails(np.abs(rng.standard_normal(HELD_OUT)))
    samples = rng.standard_normal(n)
    found: Figures = {}
    for _ in range(config.generations + 1):
        mean, std = samples.mean(), samples.std(ddof=1)
        judged = rng.normal(mean, std, config.evaluation.samples)
        squared = mean**2 + (std - 1.0) ** 2
        found = {
            "w2": np.sqrt(squared), "w2_squared": squared, "variance": std**2, "std": std,
            "spread": mean**2 + std**2, "mean_error": abs(mean), "tail": tails(np.abs(judged)),
        }  # fmt: skip
        samples = rng.normal(mean, std, n)
    return found


def toy(config: LoopConfig, rng: np.random.Generator) -> Figures:
    """The published Gaussian toy in the plane: all past synthetic sets, corrected by rejection and assignment."""
    from scipy.linalg import sqrtm

    n, gamma = config.n, float(config.corrector.options["gamma"])  # type: ignore[arg-type]
    share, count = gamma / (1.0 + gamma), round(float(config.policy.options["lam"]) * n)  # type: ignore[arg-type]
    tails = Tails(np.linalg.norm(rng.standard_normal((HELD_OUT, 2)), axis=1))
    real, sets = rng.standard_normal((n, 2)), list[Array]()
    samples, found = real, Figures()
    for t in range(config.generations + 1):
        mean, covariance = samples.mean(0), np.cov(samples.T)
        judged = rng.multivariate_normal(mean, covariance, config.evaluation.samples)
        root = np.real(sqrtm(covariance))
        squared = float(mean @ mean + np.trace(covariance + np.eye(2) - 2 * root))
        variance = float(np.trace(covariance) / 2)
        found = {
            "w2": np.sqrt(max(squared, 0.0)), "w2_squared": squared, "variance": variance, "std": np.sqrt(variance),
            "spread": float(mean @ mean) / 2 + variance, "mean_error": float(np.sqrt(mean @ mean)),
            "tail": tails(np.linalg.norm(judged, axis=1)),
        }  # fmt: skip
        made = rng.multivariate_normal(mean, covariance, count)
        sets.append(_corrected(made, share, rng))
        samples = np.concatenate([real, *(s[: int((i + 1) / (t + 1) * count)] for i, s in enumerate(sets))])
    return found


def _corrected(made: Array, share: float, rng: np.random.Generator) -> Array:
    """Rejection sample of (1 - share) histogram + share N(0, I), assigned by optimal transport."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    density, x, y = np.histogram2d(made[:, 0], made[:, 1], bins=10, density=True)
    peak = 1.0 / (2 * np.pi)
    bound = ((1 - share) * density.max() + share * peak) / peak
    kept: list[Array] = []
    while sum(len(part) for part in kept) < len(made):
        tried = rng.standard_normal((10 * len(made), 2))
        i, j = np.searchsorted(x, tried[:, 0], "right") - 1, np.searchsorted(y, tried[:, 1], "right") - 1
        inside = (i >= 0) & (i < 10) & (j >= 0) & (j < 10)
        histogram = np.where(inside, density[i.clip(0, 9), j.clip(0, 9)], 0.0)
        truth = peak * np.exp(-0.5 * (tried**2).sum(1))
        kept.append(tried[rng.random(len(tried)) < ((1 - share) * histogram + share * truth) / (bound * truth)])
    targets = np.concatenate(kept)[: len(made)]
    found: Array = targets[linear_sum_assignment(cdist(made, targets))[1]]
    return found


def regression(config: LoopConfig, rng: np.random.Generator) -> Figures:
    """Least squares on the last fit's labels, one X."""
    from sklearn.linear_model import LinearRegression

    d, sigma = int(config.data.options["d"]), float(config.data.options["sigma"])  # type: ignore[arg-type]
    tails = Tails(np.abs(rng.standard_normal(HELD_OUT)))
    features, weights = rng.standard_normal((config.n, d)), np.full(d, d**-0.5)
    clean = features @ weights
    labels, found = clean + sigma * rng.standard_normal(config.n), Figures()
    rows = np.arange(config.evaluation.samples) % config.n
    for _ in range(config.generations + 1):
        model = LinearRegression(fit_intercept=False).fit(features, labels)
        fitted = model.predict(features)
        judged = fitted[rows] + sigma * rng.standard_normal(len(rows))
        found = {
            "test_error": float(((model.coef_ - weights) ** 2).sum()),
            "train_mse": float(np.mean((labels - fitted) ** 2)),
            "tail": tails(np.abs(judged - clean[rows]) / sigma),
        }  # fmt: skip
        labels = fitted + sigma * rng.standard_normal(config.n)
    return found


def kernel_density(config: LoopConfig, rng: np.random.Generator) -> Figures:
    """A kernel on every sample of the estimate before."""
    from sklearn.neighbors import KernelDensity

    from model.domains.densities import SHAPES, Density

    shape, noise = str(config.data.options["shape"]), float(config.data.options["noise"])  # type: ignore[arg-type]
    truth, modes = Density(shape, noise), SHAPES[shape].modes
    held_out, sliced = _held_out(lambda count: truth.sample(int(rng.integers(2**62)), (1, count))[0])
    scores = -truth.log_density(held_out[None])[0]
    tails, bound = Tails(scores), np.quantile(scores, 0.999)
    anchors = truth.anchors
    owner = np.arange(len(anchors)) * modes // len(anchors)
    samples, found = truth.sample(int(rng.integers(2**62)), (1, config.n))[0], Figures()
    for _ in range(config.generations + 1):
        model = KernelDensity(bandwidth=float(config.model.options["bandwidth"])).fit(samples)  # type: ignore[arg-type]
        judged = model.sample(config.evaluation.samples, random_state=int(rng.integers(2**31)))
        score = -truth.log_density(judged[None])[0]
        mode = owner[((judged[:, None] - anchors) ** 2).sum(2).argmin(1)]
        found = {
            "nll": -float(model.score_samples(held_out).mean()), "sliced_w2": sliced(judged), "tail": tails(score),
            "modes": _covered(mode[score <= bound], modes, len(judged)),
        }  # fmt: skip
        samples = model.sample(config.n, random_state=int(rng.integers(2**31)))
    return found


def mixture(config: LoopConfig, rng: np.random.Generator) -> Figures:
    """EM for a fixed number of steps from the last generation's parameters."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    separation = float(config.data.options["separation"])  # type: ignore[arg-type]
    centres = np.array([[-separation / 2, 0.0], [separation / 2, 0.0]])

    def draw(count: int) -> Array:
        values: Array = centres[rng.integers(2, size=count)] + rng.standard_normal((count, 2))
        return values

    def log_parts(values: Array) -> Array:
        square = ((values[:, None] - centres) ** 2).sum(2)
        return np.asarray(-0.5 * square - np.log(2 * np.pi) - np.log(2))

    held_out, sliced = _held_out(draw)
    scores = -np.logaddexp.reduce(log_parts(held_out), axis=1)
    tails, bound = Tails(scores), np.quantile(scores, 0.999)
    samples, model, found = draw(config.n), None, Figures()
    for t in range(config.generations + 1):
        more: dict[str, Any] = {}
        if model is not None:
            more = {"weights_init": model.weights_, "means_init": model.means_, "precisions_init": model.precisions_}
        steps = config.training.initial_steps if t == 0 else config.training.steps
        seed = int(rng.integers(2**31))
        model = GaussianMixture(2, max_iter=steps, tol=0.0, reg_covar=1e-6, random_state=seed, **more)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(samples)
        judged = model.sample(config.evaluation.samples)[0]
        parts = log_parts(judged)
        score = -np.logaddexp.reduce(parts, axis=1)
        found = {
            "nll": -float(model.score(held_out)), "sliced_w2": sliced(judged), "tail": tails(score),
            "modes": _covered(parts.argmax(1)[score <= bound], 2, len(judged)),
        }  # fmt: skip
        samples = model.sample(config.n)[0]
    return found


def _held_out(draw: Callable[[int], Array]) -> tuple[Array, Sliced]:
    return draw(HELD_OUT), Sliced(draw(5 * HELD_OUT))


def _covered(mode: NDArray[np.integer], modes: int, count: int) -> float:
    return float((np.bincount(mode, minlength=modes) >= max(0.1 * count / modes, 1.0)).mean())


LOOPS: dict[str, Callable[[LoopConfig, np.random.Generator], Figures]] = {
    "gaussian": gaussian,
    "gaussian-gamma": toy,
    "regression": regression,
    "kde": kernel_density,
    "gmm": mixture,
}
