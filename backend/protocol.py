"""The paper's protocol as choices: data set, n, lambda, seeds and scale; four arms for each; sized to the device.

Gillman et al. 2024, human motion: MDM on subsets of HumanML3D, n in {64, 128, 256, 2794}, lambda in {.25, .5, .75, 1},
50 generations; 5,000 steps on n = 64 real samples, then 1,000 per generation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

from backend.preset import PAPER, PHYSICS, REAL, Preset
from core.config import LoopConfig, Options, PartConfig, SamplingConfig, TrainingConfig, parse
from core.errors import InvalidConfig

Device = Literal["cuda", "cpu"]
Scale = Literal["auto", "paper", "small"]
Kind = Literal["auto", "transformer", "latent-mlp"]

GENERATIONS = {"paper": 50, "small": 10}
GUIDANCE, UNGUIDED = 2.5, 1.0
WINDOW_S = 2.0


def _listed(value: Any) -> Any:
    """``"64, all"`` as a list, one value as a list of it; numbers stay text, which the field reads."""
    if isinstance(value, str):
        return [bit.strip() for bit in value.replace(";", ",").split(",") if bit.strip()]
    return value if isinstance(value, list | tuple) else [value]


def _counted(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """One sentence for a union that would tell of each of its members."""
    try:
        return check(value)
    except ValidationError:
        raise PydanticCustomError("count", "Samples are a whole number from 8 to 1,000,000, or: all") from None


Count = Annotated[Annotated[int, Field(ge=8, le=1_000_000)] | Literal["all"], WrapValidator(_counted)]


class ProtocolChoices(Options):
    """What there is to choose. ``auto`` follows the device."""

    data: PartConfig = Field(
        default_factory=lambda: PartConfig(kind="deepmimic"), title="Data set", description="Of the motion domain."
    )
    n: Annotated[tuple[Count, ...], BeforeValidator(_listed)] = Field(
        (64,), min_length=1, max_length=8, title="n", description="Real samples, or: all of the data set."
    )
    lam: Annotated[tuple[Annotated[float, Field(gt=0, le=100)], ...], BeforeValidator(_listed)] = Field(
        (1.0,), min_length=1, max_length=8, title="lambda", description="Synthetic samples per real one."
    )
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, le=2**31 - 1)], ...], BeforeValidator(_listed)] = Field(
        (0,), min_length=1, max_length=64, title="Seeds"
    )
    scale: Scale = Field("auto", title="Scale", description="paper: 50 generations; small: 10, in minutes on a CPU.")
    model: Kind = Field("auto", title="Model", description="Transformer at MDM's size, or latent MLP.")


@dataclass(frozen=True)
class Sized:
    """A model with the training that goes with its size, and why it was chosen."""

    model: PartConfig
    training: TrainingConfig
    words: str


def sized_for(device: Device, wanted: Kind = "auto") -> Sized:
    """The model for a device: MDM's size (Tevet et al. 2023: 8 layers of 512, 4 heads, a token per frame) where there
    is CUDA, the latent MLP on a CPU."""
    kind = wanted if wanted != "auto" else "transformer" if device == "cuda" else "latent-mlp"
    here = "CUDA is here" if device == "cuda" else "no CUDA device was found"
    if kind == "latent-mlp":
        words = f"Latent MLP, 1,000 steps and then 60 per generation: {here}."
        return Sized(PartConfig(kind=kind), TrainingConfig(steps=60), words)
    size = {"width": 512, "layers": 8, "heads": 4, "patch": 1}
    training = TrainingConfig(initial_steps=5000, steps=1000, learning_rate=1e-4, fine_tune_learning_rate=1e-4)
    words = f"Transformer at MDM's size (8 layers of 512), 5,000 steps and then 1,000 per generation: {here}."
    return Sized(PartConfig(kind=kind, options=dict(size)), training, words)


def read_choices(plain: Mapping[str, Any]) -> ProtocolChoices:
    """Choices from plain data; dotted paths go inside: ``{"data.kind": "npz", "n": "64, 128"}``.

    Raises:
        InvalidConfig: naming the choice.
    """
    data: dict[str, Any] = {}
    for path, value in plain.items():
        node = data
        *above, last = path.split(".")
        for key in above:
            inner = node.setdefault(key, {})
            if not isinstance(inner, dict):
                raise InvalidConfig(f"There is no choice {path!r}.", f"{key!r} holds no options.", path)
            node = inner
        node[last] = {**value} if isinstance(value, Mapping) else value
    return parse(ProtocolChoices, data)


def protocol(choices: ProtocolChoices, device: Device) -> Preset:
    """The experiment that the choices stand for.

    Raises:
        UnknownPart, InvalidConfig: when a data set that all samples are asked of is none.
        DataMissing: when its files are not there.
    """
    sized = sized_for(device, choices.model)
    scale = choices.scale if choices.scale != "auto" else "paper" if device == "cuda" else "small"
    generations = GENERATIONS[scale]
    counts = [_all_of(choices.data) if n == "all" else n for n in choices.n]
    loops = []
    for seed, n in product(dict.fromkeys(choices.seeds), dict.fromkeys(counts)):
        raw = LoopConfig(
            data=choices.data, n=n, model=sized.model, training=sized.training, generations=generations, seed=seed,
            sampling=SamplingConfig(guidance_synthesis=GUIDANCE, guidance_evaluation=GUIDANCE),
        )  # fmt: skip
        head = f"n = {n}, " if len(counts) > 1 else ""
        tail = f", seed {seed}" if len(choices.seeds) > 1 else ""
        loops.append((f"{head}Real only{tail}", raw.model_copy(update={"policy": REAL})))
        for lam in dict.fromkeys(choices.lam):
            words = f"{head}λ = {lam:g}, " if len(choices.lam) > 1 else head
            arm = raw.model_copy(update={"policy": PartConfig(kind="augment", options={"lam": lam})})
            unguided = arm.sampling.model_copy(update={"guidance_synthesis": UNGUIDED})
            loops += [
                (f"{words}Raw{tail}", arm),
                (f"{words}Corrected{tail}", arm.model_copy(update={"corrector": PHYSICS})),
                (f"{words}Raw, guidance 1{tail}", arm.model_copy(update={"sampling": unguided})),
            ]
    smaller = "" if scale == "paper" else " Scaled down: 10 generations instead of the paper's 50."
    return Preset(
        title="Paper protocol", question=QUESTION, shows=SHOWS, does_not_show=DOES_NOT_SHOW, minutes=4, paper=PAPER,
        loops=tuple(loops), sized=f"{sized.words}{smaller}",
    )  # fmt: skip


def _all_of(data: PartConfig) -> int:
    """How many windows of two seconds a data set's recordings hold side by side."""
    from model.domains.motion import dataset_of

    return max(8, int(float(dataset_of(data).card["seconds"]) / WINDOW_S))


QUESTION = "Does correcting the synthetic samples keep a loop near its real-only control, for every n and lambda?"
SHOWS = (
    "Four arms for each n, lambda and seed: real only (the same number of steps), iterative fine-tuning on real and "
    "synthetic samples, the same with each synthetic sample corrected by physics, and, beyond the paper, the raw arm "
    "with its synthetic set drawn at guidance 1. The paper found that corrected loops stay near the baseline while "
    "uncorrected ones drift, up to lambda = 1 (MDM on HumanML3D, corrected by imitation in a simulator)."
)
DOES_NOT_SHOW = (
    "It is not known whether the paper's finding holds here at its size: this product has run the protocol scaled down "
    "only. So (CMU subset, n = 64, lambda = 1, three seeds, generations 6-10): FID 5.7 real only, 7.1 raw, 7.1 "
    "corrected, 6.3 raw at guidance 1; floor penetration 2.7, 4.2, 3.5 and 2.6 mm. Over 50 generations (latent MLP, "
    "one seed, generations 41-50): FID 7.0, 20.4, 20.5 and 5.8. In the Paper's regime (latent MLP, "
    "DeepMimic clips, 16 generations) physics took nothing off the raw arm's drift in FID, guidance 1 five. Windows of "
    "two seconds, this product's own evaluator and corrector: FID compares within one group only."
)
