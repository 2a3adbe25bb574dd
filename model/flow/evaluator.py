"""The judge of flows in the plane: it knows the law that the real points come from."""

import numpy as np
from numpy.typing import NDArray

from core.draws import Draws
from core.protocols import Measured, Tails
from core.records import Item
from model.analytic.light import unlabelled
from model.analytic.sliced import SlicedW2, covered
from model.domains.densities import SHAPES, Density, table_of
from model.flow.generator import log_density
from model.tails import tails_of

HELD_OUT, FLOOR_DRAWS, FLOOR_SEED = 4000, 4, 20240818
LIKELY = 256  # held-out points whose likelihood is measured


class FlowJudge:
    """Implements :class:`core.protocols.Evaluator`."""

    def __init__(self, truth: Density) -> None:
        self._truth, self._table = truth, table_of(truth)
        self._held_out = truth.sample(FLOOR_SEED, (1, HELD_OUT))
        self._scores = self._table.look_up(self._held_out)[0]
        self._bound = float(np.quantile(self._scores, 0.999))
        self._sliced = SlicedW2(truth.sample(FLOOR_SEED + 1, (1, 5 * HELD_OUT))[0])

    def measure(self, samples: Draws, model: Item | None = None) -> Measured:
        score, mode = self._table.look_up(samples.values)
        found: dict[str, NDArray[np.float64]] = {
            "sliced_w2": self._sliced(samples.values),
            "modes": covered(mode, score <= self._bound, SHAPES[self._truth.shape].modes),
        }
        return found if model is None else found | {"nll": -log_density(model, self._held_out[:, :LIKELY]).mean(1)}

    def tails(self, samples: Draws, model: Item | None = None) -> Tails:
        """By the true density."""
        del model
        return tails_of(self._scores, self._table.look_up(samples.values)[0], "negative log density of the real law")

    def floor(self, count: int) -> dict[str, list[float]]:
        """Of real samples; the likelihood's floor is that of the true law on the same held-out points."""
        real = unlabelled(self._truth.sample(FLOOR_SEED + 2, (FLOOR_DRAWS, count)))
        measured = {**self.measure(real), "tail": self.tails(real).beyond(0.05)}
        entropy = -float(self._truth.log_density(self._held_out[:, :LIKELY]).mean())
        return {name: np.asarray(values).tolist() for name, values in measured.items()} | {"nll": [entropy]}
