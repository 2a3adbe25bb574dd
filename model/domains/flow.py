"""Flows between noise and a density in the plane, learned again and again from their own samples."""

from typing import Literal

from pydantic import Field

from core.config import LoopConfig, Options
from core.policies import NoOptions
from core.protocols import DomainPart, Memo, Metric, Part
from model.analytic.light import LightDomain, check_size, unlabelled
from model.analytic.metrics import MODES, SLICED_W2
from model.domains.densities import Density
from model.domains.parts import part_of
from model.tails import TAIL

VERSION = 1  # raise it when the same config gives other numbers: generations 0 are cached by it

NLL = Metric(
    "nll", "Negative log likelihood", "nats", "lower", "fidelity",
    "Of held-out real points under the flow's own density; its floor is that of the true law on the same points.",
)  # fmt: skip


class DensityOptions(Options):
    """Which density in the plane the real data come from."""

    shape: Literal["blobs", "ring", "moons", "circles", "swiss-roll"] = Field("moons", title="Shape")
    noise: float = Field(
        0.1, ge=0.01, le=1.0, title="Noise", description="Standard deviation about the curve, which is about 3 wide."
    )


class FlowOptions(Options):
    """A network for each of the seeds."""

    width: int = Field(48, ge=4, le=1024, title="Width")
    layers: int = Field(3, ge=1, le=16, title="Layers")


DATA = {
    "density": Part(
        "Density in the plane",
        "Blobs, a ring of them, moons, circles, a roll.",
        DensityOptions,
        lambda options: options,
    ),
}
MODELS = {
    "flow-diffusion": Part(
        "Flow matching", "A small network carries noise to data along straight lines (Lipman et al. 2023).",
        FlowOptions, lambda options: options,
    ),
}  # fmt: skip


def build_flow(config: LoopConfig, memo: Memo, device: str = "auto") -> LightDomain:
    """The domain of flows of a config.

    Raises:
        UnknownPart, InvalidConfig: when the config's data set or model is none.
    """
    del memo, device  # networks as small as these are fastest on the processor
    from model.flow.evaluator import FlowJudge
    from model.flow.generator import FlowGenerator

    data: DensityOptions = part_of(DATA, "data set", config.data, "data")()
    model: FlowOptions = part_of(MODELS, "model", config.model, "model")()
    truth = Density(data.shape, data.noise)
    return LightDomain(
        config,
        VERSION,
        lambda seed, seeds, count, _: unlabelled(truth.sample(seed, (seeds, count))),
        truth,
        FlowGenerator(config.model, model.width, model.layers, config.training, config.sampling),
        FlowJudge(truth),
        {"view": "points", "limits": truth.limits},
    )


def check_flow(config: LoopConfig) -> None:
    """A training set of all seeds fits into memory.

    Raises:
        InvalidConfig: naming the field.
    """
    check_size(config, 2)


FLOW = DomainPart(
    "Flow in the plane",
    "A small generative flow fine-tuned on real points and points of the flow before it.",
    NoOptions,
    build_flow,
    data=DATA,
    models=MODELS,
    metrics={metric.name: metric for metric in (SLICED_W2, NLL, MODES, TAIL)},
    correctors=("idealized", "quality"),
    view="points",
    start={
        "data": {"kind": "density", "options": {}},
        "model": {"kind": "flow-diffusion", "options": {}},
        "policy": {"kind": "augment", "options": {"lam": 1.0}},
        "n": 500,
        "generations": 20,
        "replicates": 5,
        "training.initial_steps": 1500,
        "training.steps": 300,
        "training.batch_size": 128,
        "training.learning_rate": 1e-2,
        "training.fine_tune_learning_rate": 1e-3,
        "training.ema_decay": 0.99,
        "sampling.steps": 4,  # coarse: its error is what a loop feeds back; 10 leave little of it
        "evaluation.samples": 1000,
        "evaluation.panel": 64,
        "evaluation.panel_corrector": {"kind": "none", "options": {}},
    },
    fields=(
        "training.mode", "training.initial_steps", "training.steps", "training.batch_size", "training.learning_rate",
        "training.fine_tune_learning_rate", "training.ema_decay", "sampling.steps", "correction.where",
        "correction.rejected", "correction.attempts", "evaluation.samples", "evaluation.panel",
        "evaluation.panel_corrector",
    ),
    light=True,
    check=check_flow,
)  # fmt: skip
