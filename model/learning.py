"""How networks learn and come back, whatever they generate: training loop, learning rate, checkpoint."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from core.errors import DataMissing, InvalidConfig, TrainingDiverged
from core.protocols import Tick
from core.records import Arrays, Item

TICK_S = 0.25
WARM_UP_STEPS = 50
LAST_RATE = 0.05  # of the learning rate, at the end of the cosine decay
CLIP_NORM = 1.0
MISFIT_HINT = "Use the model options and the data that it was trained with."

LoadedT = TypeVar("LoadedT")


def pick_device(device: str) -> torch.device:
    """``auto`` is cuda where there is one.

    Raises:
        InvalidConfig: where cuda is asked for and there is none.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise InvalidConfig("No CUDA device is available.", "Choose the device auto or cpu.", "device")
    return torch.device(device)


def learn(
    network: nn.Module,
    loss_of_batch: Callable[[], Tensor],
    *,
    steps: int,
    rate: float,
    fresh: bool,
    tick: Tick,
    average: nn.Module | None = None,
    ema_decay: float = 0.0,
    betas: tuple[float, float] = (0.9, 0.99),
    weight_decay: float = 0.0,
    warm_up: int = WARM_UP_STEPS,
) -> dict[str, float]:
    """Train ``network`` in place with AdamW and clipped gradients, with ``average`` following its weights.

    Args:
        loss_of_batch: draws a batch and gives its mean loss.
        fresh: warm up and decay, as a network that has learned nothing needs; otherwise the rate stays.

    Returns:
        The numbers to report: mean of the last 50 losses, and steps.

    Raises:
        TrainingDiverged: when a loss is not finite, or a weight after the last step.
    """
    weights: list[Tensor] = list(network.parameters())
    followers: list[Tensor] = [] if average is None else list(average.parameters())
    optimizer = torch.optim.AdamW(weights, lr=rate, betas=betas, weight_decay=weight_decay, fused=True)
    network.train()
    losses: list[float] = []
    ticked = time.perf_counter()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * rate_at(step, steps, warm_up) if fresh else rate
        loss = loss_of_batch()
        losses.append(loss.item())
        if not np.isfinite(losses[-1]):
            raise TrainingDiverged(step, losses[-1])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, CLIP_NORM, foreach=True)
        optimizer.step()
        if followers:
            with torch.no_grad():
                torch._foreach_lerp_(followers, weights, 1 - decay_at(step, ema_decay, fresh=fresh))
        now = time.perf_counter()
        if now - ticked > TICK_S or step + 1 == steps:
            ticked = now
            tick((step + 1) / steps, f"Learning: step {step + 1} of {steps}")
    if losses and not all_finite([*weights, *followers]):
        raise TrainingDiverged(steps - 1, losses[-1])  # the last update is in no loss any more
    recent = losses[-50:]
    return {"loss": float(np.mean(recent)) if recent else 0.0, "steps": float(steps)}


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
