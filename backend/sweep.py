"""A grid over any fields of a config, times seeds: the loops of one comparison, by the values that differ."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from backend import parts
from backend.axisvalues import Axis, axis_of
from backend.estimate import Estimate, estimate
from core.config import LoopConfig, with_changes
from core.errors import InvalidConfig, LoopscopeError
from core.names import plain_name

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.views import LoopView

MOST_LOOPS = 1000
MOST_AXES = 6
SYMBOLS = {"gamma": "γ", "lam": "λ"}


@dataclass(frozen=True)
class Sweep:
    """Loops to launch together.

    Attributes:
        base: what they have in common.
        axes: what they differ in; the last one varies fastest.
        seeds: each combination once per seed, seeds slowest, so that the first loops already show the whole grid.
    """

    base: LoopConfig
    axes: tuple[Axis, ...]
    seeds: tuple[int, ...] = (0,)

    def __len__(self) -> int:
        return len(self.seeds) * prod(len(axis.values) for axis in self.axes)

    def combinations(self) -> list[tuple[str, LoopConfig]]:
        """(varied values in words, config that nobody has checked) of each point of the grid, with the base's seed.

        Raises:
            InvalidConfig: when they are too many, or a path leads nowhere.
        """
        if len(self) > MOST_LOOPS:
            grid = " x ".join([*(str(len(axis.values)) for axis in self.axes), f"{len(self.seeds)} seeds"])
            raise InvalidConfig(
                f"{grid} are {len(self):,} loops; a sweep may have {MOST_LOOPS:,}.", "Vary fewer values or seeds.",
                "vary",
            )  # fmt: skip
        found = []
        for values in product(*(axis.values for axis in self.axes)):
            words = ", ".join(said(axis.path, value) for axis, value in zip(self.axes, values, strict=True))
            found.append((words, self._combined(words, values)))
        return found

    def configs(self) -> tuple[tuple[str, LoopConfig], ...]:
        """(name, checked config) in drawing order; names say the varied values and the seed.

        Raises:
            InvalidConfig: naming the loop that cannot be, and its field; or how many loops are too many.
            DataMissing: when a data set's files are not there.
        """
        checked = []
        for words, config in self.combinations():
            with _in_the_loop(words):
                checked.append((words, parts.check(config)))
        _check_distinct(checked)
        return tuple(
            (", ".join([*([words] if words else []), f"seed {seed}"]), config.model_copy(update={"seed": seed}))
            for seed in self.seeds
            for words, config in checked
        )

    @property
    def title(self) -> str:
        """What its group is called that nobody named."""
        return f"Sweep of {' x '.join(symbol(axis.path) for axis in self.axes)}" if self.axes else "Seeds"

    def _combined(self, words: str, values: Sequence[Any]) -> LoopConfig:
        """Kinds go first: another kind starts with its own options."""
        changes: dict[str, Any] = {}
        plain = self.base.model_dump(mode="json")
        order = sorted(zip(self.axes, values, strict=True), key=lambda one: not one[0].of_kind)
        for axis, value in order:
            if axis.of_kind:
                part = axis.path.removesuffix(".kind")
                if value_at(plain, axis.path) != value:
                    changes[f"{part}.options"] = {}
            changes[axis.path] = value
        with _in_the_loop(words):
            return with_changes(self.base, changes)


@contextmanager
def _in_the_loop(words: str) -> Iterator[None]:
    """What cannot be says in which of the loops."""
    try:
        yield
    except InvalidConfig as error:
        told = f"In the loop {words!r}: {error.message}" if words else error.message
        raise InvalidConfig(told, error.hint, error.field) from None


def _check_distinct(checked: Sequence[tuple[str, LoopConfig]]) -> None:
    seen: dict[str, str] = {}
    for words, config in checked:
        key = config.model_dump_json()
        if key in seen:
            raise InvalidConfig(f"{seen[key]!r} and {words!r} would be the same loop.", "Give each value once.", "vary")
        seen[key] = words


class SweepLoop(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    config: LoopConfig


class SweepView(BaseModel):
    """What a sweep would launch, and what it would take.

    Attributes:
        title: of its group.
        refused: why it would not be launched now, in words; "" where it would.
    """

    model_config = ConfigDict(frozen=True)

    title: str
    loops: tuple[SweepLoop, ...]
    estimate: Estimate
    refused: str = ""


def sweep_of(base: LoopConfig, vary: Mapping[str, Any], seeds: Sequence[int] = (0,)) -> Sweep:
    """A sweep from what was asked: dotted paths, each with a list of values or with text (``".25, .5, 1"``).

    Raises:
        InvalidConfig: naming the axis and the value that cannot be.
        UnknownPart: for a domain that there is not.
    """
    if len(vary) > MOST_AXES:
        raise InvalidConfig(f"{len(vary)} fields are varied; at most {MOST_AXES} can be.", "Vary fewer.", "vary")
    kinds: dict[str, tuple[str, ...]] = {}
    axes: dict[str, Axis] = {}
    for path in sorted(vary, key=lambda path: not path.endswith(".kind")):  # options may be of a kind that is varied
        axes[path] = axis_of(base, path, vary[path], kinds)
        if axes[path].of_kind:
            kinds[path.removesuffix(".kind")] = tuple(str(value) for value in axes[path].values)
    unique = tuple(dict.fromkeys(seeds))
    return Sweep(base, tuple(axes[path] for path in vary), unique or (0,))


def look(backend: "Backend", wanted: Sweep, title: str = "") -> SweepView:
    """What launching it would do.

    Raises:
        InvalidConfig, DataMissing: as :meth:`Sweep.configs`.
    """
    from backend import datasets, quotas

    found = wanted.configs()
    configs = [config for _, config in found]
    datasets.check_not_deleted(backend, configs)
    refused = ""
    try:
        quotas.check_sizes(backend, configs)
        quotas.check_room(backend, len(configs))
    except LoopscopeError as error:
        refused = str(error)
    return SweepView(
        title=plain_name(title) or wanted.title,
        loops=tuple(SweepLoop(name=name, config=config) for name, config in found),
        estimate=estimate(backend, configs), refused=refused,
    )  # fmt: skip


def launch_sweep(backend: "Backend", wanted: Sweep, title: str = "", *, again: bool = False) -> "list[LoopView]":
    """Its loops, in its order, in one group, all or none; those that this data folder already has unless ``again``.

    Raises:
        InvalidConfig, DataMissing: as :meth:`Sweep.configs`.
        OverQuota: when it is more than the installation allows.
    """
    from backend.grouped import launch_group

    return launch_group(backend, plain_name(title) or wanted.title, wanted.configs(), again=again)


def symbol(path: str) -> str:
    """A field's name in short: ``λ``, ``corrector``, ``sampling steps``."""
    bits = path.split(".")
    if bits[-1] == "kind":
        return bits[-2].replace("_", " ")
    if bits[-1] in SYMBOLS or len(bits) == 1 or "options" in bits:
        return SYMBOLS.get(bits[-1], bits[-1].replace("_", " "))
    return f"{bits[0]} {bits[-1].replace('_', ' ')}"


def said(path: str, value: Any) -> str:
    """A varied value in a loop's name: ``λ = 0.5``, ``physics``, ``corrector none``."""
    if path.endswith(".kind"):
        return f"no {symbol(path)}" if value == "none" else str(value)
    if isinstance(value, bool):
        words = "yes" if value else "no"
    elif isinstance(value, int | float):
        words = f"{value:.12g}"
    else:
        words = value if isinstance(value, str) else json.dumps(value)
    return f"{symbol(path)} = {words}"


def value_at(plain: Any, path: str) -> Any:
    """What a dotted path leads to in plain data; None where that is nothing."""
    for key in path.split("."):
        if isinstance(plain, list) and key.isdigit() and int(key) < len(plain):
            plain = plain[int(key)]
        else:
            plain = plain.get(key) if isinstance(plain, Mapping) else None
    return plain
