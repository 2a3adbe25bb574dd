"""Gaussians fitted to their own samples, again and again."""

from typing import Literal

from pydantic import Field

from core.config import LoopConfig, Options, parse
from core.policies import NoOptions
from core.protocols import DomainPart, Memo, Metric, Part
from model.analytic.light import LightDomain, check_size, unlabelled
from model.domains.parts import part_of
from model.tails import TAIL

VERSION = 1  # raise it when the same config gives other numbers: generations 0 are cached by it


class NormalOptions(Options):
    """Which Gaussian the real data come from."""

    d: int = Field(1, ge=1, le=1000, title="Dimensions d")
    std: float = Field(1.0, gt=0, le=1e6, title="Standard deviation", description="The same along every axis.")
    mean: float = Field(0.0, ge=-1e6, le=1e6, title="Mean", description="The same along every axis.")


class GaussianFitOptions(Options):
    """How a Gaussian is fitted to the samples."""

    estimator: Literal["unbiased", "biased"] = Field(
        "unbiased",
        title="Covariance",
        description="Divide by n - 1 (unbiased), or by n (maximum likelihood; loses a share 1/n per generation).",
    )
    form: Literal["full", "diagonal"] = Field(
        "full",
        title="Form",
        description="Fit all covariances, or only the variances. A full fit to n <= d samples is singular: what is "
        "drawn from it stays in the span of the samples.",
    )


METRICS: tuple[Metric, ...] = (
    Metric(
        "w2", "Wasserstein-2", "", "lower", "fidelity",
        "2-Wasserstein distance between the fitted and the true Gaussian, in the data's units; closed form.",
    ),
    Metric(
        "w2_squared", "Wasserstein-2 squared", "", "lower", "fidelity",
        "Square of the same: what the first-order theory is about, and its mean over seeds is not the mean's square.",
    ),
    Metric(
        "variance", "Fitted variance", "", "real", "diversity",
        "Variance of the fit, mean over the axes; 1 = the true one. Its mean over seeds hides that most seeds shrink.",
    ),
    Metric(
        "std", "Fitted standard deviation", "", "real", "diversity",
        "Root of the fitted variance; 1 = the true one. Look at the median over seeds.",
    ),
    Metric(
        "spread", "Spread about the true mean", "", "real", "diversity",
        "Squared gap of the means per axis plus the fitted variance; 1 = the true one. Its mean over seeds is the "
        "variance of a sample whose history is not known.",
    ),
    Metric(
        "mean_error", "Error of the mean", "", "lower", "fidelity",
        "Distance of the fitted from the true mean, in true standard deviations.",
    ),
    TAIL,
)  # fmt: skip

NORMAL = {
    "normal": Part("Normal", "An isotropic Gaussian.", NormalOptions, lambda options: options),
}
FITS = {
    "gaussian-fit": Part("Gaussian fit", "Mean and covariance of the samples.", GaussianFitOptions, lambda o: o),
}


def build_gaussian(config: LoopConfig, memo: Memo, device: str = "auto") -> LightDomain:
    """The Gaussian domain of a config.

    Raises:
        UnknownPart, InvalidConfig: when the config's data set or model is none.
    """
    del memo, device  # all of it is instant, and runs on the processor
    from model.analytic.gaussian import GaussianFit, GaussianJudge, Truth

    data: NormalOptions = part_of(NORMAL, "data set", config.data, "data")()
    model: GaussianFitOptions = part_of(FITS, "model", config.model, "model")()
    truth = Truth(data.d, data.std, data.mean)
    limits = [[data.mean - 4 * data.std, data.mean + 4 * data.std]] * min(data.d, 2)
    return LightDomain(
        config,
        VERSION,
        lambda seed, seeds, count, _: unlabelled(truth.sample(seed, (seeds, count))),
        truth,
        GaussianFit(model.estimator == "biased", model.form == "diagonal"),
        GaussianJudge(truth),
        {"view": "points", "limits": limits},
    )


def check_gaussian(config: LoopConfig) -> None:
    """A training set of all seeds, and their covariances, fit into memory.

    Raises:
        InvalidConfig: naming the field.
    """
    check_size(config, parse(NormalOptions, config.data.options, "data.options").d)


GAUSSIAN = DomainPart(
    "Gaussian",
    "A Gaussian fitted to samples of the Gaussian before it; everything is known in closed form.",
    NoOptions,
    build_gaussian,
    data=NORMAL,
    models=FITS,
    metrics={metric.name: metric for metric in METRICS},
    correctors=("idealized", "quality"),
    view="points",
    start={
        "data": {"kind": "normal", "options": {}},
        "model": {"kind": "gaussian-fit", "options": {}},
        "policy": {"kind": "replace", "options": {}},
        "n": 100,
        "generations": 100,
        "replicates": 100,
        "evaluation.samples": 100,
        "evaluation.panel": 64,
        "evaluation.panel_corrector": {"kind": "none", "options": {}},
    },
    sections=("correction", "evaluation"),
    light=True,
    check=check_gaussian,
)
