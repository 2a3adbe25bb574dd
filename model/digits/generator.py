"""Class-conditional generators of digits: trained, fine-tuned and sampled alike, whatever their family.

A checkpoint is an :class:`core.records.Item`: ``ema.*`` the averaged weights, which samples are drawn with and the next
generation starts from (with a fresh optimizer).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.config import PartConfig, SamplingConfig, TrainingConfig
from core.draws import Draws
from core.errors import InvalidConfig
from core.protocols import Labels, Tick, silent
from core.records import Item
from model.devices import Batch, own_chance, pick_device, source_of
from model.digits.families import Family
from model.learning import below, learn, load_weights, weights_of
from model.samplers import solver

SAMPLE_CHUNK = 1024


class DigitsGenerator:
    """Implements :class:`core.protocols.Generator` for images as rows of pixels.

    Args:
        model: the generator's part, as in the config; kept in checkpoints.
        family: what that part built.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    def __init__(
        self,
        model: PartConfig,
        family: Family,
        pixels: int,
        classes: int,
        training: TrainingConfig,
        sampling: SamplingConfig,
        device: str = "auto",
    ) -> None:
        self._model, self._family = model, family
        self._pixels, self._classes = pixels, classes
        self._training, self._sampling = training, sampling
        self._device = pick_device(device)

    def fit(
        self, samples: Draws, *, start: Item | None, scratch: bool, steps: int, seed: int, tick: Tick = silent
    ) -> Item:
        """See :meth:`core.protocols.Generator.fit`."""
        fresh = start is None or scratch
        network = self._network(seed)
        if start is not None and not scratch:
            load_weights(network, below(start.arrays, "ema"))
        average = self._network(seed)
        average.load_state_dict(network.state_dict())
        x = torch.from_numpy(np.ascontiguousarray(samples.values[0], np.float32)).to(self._device)
        y = torch.from_numpy(np.ascontiguousarray(samples.labels)).to(self._device)
        options, source = self._training, source_of(seed, self._device)
        pick = _picker(len(x), samples.weight, options.batch_size, source)

        def draw() -> Batch:
            rows = pick()
            return (rows, *self._family.chances((len(rows), self._pixels), options, source))

        def loss_of(rows: Tensor, *chances: Tensor) -> Tensor:
            return self._family.loss(network, x[rows], y[rows], *chances)

        learned = learn(
            network, draw, loss_of, steps=steps, fresh=fresh, tick=tick, options=options,
            average=average, ema_decay=options.ema_decay,
            rate=options.learning_rate if fresh else options.fine_tune_learning_rate,
        )  # fmt: skip
        arrays = weights_of(average, "ema")
        model = self._model.model_dump(mode="json") | {
            "classes": self._classes,
            "shape": [self._pixels],
            "parameters": sum(p.numel() for p in network.parameters()),
        }
        return Item(arrays, {"training": learned.training, "model": model}, learned.pace)

    @torch.no_grad()
    def sample(self, checkpoint: Item, labels: Labels, *, guidance: float, seed: int, tick: Tick = silent) -> Draws:
        """See :meth:`core.protocols.Generator.sample`. The i-th image's noise depends on the seed and i only."""
        labels = np.asarray(labels, dtype=np.int64)
        if labels.size and not (0 <= labels.min() and labels.max() < self._classes):
            raise InvalidConfig(
                f"Labels go from 0 to {self._classes - 1}; got {labels.min()} to {labels.max()}.", "", "labels"
            )
        network = self._network(0)
        load_weights(network, below(checkpoint.arrays, "ema"))
        network.eval()
        count, size = len(labels), self._family.noise(self._pixels)
        source = torch.Generator().manual_seed(seed)  # on the CPU: the same noise on every device
        noise = torch.randn((count, size), generator=source)
        found = np.zeros((1, count, self._pixels), np.float32)
        calls = self._family.steps(self._sampling.steps)
        for first in range(0, count, SAMPLE_CHUNK):
            rows = slice(first, min(first + SAMPLE_CHUNK, count))

            def step(done: int, _: Tensor, rows: slice = rows) -> None:
                drawn = rows.start + (rows.stop - rows.start) * done / calls
                tick(drawn / count, f"Drawing {count} images")

            y = torch.from_numpy(labels[rows]).to(self._device)
            solve = solver(self._sampling, seed, first)
            x = self._family.draw(network, noise[rows].to(self._device), y, self._classes, guidance, solve, step)
            found[0, rows] = x.cpu().numpy()
        return Draws(found, labels)

    def _network(self, seed: int) -> nn.Module:
        """A new network; its weights come from the seed and leave the global random state alone."""
        with own_chance(seed, torch.device("cpu")):
            return self._family.network(self._pixels, self._classes).to(self._device)


def _picker(count: int, weight: Any, batch: int, source: torch.Generator) -> Callable[[], Tensor]:
    """Draws the rows of a batch: all alike, or by their weight (1, N)."""
    if weight is None:
        return lambda: torch.randint(0, count, (batch,), generator=source, device=source.device)
    shares = torch.from_numpy(np.asarray(weight[0], np.float64)).to(source.device)
    return lambda: torch.multinomial(shares, batch, replacement=True, generator=source)
