"""Kernel density estimates of their own samples, again and again."""

from typing import Literal

from pydantic import Field

from core.config import LoopConfig, Options
from core.policies import NoOptions
from core.protocols import DomainPart, Memo, Part
from model.analytic.light import LightDomain, check_size, unlabelled
from model.analytic.metrics import MODES, NLL, SLICED_W2
from model.domains.densities import Density
from model.domains.parts import part_of
from model.tails import TAIL

VERSION = 1  # raise it when the same config gives other numbers: generations 0 are cached by it


class PointsOptions(Options):
    """Which density in the plane the real data come from."""

    shape: Literal["blobs", "ring", "moons", "circles", "swiss-roll"] = Field("moons", title="Shape")
    noise: float = Field(
        0.1, ge=0.01, le=1.0, title="Noise", description="Standard deviation about the curve, which is about 3 wide."
    )


class KernelOptions(Options):
    """A Gaussian kernel on every training sample."""

    bandwidth: float = Field(
        0.1, ge=0.01, le=10, title="Bandwidth", description="Standard deviation of the kernels, in the data's units."
    )
    centres: int = Field(
        10_000, ge=16, le=1_000_000, title="Kernels at most",
        description="Of larger training sets (accumulate) evenly many samples of every generation are left out.",
    )  # fmt: skip


POINTS = {
    "points": Part("Points in the plane", "Blobs, moons, circles, a roll.", PointsOptions, lambda options: options),
}
KERNELS = {
    "kernel-density": Part("Kernel density", "A kernel on every sample.", KernelOptions, lambda options: options),
}


def build_kde(config: LoopConfig, memo: Memo, device: str = "auto") -> LightDomain:
    """The domain of kernel density estimates of a config.

    Raises:
        UnknownPart, InvalidConfig: when the config's data set or model is none.
    """
    del memo, device  # all of it is instant, and runs on the processor
    from model.analytic.kde import KernelDensity, KernelJudge

    data: PointsOptions = part_of(POINTS, "data set", config.data, "data")()
    model: KernelOptions = part_of(KERNELS, "model", config.model, "model")()
    truth = Density(data.shape, data.noise)
    return LightDomain(
        config,
        VERSION,
        lambda seed, seeds, count, _: unlabelled(truth.sample(seed, (seeds, count))),
        truth,
        KernelDensity(model.bandwidth, model.centres),
        KernelJudge(truth, model.bandwidth),
        {"view": "points", "limits": truth.limits},
    )


def check_kde(config: LoopConfig) -> None:
    """A training set of all seeds fits into memory.

    Raises:
        InvalidConfig: naming the field.
    """
    check_size(config, 2)


KDE = DomainPart(
    "Kernel density",
    "A kernel density estimate of samples of the estimate before it: what is learned blurs, and clumps.",
    NoOptions,
    build_kde,
    data=POINTS,
    models=KERNELS,
    metrics={metric.name: metric for metric in (NLL, MODES, SLICED_W2, TAIL)},
    correctors=("idealized", "quality"),
    view="points",
    start={
        "data": {"kind": "points", "options": {}},
        "model": {"kind": "kernel-density", "options": {}},
        "policy": {"kind": "replace", "options": {}},
        "n": 200,
        "generations": 50,
        "replicates": 20,
        "evaluation.samples": 200,
        "evaluation.panel": 64,
        "evaluation.panel_corrector": {"kind": "none", "options": {}},
    },
    sections=("correction", "evaluation"),
    light=True,
    check=check_kde,
)
