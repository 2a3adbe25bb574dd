"""Least squares on labels that the model before it made (Gerstgrasser et al. 2024; Kazdan et al. 2024).

Of each seed, T rows of features x ~ N(0, I_d) stay the same in every generation; only their labels are made anew. A
sample is a label y of row ``labels[n]``. A checkpoint holds ``weights`` (S, d), the ``fitted`` labels of all rows
(S, T) and the true ones without noise, ``clean`` (S, T), the mean squared ``residual`` (S,), and the ``stream`` (S, 2)
that each seed's features are drawn from: the stream's seed, and which of its rows. The stream's seed is what generation
0 is fitted with, so that stacked loops know the features of each.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from core.draws import Draws
from core.protocols import Labels, Measured, Tails, Tick, silent
from core.records import Item
from core.seeds import Seed, normal
from model.tails import yardstick

Array = NDArray[np.float64]
Stream = NDArray[np.int64]

QUANTILES = 1000  # by which the true law's residuals are represented
FLOOR_DRAWS, FLOOR_SEED = 4, 20240817
FULL = 1e-10  # a matrix whose eigenvalues differ by more than this factor counts as singular


@dataclass(frozen=True)
class Truth:
    """y = x w + noise, with w = (1, ..., 1) / sqrt(d). The test error does not depend on w: it cancels.

    Attributes:
        rows: T.
        noise: standard deviation sigma of the labels' noise.
    """

    d: int
    rows: int
    noise: float

    @property
    def weights(self) -> Array:
        """(d,), of length 1."""
        return np.full(self.d, self.d**-0.5)


@dataclass(frozen=True, eq=False)
class Design:
    """The features of S seeds.

    Attributes:
        features: (S, T, d).
        inverse: (S, d, T), their pseudo-inverse (X'X)^-1 X'.
        clean: (S, T) true labels without noise.
    """

    features: Array
    inverse: Array
    clean: Array


def stream_of(seed: Seed, rows: int) -> Stream:
    """(S, 2): where the features of S = ``rows`` seeds come from, by what generation 0 is fitted with."""
    found = np.empty((rows, 2), np.int64)
    start = 0
    for one, count in ((seed, rows),) if isinstance(seed, int) else seed:
        found[start : start + count, 0], found[start : start + count, 1] = one, np.arange(count)
        start += count
    return found


def design_of(truth: Truth, stream: Stream) -> Design:
    """The features of some streams; kept, because every generation asks for them."""
    return _design(truth, stream.tobytes())


@lru_cache(maxsize=6)
def _design(truth: Truth, packed: bytes) -> Design:
    stream = np.frombuffer(packed, np.int64).reshape(-1, 2)
    features = np.empty((len(stream), truth.rows, truth.d))
    for seed in np.unique(stream[:, 0]):
        own = stream[:, 0] == seed
        drawn = normal(int(seed), (int(stream[own, 1].max()) + 1, truth.rows, truth.d))
        features[own] = drawn[stream[own, 1]]
    turned = features.transpose(0, 2, 1)
    inverse = np.linalg.solve(np.matmul(turned, features), turned)
    return Design(features, np.asarray(inverse, np.float64), features @ truth.weights)


def draw(truth: Truth, stream: Stream, seed: Seed, count: int, *, last: bool = False) -> Draws:
    """(S, count) real labels of the first rows, again from the first when there are more than rows; of the last rows,
    so that other samples can have the first."""
    labels = (np.arange(count) + (-count if last else 0)) % truth.rows
    noise = normal(seed, (len(stream), count)) * truth.noise
    return Draws(design_of(truth, stream).clean[:, labels] + noise, labels)


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """Ordinary least squares. Implements :class:`core.protocols.Generator`.

    Attributes:
        stream: (S, 2) of the domain's own seeds, for generation 0.
    """

    truth: Truth
    stream: Stream

    def fit(
        self, samples: Draws, *, start: Item | None, scratch: bool, steps: int, seed: Seed, tick: Tick = silent
    ) -> Item:
        """Closed form, so there are no steps; where fewer than d rows have labels, the shortest solution.

        Raises:
            ValueError: when it is not known which features the samples belong to.
        """
        del scratch, steps, tick
        if start is not None:
            stream = start.arrays["stream"]
        else:
            stream = self.stream if isinstance(seed, int) else stream_of(seed, samples.seeds)
        if len(stream) != samples.seeds:
            raise ValueError(f"samples of {samples.seeds} seeds for the features of {len(stream)}")
        design, rows, values = design_of(self.truth, stream), self.truth.rows, samples.values
        repeats, rest = divmod(len(samples), rows)
        if samples.weight is None and not rest and np.array_equal(samples.labels, np.tile(np.arange(rows), repeats)):
            mean = values if repeats == 1 else values.reshape(len(values), repeats, rows).mean(1)
            weights = np.matmul(design.inverse, mean[:, :, None])[..., 0]
            fitted = np.matmul(design.features, weights[:, :, None])[..., 0]
            square = np.vecdot(values, values) / len(samples)
            residual = square + ((fitted - 2 * mean) * fitted).mean(1)
        else:
            weights = _weighted(design.features, samples)
            fitted = np.matmul(design.features, weights[:, :, None])[..., 0]
            counts = samples.weights()
            total = np.maximum(counts.sum(1), np.finfo(float).tiny)
            residual = ((values - fitted[:, samples.labels]) ** 2 * counts).sum(1) / total
        arrays = {"weights": weights, "fitted": fitted, "residual": residual.clip(0.0)}
        arrays |= {"clean": design.clean, "stream": stream}
        return Item(arrays, {"training": {"loss": float(residual.mean()), "steps": 1.0}})

    def sample(self, checkpoint: Item, labels: Labels, *, guidance: float, seed: Seed, tick: Tick = silent) -> Draws:
        """(S, N): the fitted label of each row and new noise; there are no classes, so guidance means nothing."""
        del guidance, tick
        fitted = checkpoint.arrays["fitted"]
        values = normal(seed, (len(fitted), len(labels)))
        values *= self.truth.noise
        values += fitted if np.array_equal(labels, np.arange(self.truth.rows)) else fitted[:, labels]
        return Draws(values, labels)


class RegressionJudge:
    """Compares the fitted with the true weights. Implements :class:`core.protocols.Evaluator`."""

    def __init__(self, truth: Truth) -> None:
        from scipy.special import ndtri  # the quantiles of the normal law

        self._truth = truth
        residuals = ndtri(0.5 + (np.arange(QUANTILES) + 0.5) / (2 * QUANTILES))[None]
        self._yardstick = yardstick(residuals, "distance from the true line, in sigma")

    def measure(self, samples: Draws, model: Item | None = None) -> Measured:
        """``test_error`` = |w - w*|^2: the expected squared error on new x ~ N(0, I) without label noise."""
        del samples
        if model is None:
            return {}
        error = ((model.arrays["weights"] - self._truth.weights) ** 2).sum(1)
        return {"test_error": error, "train_mse": model.arrays["residual"]}

    def tails(self, samples: Draws, model: Item | None = None) -> Tails | None:
        """By distance from the true line, against the law of the noise; None where the rows are not known."""
        if model is None:
            return None
        gap = np.abs(samples.values - model.arrays["clean"][:, samples.labels])
        return self._yardstick.of(gap / self._truth.noise)

    def floor(self, count: int) -> dict[str, list[float]]:
        """Only of the tail: everything else is measured on a fit."""
        noise = np.abs(normal(FLOOR_SEED, (FLOOR_DRAWS, count)))
        return {"tail": self._yardstick.of(noise).beyond(0.05).tolist()}


def _weighted(features: Array, samples: Draws) -> Array:
    """(S, d) weighted least squares: samples of one row are added up first."""
    seeds, rows, d = features.shape
    counts = samples.weights()
    order = np.argsort(samples.labels, kind="stable")
    present, first = np.unique(samples.labels[order], return_index=True)
    amount, sums = np.zeros((seeds, rows)), np.zeros((seeds, rows))
    amount[:, present] = np.add.reduceat(counts[:, order], first, axis=1)
    sums[:, present] = np.add.reduceat((counts * samples.values)[:, order], first, axis=1)
    turned = features.transpose(0, 2, 1)
    square = np.matmul(turned * amount[:, None], features)
    moment = np.matmul(turned, sums[:, :, None])
    found = np.empty((seeds, d))
    full = (amount > 0.0).sum(1) >= d
    found[full] = np.linalg.solve(square[full], moment[full])[..., 0]
    if not full.all():
        short = np.linalg.pinv(square[~full], rcond=FULL, hermitian=True)
        found[~full] = np.matmul(short, moment[~full])[..., 0]
    return found
