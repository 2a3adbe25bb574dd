"""What a set of configs differs in: one number, if it is one; its symbol, and a colour for each value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.markup import number

SYMBOLS = {"gamma": "γ", "lam": "λ", "n": "n", "share": "share", "bandwidth": "bandwidth"}
IGNORED = ("seed", "replicates", "version")
ANCHORS = ("#1f7fc4", "#7d6bc9", "#b85aa6", "#d25b66", "#c8741a")
"""A scale from blue to orange of one lightness: legible on white and on black, ordered for colour-blind eyes too."""


@dataclass(frozen=True)
class Varied:
    """The one option that groups differ in.

    Attributes:
        path: dotted, e.g. ``corrector.options.gamma``.
        symbol: ``γ``, or the option's name.
        values: one per group.
    """

    path: str
    symbol: str
    values: tuple[float, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """``γ = 0.3`` for each value."""
        return tuple(f"{self.symbol} = {number(value)}" for value in self.values)


def varied_option(groups: Sequence[Sequence[Mapping[str, Any]]]) -> Varied | None:
    """From the configs of each group's loops."""
    flat = [[flatten(config) for config in _comparable(groups, configs)] for configs in groups]
    everything = [config for configs in flat for config in configs]
    if len(groups) < 2 or not everything:
        return None
    paths = set().union(*everything)
    differing = [path for path in paths if len({repr(config.get(path)) for config in everything}) > 1]
    if len(differing) != 1:
        return None
    path = differing[0]
    values = []
    for configs in flat:
        found = {config.get(path) for config in configs}
        value = found.pop() if len(found) == 1 else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        values.append(float(value))
    if len(set(values)) < len(values):
        return None
    name = path.split(".")[-1]
    return Varied(path, SYMBOLS.get(name, name.replace("_", " ")), tuple(values))


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
