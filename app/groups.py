"""Loops put together for comparison: seeds of one setting, loops of one arm... each with its colour and line style."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from app.theme import ARM_COLOURS, ARM_TITLES, FURTHER_COLOURS
from app.variation import Value, Varied, ramp, varied_option, varied_options

if TYPE_CHECKING:
    from backend.views import LoopView

RAMP_FROM = 4  # more lines than this that differ in one number are coloured by it
DASHES = {"replace": "solid", "augment": "dash", "accumulate": "dot"}
"""Line style of a policy, where a chart has more than one (real only is always solid)."""
STYLES = ("solid", "dash", "dot", "longdash", "dashdot")
"""Line styles of a grid's second option, in the order of its values."""


@dataclass(frozen=True)
class Group:
    """Loops drawn as one line. ``arm``: "" where they are of different arms; ``label``: short, for the line's end."""

    title: str
    label: str
    arm: str
    colour: str
    dash: str
    loops: "tuple[LoopView, ...]"

    @property
    def seeds(self) -> int:
        """How many seeds stand behind the line."""
        return sum(int(view.config.get("replicates", 1)) for view in self.loops)


def corrector_words(part: dict[str, Any]) -> str:
    """``physics``, ``idealized + physics`` (a chain), ``none``."""
    if part.get("kind") == "chain":
        parts = part.get("options", {}).get("parts", [])
        return " + ".join(str(p.get("kind")) for p in parts) or "none"
    return str(part.get("kind", "none"))


def setting_of(view: "LoopView") -> str:
    """What loops that differ in their seed alone have in common."""
    config = {k: v for k, v in view.config.items() if k != "seed"}
    return json.dumps(config, sort_keys=True)


def without_seed(name: str) -> str:
    """``Raw, seed 2`` -> ``Raw``."""
    return re.sub(r"[\s,;(·-]*\bseed\s*\d+\)?\s*$", "", name) or name


GROUPINGS: "dict[str, tuple[str, Callable[[LoopView], str]]]" = {
    "setting": ("Setting (seeds together)", setting_of),
    "arm": ("Arm", lambda view: view.arm),
    "corrector": ("Corrector", lambda view: corrector_words(view.config["corrector"])),
    "policy": ("Policy", lambda view: str(view.config["policy"]["kind"])),
    "name": ("Each loop", lambda view: view.id),
}
"""What loops can be grouped by: title, and the key of a loop."""


def group_loops(views: "Sequence[LoopView]", by: str = "setting") -> list[Group]:
    """Groups in the order of their launch, each with its colour, title and dash, however the loops were listed."""
    views = sorted(views, key=lambda view: (view.created_at, view.id))
    key_of = GROUPINGS[by][1] if by in GROUPINGS else setting_of
    members: dict[str, list[LoopView]] = {}
    for view in views:
        members.setdefault(key_of(view), []).append(view)
    policies = {str(v.config["policy"]["kind"]) for v in views} - {"real"}
    further = iter(FURTHER_COLOURS * (1 + len(members)))
    used: set[str] = set()
    groups: list[Group] = []
    for key, loops in members.items():
        arms = {view.arm for view in loops}
        arm = arms.pop() if len(arms) == 1 else ""
        colour = ARM_COLOURS.get(arm, "")
        if not colour or colour in used:
            colour = next(further)
        used.add(colour)
        kinds = {str(view.config["policy"]["kind"]) for view in loops}
        policy = kinds.pop() if len(kinds) == 1 else ""
        dash = DASHES.get(policy, "solid") if len(policies) > 1 else "solid"
        label = _label(by, key, loops)
        groups.append(Group(label, label, arm, colour, dash, tuple(loops)))
    return [_with_seeds(group, by) for group in _distinct(_named(groups, by))]


def varied(groups: Sequence[Group]) -> Varied | None:
    """The one option that the groups differ in, if it is a number and each group has one value of it."""
    return varied_option([[view.config for view in group.loops] for group in groups])


def grid(groups: Sequence[Group]) -> tuple[Varied, Varied] | None:
    """The two options that the groups differ in, if they are two and every combination is there: the one with more
    values first (colours), then the other (line styles)."""
    found = varied_options([[view.config for view in group.loops] for group in groups])
    if len(found) != 2 or len(groups) != len(found[0].levels) * len(found[1].levels):
        return None
    first, second = sorted(found, key=lambda option: (-len(option.levels), option.numbers is None))
    return first, second


def _gridded(groups: list[Group], found: tuple[Varied, Varied]) -> list[Group]:
    """Called by both values; coloured by one, dashed by the other."""
    coloured, dashed = found
    scale = ramp(len(coloured.levels)) if coloured.numbers is not None else _arm_like(len(coloured.levels))
    colours = dict(zip(coloured.levels, scale, strict=True))
    styles = dict(zip(dashed.levels, STYLES, strict=False))
    return [
        replace(
            group, title=f"{coloured.said(a)}, {dashed.said(b)}", label=f"{_brief(coloured, a)}, {_brief(dashed, b)}",
            colour=colours[a], dash=styles.get(b, "solid"),
        )
        for group, a, b in zip(groups, coloured.values, dashed.values, strict=True)
    ]  # fmt: skip


def _arm_like(count: int) -> list[str]:
    known = [ARM_COLOURS["raw"], ARM_COLOURS["corrected"], *FURTHER_COLOURS]
    return [known[i % len(known)] for i in range(count)]


def _brief(option: Varied, value: Value) -> str:
    """For a line's end: ``λ 0.5``; kinds as they are."""
    return str(value) if option.path.endswith(".kind") else option.said(value).replace(" = ", " ")


def _named(groups: list[Group], by: str) -> list[Group]:
    """Groups that differ in one number: called by it where their names do not tell them apart, coloured by it where
    there are more than colours."""
    both = grid(groups) if by == "setting" else None
    if both is not None:
        return _gridded(groups, both)
    found = varied(groups) if len(groups) > 1 else None
    numbers = found.numbers if found is not None else None
    if found is None or numbers is None:
        return groups
    if len({group.label for group in groups}) < len(groups):
        groups = [
            replace(g, label=words, title=f"{g.title}, {words}") for g, words in zip(groups, found.words, strict=True)
        ]
    if len(groups) > RAMP_FROM:
        order = sorted(numbers)
        colours = ramp(len(groups))
        groups = [replace(g, colour=colours[order.index(v)]) for g, v in zip(groups, numbers, strict=True)]
    return groups


def _with_seeds(group: Group, by: str) -> Group:
    many = group.seeds > 1 and (by in ("setting", "name"))
    return replace(group, title=f"{group.title} ({group.seeds} seeds)") if many else group


def _label(by: str, key: str, loops: "Sequence[LoopView]") -> str:
    if by == "arm":
        title = ARM_TITLES.get(key, key)
    elif by in ("corrector", "policy"):
        title = key
    elif by == "name":
        return loops[0].name
    else:
        title = without_seed(loops[0].name) if len(loops) > 1 else loops[0].name
    return title


def _distinct(groups: list[Group]) -> list[Group]:
    """Two groups of one name get a number."""
    seen: dict[str, int] = {}
    result = []
    for group in groups:
        seen[group.title] = seen.get(group.title, 0) + 1
        number = seen[group.title]
        mark = "" if number == 1 else f" #{number}"
        result.append(replace(group, title=group.title + mark, label=group.label + mark))
    return result
