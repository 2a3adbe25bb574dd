"""What the loop knows of its parts. A new part is one new file and one line in its folder's registry."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.config import Options
from core.records import Arrays, Item, Outcome

Tick = Callable[[float, str], None]
"""``tick(fraction, sentence)``: reports progress of the running stage; raises Cancelled when the loop shall stop.
Called often (at least every half second of work); must be cheap."""

Labels = NDArray[np.int64]


def silent(fraction: float, sentence: str) -> None:
    """A tick that tells nobody."""
    del fraction, sentence


@runtime_checkable
class Samples(Protocol):
    """N samples of a domain, real or synthetic, with integer class labels (N,)."""

    @property
    def labels(self) -> Labels: ...

    def __len__(self) -> int: ...

    def take(self, index: Any) -> Self: ...

    def concat(self, others: Sequence[Any]) -> Self: ...

    def arrays(self) -> Arrays: ...

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> Self: ...


class Memo(Protocol):
    """Computes a thing once per key, across processes where it is kept on disk (evaluators, floors, bounds)."""

    def get(self, key: str, compute: Callable[[], Item], tick: Tick = silent) -> Item: ...


class Shelf(Protocol):
    """Where one loop's stages leave and find things, by generation and name."""

    def save(self, generation: int, name: str, item: Item) -> None: ...

    def load(self, generation: int, name: str) -> Item: ...


class Generator(Protocol):
    """A generative model; its weights are plain arrays, so that a checkpoint is one safetensors file."""

    def fit(
        self, samples: Any, *, start: Item | None, scratch: bool, steps: int, seed: int, tick: Tick = silent
    ) -> Item:
        """Train for ``steps``.

        Args:
            start: checkpoint to go on from; None for generation 0, where the representation is fitted to ``samples``.
            scratch: keep ``start``'s representation, but re-initialise its network.

        Returns:
            The checkpoint; ``meta["training"]`` holds numbers to report, among them ``loss`` and ``steps``.

        Raises:
            TrainingDiverged: when the loss is not finite.
        """
        ...

    def sample(self, checkpoint: Item, labels: Labels, *, guidance: float, seed: int, tick: Tick = silent) -> Any:
        """Draw one sample per label."""
        ...


class Evaluator(Protocol):
    """A frozen judge, trained once per data set on real data, which never sees a loop."""

    def measure(self, samples: Any) -> dict[str, float]:
        """Metrics of the domain's registry against the held-out reference."""
        ...

    def floor(self, count: int) -> dict[str, list[float]]:
        """The same metrics of ``count`` real held-out samples: a few draws per name, for floors and noise bands."""
        ...


class Domain(Protocol):
    """A kind of data with its real samples, generator and judge."""

    @property
    def class_names(self) -> Sequence[str]: ...

    @property
    def digest(self) -> str:
        """Names the data and the options that shaped it: what was learned from it is kept under this name."""
        ...

    def real(self, count: int) -> Any:
        """``count`` real training samples, classes balanced; the same for the same count."""
        ...

    def distance(self, samples: Any, others: Any) -> NDArray[np.float64]:
        """(N, M) distances that say which real sample a synthetic one is nearest to."""
        ...

    def generator(self) -> Generator: ...

    def evaluator(self, tick: Tick = silent) -> Evaluator: ...


@dataclass(frozen=True)
class Corrections:
    """A corrector's output: samples in input order (raw where rejected), an outcome each, per-frame tracks (N, T)."""

    samples: Any
    outcomes: tuple[Outcome, ...]
    tracks: Arrays = field(default_factory=dict)


class Corrector(Protocol):
    """A self-correction function.

    ``splittable`` says whether rows can be corrected apart from one another. ``correct`` returns the ``rows`` of the
    batch only; a part that needs the whole batch (matching) looks at all of it. One whose samples cost much less or
    much more than COST_S has an attribute ``cost_s`` beside these.
    """

    @property
    def splittable(self) -> bool: ...

    def correct(
        self, samples: Any, *, rows: slice = slice(None), seed: int = 0, tick: Tick = silent
    ) -> Corrections: ...


COST_S = 1 / 32
"""What a corrector that does not say so is taken to cost."""


def cost_of(corrector: Corrector) -> float:
    """About the seconds of one core that correcting a sample takes (``cost_s``): what work is split by."""
    return float(getattr(corrector, "cost_s", COST_S))


@dataclass(frozen=True)
class Reference:
    """The real data that a corrector learns its bounds from. ``digest`` names it; ``memo`` keeps what was learned."""

    real: Any
    digest: str
    memo: Memo


@dataclass(frozen=True)
class Part:
    """A registry entry.

    Attributes:
        title: what the page calls it.
        description: one sentence for the form and the docs.
        options: its options class.
        build: makes the part from its checked options and what its kind of part needs.
    """

    title: str
    description: str
    options: type[Options]
    build: Callable[..., Any]


@dataclass(frozen=True)
class Metric:
    """A number that a generation is judged by.

    Attributes:
        name: the key in records, API and CSV.
        title: on the page.
        unit: "" for none.
        direction: which way is better; ``real`` = closer to the real data's value is better.
        group: which small multiple it is drawn in (fidelity, diversity, physics).
        description: one sentence, what it tells and what it does not.
    """

    name: str
    title: str
    unit: str
    direction: Literal["lower", "higher", "real"]
    group: str
    description: str
