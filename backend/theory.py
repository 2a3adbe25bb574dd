"""Which closed forms hold for a loop, and what they predict for it; which do not, and why."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from backend import measures, parts
from core.config import LoopConfig, PartConfig, parse
from core.errors import InvalidConfig
from model.theory import THEORIES, Theory
from model.theory.stability import RATIO, known_constants

if TYPE_CHECKING:
    from backend.context import Backend

Constants = Mapping[str, float]
Measured = Mapping[str, Sequence[tuple[int, float]]]
"""Curves of a run by metric, from which constants may be estimated."""


class _Explained(BaseModel):
    """What every line and threshold says of itself."""

    model_config = ConfigDict(frozen=True)

    key: str
    title: str
    formula: str
    symbols: dict[str, str]
    assumptions: list[str]
    source: str
    note: str = ""
    """Where its constants come from, in words."""


class TheoryView(_Explained):
    """A predicted curve of one metric, by generation."""

    metric: str
    kind: Literal["exact", "first order", "bound"]
    points: list[tuple[int, float]]


class ThresholdView(_Explained):
    """A value of an option beyond which a statement ends: a vertical line over a sweep of that option."""

    option: str
    value: float


class Refusal(BaseModel):
    """A closed form that is not drawn, and why."""

    model_config = ConfigDict(frozen=True)

    key: str
    title: str
    reason: str


class TheoryAnswer(BaseModel):
    """Everything that is known about one loop."""

    model_config = ConfigDict(frozen=True)

    lines: list[TheoryView]
    thresholds: list[ThresholdView]
    refusals: list[Refusal]


def lines(
    config: LoopConfig, generations: int, constants: Constants | None = None, measured: Measured | None = None
) -> list[TheoryView]:
    """The curves whose assumptions hold, at generations 0 to ``generations``.

    Args:
        constants: what the user set, by name: ratio, tau, start (see model.theory.stability).
        measured: the run's own curves, to estimate constants from; a curve says where its constants are from.

    Raises:
        InvalidConfig: for constants that there are not or that are negative.
    """
    found = []
    config = _filled(config)
    for theory in _of(config):
        values, note = _constants(theory, config, constants, measured)
        if theory.kind == "threshold" or theory.applies(config) or values is None:
            continue
        curve = theory.curve(config, generations, values)
        points = [(t, float(value)) for t, value in enumerate(curve) if math.isfinite(value)]
        if points:
            found.append(
                TheoryView(**_explained(theory), note=note, metric=theory.metric, kind=theory.kind, points=points)
            )
    return found


def thresholds(config: LoopConfig, constants: Constants | None = None) -> list[ThresholdView]:
    """Values of options at which statements end, where their constants are known."""
    found = []
    config = _filled(config)
    for theory in _of(config):
        values, note = _constants(theory, config, constants, None)
        if theory.kind == "threshold" and not theory.applies(config) and values is not None:
            value = float(theory.curve(config, 0, values)[0])
            found.append(ThresholdView(**_explained(theory), note=note, option=theory.option, value=value))
    return found


def refusals(config: LoopConfig, constants: Constants | None = None, measured: Measured | None = None) -> list[Refusal]:
    """The closed forms of the loop's domain that are not drawn, and why."""
    found = []
    config = _filled(config)
    for theory in _of(config):
        why = theory.applies(config)
        values = None if why else _constants(theory, config, constants, measured)[0]
        if not why and values is None:
            missing = "; ".join(theory.needs.values())
            why = f"Its constants are not known: set them, or let a run estimate them. It needs {missing}."
        elif values is not None and not math.isfinite(theory.curve(config, 0, values)[0]):
            why = "There is no bound: rho(lambda) is infinite, because lambda (1 + L eps / alpha) is not below 1."
        if why:
            found.append(Refusal(key=theory.key, title=theory.title, reason=why))
    return found


def of_loop(backend: "Backend", loop_id: str, constants: Constants | None = None) -> TheoryAnswer:
    """Lines, thresholds and refusals of a loop; constants that it can are estimated from its run.

    Raises:
        NotFound: when there is no such loop.
        InvalidConfig: as :func:`lines`.
    """
    from backend import loops

    config = LoopConfig.model_validate(loops.show_loop(backend, loop_id).config)
    measured = measures.curves(backend, [loop_id]).get(loop_id, {})
    return TheoryAnswer(
        lines=lines(config, config.generations, constants, measured),
        thresholds=thresholds(config, constants),
        refusals=refusals(config, constants, measured),
    )


def _of(config: LoopConfig) -> list[Theory]:
    """Those that could speak of the loop's domain."""
    return [theory for theory in THEORIES.values() if theory.domain in ("", config.domain)]


def _explained(theory: Theory) -> dict[str, Any]:
    return {
        "key": theory.key, "title": theory.title, "formula": theory.formula, "symbols": dict(theory.symbols),
        "assumptions": list(theory.assumptions), "source": theory.source,
    }  # fmt: skip


def _constants(
    theory: Theory, config: LoopConfig, given: Constants | None, measured: Measured | None
) -> tuple[dict[str, float] | None, str]:
    """The constants that a theory needs and where they are from; None while one is not known."""
    derived, estimated = known_constants(config), _estimated(theory, measured or {})
    values: dict[str, float] = {}
    told: list[str] = []
    for name in theory.needs:
        for source, words in ((_checked(given), "set"), (derived, "derived"), (estimated, "estimated from the run")):
            if name in source:
                values[name] = source[name]
                told.append(f"{_SYMBOL.get(name, name)} = {source[name]:.4g} ({words})")
                break
        else:
            return None, ""
    return values, "; ".join(told)


_SYMBOL = {RATIO: "L eps / alpha", "start": "|theta_0 - theta*|"}


def _estimated(theory: Theory, measured: Measured) -> dict[str, float]:
    """tau and the distance of generation 0 by what was measured there: that model is one fit to n real samples."""
    first = [value for generation, value in measured.get(theory.metric, ()) if generation == 0]
    return {"tau": first[0], "start": first[0]} if first else {}


def _checked(given: Constants | None) -> dict[str, float]:
    known = {name for theory in THEORIES.values() for name in theory.needs}
    for name, value in (given or {}).items():
        if name not in known:
            raise InvalidConfig(
                f"There is no constant {name!r}.", f"Choose one of: {', '.join(sorted(known))}.", f"constants.{name}"
            )
        if not (math.isfinite(value) and value >= 0):
            raise InvalidConfig(
                f"{name} must be a number of 0 or more; got {value}.", "Leave it out to have it estimated.",
                f"constants.{name}",
            )  # fmt: skip
    return {name: float(value) for name, value in (given or {}).items()}


def _filled(config: LoopConfig) -> LoopConfig:
    """The config with the defaults of its parts' options; unlike ``parts.check`` it opens no data."""
    known = parts.catalogue(config.domain)
    changes: dict[str, PartConfig] = {}
    for section in parts.PARTS:
        part: PartConfig = getattr(config, section)
        entry = known[section].get(part.kind)
        if entry is not None:
            options = parse(entry.options, part.options, f"{section}.options")
            changes[section] = PartConfig(kind=part.kind, options=options.model_dump(mode="json"))
    return config.model_copy(update=changes)
