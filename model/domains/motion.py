"""Windows of human motion."""

import json
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.config import LoopConfig, PartConfig, digest
from core.errors import InvalidConfig
from core.motion import MotionBatch, joint_distances
from core.policies import NoOptions
from core.protocols import DomainPart, Evaluator, Generator, Memo, Tick, silent
from core.tripwires import parse_tripwire
from core.typedpaths import typed_path
from model.datasets.base import Dataset
from model.datasets.registry import DATASETS
from model.denoisers import MODELS
from model.denoisers.registry import Design
from model.domains.parts import part_of
from model.drift import DRIFT
from model.matchingmetrics import MATCHING, POOL
from model.metrics import METRICS
from model.sentences import embed
from model.tails import TAIL

if TYPE_CHECKING:
    from model.conditions import Conditions
    from model.denoisers.conditioning import Kind
    from model.evaluator import MotionEvaluator
    from model.generator import MotionGenerator

VERSION = 1  # raise it when the same config gives other numbers: generations 0 are cached by it


class MotionDomain:
    """Implements :class:`core.protocols.Domain` for windows of human motion."""

    def __init__(self, config: LoopConfig, dataset: Dataset, design: Design, memo: Memo, device: str) -> None:
        self.dataset = dataset
        self.class_names = dataset.class_names
        self.captions = dataset.captions
        read_by = [] if design.sentences is None else [design.sentences.digest, list(dataset.captions)]
        self.digest = digest(["motion", VERSION, dataset.digest, *read_by])
        self._config, self._design, self._memo, self._device = config, design, memo, device
        self._generator: MotionGenerator | None = None
        self._evaluator: MotionEvaluator | None = None

    def real(self, count: int) -> MotionBatch:
        """``count`` training windows; kept, because every stage asks for them."""
        return _train(self.dataset, count)

    def distance(self, samples: MotionBatch, others: MotionBatch) -> NDArray[np.float64]:
        """(N, M) mean joint distances, metres."""
        return joint_distances(samples, others)

    def fresh_real(self, count: int, generation: int) -> MotionBatch:
        """Windows that come after those of all generations before (the first ones are the same for every count)."""
        seen = self._config.n + (generation - 1) * count
        return _train(self.dataset, seen + count).take(slice(seen, None))

    def body(self) -> dict[str, Any]:
        """Skeleton (see :meth:`core.skeleton.Skeleton.as_dict`) and frame rate."""
        data = self.dataset
        names = list(self.class_names)
        return {"view": "motion", "skeleton": data.skeleton.as_dict(), "fps": data.fps, "class_names": names}

    def generator(self) -> Generator:
        if self._generator is None:
            from model.generator import MotionGenerator

            config, data = self._config, self.dataset
            self._generator = MotionGenerator(
                config.model, self._design, data.skeleton, data.fps, len(data.class_names),
                config.training, config.sampling, self._device, self._conditions(),
            )  # fmt: skip
        return self._generator

    def _conditions(self) -> "Conditions":
        from model.conditions import ByClass, ByText, Nothing

        data, reader = self.dataset, self._design.sentences
        if reader is not None:
            read = partial(embed, reader, memo=self._memo)
            return ByText(read, data.captions, self.real(self._config.n), len(data.class_names))
        return ByClass(len(data.class_names)) if self._design.condition == "class" else Nothing()

    def evaluator(self, tick: Tick = silent) -> Evaluator:
        if self._evaluator is None:
            from model.evaluator import MotionEvaluator
            from model.matching import CaptionedEvaluator

            reader, real = self._design.sentences, self.real(self._config.n)
            self._evaluator = (
                MotionEvaluator(self.dataset, self._memo, tick, real)
                if reader is None
                else CaptionedEvaluator(self.dataset, reader, self._memo, tick, real)
            )
        return self._evaluator


def build_motion(config: LoopConfig, memo: Memo, device: str = "auto") -> MotionDomain:
    """The motion domain of a config.

    Raises:
        UnknownPart, InvalidConfig: when the config's data set or model is none.
        DataMissing: when the data set's files are not there.
    """
    dataset = dataset_of(config.data)
    design: Design = part_of(MODELS, "model", config.model, "model")()
    return MotionDomain(config, dataset, design, memo, device)


def told_of(model: PartConfig) -> "Kind":
    """What a denoiser is told of the samples that it shall draw: ``class``, ``text`` or ``none``.

    Raises:
        UnknownPart, InvalidConfig: when the model is none, or what reads text to it is missing.
    """
    design: Design = part_of(MODELS, "model", model, "model")()
    return design.condition


def dataset_of(data: PartConfig) -> Dataset:
    """A data set from its config; kept in memory until its file changes."""
    return _dataset(data.kind, json.dumps(data.options, sort_keys=True), _stamp(data))


@lru_cache(maxsize=4)
def _dataset(kind: str, options: str, stamp: tuple[float, ...]) -> Dataset:
    del stamp
    dataset: Dataset = part_of(DATASETS, "data set", PartConfig(kind=kind, options=json.loads(options)), "data")()
    return dataset


@lru_cache(maxsize=8)
def _train(dataset: Dataset, count: int) -> MotionBatch:
    return dataset.train(count)


def _stamp(data: PartConfig) -> tuple[float, ...]:
    """Changes when the files under the option ``path`` do."""
    path = typed_path(str(data.options.get("path", "")))
    files = [path / "clips.npz", path / "index.csv"] if path.is_dir() else [path, path.parent / "index.csv"]
    return tuple(file.stat().st_mtime for file in files if data.options.get("path") and file.is_file())


def check_motion(config: LoopConfig) -> None:
    """The data set is there, and kept in memory; what is missing is said now, not by the first stage.

    Raises:
        InvalidConfig: where several seeds are asked for at once, or a stop rule's metric is never measured.
        InvalidConfig: where a model is to be told text and there is none, or what reads it is missing; where there are
            prompts and the model is told none.
        DataMissing: when the data set's files are not there.
    """
    if config.replicates > 1:
        raise InvalidConfig(
            f"Loops of motion run one seed each; got {config.replicates} at once.",
            "Launch one loop per seed instead.",
            "replicates",
        )
    dataset, told = dataset_of(config.data), told_of(config.model)
    if told == "text" and not dataset.captions:
        raise InvalidConfig(
            "The model is to be told text, and this data set has none.",
            "Fill the column text of index.csv, choose another data set, or the condition 'class'.",
            "model.options.condition",
        )
    if config.evaluation.prompts and told != "text":
        raise InvalidConfig(
            f"Prompts are for models that are told text; this one is told "
            f"{'nothing' if told == 'none' else 'the class'}.",
            "Choose the model's condition 'text', or leave the prompts out.",
            "evaluation.prompts",
        )
    _check_stop_rules(config, told)


def _check_stop_rules(config: LoopConfig, told: str) -> None:
    """What is measured of captions only would never stop a loop without them.

    Raises:
        InvalidConfig: naming the rule's place.
    """
    if told == "text" and config.evaluation.samples >= POOL:
        return
    for i, rule in enumerate(config.tripwires):
        if parse_tripwire(rule).condition.metric in MATCHING:
            raise InvalidConfig(
                f"The rule {rule!r} would never stop this loop: such a metric is measured where the model is told text "
                f"and on at least {POOL} samples.",
                "Choose another metric, or the model's condition 'text'.",
                f"tripwires.{i}",
            )


MOTION = DomainPart(
    "Human motion",
    "Windows of 2 s of articulated human motion, by class.",
    NoOptions,
    build_motion,
    data=DATASETS,
    models=MODELS,
    metrics=METRICS | DRIFT | {TAIL.name: TAIL} | MATCHING,
    correctors=("kinematic", "physics", "idealized", "quality"),
    view="motion",
    prompted=True,
    check=check_motion,
)
