"""A published experiment as a card: what it asks, the loops that answer, and how their answer is judged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from core.config import LoopConfig

if TYPE_CHECKING:
    from backend.lab.findings import Findings, Verdict

Topic = Literal["theory", "images", "text"]


@dataclass(frozen=True)
class Card:
    """An experiment that can be launched as it stands, or with numbers changed.

    Attributes:
        title: on the card; also the name of the group that its loops are launched in.
        question: one sentence.
        shows: what was measured with it, and what it does not show.
        minutes: about how long it takes on two CPU cores with nothing cached.
        paper: where the experiment, or the claim that it examines, was published.
        metric: the one that its curve shows.
        plans: (label, plain config) of each arm, in drawing order; what a plan does not say is as its domain starts.
        edits: dotted paths that a reader is invited to change.
        verdicts: judges what was measured against what was claimed.
        topic: where the page lists it.
        seeds: of domains whose loops run one seed each: every arm once per seed. Light domains have ``replicates``.
    """

    title: str
    question: str
    shows: str
    minutes: float
    paper: str
    metric: str
    plans: tuple[tuple[str, Mapping[str, Any]], ...]
    edits: tuple[str, ...]
    verdicts: "Callable[[Findings], Sequence[Verdict]]"
    topic: Topic = "theory"
    seeds: tuple[int, ...] = (0,)

    @cached_property
    def arms(self) -> tuple[tuple[str, LoopConfig], ...]:
        """(label, config) of each arm, with the first seed."""
        from backend.parts import read_config

        return tuple((label, read_config(dict(plan))) for label, plan in self.plans)

    @property
    def light(self) -> bool:
        """Whether its seeds run at once (:attr:`core.config.LoopConfig.replicates`)."""
        from backend.parts import domain_part

        return all(domain_part(config.domain).light for _, config in self.arms)


class CardArm(BaseModel):
    model_config = ConfigDict(frozen=True)

    label: str
    config: LoopConfig


class CardView(BaseModel):
    """A card as the API and the command line tell of it."""

    model_config = ConfigDict(frozen=True)

    key: str
    title: str
    topic: Topic
    question: str
    shows: str
    minutes: float
    paper: str
    metric: str
    seeds: int
    loops: int
    edits: list[str]
    arms: list[CardArm]


def view_of(key: str, card: Card) -> CardView:
    """The view of a card; ``seeds`` counts those of an arm, however they run."""
    first = card.arms[0][1]
    return CardView(
        key=key, title=card.title, topic=card.topic, question=card.question, shows=card.shows, minutes=card.minutes,
        paper=card.paper, metric=card.metric, seeds=len(card.seeds) * first.replicates,
        loops=len(card.seeds) * len(card.arms), edits=list(card.edits),
        arms=[CardArm(label=label, config=config) for label, config in card.arms],
    )  # fmt: skip
