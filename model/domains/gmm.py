"""Gaussian mixtures fitted to their own samples, again and again."""

from pydantic import Field

from core.config import LoopConfig, Options, parse
from core.errors import InvalidConfig
from core.policies import NoOptions
from core.protocols import DomainPart, Memo, Part
from model.analytic.light import LightDomain, check_size, unlabelled
from model.analytic.metrics import MODES, NLL, SLICED_W2
from model.domains.parts import part_of
from model.tails import TAIL

VERSION = 1  # raise it when the same config gives other numbers: generations 0 are cached by it


class MixtureOptions(Options):
    """Which mixture the real data come from."""

    components: int = Field(2, ge=2, le=32, title="Clusters", description="Equally likely isotropic Gaussians.")
    separation: float = Field(
        4.0, ge=0, le=100, title="Separation", description="Between the centres of neighbours, in their std."
    )
    d: int = Field(2, ge=1, le=10, title="Dimensions d", description="Centres on a line (1) or on a circle.")
    std: float = Field(1.0, gt=0, le=1e6, title="Standard deviation", description="Of each cluster.")


class GmmOptions(Options):
    """How a mixture is fitted to the samples. Steps of EM are the steps of training."""

    components: int = Field(2, ge=1, le=32, title="Components", description="That the fitted mixture has.")
    floor: float = Field(
        1e-6, ge=1e-12, le=1.0, title="Variance floor",
        description="Added to every variance, so that no component shrinks to a point; in the data's units squared.",
    )  # fmt: skip


MIXTURES = {
    "mixture": Part("Gaussian mixture", "Clusters on a line or a circle.", MixtureOptions, lambda options: options),
}
FITS = {
    "gmm-em": Part("Gaussian mixture (EM)", "Full covariances, fitted by EM.", GmmOptions, lambda options: options),
}


def build_gmm(config: LoopConfig, memo: Memo, device: str = "auto") -> LightDomain:
    """The mixture domain of a config.

    Raises:
        UnknownPart, InvalidConfig: when the config's data set or model is none.
    """
    del memo, device  # all of it is instant, and runs on the processor
    from model.analytic.gmm import MixtureFit, MixtureJudge, Truth

    data: MixtureOptions = part_of(MIXTURES, "data set", config.data, "data")()
    model: GmmOptions = part_of(FITS, "model", config.model, "model")()
    truth = Truth(data.components, data.separation, data.d, data.std)
    reach = abs(truth.centres).max(0)[:2] + 4 * data.std
    return LightDomain(
        config,
        VERSION,
        lambda seed, seeds, count, _: unlabelled(truth.sample(seed, (seeds, count))),
        truth,
        MixtureFit(model.components, model.floor),
        MixtureJudge(truth),
        {"view": "points", "limits": [[-float(r), float(r)] for r in reach]},
    )


def check_gmm(config: LoopConfig) -> None:
    """There are samples enough for the components, and memory for them.

    Raises:
        InvalidConfig: naming the field.
    """
    check_size(config, parse(MixtureOptions, config.data.options, "data.options").d)
    components = parse(GmmOptions, config.model.options, "model.options").components
    if config.n < 2 * components:
        raise InvalidConfig(
            f"{components} components cannot be fitted to n = {config.n} samples.",
            f"Choose n >= {2 * components}, or fewer components.",
            "model.options.components",
        )


GMM = DomainPart(
    "Gaussian mixture",
    "A mixture fitted by EM to samples of the mixture before it: clusters merge, and rare ones vanish.",
    NoOptions,
    build_gmm,
    data=MIXTURES,
    models=FITS,
    metrics={metric.name: metric for metric in (NLL, MODES, SLICED_W2, TAIL)},
    correctors=("idealized", "quality"),
    view="points",
    start={
        "data": {"kind": "mixture", "options": {}},
        "model": {"kind": "gmm-em", "options": {}},
        "policy": {"kind": "replace", "options": {}},
        "n": 1000,
        "generations": 50,
        "replicates": 20,
        "training.initial_steps": 50,
        "training.steps": 10,
        "evaluation.samples": 200,
        "evaluation.panel": 64,
        "evaluation.panel_corrector": {"kind": "none", "options": {}},
    },
    sections=("correction", "training", "evaluation"),
    fields=(
        "correction.where", "correction.rejected", "correction.attempts", "training.mode", "training.initial_steps",
        "training.steps", "evaluation.samples", "evaluation.panel", "evaluation.panel_corrector",
    ),
    light=True,
    check=check_gmm,
)  # fmt: skip
