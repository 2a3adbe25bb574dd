"""Stop rules of a loop: one line of text each, parsed once. They never change what a generation computes.

    fid > 60                        a metric above (or, by <, below) a number
    fid > 3x generation 0           the same, relative to this loop's own generation 0
    fid flat for 5                  over the last 5 steps its highest and lowest value are no further apart than 1 % of
                                    the highest and lowest of all generations so far
    fid not finite                  NaN or infinite
    hours > 2, disk_gb > 1,         wall time since the loop first started, what it has stored, and how many
    generations > 20                generations it has made after generation 0

Each may end in ``, then roll back``: to the best recorded generation of its metric.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Comparison = Literal[">", "<"]
Series = Mapping[int, float | None]
"""A metric by recorded generation; None where it was not finite."""

BUDGETS = {"hours": "h", "disk_gb": "GB", "generations": ""}
"""What a loop may use up, and its unit."""
FLAT_SHARE = 0.01  # of the range so far: what counts as no change
MOST_RULES, LONGEST_RULE = 16, 200
THEN = ", then roll back"
ALLOWED = (
    "For example: fid > 60; fid > 3x generation 0; fid flat for 5; fid not finite; hours > 2; "
    'disk_gb > 1; generations > 20. Each may end in ", then roll back".'
)


class NotARule(ValueError):
    """A line that is no stop rule; the message says where it stops being one."""


@dataclass(frozen=True)
class Bound:
    """A metric beyond a number."""

    metric: str
    sign: Comparison
    bound: float

    def __str__(self) -> str:
        return f"{self.metric} {self.sign} {plain(self.bound)}"

    def broken(self, series: Series, t: int) -> str:
        return _beyond(self.metric, series.get(t), self.sign, self.bound)


@dataclass(frozen=True)
class Ratio:
    """A metric beyond a multiple of what it was in generation 0."""

    metric: str
    sign: Comparison
    factor: float

    def __str__(self) -> str:
        return f"{self.metric} {self.sign} {plain(self.factor)}x generation 0"

    def broken(self, series: Series, t: int) -> str:
        start = series.get(0)
        if t == 0 or start is None or not math.isfinite(start):
            return ""
        told = _beyond(self.metric, series.get(t), self.sign, self.factor * start)
        return f"{told}, {plain(self.factor)}x generation 0" if told else ""


@dataclass(frozen=True)
class Flat:
    """A metric that no longer moves."""

    metric: str
    steps: int

    def __str__(self) -> str:
        return f"{self.metric} flat for {self.steps}"

    def broken(self, series: Series, t: int) -> str:
        window = [series.get(k) for k in range(t - self.steps, t + 1)]
        values = [value for value in window if value is not None and math.isfinite(value)]
        if t < self.steps or len(values) < len(window):
            return ""
        seen = [v for k, v in series.items() if k <= t and v is not None and math.isfinite(v)]
        if max(values) - min(values) > FLAT_SHARE * (max(seen) - min(seen)):
            return ""
        return f"{self.metric} flat for {self.steps} generations, at {values[-1]:.4g}"


@dataclass(frozen=True)
class NotFinite:
    """A metric that could not be computed."""

    metric: str

    def __str__(self) -> str:
        return f"{self.metric} not finite"

    def broken(self, series: Series, t: int) -> str:
        if t not in series:
            return ""
        value = series[t]
        return "" if value is not None and math.isfinite(value) else f"{self.metric} is not finite"


@dataclass(frozen=True)
class Budget:
    """More than so much used up. ``what``: of :data:`BUDGETS`."""

    what: str
    bound: float

    metric = ""

    def __str__(self) -> str:
        return f"{self.what} > {plain(self.bound)}"

    def overdrawn(self, used: float) -> str:
        """What is wrong, in words; "" where nothing is."""
        return f"{self.what} {used:.3g} > {plain(self.bound)}" if used > self.bound else ""


OfMetric = Bound | Ratio | Flat | NotFinite


@dataclass(frozen=True)
class Tripwire:
    """One rule."""

    condition: OfMetric | Budget
    roll_back: bool = False

    def __str__(self) -> str:
        return f"{self.condition}{THEN if self.roll_back else ''}"


@lru_cache(maxsize=512)
def parse_tripwire(text: str) -> Tripwire:
    """The rule that a line says.

    Raises:
        NotARule: naming the position (from 1) at which something else was expected.
    """
    if len(text) > LONGEST_RULE:
        raise NotARule(f"a stop rule has at most {LONGEST_RULE} characters; this one has {len(text)}")
    line = _Line(text)
    subject = line.take(r"[A-Za-z_][A-Za-z0-9_]*", "the name of a metric, hours, disk_gb or generations")
    condition = _budget(line, subject) if subject in BUDGETS else _of_metric(line, subject)
    roll_back = line.maybe(r",\s*then\s+roll\s+back") is not None
    if not line.ended:
        raise line.wrong('nothing more, or ", then roll back"')
    return Tripwire(condition, roll_back)


def _budget(line: "_Line", what: str) -> Budget:
    line.take(r">", f'">" after {what}')
    return Budget(what, line.number())


def _of_metric(line: "_Line", metric: str) -> OfMetric:
    if line.maybe(r"flat\b") is not None:
        line.take(r"for\b", '"for" and a number of generations')
        where = line.at
        steps = line.number()
        if not (steps.is_integer() and 1 <= steps <= 10_000):
            raise NotARule(f"at position {where + 1}: a whole number of generations from 1 to 10000 was expected")
        line.maybe(r"generations?\b")
        return Flat(metric, int(steps))
    if line.maybe(r"not\b") is not None:
        line.take(r"finite\b", '"finite"')
        return NotFinite(metric)
    sign: Comparison = ">" if line.take(r"[<>]", '">", "<", "flat for" or "not finite"') == ">" else "<"
    bound = line.number()
    if line.maybe(r"(x|times)(?![A-Za-z])") is not None:
        line.take(r"generation\s+0\b", '"generation 0"')
        return Ratio(metric, sign, bound)
    return Bound(metric, sign, bound)


class _Line:
    """A line that is read from left to right; blanks do not matter."""

    def __init__(self, text: str) -> None:
        self._text, self._end = text, len(text.rstrip())
        self.at = 0
        self._skip()

    @property
    def ended(self) -> bool:
        return self.at >= self._end

    def maybe(self, pattern: str) -> str | None:
        found = re.compile(pattern, re.IGNORECASE).match(self._text, self.at)
        if found is None:
            return None
        self.at = found.end()
        self._skip()
        return found[0]

    def take(self, pattern: str, expected: str) -> str:
        found = self.maybe(pattern)
        if found is None:
            raise self.wrong(expected)
        return found

    def number(self) -> float:
        where = self.at
        value = float(self.take(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", "a number"))
        if not math.isfinite(value):
            raise NotARule(f"at position {where + 1}: the number is too large")
        return value

    def wrong(self, expected: str) -> NotARule:
        found = "the line ends" if self.ended else f"there is {self._text[self.at : self._end][:20]!r}"
        return NotARule(f"at position {self.at + 1} {found}; expected {expected}")

    def _skip(self) -> None:
        while self.at < self._end and self._text[self.at].isspace():
            self.at += 1


def plain(value: float) -> str:
    """A number without needless digits, and without loss."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def best_of(series: Series, direction: Literal["lower", "higher", "real"], real: float | None) -> int | None:
    """The best generation of a metric, the earliest of equals; None where none was finite.

    Args:
        real: the real data's value, which ``real`` metrics are to be close to; None takes generation 0's.
    """
    finite = {t: value for t, value in sorted(series.items()) if value is not None and math.isfinite(value)}
    if not finite:
        return None
    target = real if real is not None else finite.get(0, next(iter(finite.values())))

    def badness(t: int) -> tuple[float, int]:
        value = finite[t]
        return {"lower": value, "higher": -value, "real": abs(value - target)}[direction], t

    return min(finite, key=badness)


def _beyond(metric: str, value: float | None, sign: Comparison, bound: float) -> str:
    if value is None or not math.isfinite(value) or not (value > bound if sign == ">" else value < bound):
        return ""
    return f"{metric} {value:.4g} {sign} {bound:.4g}"
