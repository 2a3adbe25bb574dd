"""Linear regression on labels of its own, again and again."""

from pydantic import Field

from core.config import LoopConfig, Options, parse
from core.errors import InvalidConfig
from core.policies import NoOptions
from core.protocols import DomainPart, Memo, Metric, Part
from core.seeds import seed_for
from model.analytic.light import LightDomain, check_size
from model.domains.parts import part_of
from model.tails import TAIL

VERSION = 1  # raise it when the same config gives other numbers: generations 0 are cached by it


class LinearOptions(Options):
    """The linear model that the real labels come from: y = x w + noise, x ~ N(0, I_d). n is the papers' T."""

    d: int = Field(10, ge=1, le=1000, title="Features d", description="Isotropic; each seed has its own, for good.")
    sigma: float = Field(
        1.0, gt=0, le=1e6, title="Label noise sigma", description="Standard deviation, of real and of synthetic labels."
    )


class LeastSquaresOptions(Options):
    """Ordinary least squares has no options."""


METRICS: tuple[Metric, ...] = (
    Metric(
        "test_error", "Test error", "", "lower", "fidelity",
        "Squared error on new isotropic data without label noise: squared distance of the fitted from the true weights "
        "(whatever those are).",
    ),
    Metric(
        "train_mse", "Training error", "", "real", "fidelity",
        "Mean squared residual of the training labels; blind to how far the labels have drifted under replace.",
    ),
    TAIL,
)  # fmt: skip

LINEAR = {
    "linear": Part("Linear model", "Isotropic features, labels with noise.", LinearOptions, lambda options: options),
}
FITS = {
    "least-squares": Part("Least squares", "Fitted in closed form.", LeastSquaresOptions, lambda options: options),
}


def build_regression(config: LoopConfig, memo: Memo, device: str = "auto") -> LightDomain:
    """The regression domain of a config.

    Raises:
        UnknownPart, InvalidConfig: when the config's data set or model is none, or it has too few samples.
    """
    del memo, device  # all of it is instant, and runs on the processor
    from model.analytic.regression import LeastSquares, RegressionJudge, Truth, design_of, draw, stream_of

    data: LinearOptions = part_of(LINEAR, "data set", config.data, "data")()
    part_of(FITS, "model", config.model, "model")
    check_regression(config)
    first_fit = seed_for(config.seed, 0, "learn")  # as core.loop.learn does
    truth, stream = Truth(data.d, config.n, data.sigma), stream_of(first_fit, config.replicates)
    clean = design_of(truth, stream).clean[0]
    return LightDomain(
        config,
        VERSION,
        lambda seed, _, count, generation: draw(truth, stream, seed, count, last=generation > 0),
        None,
        LeastSquares(truth, stream),
        RegressionJudge(truth),
        {"view": "curve", "abscissa": clean.tolist(), "title": "label without noise"},
        class_names=tuple(f"row {row + 1}" for row in range(config.n)),
    )


def check_regression(config: LoopConfig) -> None:
    """There are samples enough for the features, and memory for them.

    Raises:
        InvalidConfig: naming the field.
    """
    d = parse(LinearOptions, config.data.options, "data.options").d
    check_size(config, d)
    if config.n <= d + 1:
        raise InvalidConfig(
            f"n = {config.n} samples per generation for d = {d} features: least squares has no finite expected error.",
            f"Choose n (the papers' T) larger than d + 1 = {d + 1}.",
            "n",
        )


REGRESSION = DomainPart(
    "Linear regression",
    "Least squares on labels that the fit before it made; the test error has a closed form.",
    NoOptions,
    build_regression,
    data=LINEAR,
    models=FITS,
    metrics={metric.name: metric for metric in METRICS},
    correctors=("idealized",),
    view="curve",
    start={
        "data": {"kind": "linear", "options": {}},
        "model": {"kind": "least-squares", "options": {}},
        "policy": {"kind": "replace", "options": {}},
        "n": 100,
        "generations": 99,
        "replicates": 100,
        "evaluation.samples": 100,
        "evaluation.panel": 64,
        "evaluation.panel_corrector": {"kind": "none", "options": {}},
    },
    sections=("correction", "evaluation"),
    light=True,
    check=check_regression,
)
