"""What a set of configs differs in: the options, their symbols and values, and a colour for each number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.markup import number
from backend.sweep import SYMBOLS

IGNORED = ("seed", "replicates", "version")
ANCHORS = ("#1f7fc4", "#7d6bc9", "#b85aa6", "#d25b66", "#c8741a")
"""A scale from blue to orange of one lightness: legible on white and on black, ordered for colour-blind eyes too."""

Value = float | str


@dataclass(frozen=True)
class Varied:
    """An option that groups differ in.

    Attributes:
        path: dotted, e.g. ``corrector.options.gamma``.
        symbol: ``γ``, or the option's name.
        values: one per group.
    """

    path: str
    symbol: str
    values: tuple[Value, ...]

    @property
    def numbers(self) -> tuple[float, ...] | None:
        """The values, where all are numbers."""
        found = tuple(value for value in self.values if isinstance(value, float))
        return found if len(found) == len(self.values) else None

    @property
    def levels(self) -> list[Value]:
        """Each value once: numbers ascending, words as they come."""
        numbers = self.numbers
        return list(dict.fromkeys(self.values if numbers is None else sorted(numbers)))

    @property
    def words(self) -> tuple[str, ...]:
        """``γ = 0.3`` for each group's value."""
        return tuple(self.said(value) for value in self.values)

    def said(self, value: Value) -> str:
        """``γ = 0.3``; ``physics``, ``no corrector``, of kinds."""
        if isinstance(value, float):
            return f"{self.symbol} = {number(value)}"
        if self.path.endswith(".kind"):
            return f"no {self.symbol}" if value == "none" else value
        return f"{self.symbol} = {value}"


def varied_options(groups: Sequence[Sequence[Mapping[str, Any]]]) -> tuple[Varied, ...]:
    """What tells the groups apart, from the configs of each group's loops: options of which every group has one value,
    no two groups the same of all. What merely follows another kind of part is none. Empty where there is no such set.
    """
    flat = [[flatten(config) for config in _comparable(groups, configs)] for configs in groups]
    everything = [config for configs in flat for config in configs]
    if len(groups) < 2 or not everything:
        return ()
    found = []
    for path in _differing(everything):
        values = []
        for configs in flat:
            known = {repr(config.get(path)): config.get(path) for config in configs}
            if len(known) != 1:
                return ()
            values.append(_plain(next(iter(known.values()))))
        found.append(Varied(path, _symbol(path), tuple(values)))
    points = list(zip(*(option.values for option in found), strict=True))
    return tuple(found) if len(set(points)) == len(groups) else ()


def varied_option(groups: Sequence[Sequence[Mapping[str, Any]]]) -> Varied | None:
    """The one option that the groups differ in, if it is a number."""
    found = varied_options(groups)
    return found[0] if len(found) == 1 and found[0].numbers is not None else None


def _differing(everything: Sequence[Mapping[str, Any]]) -> list[str]:
    """Paths in which configs differ, in the order of a config; an option of a part whose kind differs counts where
    it differs between loops of one kind."""
    paths = [p for p in dict.fromkeys(p for c in everything for p in c) if _differs(everything, p)]
    kept = []
    for path in paths:
        kind = f"{path.split('.options.')[0]}.kind"
        follows = ".options." in path and kind in paths
        kinds = {config.get(kind) for config in everything} if follows else {None}
        alike = [[c for c in everything if not follows or c.get(kind) == one] for one in kinds]
        if any(_differs(configs, path) for configs in alike):
            kept.append(path)
    return kept


def _differs(configs: Sequence[Mapping[str, Any]], path: str) -> bool:
    return len({repr(config.get(path)) for config in configs}) > 1


def _plain(value: Any) -> Value:
    """A number, or words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return float(value) if isinstance(value, int | float) else str(value)


def _symbol(path: str) -> str:
    *above, name = path.split(".")
    if name == "kind" and above:
        name = above[-1]
    return SYMBOLS.get(name, name.replace("_", " "))


def flatten(config: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Dotted path -> value, without what makes no setting (seeds)."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        path = f"{above}.{name}" if above else name
        if path in IGNORED:
            continue
        if isinstance(value, Mapping):
            found |= flatten(value, path)
        else:
            found[path] = value
    return found


def _comparable(
    groups: Sequence[Sequence[Mapping[str, Any]]], configs: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """No correction is the idealized one of gamma 0, real data only is augmentation by lambda 0: they belong to a
    sweep of the other loops' gamma or lambda."""
    everything = [config for some in groups for config in some]
    ideal = next((c["corrector"] for c in everything if "gamma" in c["corrector"].get("options", {})), None)
    augment = next((c["policy"] for c in everything if "lam" in c["policy"].get("options", {})), None)
    found = []
    for config in configs:
        changed = dict(config)
        if ideal is not None and config["corrector"]["kind"] == "none":
            changed["corrector"] = {**ideal, "options": {**ideal["options"], "gamma": 0.0}}
        if augment is not None and config["policy"]["kind"] == "real":
            changed["policy"] = {**augment, "options": {**augment["options"], "lam": 0.0}}
        found.append(changed)
    return found


def ramp(count: int) -> list[str]:
    """``count`` colours along the scale."""
    stops = [[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in ANCHORS]
    colours = []
    for k in range(count):
        at = k / max(count - 1, 1) * (len(stops) - 1)
        low = min(int(at), len(stops) - 2)
        mixed = [round(a + (b - a) * (at - low)) for a, b in zip(stops[low], stops[low + 1], strict=True)]
        colours.append("#{:02x}{:02x}{:02x}".format(*mixed))
    return colours
