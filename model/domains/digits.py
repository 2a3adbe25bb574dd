"""Pictures of handwritten digits."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.config import LoopConfig, digest
from core.draws import Draws
from core.errors import InvalidConfig
from core.policies import POLICIES, NoOptions
from core.protocols import DomainPart, Evaluator, Generator, Memo, Tick, silent
from model.digits.metrics import METRICS
from model.digits.registry import DATA, MODELS
from model.domains.parts import part_of

if TYPE_CHECKING:
    from model.digits.data import DigitData
    from model.digits.evaluator import DigitsEvaluator
    from model.digits.generator import DigitsGenerator

VERSION = 1  # raise it when the same config gives other numbers: generations 0 are cached by it


class DigitsDomain:
    """Implements :class:`core.protocols.Domain` for images of digits, (1, N, pixels) in [0, 1]."""

    def __init__(self, config: LoopConfig, data: "DigitData", memo: Memo, device: str) -> None:
        self.class_names = tuple(str(digit) for digit in range(10))
        self.digest = digest(["digits", VERSION, data.digest])
        self._config, self._data, self._memo, self._device = config, data, memo, device
        self._generator: DigitsGenerator | None = None
        self._evaluator: DigitsEvaluator | None = None

    def real(self, count: int) -> Draws:
        """The first ``count`` training images; see :meth:`model.digits.data.DigitData.real`."""
        return self._data.real(count)

    def fresh_real(self, count: int, generation: int) -> Draws:
        """Images that come after those of all generations before."""
        seen = self._config.n + (generation - 1) * count
        return self._data.real(seen + count).take(slice(seen, None))

    def distance(self, samples: Draws, others: Draws) -> NDArray[np.float64]:
        """(N, M) Euclidean distances of pixels."""
        a, b = (np.asarray(draws.values[0], np.float64) for draws in (samples, others))
        square = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
        found: NDArray[np.float64] = np.sqrt(square.clip(0))
        return found

    def body(self) -> dict[str, Any]:
        """The shape of an image and the range of its pixels."""
        return {
            "view": "images", "shape": list(self._data.shape), "range": [0, 1], "class_names": list(self.class_names),
        }  # fmt: skip

    def generator(self) -> Generator:
        if self._generator is None:
            from model.digits.generator import DigitsGenerator

            config, (height, width) = self._config, self._data.shape
            family = part_of(MODELS, "model", config.model, "model")()()
            self._generator = DigitsGenerator(
                config.model, family, height * width, len(self.class_names), config.training, config.sampling,
                self._device,
            )  # fmt: skip
        return self._generator

    def evaluator(self, tick: Tick = silent) -> Evaluator:
        if self._evaluator is None:
            from model.digits.evaluator import DigitsEvaluator

            self._evaluator = DigitsEvaluator(self._data, self._memo, tick)
        return self._evaluator


def build_digits(config: LoopConfig, memo: Memo, device: str = "auto") -> DigitsDomain:
    """The domain of a config.

    Raises:
        UnknownPart, InvalidConfig: when the config's data set or model is none.
        DataMissing: when the data set's files are not there.
    """
    part_of(MODELS, "model", config.model, "model")
    data: DigitData = part_of(DATA, "data set", config.data, "data")()
    return DigitsDomain(config, data, memo, device)


def check_digits(config: LoopConfig) -> None:
    """One seed, and no more images than there are.

    Raises:
        InvalidConfig: naming the field.
        DataMissing: when the data set's files are not there.
    """
    if config.replicates > 1:
        raise InvalidConfig(
            f"Loops of digits run one seed each; got {config.replicates} at once.",
            "Launch one loop per seed instead.",
            "replicates",
        )
    data: DigitData = part_of(DATA, "data set", config.data, "data")()
    data.real(config.n)
    fresh = part_of(POLICIES, "policy", config.policy, "policy")().fresh_count(config.n)
    wanted = config.n + config.generations * fresh
    if wanted > len(data.train):
        raise InvalidConfig(
            f"{config.generations} generations with {fresh} new real images each need {wanted} with the first "
            f"{config.n}; {data.name} has {len(data.train)} to train on.",
            "Choose fewer generations or a smaller n.",
            "generations",
        )


DIGITS = DomainPart(
    "Handwritten digits",
    "Pictures of the ten digits, by class.",
    NoOptions,
    build_digits,
    data=DATA,
    models=MODELS,
    metrics=METRICS,
    correctors=("kmeans", "idealized", "quality"),
    view="images",
    start={
        "data": {"kind": "digits", "options": {}},
        "model": {"kind": "digits-vae", "options": {}},
        "n": 500,
        "policy": {"kind": "augment", "options": {"lam": 1.5}},
        "generations": 20,
        "training.initial_steps": 6000,
        "training.steps": 200,
        "training.learning_rate": 2e-3,
        "training.fine_tune_learning_rate": 5e-4,
        "training.ema_decay": 0.98,
        "sampling.guidance_synthesis": 1.0,
        "sampling.guidance_evaluation": 1.0,
        "sampling.steps": 10,
        "evaluation.samples": 300,
        "evaluation.panel": 20,
        "evaluation.panel_corrector": {"kind": "none", "options": {}},
    },
    check=check_digits,
)
