"""The generative model of motion: class-conditional diffusion, trained, fine-tuned and sampled.

A checkpoint is an :class:`core.records.Item`: ``ema.*`` the averaged weights, which samples are drawn with and the next
generation starts from (with a fresh optimizer); ``representation.*`` the frozen map between motion and numbers.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import PartConfig, SamplingConfig, TrainingConfig
from core.errors import DataMissing, InvalidConfig, TrainingDiverged
from core.motion import MotionBatch
from core.protocols import Labels, Tick, silent
from core.records import Arrays, Item
from core.skeleton import Skeleton
from model.denoisers.registry import Design
from model.diffusion import STEPS, add_noise, cosine_schedule, ddim, guided
from model.representation import Representation

TICK_S = 0.25
WARM_UP_STEPS = 50
LAST_RATE = 0.05  # of the learning rate, at the end of the cosine decay
CLIP_NORM = 1.0
SAMPLE_CHUNK = 512
KEPT_MODELS = 6
MISFIT_HINT = "Use the model options that it was trained with."


def pick_device(device: str) -> torch.device:
    """``auto`` is cuda where there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise InvalidConfig("No CUDA device is available.", "Choose the device auto or cpu.", "device")
    return torch.device(device)


@dataclass(frozen=True, eq=False)
class _Loaded:
    network: nn.Module
    representation: Representation


class MotionGenerator:
    """Implements :class:`core.protocols.Generator` for windows of one skeleton.

    Args:
        model: the denoiser's part, as in the config; kept in checkpoints.
        design: what that part built.
        classes: how many.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    def __init__(
        self,
        model: PartConfig,
        design: Design,
        skeleton: Skeleton,
        fps: float,
        classes: int,
        training: TrainingConfig,
        sampling: SamplingConfig,
        device: str = "auto",
    ) -> None:
        self._model, self._design = model, design
        self._skeleton, self._fps, self._classes = skeleton, fps, classes
        self._training, self._sampling = training, sampling
        self._device = pick_device(device)
        self._abar = cosine_schedule().to(self._device)
        self._loaded: OrderedDict[int, tuple[Item, _Loaded]] = OrderedDict()

    def fit(
        self,
        samples: MotionBatch,
        *,
        start: Item | None,
        scratch: bool,
        steps: int,
        seed: int,
        tick: Tick = silent,
    ) -> Item:
        """See :meth:`core.protocols.Generator.fit`."""
        fresh = start is None or scratch
        representation = (
            Representation.fit(samples, self._design.components, self._design.whitening)
            if start is None
            else Representation.from_arrays(_below(start.arrays, "representation"))
        )
        network = self._network(representation, seed)
        if start is not None and not scratch:
            _load_weights(network, _below(start.arrays, "ema"))
        average = self._network(representation, seed)
        average.load_state_dict(network.state_dict())
        x = torch.from_numpy(np.ascontiguousarray(representation.encode(samples))).to(self._device)
        y = torch.from_numpy(samples.labels).to(self._device)
        report = self._train(network, average, x, y, steps=steps, fresh=fresh, seed=seed, tick=tick)
        arrays = {f"ema.{name}": value.cpu().numpy().copy() for name, value in average.state_dict().items()}
        arrays |= {f"representation.{name}": value for name, value in representation.arrays().items()}
        model = self._model.model_dump(mode="json") | {
            "classes": self._classes,
            "shape": list(representation.shape),
            "skeleton": self._skeleton.name,
            "parameters": sum(p.numel() for p in network.parameters()),
        }
        checkpoint = Item(arrays, {"training": report, "model": model})
        self._keep(checkpoint, _Loaded(average.eval(), representation))
        return checkpoint

    def sample(
        self, checkpoint: Item, labels: Labels, *, guidance: float, seed: int, tick: Tick = silent
    ) -> MotionBatch:
        """See :meth:`core.protocols.Generator.sample`. The i-th sample's noise depends on the seed and i only."""
        loaded = self._load(checkpoint)
        labels = np.asarray(labels, dtype=np.int64)
        if labels.size and not (0 <= labels.min() and labels.max() < self._classes):
            raise InvalidConfig(
                f"Labels go from 0 to {self._classes - 1}; got {labels.min()} to {labels.max()}.", "", "labels"
            )
        source = torch.Generator().manual_seed(seed)  # on the CPU: the same noise on every device
        noise = torch.randn((len(labels), *loaded.representation.shape), generator=source)
        denoise = guided(loaded.network, guidance, self._classes)
        parts = []
        for first in range(0, len(labels), SAMPLE_CHUNK):
            rows = slice(first, first + SAMPLE_CHUNK)

            def step(done: int, _: Tensor, first: int = first) -> None:
                chunk = min(SAMPLE_CHUNK, len(labels) - first)
                drawn = first + chunk * done / min(self._sampling.steps, STEPS)
                tick(drawn / len(labels), f"Drawing {len(labels)} samples")

            y = torch.from_numpy(labels[rows]).to(self._device)
            x = ddim(denoise, noise[rows].to(self._device), y, self._abar, self._sampling.steps, step)
            parts.append(x.cpu().numpy())
        encoded = np.concatenate(parts) if parts else np.zeros((0, *loaded.representation.shape), np.float32)
        return loaded.representation.decode(encoded, self._skeleton, self._fps, labels)

    def _train(
        self,
        network: nn.Module,
        average: nn.Module,
        x: Tensor,
        y: Tensor,
        *,
        steps: int,
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
        network.train()
        losses: list[float] = []
        ticked = time.perf_counter()
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = rate * _rate_at(step, steps) if fresh else rate
            rows, t, dropped, noise = self._draw(len(x), x.shape[1:], source)
            x0 = x[rows]
            noisy = add_noise(x0, noise, t, self._abar)
            loss = F.mse_loss(network(noisy, t, y[rows].masked_fill(dropped, self._classes)), x0)
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

    def _draw(self, count: int, shape: torch.Size, source: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Rows, noise levels, labels to drop, and noise of one batch; drawn on the CPU, the same on every device."""
        batch = self._training.batch_size
        rows = torch.randint(0, count, (batch,), generator=source)
        t = torch.randint(0, STEPS, (batch,), generator=source)
        dropped = torch.rand(batch, generator=source) < self._training.label_dropout
        noise = torch.randn((batch, *shape), generator=source)
        device = self._device
        return rows.to(device), t.to(device), dropped.to(device), noise.to(device)

    def _network(self, representation: Representation, seed: int) -> nn.Module:
        """A new network; its weights come from the seed and leave the global random state alone."""
        if (self._design.components > 0) != (len(representation.shape) == 1):
            raise DataMissing(f"The checkpoint does not fit the configured network {self._model.kind!r}.", MISFIT_HINT)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self._design.network(representation.shape, self._classes).to(self._device)

    def _load(self, checkpoint: Item) -> _Loaded:
        kept = self._loaded.get(id(checkpoint.arrays))
        if kept is not None and kept[0].arrays is checkpoint.arrays:
            self._loaded.move_to_end(id(checkpoint.arrays))
            return kept[1]
        representation = Representation.from_arrays(_below(checkpoint.arrays, "representation"))
        network = self._network(representation, 0)
        _load_weights(network, _below(checkpoint.arrays, "ema"))
        return self._keep(checkpoint, _Loaded(network.eval(), representation))

    def _keep(self, checkpoint: Item, loaded: _Loaded) -> _Loaded:
        """Remember the last few loaded models; the item is kept too, so that its id stays its own."""
        self._loaded[id(checkpoint.arrays)] = (checkpoint, loaded)
        while len(self._loaded) > KEPT_MODELS:
            self._loaded.popitem(last=False)
        return loaded


def _rate_at(step: int, steps: int) -> float:
    """Share of the learning rate: linear warm-up, then cosine decay."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    return warm * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + float(np.cos(np.pi * step / steps))))


def _below(arrays: Arrays, prefix: str) -> Arrays:
    start = prefix + "."
    return {name.removeprefix(start): value for name, value in arrays.items() if name.startswith(start)}


def _load_weights(network: nn.Module, arrays: Arrays) -> None:
    state: dict[str, Any] = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise DataMissing(
            f"The checkpoint does not fit the configured network: {str(error).splitlines()[-1].strip()}", MISFIT_HINT
        ) from None
