"""The generative model of motion: diffusion told a class, a sentence or nothing, trained, fine-tuned and sampled.

A checkpoint is an :class:`core.records.Item`: ``ema.*`` the averaged weights, which samples are drawn with and the next
generation starts from (with a fresh optimizer); ``representation.*`` the frozen map between motion and numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import PartConfig, SamplingConfig, TrainingConfig
from core.errors import DataMissing
from core.motion import MotionBatch
from core.protocols import Labels, Tick, silent
from core.records import Item
from core.skeleton import Skeleton
from model.conditions import Asked, ByClass, Conditions
from model.denoisers.registry import Design
from model.devices import Batch, own_chance, pick_device, source_of
from model.diffusion import add_noise, cosine_schedule, guided
from model.learning import MISFIT_HINT, LastLoaded, below, learn, load_weights, weights_of
from model.representation import Representation
from model.samplers import solver

SAMPLE_CHUNK = 512
KEPT_MODELS = 6


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
        conditions: what the network is told of samples; their classes, where it is not given.
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
        conditions: Conditions | None = None,
    ) -> None:
        self._model, self._design = model, design
        self._skeleton, self._fps, self._classes = skeleton, fps, classes
        self._training, self._sampling = training, sampling
        self._conditions: Conditions = conditions or ByClass(classes)
        self._device = pick_device(device)
        self._abar = cosine_schedule(design.levels).to(self._device)
        self._loaded = LastLoaded[_Loaded](KEPT_MODELS)

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
            else Representation.from_arrays(below(start.arrays, "representation"))
        )
        network = self._network(representation, seed)
        if start is not None and not scratch:
            load_weights(network, below(start.arrays, "ema"))
        average = self._network(representation, seed)
        average.load_state_dict(network.state_dict())
        x = torch.from_numpy(np.ascontiguousarray(representation.encode(samples))).to(self._device)
        y = torch.from_numpy(self._conditions.learned(samples)).to(self._device)
        options, source = self._training, source_of(seed, self._device)

        def loss_of(rows: Tensor, t: Tensor, dropped: Tensor, noise: Tensor) -> Tensor:
            x0 = x[rows]
            noisy = add_noise(x0, noise, t, self._abar)
            told = y[rows].masked_fill(dropped.view(-1, *[1] * (y.dim() - 1)), self._conditions.null)
            return F.mse_loss(network(noisy, t, told), x0)

        with own_chance(seed, self._device):  # dropout draws from the global state
            learned = learn(
                network, lambda: self._draw(len(x), x.shape[1:], source), loss_of, steps=steps,
                rate=options.learning_rate if fresh else options.fine_tune_learning_rate, fresh=fresh, tick=tick,
                options=options, average=average, ema_decay=options.ema_decay,
            )  # fmt: skip
        arrays = weights_of(average, "ema")
        arrays |= {f"representation.{name}": value for name, value in representation.arrays().items()}
        model = self._model.model_dump(mode="json") | {
            "classes": self._classes,
            "shape": list(representation.shape),
            "skeleton": self._skeleton.name,
            "parameters": sum(p.numel() for p in network.parameters()),
        }
        checkpoint = Item(arrays, {"training": learned.training, "model": model}, learned.pace)
        self._loaded.put(checkpoint, _Loaded(average.eval(), representation))
        return checkpoint

    def sample(
        self, checkpoint: Item, labels: Labels, *, guidance: float, seed: int, tick: Tick = silent
    ) -> MotionBatch:
        """See :meth:`core.protocols.Generator.sample`. The i-th sample's noise depends on the seed and i only.

        A model of text draws each label by one of its captions, which the batch records.
        """
        asked = self._conditions.asked(np.asarray(labels, dtype=np.int64), seed)
        return self._drawn(checkpoint, asked, guidance, seed, tick)

    def prompt(
        self, checkpoint: Item, texts: Sequence[str], *, guidance: float, seed: int, tick: Tick = silent
    ) -> MotionBatch:
        """See :meth:`core.protocols.Prompted.prompt`."""
        return self._drawn(checkpoint, self._conditions.prompted(texts), guidance, seed, tick)

    def _drawn(self, checkpoint: Item, asked: Asked, guidance: float, seed: int, tick: Tick) -> MotionBatch:
        loaded, labels = self._loaded.get(checkpoint, lambda: self._load(checkpoint)), asked.labels
        source = torch.Generator().manual_seed(seed)  # on the CPU: the same noise on every device
        noise = torch.randn((len(labels), *loaded.representation.shape), generator=source)
        denoise = guided(loaded.network, guidance if self._conditions.guides else 1.0, self._conditions.null)
        parts = []
        for first in range(0, len(labels), SAMPLE_CHUNK):
            rows = slice(first, first + SAMPLE_CHUNK)

            def step(done: int, _: Tensor, first: int = first) -> None:
                chunk = min(SAMPLE_CHUNK, len(labels) - first)
                drawn = first + chunk * done / min(self._sampling.steps, self._design.levels)
                tick(drawn / len(labels), f"Drawing {len(labels)} samples")

            y = torch.from_numpy(asked.told[rows]).to(self._device)
            solve = solver(self._sampling, seed, first)
            x = solve(denoise, noise[rows].to(self._device), y, self._abar, step)
            parts.append(x.cpu().numpy())
        encoded = np.concatenate(parts) if parts else np.zeros((0, *loaded.representation.shape), np.float32)
        motions = loaded.representation.decode(encoded, self._skeleton, self._fps, labels)
        return replace(motions, captions=asked.captions)

    def representation(self, checkpoint: Item) -> Representation:
        """The frozen map that a checkpoint's network works in."""
        return self._loaded.get(checkpoint, lambda: self._load(checkpoint)).representation

    def _draw(self, count: int, shape: torch.Size, source: torch.Generator) -> Batch:
        """Rows, noise levels, labels to drop, and noise of one batch, on the source's device."""
        batch, here = self._training.batch_size, source.device
        rows = torch.randint(0, count, (batch,), generator=source, device=here)
        t = torch.randint(0, self._design.levels, (batch,), generator=source, device=here)
        dropped = torch.rand(batch, generator=source, device=here) < self._training.label_dropout
        return rows, t, dropped, torch.randn((batch, *shape), generator=source, device=here)

    def _network(self, representation: Representation, seed: int) -> nn.Module:
        """A new network; its weights come from the seed and leave the global random state alone."""
        if (self._design.components > 0) != (len(representation.shape) == 1):
            raise DataMissing(f"The checkpoint does not fit the configured network {self._model.kind!r}.", MISFIT_HINT)
        with own_chance(seed, torch.device("cpu")):
            return self._design.network(representation.shape, self._classes).to(self._device)

    def _load(self, checkpoint: Item) -> _Loaded:
        representation = Representation.from_arrays(below(checkpoint.arrays, "representation"))
        network = self._network(representation, 0)
        load_weights(network, below(checkpoint.arrays, "ema"))
        return _Loaded(network.eval(), representation)
