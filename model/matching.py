"""Do the words fit the motion? A head on the frozen evaluator that brings captions and motions into one space.

After the text-motion evaluation of Guo et al. 2022: matching score and R-precision in pools of 32. Two small networks,
one on sentence embeddings and one on the evaluator's features, learn to agree (InfoNCE; van den Oord et al. 2018) on
the training split's captions; then they are frozen like the evaluator. Captions that read alike are never each other's
wrong answers.
"""

import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import digest
from core.motion import MotionBatch
from core.protocols import Memo, Tick, silent
from core.records import Item
from core.threads import threads
from model.datasets.base import Dataset
from model.evaluator import FEATURES, FLOOR_DRAWS, TICK_S, TRAINING_WINDOWS, MotionEvaluator
from model.matchingmetrics import MATCHING, POOL, matching_metrics
from model.sentences import Embeddings, Sentences, embed

VERSION = 1  # raise it when scores change: cached heads are found by it
WIDTH, SPACE = 128, 64
STEPS, BATCH = 600, 128
LEARNING_RATE = 2e-3
TEMPERATURE = 0.1
SEED = 21


class Head(nn.Module):
    """Sentences (N, E) and features (N, FEATURES) -> unit vectors (N, SPACE) each."""

    def __init__(self, sentence: int) -> None:
        super().__init__()
        self.texts = nn.Sequential(nn.Linear(sentence, WIDTH), nn.GELU(), nn.Linear(WIDTH, SPACE))
        self.motions = nn.Sequential(
            nn.BatchNorm1d(FEATURES, affine=False), nn.Linear(FEATURES, WIDTH), nn.GELU(), nn.Linear(WIDTH, SPACE)
        )

    def forward(self, sentences: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        return F.normalize(self.texts(sentences), dim=1), F.normalize(self.motions(features), dim=1)


class CaptionedEvaluator(MotionEvaluator):
    """The data set's evaluator, which also says how well motions fit their captions.

    Args:
        reader: the sentence encoder that reads the captions.
        learned: as of :class:`model.evaluator.MotionEvaluator`.
    """

    def __init__(
        self, dataset: Dataset, reader: Sentences, memo: Memo, tick: Tick = silent, learned: MotionBatch | None = None
    ) -> None:
        super().__init__(dataset, memo, tick, learned)
        self._sentences = embed(reader, dataset.captions, memo, tick)
        self._head_key = f"matching-{digest([VERSION, self._key, reader.digest, list(dataset.captions)])}"
        item = memo.get(self._head_key, lambda: self._train(tick), tick)
        self._head = Head(reader.width)
        self._head.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in item.arrays.items()})
        self._head.eval()

    def measure(self, samples: MotionBatch, model: Item | None = None) -> dict[str, float]:
        """Also :data:`model.matchingmetrics.MATCHING`, where enough samples have captions to fill a pool."""
        return super().measure(samples, model) | self._matching(samples)

    def floor(self, count: int) -> dict[str, list[float]]:
        """See :meth:`core.protocols.Evaluator.floor`: real motions with their own captions."""
        found = super().floor(count)
        key = f"{self._head_key}-floor-{count}"
        item = self._memo.get(key, lambda: Item(meta={"floor": self._matching_floor(count)}))
        return found | {name: list(values) for name, values in item.meta["floor"].items()}

    def _matching(self, samples: MotionBatch) -> dict[str, float]:
        told = samples.take(np.flatnonzero(samples.captions >= 0))
        if len(told) < POOL:
            return {}
        with torch.no_grad():
            texts, motions = self._head(
                torch.from_numpy(self._sentences), torch.from_numpy(self.features(told)).float()
            )
        return matching_metrics(motions.double().numpy(), texts.double().numpy(), told.captions)

    def _matching_floor(self, count: int) -> dict[str, list[float]]:
        draws = [self._matching(self._dataset.held_out(count, draw)) for draw in range(1, FLOOR_DRAWS + 1)]
        return {name: [draw[name] for draw in draws if name in draw] for name in MATCHING if name in draws[0]}

    def _train(self, tick: Tick) -> Item:
        batch = self._dataset.evaluator_train(TRAINING_WINDOWS)
        batch = batch.take(np.flatnonzero(batch.captions >= 0))
        return train(self._sentences, self.features(batch), batch.captions, tick)


@threads(1)
def train(
    sentences: Embeddings, features: NDArray[np.float64], captions: NDArray[np.int64], tick: Tick, steps: int = STEPS
) -> Item:
    """The head's weights.

    Args:
        sentences: (K, E) of the data set's captions.
        features: (N, FEATURES) of training windows.
        captions: (N,) the caption of each.
    """
    source = torch.Generator().manual_seed(SEED)
    texts, motions = torch.from_numpy(sentences), torch.from_numpy(features).float()
    said = torch.from_numpy(captions)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        head = Head(texts.shape[1])
    optimizer = torch.optim.AdamW(head.parameters(), LEARNING_RATE, weight_decay=1e-2, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps)
    ticked = time.perf_counter()
    for step in range(steps):
        rows = torch.randint(0, len(motions), (BATCH,), generator=source)
        pair: tuple[Tensor, Tensor] = head(texts[said[rows]], motions[rows])
        loss = _disagreement(*pair, said[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if time.perf_counter() - ticked > TICK_S:
            ticked = time.perf_counter()
            tick((step + 1) / steps, f"Training the judge of captions: step {step + 1} of {steps}")
    weights: dict[str, NDArray[Any]] = {name: value.numpy() for name, value in head.state_dict().items()}
    return Item(weights, {"steps": steps})


def _disagreement(texts: Tensor, motions: Tensor, said: Tensor) -> Tensor:
    """InfoNCE both ways; rows with the caption of the row in question are left out of its wrong answers."""
    alike = said[:, None] == said[None]
    alike.fill_diagonal_(False)
    logits = (texts @ motions.T / TEMPERATURE).masked_fill(alike, -torch.inf)
    right = torch.arange(len(said))
    loss: Tensor = 0.5 * (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right))
    return loss
