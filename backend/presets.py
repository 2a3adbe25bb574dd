"""Experiments at one click: what each asks, what it shows, what it does not show, and the loops that it launches."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from core.config import CorrectionConfig, EvaluationConfig, LoopConfig, PartConfig, SamplingConfig, TrainingConfig
from core.errors import NotFound

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.views import LoopView

PAPER = (
    "Gillman et al. 2024, Self-Correcting Self-Consuming Loops for Generative Model Training (ICML), arXiv:2402.07087"
)
SHUMAILOV = "Shumailov et al. 2024, AI models collapse when trained on recursively generated data (Nature 631)"


@dataclass(frozen=True)
class Preset:
    """A comparison that can be launched as it stands.

    Attributes:
        title: on its card; also the name of the group that its loops are launched in.
        question: one sentence.
        shows, does_not_show: what may and what may not be concluded from it.
        minutes: about how long it takes on two CPU cores with nothing cached.
        paper: where the experiment, or the claim that it examines, was published.
        loops: (name, config) of each loop, in drawing order.
    """

    title: str
    question: str
    shows: str
    does_not_show: str
    minutes: float
    paper: str
    loops: tuple[tuple[str, LoopConfig], ...]

    @property
    def description(self) -> str:
        """What it shows, then what it does not."""
        return f"{self.shows} {self.does_not_show}"


REAL = PartConfig(kind="real")
PHYSICS = PartConfig(kind="physics")


def _demo() -> Preset:
    guided = SamplingConfig(guidance_synthesis=2.5, guidance_evaluation=2.5)
    raw = LoopConfig(
        n=128,
        policy=PartConfig(kind="replace"),
        generations=10,
        training=TrainingConfig(steps=60),
        sampling=guided,
        evaluation=EvaluationConfig(samples=300),
    )
    corrector = PartConfig(
        kind="chain", options={"parts": [{"kind": "idealized", "options": {"gamma": 2.0}}, {"kind": "physics"}]}
    )
    redrawn = CorrectionConfig(rejected="redraw")
    return Preset(
        title="Collapse and correction",
        question="What becomes of a motion model that learns from its own output, and what does correction change?",
        shows=(
            "Three loops share generation 0 and the panel's noise. Raw learns from nothing but the previous "
            "generation's samples, drawn with guidance 2.5: within a few generations its motions of a class become "
            "one motion, and FID leaves that of the real-only control far behind. Corrected is the same loop, but "
            "each sample is first moved two thirds of the way to a real one of its class (the idealized corrector, "
            "gamma = 2) and then passed through the physics corrector; what that rejects is drawn again. Real only "
            "takes the same training steps on real data. Measured: FID at generation 10 of 61 / 17 / 8, within-class "
            "diversity .1 / 6.3 / 7.4."
        ),
        does_not_show=(
            "It does not show that physics stops collapse: the diversity that Corrected keeps comes from the real "
            "motion blended into its samples. Physics alone, measured in this regime, held floor penetration at "
            "generation 10 at 17.6 mm (raw 22.3, real only 13.8), and FID at 53; diversity (.1) and skate went the way "
            "of Raw's. The kinematic steps in place of physics, which reject no blend, reached FID 14. One seed, a "
            "small model and 15 classes; nothing here speaks about larger ones."
        ),
        minutes=2,
        paper=f"{SHUMAILOV}; the idealized corrector: {PAPER}",
        loops=(
            ("Raw", raw),
            ("Corrected", raw.model_copy(update={"corrector": corrector, "correction": redrawn})),
            ("Real only", raw.model_copy(update={"policy": REAL})),
        ),
    )


def _paper_regime() -> Preset:
    raw = LoopConfig(
        n=64,
        policy=PartConfig(kind="augment", options={"lam": 1.0}),
        generations=16,
        training=TrainingConfig(steps=60),
        sampling=SamplingConfig(guidance_synthesis=2.5, guidance_evaluation=2.5),
    )
    unguided = SamplingConfig(guidance_synthesis=1.0, guidance_evaluation=2.5)
    arms: tuple[tuple[str, dict[str, Any]], ...] = (
        ("Real only", {"policy": REAL}),
        ("Raw", {}),
        ("Corrected", {"corrector": PHYSICS}),
        ("Raw, guidance 1", {"sampling": unguided}),
    )
    return Preset(
        title="Paper's regime",
        question="With the real data kept, does correcting the synthetic half by physics keep a loop from drifting?",
        shows=(
            "64 real motions stay in every training set, beside as many synthetic ones (lambda = 1); three seeds. Mean "
            "FID over generations 9-16, measured: 12.7 real only, 20.0 raw, 19.3 corrected by physics, 15.0 raw with "
            "the synthetic set drawn without guidance (scale 1, evaluated at 2.5 like the rest). Physics bought a "
            "little physical quality: floor penetration of 14.0 mm against 14.7 raw (real only: 12.6), and with it "
            "half a point of FID or so (.6, .6 and .9 by seed); foot skate stayed at .61 m/s in both (real only: .56)."
        ),
        does_not_show=(
            "It does not show that physics keeps the loop where the control is: most of the drift stays. What drifts "
            "is which motions are made, more than whether they are valid, and a corrector of single motions cannot "
            "bring lost ones back; drawing without guidance bought far more. An earlier study with another evaluator "
            "found 16.9 / 24.4 / 24.4 / 19.7. The paper trains another model (MDM in raw motion space, 50 "
            "generations); with it the question is open. Trust no single seed."
        ),
        minutes=8,
        paper=PAPER,
        loops=tuple(
            (f"{name}, seed {seed}", raw.model_copy(update=changes | {"seed": seed}))
            for seed in (0, 1, 2)
            for name, changes in arms
        ),
    )


PRESETS: dict[str, Preset] = {"demo": _demo(), "paper-regime": _paper_regime()}


def preset(key: str) -> Preset:
    """The preset of that key.

    Raises:
        NotFound: naming the keys that exist.
    """
    if key not in PRESETS:
        raise NotFound(f"There is no preset named {key!r}.", f"Choose one of: {', '.join(PRESETS)}.")
    return PRESETS[key]


class NamedLoop(BaseModel):
    name: str
    config: LoopConfig


class PresetView(BaseModel):
    """A preset as the API and the command line tell of it."""

    model_config = ConfigDict(frozen=True)

    key: str
    title: str
    question: str
    shows: str
    does_not_show: str
    minutes: float
    paper: str
    loops: tuple[NamedLoop, ...]


def views() -> list[PresetView]:
    """All presets, in the order of their cards."""
    return [
        PresetView(
            key=key,
            title=p.title,
            question=p.question,
            shows=p.shows,
            does_not_show=p.does_not_show,
            minutes=p.minutes,
            paper=p.paper,
            loops=tuple(NamedLoop(name=name, config=config) for name, config in p.loops),
        )
        for key, p in PRESETS.items()
    ]


def launch_preset(backend: "Backend", key: str, *, again: bool = False) -> "list[LoopView]":
    """The preset's loops, in its order, in one group; those that this data folder already has unless ``again``.

    A preset whose launch stopped half way is completed, never doubled; one that was edited since it was launched
    is launched as a group of its own, like one asked for ``again``.

    Raises:
        NotFound: for an unknown key.
    """
    from backend.grouped import launch_group

    wanted = preset(key)
    return launch_group(backend, wanted.title, _checked(wanted), again=again)


def _checked(wanted: Preset) -> tuple[tuple[str, LoopConfig], ...]:
    """The loops with every option's default filled in, as they are stored."""
    from backend import parts

    return tuple((name, parts.check(config)) for name, config in wanted.loops)
