"""From a card to loops: changes applied and checked, loops that are there already offered instead of run twice."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from backend import parts
from backend.grouped import launch_group
from backend.lab.card import Card
from core.config import LoopConfig, with_changes
from core.errors import InvalidConfig

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.views import LoopView

FEWEST_SEEDS = 2


def configured(card: Card, changes: Mapping[str, Any] | None = None) -> tuple[tuple[str, LoopConfig], ...]:
    """(label, checked config) of each arm, with changes (dotted paths) in all arms that have such an option.

    Raises:
        UnknownPart, InvalidConfig: naming the field: a path that no arm has or in which the arms differ, a value that
            cannot be, too few seeds for a band.
        DataMissing: when a data set's files are not there.
    """
    arms = tuple((label, parts.check(config)) for label, config in card.arms)
    for path in changes or {}:
        _check_path(card, arms, path)
    changed = tuple(
        (label, parts.check(with_changes(config, {p: v for p, v in (changes or {}).items() if _has(config, p)})))
        for label, config in arms
    )
    if card.light and any(config.replicates < FEWEST_SEEDS for _, config in changed):
        raise InvalidConfig(
            "A band needs at least 2 seeds; got replicates = 1.", "Ask for 20 or more to see how far seeds differ.",
            "replicates",
        )  # fmt: skip
    return changed


def launch(
    backend: "Backend", card: Card, changes: Mapping[str, Any] | None = None, *, again: bool = False
) -> "list[LoopView]":
    """The card's loops in one group; those that this data folder already has unless ``again``.

    A card whose launch stopped half way is completed, never doubled; with other numbers it is a group of its own.

    Raises:
        UnknownPart, InvalidConfig, DataMissing: as :func:`configured`.
    """
    return launch_group(backend, card.title, named(card, configured(card, changes)), again=again)


def named(card: Card, arms: tuple[tuple[str, LoopConfig], ...]) -> list[tuple[str, LoopConfig]]:
    """(loop's name, config): every arm once per seed of the card."""
    if len(card.seeds) == 1:
        return list(arms)
    return [
        (f"{label}, seed {config.seed + seed}", config.model_copy(update={"seed": config.seed + seed}))
        for seed in card.seeds
        for label, config in arms
    ]


def label_of(name: str, labels: Mapping[str, Any]) -> str | None:
    """Which arm a loop of that name belongs to."""
    return name if name in labels else next((label for label in labels if name.startswith(f"{label}, seed ")), None)


def _check_path(card: Card, arms: tuple[tuple[str, LoopConfig], ...], path: str) -> None:
    values = [_value(config, path) for _, config in arms if _has(config, path)]
    if not values:
        raise InvalidConfig(
            f"No loop of {card.title!r} has an option {path!r}.", f"Numbers to change: {', '.join(card.edits)}.", path
        )
    if len(arms) > 1 and any(value != values[0] for value in values):
        raise InvalidConfig(
            f"The arms of {card.title!r} differ in {path!r}; one value for all would make them one.",
            f"Numbers to change: {', '.join(card.edits)}.", path,
        )  # fmt: skip


def _has(config: LoopConfig, path: str) -> bool:
    return _value(config, path) is not _NOTHING


_NOTHING = object()


def _value(config: LoopConfig, path: str) -> Any:
    node: Any = config.model_dump(mode="json")
    for key in path.split("."):
        if not isinstance(node, dict) or key not in node:
            return _NOTHING
        node = node[key]
    return node
