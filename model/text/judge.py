"""The frozen judge of text: counts of the training text, which never see a loop; and the held-out text."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.draws import Draws
from core.protocols import Tails
from core.records import Item
from model.tails import TAIL, tails_of
from model.text.corpus import Corpus
from model.text.generator import CausalGenerator
from model.text.metrics import EDGE, distinct, repetition
from model.text.network import token_losses
from model.text.ngrams import ORDER, learn_ngrams

MOST_HELD_OUT = 512  # blocks that perplexity is measured on
FLOOR_DRAWS = 3
SEED = 20


class TextEvaluator:
    """Implements :class:`core.protocols.Evaluator`.

    Args:
        prompt: P, how many real tokens a generation's model sees before a held-out block.
        generator: restores the network of a checkpoint.
    """

    def __init__(self, corpus: Corpus, vocabulary: int, prompt: int, generator: CausalGenerator) -> None:
        self._corpus, self._prompt, self._generator = corpus, prompt, generator
        self._judge = learn_ngrams(corpus.train.stream, vocabulary)
        index = np.arange(min(len(corpus.held_out), MOST_HELD_OUT))
        self._held_out = Draws(corpus.held_out.values(index)[None], index)
        self._real = self._scores(self._held_out, corpus.held_out.before)

    def measure(self, samples: Draws, model: Item | None = None) -> dict[str, float]:
        """Every metric of :data:`model.text.metrics.METRICS` but ``tail``; ``perplexity`` where there is a model."""
        found = {} if model is None else {"perplexity": self.perplexity(model)}
        return found | self._measure(samples, self._scores(samples, self._corpus.train.before))

    def tails(self, samples: Draws, model: Item | None = None) -> Tails | None:
        """How improbable single texts are to the judge."""
        del model
        seen = self._scores(samples, self._corpus.train.before)
        return tails_of(self._real[None], seen[None], "log perplexity of a text under counts of the training text")

    def floor(self, count: int) -> dict[str, list[float]]:
        """See :meth:`core.protocols.Evaluator.floor`; of all held-out blocks, where there are fewer than ``count``."""
        source = np.random.Generator(np.random.PCG64(SEED))
        draws = []
        for _ in range(FLOOR_DRAWS):
            rows = source.permutation(len(self._held_out))[:count]
            scores = self._real[rows]
            tail = tails_of(self._real[None], scores[None], "").beyond(EDGE)
            draws.append(self._measure(self._held_out.take(rows), scores) | {TAIL.name: float(tail[0])})
        return {name: [draw[name] for draw in draws] for name in draws[0]}

    def perplexity(self, model: Item) -> float:
        """Of held-out text under a generation's model: exp of the mean loss of a token."""
        index, real = self._held_out.labels, self._held_out.values[0]
        prompts = self._corpus.held_out.before(index, self._prompt)
        losses = token_losses(self._generator.network(model), prompts, real, self._generator.device)
        return float(np.exp(losses.mean()))

    def _measure(self, samples: Draws, scores: NDArray[np.float64]) -> dict[str, float]:
        blocks = samples.values[0]
        return {
            "perplexity_generated": float(np.exp(scores.mean())),
            "perplexity_tail": float(np.exp(np.quantile(scores, 1 - EDGE))),
            "predictable": float((scores < np.quantile(self._real, EDGE)).mean()),
            "distinct_2": distinct(blocks, 2),
            "distinct_3": distinct(blocks, 3),
            "repetition": repetition(blocks),
        }

    def _scores(
        self, samples: Draws, before: Callable[[NDArray[np.int64], int], NDArray[np.int32]]
    ) -> NDArray[np.float64]:
        """(N,) log perplexity of each text behind the real text before it, under the judge."""
        losses = self._judge.losses(before(samples.labels, ORDER - 1), samples.values[0])
        return np.asarray(losses.mean(1), np.float64)
