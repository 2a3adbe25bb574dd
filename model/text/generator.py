"""A causal language model as a generator: it continues real prompts, and learns from such continuations.

A checkpoint is an :class:`core.records.Item`: ``weights.*`` of the network. Which prompt a sample continues is said by
its label; the loss is that of the sample alone, so that no real text comes back through the prompts.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import PartConfig, TrainingConfig
from core.draws import Draws
from core.errors import InvalidConfig, TrainingDiverged
from core.protocols import Labels, Tick, silent
from core.records import Item
from core.seeds import uniform
from model.generator import pick_device
from model.text.decode import beam_search, sample
from model.text.network import Plan, arrays_of, initial, logits_of, restored

TICK_S = 0.25
WARM_UP_STEPS = 40
LAST_RATE = 0.05  # of the learning rate, at the end of the cosine decay
WEIGHT_DECAY = 0.01
CLIP_NORM = 1.0
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
        self._loaded: OrderedDict[int, tuple[Item, nn.Module]] = OrderedDict()

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
        network = initial(self._plan, seed) if start is None or scratch else restored(self._plan, _weights(start))
        report = train(
            network.to(self.device), self._prompts(samples.labels[there]), samples.values[0, there],
            steps=steps, batch=options.batch_size, fresh=fresh, seed=seed, tick=tick, device=self.device,
            rate=options.learning_rate if fresh else options.fine_tune_learning_rate,
        )  # fmt: skip
        arrays = {f"weights.{name}": values for name, values in arrays_of(network).items()}
        facts = {"parameters": sum(values.size for values in arrays.values()), "vocabulary": self._plan.vocabulary}
        checkpoint = Item(arrays, {"training": report, "model": self._model.model_dump(mode="json") | facts})
        self._keep(checkpoint, network)
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
        kept = self._loaded.get(id(checkpoint.arrays))
        if kept is not None and kept[0].arrays is checkpoint.arrays:
            self._loaded.move_to_end(id(checkpoint.arrays))
            return kept[1].eval()
        return self._keep(checkpoint, restored(self._plan, _weights(checkpoint)).to(self.device))

    def _keep(self, checkpoint: Item, network: nn.Module) -> nn.Module:
        self._loaded[id(checkpoint.arrays)] = (checkpoint, network)
        while len(self._loaded) > KEPT_MODELS:
            self._loaded.popitem(last=False)
        return network.eval()


def train(
    network: nn.Module, prompts: NDArray[np.int32], blocks: NDArray[np.int32], *,
    steps: int, batch: int, rate: float, fresh: bool, seed: int, tick: Tick, device: torch.device,
) -> dict[str, float]:  # fmt: skip
    """Next-token cross-entropy of blocks (N, L) behind prompts (N, P), in place; the numbers to report.

    A fresh network warms up and decays; one that goes on keeps its rate.

    Raises:
        TrainingDiverged: when the loss is not finite.
    """
    tokens = torch.from_numpy(np.concatenate([prompts, blocks], axis=1).astype(np.int64)).to(device)
    weights = list(network.parameters())
    optimizer = torch.optim.AdamW(weights, lr=rate, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY, fused=True)
    rows = _Rows(len(tokens), seed)
    losses: list[float] = []
    ticked = time.perf_counter()
    network.train()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)  # dropout draws from the global state
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = rate * _rate_at(step, steps) if fresh else rate
            chosen = tokens[rows.next(min(batch, len(tokens))).to(device)]
            logits = logits_of(network, chosen, blocks.shape[1])
            loss = F.cross_entropy(logits.flatten(0, 1), chosen[:, prompts.shape[1] :].flatten())
            losses.append(loss.item())
            if not np.isfinite(losses[-1]):
                raise TrainingDiverged(step, losses[-1])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(weights, CLIP_NORM, foreach=True)
            optimizer.step()
            now = time.perf_counter()
            if now - ticked > TICK_S or step + 1 == steps:
                ticked = now
                tick((step + 1) / steps, f"Learning: step {step + 1} of {steps}")
    recent = losses[-50:]
    return {"loss": float(np.mean(recent)) if recent else 0.0, "steps": float(steps)}


class _Rows:
    """Rows of a training set, each once before any twice."""

    def __init__(self, count: int, seed: int) -> None:
        self._count, self._source = count, torch.Generator().manual_seed(seed)
        self._left = torch.zeros(0, dtype=torch.int64)

    def next(self, count: int) -> Tensor:
        while len(self._left) < count:
            self._left = torch.cat([self._left, torch.randperm(self._count, generator=self._source)])
        rows, self._left = self._left[:count], self._left[count:]
        return rows


def _rate_at(step: int, steps: int) -> float:
    """Share of the learning rate: linear warm-up, then cosine decay."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    return warm * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + float(np.cos(np.pi * step / steps))))


def _weights(checkpoint: Item) -> dict[str, Any]:
    return {
        name.removeprefix("weights."): values
        for name, values in checkpoint.arrays.items()
        if name.startswith("weights.")
    }
