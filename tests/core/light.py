"""A light domain small enough to follow by hand: 1-D Gaussians fitted by mean and deviation, many seeds at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.config import EvaluationConfig, LoopConfig, PartConfig, parse
from core.draws import Draws
from core.errors import TrainingDiverged
from core.loop import Run
from core.memory import MemoryMemo, MemoryShelf
from core.policies import POLICIES, NoOptions
from core.protocols import Corrections, DomainPart, Labels, Metric, Part, Tails, Tick, silent
from core.records import Item, Outcome
from core.seeds import Seed, normal, seed_for


@dataclass(frozen=True)
class Fit:
    """Mean and deviation per seed, by weighted moments; asked for 13 steps it diverges."""

    def fit(
        self, samples: Draws, *, start: Item | None, scratch: bool, steps: int, seed: Seed, tick: Tick = silent
    ) -> Item:
        del start, scratch, seed
        tick(0.5, "Fitting")
        if steps == 13:
            raise TrainingDiverged(13, float("nan"))
        weight, values = samples.weights(), samples.values
        total = weight.sum(1)
        mean = (weight * values).sum(1) / total
        spread = np.sqrt((weight * (values - mean[:, None]) ** 2).sum(1) / (total - 1))
        return Item({"mean": mean, "std": spread}, {"training": {"loss": 0.0, "steps": float(steps)}})

    def sample(self, checkpoint: Item, labels: Labels, *, guidance: float, seed: Seed, tick: Tick = silent) -> Draws:
        del guidance
        tick(0.5, "Drawing")
        mean, spread = checkpoint.arrays["mean"], checkpoint.arrays["std"]
        noise = normal(seed, (len(mean), len(labels)))
        return Draws(mean[:, None] + spread[:, None] * noise, labels)


class Judge:
    def measure(self, samples: Draws, model: Item | None = None) -> Mapping[str, NDArray[np.float64]]:
        measured = {"mean": samples.values.mean(1)}
        return measured if model is None else measured | {"std": model.arrays["std"]}

    def tails(self, samples: Draws, model: Item | None = None) -> Tails | None:
        del model
        levels = np.array([0.5, 0.05])
        shares = (np.abs(samples.values)[:, :, None] > np.array([0.67, 1.96])).mean(1)
        edges = np.linspace(0.0, 3.0, 4)
        seen = np.histogram(np.abs(samples.values).clip(0, 3), edges)[0] / samples.values.size
        return Tails(levels, shares, "distance from 0", edges, np.array([0.68, 0.27, 0.05]), seen)

    def floor(self, count: int) -> dict[str, list[float]]:
        return {"mean": [0.0, 1.0 / count]}


@dataclass(frozen=True)
class LightDomain:
    seed: int
    replicates: int
    class_names: Sequence[str] = ("a", "b")
    digest: str = "light"

    def real(self, count: int) -> Draws:
        values = normal(seed_for(self.seed, 0, "real"), (self.replicates, count))
        return Draws(values, np.arange(count) % 2)

    def distance(self, samples: Draws, others: Draws) -> NDArray[np.float64]:
        return np.asarray(np.abs(samples.values[0][:, None] - others.values[0][None, :]), np.float64)

    def fresh_real(self, count: int, generation: int) -> Draws:
        values = normal(seed_for(self.seed, generation, "fresh"), (self.replicates, count))
        return Draws(values, np.arange(count) % 2)

    def body(self) -> dict[str, Any]:
        return {"view": "points", "limits": [[-4.0, 4.0]], "class_names": list(self.class_names)}

    def generator(self) -> Fit:
        return Fit()

    def evaluator(self, tick: Tick = silent) -> Judge:
        tick(1.0, "Ready")
        return Judge()


@dataclass(frozen=True)
class Shrink:
    """A corrector that pulls towards 0."""

    share: float = 0.9
    splittable: bool = False
    cost_s: float = 0.0

    def correct(self, samples: Draws, *, rows: slice = slice(None), seed: int = 0, tick: Tick = silent) -> Corrections:
        del seed
        tick(0.5, "Shrinking")
        chosen = samples.take(rows)
        outcome = Outcome("corrected", reason=f"to {self.share:g}")
        return Corrections(chosen.with_values(chosen.values * self.share), (outcome,) * len(chosen))


LIGHT = DomainPart(
    "Light", "Gaussian numbers.", NoOptions, lambda config, *_: LightDomain(config.seed, config.replicates),
    data={"light-numbers": Part("Numbers", "Normal ones.", NoOptions, lambda options: options)},
    models={"light-fit": Part("Fit", "Mean and deviation.", NoOptions, lambda options: options)},
    metrics={"std": Metric("std", "Std", "", "real", "fidelity", "Of the numbers.")},
    correctors=("shrink",),
    sections=("correction", "evaluation"),
    light=True,
)  # fmt: skip
SHRINK = Part("Shrink", "Pulls towards 0.", NoOptions, lambda *_: Shrink())


def light_config(
    *, policy: str = "replace", generations: int = 5, n: int = 20, seed: int = 0, replicates: int = 3,
    corrector: str = "none", options: dict[str, Any] | None = None, **changes: Any,
) -> LoopConfig:  # fmt: skip
    """A loop of the light domain; ``options`` are the policy's."""
    return LoopConfig(
        domain="light", data=PartConfig(kind="light-numbers"), model=PartConfig(kind="light-fit"), n=n, seed=seed,
        replicates=replicates, generations=generations, policy=PartConfig(kind=policy, options=options or {}),
        corrector=PartConfig(kind=corrector),
        evaluation=EvaluationConfig(samples=16, panel=4, panel_corrector=PartConfig(kind="shrink")), **changes,
    )  # fmt: skip


def light_run(config: LoopConfig, *, tick: Tick = silent, share: float = 0.9) -> Run:
    """A run of the light domain in memory."""
    part = POLICIES[config.policy.kind]
    policy = part.build(parse(part.options, config.policy.options))
    corrector = None if config.corrector.kind == "none" else Shrink(share)
    domain = LightDomain(config.seed, config.replicates)
    return Run(config, domain, policy, corrector, Shrink(share), MemoryShelf(), MemoryMemo(), tick)
