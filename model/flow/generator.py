"""A flow from noise to points, learned by flow matching (Lipman et al. 2023), as one of the generators in Bertrand et
al. (2024): x_t = (1 - t) noise + t data, and the network learns the velocity data - noise.

A checkpoint is an :class:`core.records.Item`, the seeds axis first in all arrays: ``ema.*`` the averaged parameters,
which points are drawn with and the next generation starts from (with a fresh optimizer); ``scale.mean``,
``scale.std`` what generation 0's real data was standardised by.
"""

import time
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.config import PartConfig, SamplingConfig, TrainingConfig
from core.draws import Draws
from core.errors import DataMissing, TrainingDiverged
from core.protocols import Labels, Tick, silent
from core.records import Arrays, Item
from core.seeds import Seed, normal, streams
from model.flow.network import Parameters, count_of, initial, sizes_of, velocity, velocity_and_divergence
from model.learning import CLIP_NORM, TICK_S, all_finite, below, decay_at, rate_at

BETAS = (0.9, 0.99)
TINY = 1e-8
AT_ONCE = 32  # steps whose random numbers are drawn together
DENSITY_STEPS = 16


class FlowGenerator:
    """Implements :class:`core.protocols.Generator` for points (S, N, d): S networks that learn at once, each its own
    row.

    Args:
        model: the generator's part, as in the config; kept in checkpoints.
        width, layers: of each network's hidden layers.
    """

    def __init__(
        self, model: PartConfig, width: int, layers: int, training: TrainingConfig, sampling: SamplingConfig
    ) -> None:
        self._model, self._width, self._layers = model, width, layers
        self._training, self._sampling = training, sampling

    def fit(
        self, samples: Draws, *, start: Item | None, scratch: bool, steps: int, seed: Seed, tick: Tick = silent
    ) -> Item:
        """See :meth:`core.protocols.Generator.fit`. The loss is the mean over seeds; one that diverges ends all."""
        seeds, _, dimensions = samples.values.shape
        sizes = sizes_of(dimensions, self._width, self._layers)
        sources = list(streams(seed, seeds))
        scale = _scale_of(samples) if start is None else below(start.arrays, "scale")
        fresh = start is None or scratch
        before = None if start is None else self._fitting(start)
        blank = _filled(sources, (seeds, count_of(sizes)))
        parameters = initial(blank, sizes) if before is None or scratch else before
        points = (samples.values - scale["mean"]) / scale["std"]
        average, loss = self._train(
            parameters, torch.from_numpy(points), samples.weight, sources, steps, fresh=fresh, tick=tick
        )
        if before is not None and samples.weight is not None:  # a seed that is left with no sample keeps what it had
            some = torch.from_numpy(samples.weight.sum(1) > 0)[:, None, None]
            average = {name: torch.where(some, value, before[name]) for name, value in average.items()}
        arrays: Arrays = {f"ema.{name}": values.numpy() for name, values in average.items()}
        arrays |= {f"scale.{name}": values for name, values in scale.items()}
        model = self._model.model_dump(mode="json") | {
            "shape": [dimensions],
            "parameters": sum(value[0].numel() for value in average.values()),
        }
        return Item(arrays, {"training": {"loss": loss, "steps": float(steps)}, "model": model})

    @torch.no_grad()
    def sample(self, checkpoint: Item, labels: Labels, *, guidance: float, seed: Seed, tick: Tick = silent) -> Draws:
        """See :meth:`core.protocols.Generator.sample`: noise follows the velocity by Heun's method. There are no
        classes, so guidance and labels change nothing."""
        del guidance
        scale = below(checkpoint.arrays, "scale")
        seeds, _, dimensions = scale["mean"].shape
        parameters = self._fitting(checkpoint)
        x = torch.from_numpy(normal(seed, (seeds, len(labels), dimensions)))
        steps = self._sampling.steps
        for i in range(steps):
            x = x + _heun(parameters, x, i / steps, 1 / steps)
            tick((i + 1) / steps, f"Drawing {len(labels)} points for {seeds} seeds")
        return Draws(x.numpy() * scale["std"] + scale["mean"], np.asarray(labels, np.int64))

    def _train(
        self,
        parameters: Parameters,
        points: Tensor,
        weight: NDArray[np.float64] | None,
        sources: list[tuple[slice, np.random.Generator]],
        steps: int,
        *,
        fresh: bool,
        tick: Tick,
    ) -> tuple[Parameters, float]:
        """The averaged parameters after training, and the mean of the last losses: Adam (Kingma & Ba 2015), gradients
        clipped by each row's own norm, so that no row knows of another."""
        options = self._training
        names = list(parameters)
        now = [parameters[name].clone().requires_grad_() for name in names]
        average = [value.detach().clone() for value in now]
        optimizer = torch.optim.Adam(now, lr=1.0, betas=BETAS, eps=TINY, fused=True)
        rate = options.learning_rate if fresh else options.fine_tune_learning_rate
        losses: list[Tensor] = []
        ticked = time.perf_counter()
        for step, (x1, x0, t) in enumerate(_batches(points, weight, sources, options.batch_size, steps)):
            guess = velocity(dict(zip(names, now, strict=True)), torch.lerp(x0, x1, t), t)
            loss = ((guess - (x1 - x0)) ** 2).mean((1, 2))
            losses.append(loss.detach())
            if not bool(torch.isfinite(loss).all()):
                raise TrainingDiverged(step, float(losses[-1].mean()))
            optimizer.zero_grad(set_to_none=True)
            loss.sum().backward()  # type: ignore[no-untyped-call]
            _clip(now)
            for group in optimizer.param_groups:
                group["lr"] = rate * rate_at(step, steps) if fresh else rate
            optimizer.step()
            decay = decay_at(step, options.ema_decay, fresh=fresh)
            with torch.no_grad():
                torch._foreach_lerp_(average, now, 1 - decay)
            if time.perf_counter() - ticked > TICK_S or step + 1 == steps:
                ticked = time.perf_counter()
                tick((step + 1) / steps, f"Learning: step {step + 1} of {steps}, {len(points)} seeds")
        if losses and not all_finite(average):
            raise TrainingDiverged(steps - 1, float(losses[-1].mean()))
        recent = torch.stack(losses[-50:]).mean() if losses else torch.zeros(())
        return dict(zip(names, average, strict=True)), float(recent)

    def _fitting(self, checkpoint: Item) -> Parameters:
        """The checkpoint's parameters, if the configured network has such."""
        found = _parameters(checkpoint)
        sizes = [tuple(value.shape[1:]) for name, value in found.items() if name.startswith("weight.")]
        wanted = sizes_of(sizes[-1][1], self._width, self._layers)
        if sizes != wanted:
            raise DataMissing(
                f"The checkpoint has linear maps of {sizes}; the configured network has {wanted}.",
                "Use the model options that it was trained with.",
            )
        return found


@torch.no_grad()
def log_density(checkpoint: Item, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(S, N) log of the flow's density at points (1, N, d), the same for all seeds.

    The points flow back to noise, and the divergence adds up on the way (Chen et al. 2018, instantaneous change of
    variables), by Heun's method. What the sampler draws in few steps follows the same field less exactly.
    """
    scale, parameters = below(checkpoint.arrays, "scale"), _parameters(checkpoint)
    x = torch.from_numpy((points - scale["mean"]) / scale["std"])
    dimensions, step = x.shape[2], 1 / DENSITY_STEPS
    gained = torch.zeros(x.shape[:2], dtype=x.dtype)
    for i in range(DENSITY_STEPS):
        t = 1 - i * step
        first, here = velocity_and_divergence(parameters, x, _at_time(x, t))
        second, there = velocity_and_divergence(parameters, x - step * first, _at_time(x, t - step))
        x = x - step * (first + second) / 2
        gained = gained - step * (here + there) / 2
    noise = -0.5 * (x**2).sum(2) - 0.5 * dimensions * np.log(2 * np.pi)
    found: NDArray[np.float64] = (noise + gained).numpy() - dimensions * np.log(scale["std"][:, :, 0])
    return found


def _parameters(checkpoint: Item) -> Parameters:
    named = below(checkpoint.arrays, "ema")
    order = [f"{kind}.{i}" for i in range(len(named) // 2) for kind in ("weight", "bias")]
    return {name: torch.from_numpy(np.array(named[name], np.float64)) for name in order}


def _batches(
    points: Tensor,
    weight: NDArray[np.float64] | None,
    sources: list[tuple[slice, np.random.Generator]],
    batch: int,
    steps: int,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """``steps`` times data x1 (S, B, d), noise x0 (S, B, d) and times t (S, B, 1); rows are drawn by their weight."""
    seeds, count, dimensions = points.shape
    row = torch.arange(seeds)[:, None]
    upto = None if weight is None else torch.from_numpy(np.cumsum(weight, axis=1))
    for first in range(0, steps, AT_ONCE):
        some = min(AT_ONCE, steps - first)
        uniform = torch.from_numpy(_filled(sources, (seeds, some, batch, 2), "random"))
        noise = torch.from_numpy(_filled(sources, (seeds, some, batch, dimensions)))
        for i in range(some):
            u = uniform[:, i, :, 0]
            if upto is None:
                picked = (u * count).long()
            else:
                picked = torch.searchsorted(upto, u * upto[:, -1:], right=True).clamp(max=count - 1)
            yield points[row, picked], noise[:, i], uniform[:, i, :, 1:]


def _filled(
    sources: list[tuple[slice, np.random.Generator]], shape: tuple[int, ...], kind: str = "standard_normal"
) -> NDArray[np.float64]:
    """Numbers of a shape, rows from their own streams: what a stack of loops draws, each draws alone."""
    found = np.empty(shape)
    for rows, source in sources:
        getattr(source, kind)(out=found[rows])
    return found


def _heun(parameters: Parameters, x: Tensor, t: float, step: float) -> Tensor:
    """What one step of Heun's method adds to x."""
    first = velocity(parameters, x, _at_time(x, t))
    second = velocity(parameters, x + step * first, _at_time(x, t + step))
    return step * (first + second) / 2


def _at_time(x: Tensor, t: float) -> Tensor:
    return torch.full((*x.shape[:2], 1), t, dtype=x.dtype)


def _clip(parameters: list[Tensor]) -> None:
    """Each row's gradient to a norm of at most CLIP_NORM."""
    gradients = [value.grad for value in parameters if value.grad is not None]
    square = torch.stack([(gradient**2).sum((1, 2)) for gradient in gradients]).sum(0)
    factor = (CLIP_NORM / (square.sqrt() + TINY)).clamp(max=1.0)[:, None, None]
    for gradient in gradients:
        gradient.mul_(factor)


def _scale_of(samples: Draws) -> Arrays:
    """Mean (S, 1, d) and one standard deviation (S, 1, 1) for all axes, so that shapes stay what they are."""
    weight = samples.weights()[:, :, None]
    total = weight.sum(1, keepdims=True)
    mean = (weight * samples.values).sum(1, keepdims=True) / total
    square = (weight * (samples.values - mean) ** 2).sum(1, keepdims=True) / total
    return {"mean": mean, "std": np.sqrt(square.mean(2, keepdims=True)).clip(1e-12)}
