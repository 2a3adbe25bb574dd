"""How networks learn and come back, whatever they generate: training loop, learning rate, checkpoint."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from core.config import TrainingConfig
from core.errors import DataMissing, MemoryExhausted, TrainingDiverged
from core.protocols import Tick
from core.records import Arrays, Item
from model.devices import Batch, autocast, forget_peak, pays_to_compile, peak_memory_mb, repeatable

TICK_S = 0.25
WARM_UP_STEPS = 50
LAST_RATE = 0.05  # of the learning rate, at the end of the cosine decay
CLIP_NORM = 1.0
LOOK_EVERY = 50  # steps between two looks at an accelerator's losses
DEFAULTS = TrainingConfig()
MISFIT_HINT = "Use the model options and the data that it was trained with."

LoadedT = TypeVar("LoadedT")


@dataclass(frozen=True)
class Learned:
    """What training tells.

    Attributes:
        training: mean of the last 50 losses, and steps; the same numbers whenever the same is trained.
        pace: what clock and memory said: ``steps_per_s``, ``samples_per_s``, ``peak_memory_mb`` (see
            :func:`model.devices.peak_memory_mb`), and ``micro_batch`` where memory did not hold a whole batch.
    """

    training: dict[str, float]
    pace: dict[str, float]


def learn(
    network: nn.Module,
    draw: Callable[[], Batch],
    loss_of: Callable[..., Tensor],
    *,
    steps: int,
    rate: float,
    fresh: bool,
    tick: Tick,
    options: TrainingConfig = DEFAULTS,
    average: nn.Module | None = None,
    ema_decay: float = 0.0,
    betas: tuple[float, float] = (0.9, 0.99),
    weight_decay: float = 0.0,
    warm_up: int = WARM_UP_STEPS,
) -> Learned:
    """Train ``network`` in place with AdamW and clipped gradients, with ``average`` following its weights.

    Args:
        draw: a batch, all that chance decides included, so that it can be learned from in parts.
        loss_of: mean loss of a batch's rows, given its tensors.
        fresh: warm up and decay, as a network that has learned nothing needs; otherwise the rate stays.
        options: precision, compilation and repeatability are taken from here.

    Raises:
        TrainingDiverged: when a loss is not finite, or a weight after the last step.
        MemoryExhausted: when the device holds not even half a batch.
    """
    weights: list[Tensor] = list(network.parameters())
    followers: list[Tensor] = [] if average is None else list(average.parameters())
    device = weights[0].device
    optimizer = torch.optim.AdamW(weights, lr=rate, betas=betas, weight_decay=weight_decay, fused=True)
    network.train()
    if pays_to_compile(options, device):
        network.compile()
    gradients = _Gradients(loss_of, lambda: optimizer.zero_grad(set_to_none=True), options, device)
    losses = _Losses(1 if device.type == "cpu" else LOOK_EVERY)
    forget_peak(device)
    began = ticked = time.perf_counter()
    with repeatable(options.deterministic):
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = rate * rate_at(step, steps, warm_up) if fresh else rate
            losses.add(gradients.of(draw(), step))
            nn.utils.clip_grad_norm_(weights, CLIP_NORM, foreach=True)
            optimizer.step()
            if followers:
                with torch.no_grad():
                    torch._foreach_lerp_(followers, weights, 1 - decay_at(step, ema_decay, fresh=fresh))
            now = time.perf_counter()
            if now - ticked > TICK_S or step + 1 == steps:
                ticked = now
                tick((step + 1) / steps, f"Learning: step {step + 1} of {steps}")
        losses.look()
    if losses.seen and not all_finite([*weights, *followers]):
        raise TrainingDiverged(steps - 1, losses.seen[-1])  # the last update is in no loss any more
    recent = losses.seen[-50:]
    training = {"loss": float(np.mean(recent)) if recent else 0.0, "steps": float(steps)}
    return Learned(training, gradients.pace(steps, time.perf_counter() - began) if steps else {})


class _Losses:
    """The losses of all steps, looked at every few: looking waits for an accelerator to catch up."""

    def __init__(self, every: int) -> None:
        self.seen: list[float] = []
        self._every = every
        self._new: list[Tensor] = []

    def add(self, loss: Tensor) -> None:
        self._new.append(loss)
        if len(self._new) >= self._every:
            self.look()

    def look(self) -> None:
        """Read what is new.

        Raises:
            TrainingDiverged: with the first step whose loss is not finite.
        """
        for value in torch.stack(self._new).tolist() if self._new else []:
            if not np.isfinite(value):
                raise TrainingDiverged(len(self.seen), value)
            self.seen.append(value)
        self._new.clear()


class _Gradients:
    """Gradients of whole batches, in two halves from the moment on that memory does not hold one."""

    def __init__(
        self, loss_of: Callable[..., Tensor], clear: Callable[[], None], options: TrainingConfig, device: torch.device
    ) -> None:
        self._loss_of, self._clear, self._options, self._device = loss_of, clear, options, device
        self._rows, self._halves = 0, 1

    def of(self, batch: Batch, step: int) -> Tensor:
        """Add a batch's gradients to the cleared weights'; its mean loss, detached.

        Raises:
            MemoryExhausted: when half a batch is too much too.
        """
        self._rows = len(batch[0])
        loss = self._accumulated(batch, step)
        if loss is None:  # tried again out here, where the failed pass's tensors are gone
            self._halves = 2
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            loss = self._accumulated(batch, step)
        assert loss is not None
        return loss

    def pace(self, steps: int, seconds: float) -> dict[str, float]:
        found = {"steps_per_s": steps / seconds, "samples_per_s": steps * self._rows / seconds}
        found["peak_memory_mb"] = peak_memory_mb(self._device)
        return found | ({"micro_batch": float(-(-self._rows // 2))} if self._halves > 1 else {})

    def _accumulated(self, batch: Batch, step: int) -> Tensor | None:
        """None where memory ran out for the first time. Halves are weighted by their rows: the mean stays the mean."""
        self._clear()
        size = -(-self._rows // self._halves)
        found: list[Tensor] = []
        try:
            for parts in zip(*(torch.split(part, size) for part in batch), strict=True):
                with autocast(self._options, self._device):
                    loss = self._loss_of(*parts)
                if self._halves > 1:
                    loss = loss * (len(parts[0]) / self._rows)
                loss.backward()  # type: ignore[no-untyped-call]
                found.append(loss.detach())
        except torch.OutOfMemoryError as error:
            if self._halves > 1 or self._rows < 2:
                raise MemoryExhausted(step, size, self._rows) from error
            return None
        return found[0] if len(found) == 1 else torch.stack(found).sum()


def all_finite(weights: Iterable[Tensor]) -> bool:
    return all(bool(torch.isfinite(values).all()) for values in weights)


def rate_at(step: int, steps: int, warm_up: int = WARM_UP_STEPS) -> float:
    """Share of the learning rate: linear warm-up, then cosine decay."""
    warm = min(1.0, (step + 1) / warm_up)
    return warm * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + float(np.cos(np.pi * step / steps))))


def decay_at(step: int, decay: float, *, fresh: bool) -> float:
    """EMA decay of a step; of a fresh network the first weights are soon forgotten."""
    return min(decay, (step + 10) / (step + 20)) if fresh else decay


def below(arrays: Arrays, prefix: str) -> Arrays:
    """The arrays under ``prefix.``, without it."""
    start = prefix + "."
    return {name.removeprefix(start): value for name, value in arrays.items() if name.startswith(start)}


def weights_of(network: nn.Module, prefix: str) -> Arrays:
    """A network's state as arrays under ``prefix.``."""
    return {f"{prefix}.{name}": value.cpu().numpy().copy() for name, value in network.state_dict().items()}


def load_weights(network: nn.Module, arrays: Arrays) -> None:
    """Give a network a checkpoint's weights.

    Raises:
        DataMissing: when they are of another network.
    """
    state: dict[str, Any] = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise DataMissing(
            f"The checkpoint does not fit the configured network: {str(error).splitlines()[-1].strip()}", MISFIT_HINT
        ) from None


class LastLoaded(Generic[LoadedT]):
    """What was made of the last few checkpoints. The items are kept too, so that their ids stay their own."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept: OrderedDict[int, tuple[Item, LoadedT]] = OrderedDict()

    def get(self, checkpoint: Item, load: Callable[[], LoadedT]) -> LoadedT:
        """What was made of the checkpoint; made now where it is not known."""
        kept = self._kept.get(id(checkpoint.arrays))
        if kept is None or kept[0].arrays is not checkpoint.arrays:
            return self.put(checkpoint, load())
        self._kept.move_to_end(id(checkpoint.arrays))
        return kept[1]

    def put(self, checkpoint: Item, loaded: LoadedT) -> LoadedT:
        self._kept[id(checkpoint.arrays)] = (checkpoint, loaded)
        while len(self._kept) > self._count:
            self._kept.popitem(last=False)
        return loaded
