"""A causal language model as a generator: it continues real prompts, and learns from such continuations.

A checkpoint is an :class:`core.records.Item`: ``weights.*`` of the network. Which prompt a sample continues is said by
its label; the loss is that of the sample alone, so that no real text comes back through the prompts.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import PartConfig, TrainingConfig
from core.draws import Draws
from core.errors import InvalidConfig
from core.protocols import Labels, Tick, silent
from core.records import Item
from core.seeds import uniform
from model.devices import own_chance, pick_device, source_of
from model.learning import LastLoaded, Learned, below, learn
from model.text.decode import beam_search, sample
from model.text.network import Plan, arrays_of, initial, logits_of, restored

WARM_UP_STEPS = 40
WEIGHT_DECAY = 0.01
CANDIDATES = 256  # texts continued at once, beams counted
KEPT_MODELS = 3


class CausalGenerator:
    """Implements :class:`core.protocols.Generator` for blocks of L tokens.

    Args:
        model: the part as in the config; kept in checkpoints.
        plan: of the network.
        prompts: (N,) labels -> (N, P) ids of the real tokens before each block.
        length: L.
        temperature, top_k, beams: see :mod:`model.text.decode`; one beam means sampling.
    """

    def __init__(
        self, model: PartConfig, plan: Plan, prompts: Callable[[Labels], NDArray[np.int32]], length: int,
        training: TrainingConfig, *, temperature: float, top_k: int, beams: int, device: str = "auto",
    ) -> None:  # fmt: skip
        self._model, self._plan, self._prompts, self._length = model, plan, prompts, length
        self._training, self._temperature, self._top_k, self._beams = training, temperature, top_k, beams
        self.device = pick_device(device)
        self._loaded = LastLoaded[nn.Module](KEPT_MODELS)

    def fit(
        self, samples: Draws, *, start: Item | None, scratch: bool, steps: int, seed: int, tick: Tick = silent
    ) -> Item:
        """See :meth:`core.protocols.Generator.fit`.

        Raises:
            InvalidConfig: when there is nothing to learn from.
        """
        there = np.flatnonzero(samples.weights()[0] > 0)
        if not len(there):
            raise InvalidConfig("There is no text left to learn from.", "Keep some real data in the loop.", "policy")
        fresh = start is None or scratch
        options = self._training
        network = initial(self._plan, seed) if start is None or scratch else self._restored(start)
        learned = train(
            network.to(self.device), self._prompts(samples.labels[there]), samples.values[0, there],
            steps=steps, options=options, fresh=fresh, seed=seed, tick=tick, device=self.device,
        )  # fmt: skip
        arrays = {f"weights.{name}": values for name, values in arrays_of(network).items()}
        facts = {"parameters": sum(values.size for values in arrays.values()), "vocabulary": self._plan.vocabulary}
        model = self._model.model_dump(mode="json") | facts
        checkpoint = Item(arrays, {"training": learned.training, "model": model}, learned.pace)
        self._loaded.put(checkpoint, network)
        return checkpoint

    def sample(self, checkpoint: Item, labels: Labels, *, guidance: float, seed: int, tick: Tick = silent) -> Draws:
        """See :meth:`core.protocols.Generator.sample`. Chance depends on the seed and a sample's place only."""
        del guidance  # there are no classes to be led to
        network = self.network(checkpoint)
        labels = np.asarray(labels, np.int64)
        prompts = torch.from_numpy(self._prompts(labels).astype(np.int64)).to(self.device)
        chances = uniform(seed, (1, len(labels), self._length))[0]
        parts = [np.zeros((0, self._length), np.int32)]
        at_once = max(1, CANDIDATES // self._beams)
        for first in range(0, len(labels), at_once):
            rows = slice(first, first + at_once)
            chunk = prompts[rows]

            def step(done: int, first: int = first, size: int = len(chunk)) -> None:
                tick((first + size * done / self._length) / len(labels), f"Writing {len(labels)} texts")

            if self._beams > 1:
                tokens = beam_search(network, chunk, length=self._length, beams=self._beams, step=step)
            else:
                tokens = sample(
                    network, chunk, chances[rows], temperature=self._temperature, top_k=self._top_k, step=step
                )
            parts.append(tokens.cpu().numpy().astype(np.int32))
        return Draws(np.concatenate(parts)[None], labels)

    def network(self, checkpoint: Item) -> nn.Module:
        """The checkpoint's network on the device, in evaluation mode; the last few are kept."""
        return self._loaded.get(checkpoint, lambda: self._restored(checkpoint).to(self.device)).eval()

    def _restored(self, checkpoint: Item) -> nn.Module:
        return restored(self._plan, below(checkpoint.arrays, "weights"))


def train(
    network: nn.Module, prompts: NDArray[np.int32], blocks: NDArray[np.int32], *,
    steps: int, options: TrainingConfig, fresh: bool, seed: int, tick: Tick, device: torch.device,
) -> Learned:  # fmt: skip
    """Next-token cross-entropy of blocks (N, L) behind prompts (N, P), in place.

    A fresh network warms up and decays; one that goes on keeps its rate.

    Raises:
        TrainingDiverged: when the loss is not finite.
    """
    tokens = torch.from_numpy(np.concatenate([prompts, blocks], axis=1).astype(np.int64)).to(device)
    rows = _Rows(len(tokens), source_of(seed, device))

    def loss_of(chosen: Tensor) -> Tensor:
        chosen = tokens[chosen]
        logits = logits_of(network, chosen, blocks.shape[1])
        return F.cross_entropy(logits.flatten(0, 1), chosen[:, prompts.shape[1] :].flatten())

    with own_chance(seed, device):  # dropout draws from the global state
        return learn(
            network, lambda: (rows.next(min(options.batch_size, len(tokens))),), loss_of, steps=steps,
            rate=options.learning_rate if fresh else options.fine_tune_learning_rate, fresh=fresh, tick=tick,
            options=options, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY, warm_up=WARM_UP_STEPS,
        )  # fmt: skip


class _Rows:
    """Rows of a training set, each once before any twice."""

    def __init__(self, count: int, source: torch.Generator) -> None:
        self._count, self._source = count, source
        self._left = torch.zeros(0, dtype=torch.int64, device=source.device)

    def next(self, count: int) -> Tensor:
        while len(self._left) < count:
            order = torch.randperm(self._count, generator=self._source, device=self._source.device)
            self._left = torch.cat([self._left, order])
        rows, self._left = self._left[:count], self._left[count:]
        return rows
