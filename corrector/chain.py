"""Correctors one after another, and a strength that blends between the input and their result."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import Field

from core.config import Options, PartConfig, parse
from core.errors import InvalidConfig, UnknownPart
from core.protocols import Corrections, Corrector, Part, Reference, Tick, cost_of, silent
from core.records import Arrays, Outcome, Status
from corrector.kinds import kind_of
from corrector.mixture import derived

MOST_PARTS = 8


class ChainOptions(Options):
    """Which correctors, in which order, and how much of their result is taken."""

    parts: list[PartConfig] = Field(
        default_factory=lambda: [PartConfig(kind="kinematic")],
        min_length=1,
        max_length=MOST_PARTS,
        title="Parts",
        description="Correctors by kind and options; each one corrects what the one before it made.",
    )
    strength: float = Field(
        1.0,
        ge=0,
        le=1,
        title="Strength",
        description="Share of the way from the input (0) to the corrected sample (1).",
    )


@dataclass(frozen=True)
class Chain:
    """Implements :class:`core.protocols.Corrector`.

    Attributes:
        parts: kind and corrector, in order.
        splittable: False where a part that looks at the whole batch comes after another one: splitting would repeat
            that one's work for every share of the rows.
    """

    parts: tuple[tuple[str, Corrector], ...]
    strength: float

    @property
    def _last_whole(self) -> int:
        """Index of the last part that looks at the whole batch; -1 for none."""
        return max((i for i, (_, part) in enumerate(self.parts) if looks_at_whole_batch(part)), default=-1)

    @property
    def whole_batch(self) -> bool:
        """Whether some part looks at the whole batch."""
        return self._last_whole >= 0

    @property
    def splittable(self) -> bool:
        return self._last_whole <= 0 and all(part.splittable for _, part in self.parts)

    @property
    def reorders(self) -> bool:
        """Whether some part puts samples of several seeds in another order."""
        return any(bool(getattr(part, "reorders", False)) for _, part in self.parts)

    @property
    def cost_s(self) -> float:
        return sum(cost_of(part) for _, part in self.parts)

    def correct(self, samples: Any, *, rows: slice = slice(None), seed: Any = 0, tick: Tick = silent) -> Corrections:
        """See the protocol. What comes out does not depend on how the rows are split."""
        whole, count = self._last_whole, len(self.parts)
        results: list[Corrections] = []
        current = samples if whole >= 0 else samples.take(rows)
        for i, (_, part) in enumerate(self.parts):

            def part_tick(fraction: float, sentence: str, i: int = i) -> None:
                tick((i + fraction) / count, f"Part {i + 1} of {count}: {sentence}")

            asked = rows if i == whole else slice(None)
            own: Any = derived(seed, i) if i else seed  # a stack's, where loops are stacked
            result = part.correct(current, rows=asked, seed=own, tick=part_tick)
            current = result.samples
            results.append(_rows_of(result, rows) if i < whole else result)
        return self._merge(samples.take(rows), results)

    def _merge(self, samples: Any, results: list[Corrections]) -> Corrections:
        kinds, kind = [kind for kind, _ in self.parts], kind_of(samples)
        outcomes = [_merged(kinds, [r.outcomes[i] for r in results]) for i in range(len(samples))]
        corrected = results[-1].samples
        if self._reorders(samples):
            taken = [i for i, outcome in enumerate(outcomes) if outcome.status != "rejected"]
            merged = kind.put(samples, np.array(taken, dtype=np.int64), corrected.take(np.array(taken, dtype=np.int64)))
            for place in taken:  # from where a sample was put, by the part that moved it most
                most = max(result.outcomes[place].moved_m for result in results)
                outcomes[place] = replace(outcomes[place], moved_m=most)
            return Corrections(merged, tuple(outcomes), _tracks(results))
        chosen = np.flatnonzero([o.status == "corrected" for o in outcomes])
        if len(chosen):
            source = corrected.take(chosen)
            before, after = kind.precise(samples.take(chosen)), kind.precise(source)
            if self.strength < 1.0:
                source = after = kind.between(before, after, self.strength)
            moved, measured = kind.moved(before, after), kind.measures(after)
            for k, i in enumerate(chosen):
                now = {name: float(values[k]) for name, values in measured.items()}
                outcomes[i] = replace(outcomes[i], moved_m=float(moved[k]), after=now)
                if moved[k] <= kind.left_alone:
                    outcomes[i] = replace(outcomes[i], status="unchanged", moved_m=0.0, after=outcomes[i].before)
            put = np.flatnonzero(moved > kind.left_alone)
            samples = kind.put(samples, chosen[put], source.take(put))
        return Corrections(samples, tuple(outcomes), _tracks(results))

    def _reorders(self, samples: Any) -> bool:
        """Whether a part put the samples of each seed in another order, to reject the same places of all of them.

        Raises:
            InvalidConfig: where a strength asks for a place between a sample and what it has become.
        """
        if getattr(samples, "seeds", 1) == 1 or not self.reorders:
            return False
        if self.strength < 1.0:
            raise InvalidConfig(
                f"A chain with a quality filter has a strength of 1 where several seeds run at once; got "
                f"{self.strength:g}.",
                "Set the strength to 1, or run one seed at a time.",
                "corrector.options.strength",
            )
        return True


def _tracks(results: list[Corrections]) -> Arrays:
    """Of the parts' tracks the last ones: the last part that simulated a motion is the one whose force counts."""
    tracks: Arrays = {}
    for result in results:
        for name, values in result.tracks.items():
            known = tracks.get(name, np.zeros_like(values))
            active = values.any(1, keepdims=True)
            tracks[name] = np.where(active, values, known)
    return tracks


def looks_at_whole_batch(part: object) -> bool:
    """Whether a corrector's result for one sample depends on the others of its batch."""
    return bool(getattr(part, "whole_batch", False))


def _rows_of(result: Corrections, rows: slice) -> Corrections:
    return Corrections(
        result.samples.take(rows), result.outcomes[rows], {name: v[rows] for name, v in result.tracks.items()}
    )


def _merged(kinds: list[str], outcomes: list[Outcome]) -> Outcome:
    """One outcome out of the parts' outcomes for one sample."""
    first, last = outcomes[0], outcomes[-1]
    for i, (kind, outcome) in enumerate(zip(kinds, outcomes, strict=True)):
        if outcome.status == "rejected":
            where = f"{kind} (part {i + 1} of {len(kinds)}): {outcome.reason}"
            return replace(outcome, reason=where, before=first.before, after=first.before)
    notes = [f"{kind}: {o.reason}" for kind, o in zip(kinds, outcomes, strict=True) if o.reason]
    simulation = next((o.simulation for o in reversed(outcomes) if o.simulation), {})
    force = float(simulation.get("residual_force_bw", 0.0))
    status: Status = "corrected" if any(o.status == "corrected" for o in outcomes) else "unchanged"
    return Outcome(status, "; ".join(notes), 0.0, force, first.before, last.after, simulation)


def build_chain(options: ChainOptions, reference: Reference | None, tick: Tick, registry: Mapping[str, Part]) -> Chain:
    """The chain with all its parts built.

    Raises:
        UnknownPart: for a kind that the registry does not have.
        InvalidConfig: for options that a part refuses, naming them.
    """
    parts: list[tuple[str, Corrector]] = []
    for i, config in enumerate(options.parts):
        field = f"parts.{i}"
        if config.kind not in registry:
            raise UnknownPart("corrector", config.kind, registry, f"{field}.kind")
        part = registry[config.kind]
        checked = parse(part.options, config.options, f"{field}.options")
        parts.append((config.kind, part.build(checked, reference, tick)))
    if not parts:
        raise InvalidConfig("A chain needs at least one part.", "", "parts")
    return Chain(tuple(parts), options.strength)
