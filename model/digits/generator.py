"""Class-conditional generators of digits: trained, fine-tuned and sampled alike, whatever their family.

A checkpoint is an :class:`core.records.Item`: ``ema.*`` the averaged weights, which samples are drawn with and the next
generation starts from (with a fresh optimizer).
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.config import PartConfig, SamplingConfig, TrainingConfig
from core.draws import Draws
from core.errors import DataMissing, InvalidConfig, TrainingDiverged
from core.protocols import Labels, Tick, silent
from core.records import Item
from model.digits.families import Family
from model.generator import pick_device

TICK_S = 0.25
WARM_UP_STEPS = 50
LAST_RATE = 0.05  # of the learning rate, at the end of the cosine decay
CLIP_NORM = 1.0
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
            _load_weights(network, start)
        average = self._network(seed)
        average.load_state_dict(network.state_dict())
        x = torch.from_numpy(np.ascontiguousarray(samples.values[0], np.float32)).to(self._device)
        y = torch.from_numpy(np.ascontiguousarray(samples.labels)).to(self._device)
        report = self._train(network, average, x, y, samples.weight, steps, fresh=fresh, seed=seed, tick=tick)
        arrays = {f"ema.{name}": value.cpu().numpy().copy() for name, value in average.state_dict().items()}
        model = self._model.model_dump(mode="json") | {
            "classes": self._classes,
            "shape": [self._pixels],
            "parameters": sum(p.numel() for p in network.parameters()),
        }
        return Item(arrays, {"training": report, "model": model})

    @torch.no_grad()
    def sample(self, checkpoint: Item, labels: Labels, *, guidance: float, seed: int, tick: Tick = silent) -> Draws:
        """See :meth:`core.protocols.Generator.sample`. The i-th image's noise depends on the seed and i only."""
        labels = np.asarray(labels, dtype=np.int64)
        if labels.size and not (0 <= labels.min() and labels.max() < self._classes):
            raise InvalidConfig(
                f"Labels go from 0 to {self._classes - 1}; got {labels.min()} to {labels.max()}.", "", "labels"
            )
        network = self._network(0)
        _load_weights(network, checkpoint)
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
            x = self._family.draw(
                network, noise[rows].to(self._device), y, self._classes, guidance, self._sampling.steps, step
            )
            found[0, rows] = x.cpu().numpy()
        return Draws(found, labels)

    def _train(
        self,
        network: nn.Module,
        average: nn.Module,
        x: Tensor,
        y: Tensor,
        weight: Any,
        steps: int,
        *,
        fresh: bool,
        seed: int,
        tick: Tick,
    ) -> dict[str, float]:
        """Train ``network`` in place, with ``average`` following; the numbers to report."""
        options = self._training
        weights: list[Tensor] = list(network.parameters())
        followers: list[Tensor] = list(average.parameters())
        rate = options.learning_rate if fresh else options.fine_tune_learning_rate
        optimizer = torch.optim.AdamW(weights, lr=rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
        source = torch.Generator().manual_seed(seed)
        pick = _picker(len(x), weight, options.batch_size, source)
        network.train()
        losses: list[float] = []
        ticked = time.perf_counter()
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = rate * _rate_at(step, steps) if fresh else rate
            rows = pick().to(self._device)
            loss = self._family.loss(network, x[rows], y[rows], options, source)
            losses.append(loss.item())
            if not np.isfinite(losses[-1]):
                raise TrainingDiverged(step, losses[-1])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(weights, CLIP_NORM, foreach=True)
            optimizer.step()
            decay = min(options.ema_decay, (step + 10) / (step + 20)) if fresh else options.ema_decay
            with torch.no_grad():
                torch._foreach_lerp_(followers, weights, 1 - decay)
            now = time.perf_counter()
            if now - ticked > TICK_S or step + 1 == steps:
                ticked = now
                tick((step + 1) / steps, f"Learning: step {step + 1} of {steps}")
        recent = losses[-50:]
        return {"loss": float(np.mean(recent)) if recent else 0.0, "steps": float(steps)}

    def _network(self, seed: int) -> nn.Module:
        """A new network; its weights come from the seed and leave the global random state alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self._family.network(self._pixels, self._classes).to(self._device)


def _picker(count: int, weight: Any, batch: int, source: torch.Generator) -> Callable[[], Tensor]:
    """Draws the rows of a batch: all alike, or by their weight (1, N)."""
    if weight is None:
        return lambda: torch.randint(0, count, (batch,), generator=source)
    shares = torch.from_numpy(np.asarray(weight[0], np.float64))
    return lambda: torch.multinomial(shares, batch, replacement=True, generator=source)


def _rate_at(step: int, steps: int) -> float:
    """Share of the learning rate: linear warm-up, then cosine decay."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    return warm * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + float(np.cos(np.pi * step / steps))))


def _load_weights(network: nn.Module, checkpoint: Item) -> None:
    named = {name: values for name, values in checkpoint.arrays.items() if name.startswith("ema.")}
    state: dict[str, Any] = {name[4:]: torch.from_numpy(np.array(values)) for name, values in named.items()}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise DataMissing(
            f"The checkpoint does not fit the configured network: {str(error).splitlines()[-1].strip()}",
            "Use the model options and the data that it was trained with.",
        ) from None
