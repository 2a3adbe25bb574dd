"""What the loop knows of its parts. A new part is one new file and one line in its folder's registry."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.config import LoopConfig, Options
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
        self, samples: Any, *, start: Item | None, scratch: bool, steps: int, seed: Any, tick: Tick = silent
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

    def sample(self, checkpoint: Item, labels: Labels, *, guidance: float, seed: Any, tick: Tick = silent) -> Any:
        """Draw one sample per label.

        Args:
            seed: an int; in a light domain a :data:`core.seeds.Seed`, as of ``fit``.
        """
        ...


@runtime_checkable
class Prompted(Protocol):
    """A generator whose model is told sentences: it can also be asked in free words (``evaluation.prompts``)."""

    def prompt(self, checkpoint: Item, texts: Sequence[str], *, guidance: float, seed: Any, tick: Tick = silent) -> Any:
        """Draw one sample per text; the i-th one's noise depends on the seed and i only. Labels are -1.

        Raises:
            InvalidConfig: where the model is not told sentences.
        """
        ...


Measured = Mapping[str, float | NDArray[np.float64]]
"""By metric name: a number, or (S,) numbers of the seeds that run at once."""


@dataclass(frozen=True)
class Tails:
    """What vanishes first: how much of the generated data lies beyond quantiles of the real data's.

    Attributes:
        levels: (K,) shares of held-out real data that lie beyond, descending, e.g. .5, .2, .1, .05, .01.
        shares: (S, K) shares of each seed's generated data beyond the same bounds.
        score: what "beyond" is counted by, in words, e.g. ``distance from the mean``.
        edges, real, generated: (B+1,), (B,), (B,) histogram of the score, as shares per bin.
    """

    levels: NDArray[np.float64]
    shares: NDArray[np.float64]
    score: str
    edges: NDArray[np.float64]
    real: NDArray[np.float64]
    generated: NDArray[np.float64]

    def as_item(self) -> Item:
        """Arrays ``tails.*`` and the words, as they are kept beside a generation's metrics."""
        arrays = {
            "levels": self.levels, "shares": self.shares.mean(0), "edges": self.edges, "real": self.real,
            "generated": self.generated,
        }  # fmt: skip
        return Item({f"tails.{name}": values for name, values in arrays.items()}, {"tails": {"score": self.score}})

    def beyond(self, level: float) -> NDArray[np.float64]:
        """(S,) the shares at one of the levels."""
        return np.asarray(self.shares[:, int(np.argmin(np.abs(self.levels - level)))], np.float64)


class Evaluator(Protocol):
    """A frozen judge, trained once per data set on real data, which never sees a loop."""

    def measure(self, samples: Any, model: Item | None = None) -> Measured:
        """Metrics of the domain's registry against the held-out reference.

        Args:
            model: the checkpoint that the samples were drawn from; None where there is none (real samples, audits).
        """
        ...

    def tails(self, samples: Any, model: Item | None = None) -> Tails | None:
        """What vanished; None where the domain cannot say."""
        ...

    def floor(self, count: int) -> dict[str, list[float]]:
        """The same metrics of ``count`` real held-out samples: a few draws per name, for floors and noise bands.

        Metrics that need a model are left out.
        """
        ...


@runtime_checkable
class Doubter(Protocol):
    """An evaluator that can say how far its own numbers are to be trusted."""

    def noise(self, name: str, draw: Callable[[int], Any], tick: Tick = silent) -> dict[str, list[float]]:
        """How metrics vary between draws from one generator: a few further draws per name, measured once per ``name``.

        Args:
            name: of the generator and all that shapes its draws.
            draw: the k-th draw, k = 1, 2, ...
        """
        ...

    def caveats(self, count: int) -> dict[str, str]:
        """A sentence for each metric that ``count`` samples are too few for."""
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

    def fresh_real(self, count: int, generation: int) -> Any:
        """``count`` real training samples that no earlier generation has seen (policy ``fresh-real``).

        Raises:
            InvalidConfig: where the data set has no more.
        """
        ...

    def distance(self, samples: Any, others: Any) -> NDArray[np.float64]:
        """(N, M) distances that say which real sample a synthetic one is nearest to."""
        ...

    def body(self) -> dict[str, Any]:
        """JSON facts that a viewer needs to show a panel without the data set: ``view`` and what that view asks for
        (see :class:`DomainPart`)."""
        ...

    def generator(self) -> Generator: ...

    def evaluator(self, tick: Tick = silent) -> Evaluator: ...


@dataclass(frozen=True)
class Corrections:
    """A corrector's output: samples in input order (raw where rejected), an outcome each, per-frame tracks (N, T)."""

    samples: Any
    outcomes: tuple[Outcome, ...]
    tracks: Arrays = field(default_factory=dict)

    def as_item(self) -> Item:
        """The samples' arrays and ``track.*``, with the outcomes, as they are kept."""
        tracks = {f"track.{name}": values.astype(np.float32) for name, values in self.tracks.items()}
        return Item(self.samples.arrays() | tracks, {"outcomes": [o.as_dict() for o in self.outcomes]})


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
    """The real data that a corrector learns its bounds from. ``digest`` names it; ``memo`` keeps what was learned.

    ``truth`` is the real distribution itself, where the domain knows it: ``sample(seed, (S, N)) -> (S, N, d)`` and
    ``log_density((S, N, d)) -> (S, N)``.
    """

    real: Any
    digest: str
    memo: Memo
    truth: Any = None


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


def _anything(config: LoopConfig) -> None:
    del config


@dataclass(frozen=True)
class DomainPart(Part):
    """A domain's registry entry: ``build(config, memo, device)``, and everything that goes with it.

    Attributes:
        data, models: its data sets and models by kind; a kind belongs to one domain.
        metrics: what its evaluator measures, in drawing order; the first is the one that lists show.
        correctors: kinds of the correctors that understand its samples, beside ``none`` and ``chain``.
        view: how a panel is shown, and what ``Domain.body()`` holds beside it:
            ``motion`` (skeleton, fps); ``points`` (S, N, d) values (limits: [[low, high] per axis]);
            ``curve`` values (S, N) over a known abscissa (abscissa: one number per label, title);
            ``images`` (S, N, pixels) (shape: [height, width], range: [low, high]);
            ``text`` (S, N, L) token ids (pieces: the text of each id).
            Every body also has ``class_names``.
        start: changes to a default config (dotted paths) that make a small, sensible loop of this domain.
        sections: which of training, sampling, correction, evaluation have a meaning here.
        fields: which fields (``training.steps``) of those sections have one; empty = all.
        light: its seeds run at once (``LoopConfig.replicates``), and many generations in one lease.
        prompted: it has models that are told sentences, so that ``evaluation.prompts`` means something.
        check: raises InvalidConfig for a config that cannot run here (before anything is built), naming the field.
    """

    data: Mapping[str, Part] = field(default_factory=dict)
    models: Mapping[str, Part] = field(default_factory=dict)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    correctors: tuple[str, ...] = ()
    view: Literal["motion", "points", "curve", "images", "text"] = "points"
    start: Mapping[str, Any] = field(default_factory=dict)
    sections: tuple[str, ...] = ("correction", "training", "sampling", "evaluation")
    fields: tuple[str, ...] = ()
    light: bool = False
    prompted: bool = False
    check: Callable[[LoopConfig], None] = _anything
