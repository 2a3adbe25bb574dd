"""Samples that are plain arrays: numbers, images, token ids. Several seeds of one experiment run at once in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.protocols import Labels
from core.records import Arrays


@dataclass(frozen=True, eq=False)
class Draws:
    """N samples of each of S seeds, which are experiments of their own that run in one computation.

    Implements :class:`core.protocols.Samples`; indices go over the N samples, of all seeds alike. The samples of one
    seed have no order of their own, but for their labels.

    Attributes:
        values: (S, N, ...) of any type.
        labels: (N,) class of a sample, or whatever else it was asked for by; the same for all seeds.
        weight: (S, N) what a sample counts in a fit (0 = it is not there); None = 1 each.
    """

    values: NDArray[Any]
    labels: Labels
    weight: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.values.ndim < 2 or self.labels.shape != self.values.shape[1:2]:
            raise ValueError(f"values {self.values.shape} and labels {self.labels.shape} are not (S, N, ...) and (N,)")
        if self.weight is not None and self.weight.shape != self.values.shape[:2]:
            raise ValueError(f"weight {self.weight.shape} is not (S, N) = {self.values.shape[:2]}")

    @property
    def seeds(self) -> int:
        """S."""
        return int(self.values.shape[0])

    def __len__(self) -> int:
        return int(self.values.shape[1])

    def take(self, index: Any) -> "Draws":
        return Draws(self.values[:, index], self.labels[index], None if self.weight is None else self.weight[:, index])

    def concat(self, others: Sequence["Draws"]) -> "Draws":
        every = [self, *others]
        weight = None
        if any(one.weight is not None for one in every):
            weight = np.concatenate([one.weights() for one in every], axis=1)
        return Draws(
            np.concatenate([one.values for one in every], axis=1),
            np.concatenate([one.labels for one in every]),
            weight,
        )

    def arrays(self) -> Arrays:
        found: Arrays = {"values": self.values, "labels": self.labels}
        return found if self.weight is None else found | {"weight": self.weight}

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> "Draws":
        weight = arrays.get("weight")
        return Draws(
            np.asarray(arrays["values"]), np.asarray(arrays["labels"]), None if weight is None else np.asarray(weight)
        )

    def weights(self) -> NDArray[np.float64]:
        """(S, N), ones where nothing was said."""
        return np.ones(self.values.shape[:2]) if self.weight is None else self.weight

    def of_seed(self, index: int | slice) -> "Draws":
        """The samples of one seed, or of several."""
        rows = slice(index, index + 1) if isinstance(index, int) else index
        return Draws(self.values[rows], self.labels, None if self.weight is None else self.weight[rows])

    def with_values(self, values: NDArray[Any]) -> "Draws":
        """The same labels and weights with other values (S, N, ...)."""
        return replace(self, values=values)


def stack(batches: Sequence[Draws]) -> Draws:
    """Batches of equal labels as one: their seeds side by side.

    Raises:
        ValueError: when labels differ.
    """
    first = batches[0]
    if any(not np.array_equal(first.labels, other.labels) for other in batches[1:]):
        raise ValueError("batches of different labels cannot be stacked")
    weight = None
    if any(one.weight is not None for one in batches):
        weight = np.concatenate([one.weights() for one in batches])
    return Draws(np.concatenate([one.values for one in batches]), first.labels, weight)


def for_the_eye(samples: Any) -> Any:
    """What a panel keeps: of several seeds the first."""
    return samples.of_seed(0) if isinstance(samples, Draws) else samples
