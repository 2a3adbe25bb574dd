"""What a preset is: an experiment at one click, with what it shows and what it does not."""

from dataclasses import dataclass

from core.config import LoopConfig, PartConfig

PAPER = (
    "Gillman et al. 2024, Self-Correcting Self-Consuming Loops for Generative Model Training (ICML), arXiv:2402.07087"
)
REAL = PartConfig(kind="real")
PHYSICS = PartConfig(kind="physics")


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
        sized: why its loops are as large as they are, where that follows the machine; "" where they are as they are.
    """

    title: str
    question: str
    shows: str
    does_not_show: str
    minutes: float
    paper: str
    loops: tuple[tuple[str, LoopConfig], ...]
    sized: str = ""

    @property
    def description(self) -> str:
        """What it shows, then what it does not."""
        return f"{self.shows} {self.does_not_show}"
