"""What a closed form for a loop is: its formula, what it assumes, and the curve it predicts.

The papers count fits: their iteration n, whose first fit is on real data, is our generation t = n - 1.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.config import LoopConfig

Kind = Literal["exact", "first order", "bound", "threshold"]
Constants = Mapping[str, float]
Curve = Callable[[LoopConfig, int, Constants], NDArray[np.float64]]


class NotApplicable(Exception):
    """Raised inside :attr:`Theory.applies`' helpers; its text is the reason, in words."""


@dataclass(frozen=True)
class Theory:
    """One prediction for one metric.

    Attributes:
        title: what the line is called.
        metric: the curve that it belongs to.
        kind: ``exact`` = the expected value; ``first order`` = its leading term; ``bound`` = nothing lies above it in
            expectation; ``threshold`` = a value of an option, no curve.
        formula: plain text.
        symbols: {symbol: meaning}.
        assumptions: sentences.
        source: paper and equation, or how it was derived; says so where a paper's wording was not re-read.
        applies: "" where the assumptions hold for a config, else the reason why not, in words.
        curve: (generations + 1,) values for generations 0, 1, ...; of a threshold one value, that of ``option``.
        needs: {constant: meaning} that no config holds: set by the user or estimated from a run.
        option: dotted path of the option that a threshold speaks of.
        domain: the only one that it speaks of; "" for several.
    """

    key: str
    title: str
    metric: str
    kind: Kind
    formula: str
    symbols: Mapping[str, str]
    assumptions: tuple[str, ...]
    source: str
    applies: Callable[[LoopConfig], str]
    curve: Curve
    needs: Mapping[str, str] = field(default_factory=dict)
    option: str = ""
    domain: str = ""


def fits(generations: int) -> NDArray[np.float64]:
    """(generations + 1,) the papers' n at generations 0, 1, ...: 1, 2, ..."""
    return np.arange(1, generations + 2, dtype=np.float64)


def option(config: LoopConfig, path: str, default: Any) -> Any:
    """An option of a part, e.g. ``data.d``; the default where the config does not say."""
    part, name = path.split(".")
    found = getattr(config, part).options.get(name)
    return default if found is None else found


def number(config: LoopConfig, path: str, default: float) -> float:
    """The same as a number."""
    return float(option(config, path, default))


def reason(check: Callable[[LoopConfig], None]) -> Callable[[LoopConfig], str]:
    """A check that raises :class:`NotApplicable` as a function that returns the reason, or ""."""

    def applies(config: LoopConfig) -> str:
        try:
            check(config)
        except NotApplicable as refused:
            return str(refused)
        return ""

    return applies


def need(holds: bool, why_not: str) -> None:
    """Raises NotApplicable with the reason unless ``holds``."""
    if not holds:
        raise NotApplicable(why_not)


def need_parts(config: LoopConfig, domain: str, model: str) -> None:
    """Raises NotApplicable unless the loop learns with that model in that domain."""
    need(config.domain == domain, f"Speaks of the domain {domain!r}; this loop is of {config.domain!r}.")
    need(config.model.kind == model, f"Speaks of the model {model!r}; this loop fits {config.model.kind!r}.")


def need_raw(config: LoopConfig) -> None:
    """Raises NotApplicable where the next generation learns from corrected samples."""
    corrected = config.corrector.kind != "none" and config.correction.where != "output"
    need(not corrected, f"Assumes uncorrected samples; this loop corrects by {config.corrector.kind!r}.")


def need_policy(config: LoopConfig, *kinds: str) -> None:
    """Raises NotApplicable for another policy, or one with options that change which samples are learned from."""
    wanted = " or ".join(repr(kind) for kind in kinds)
    need(config.policy.kind in kinds, f"Assumes the policy {wanted}; this loop has {config.policy.kind!r}.")
    need(
        number(config, "policy.real_kept", 0.0) == 0.0,
        "Assumes that no share of the real samples is kept (which are kept is drawn once for all seeds of a loop, so "
        "that the mean over them is no plain expectation).",
    )
    need(number(config, "policy.synthetic_cap", 1.0) >= 1.0, "Assumes no cap on the synthetic share.")
    source = option(config, "policy.source", "newest")
    need(source == "newest", f"Assumes synthetic samples of the newest generation; this loop takes them of {source!r}.")
