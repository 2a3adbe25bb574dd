"""Training and held-out takes: as the source says, else by subject, else by recording, else by time. Parts and mirror
images of one recording are never in two splits."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from backend.importing.take import Take
from core.errors import DataMissing
from core.motion import Motion

HELD_OUT = 0.2  # of the seconds
TRIES = 200
LEAST_S = 8.0  # of a take that is cut in time
MOST_SUBJECTS = 0.5


@dataclass(frozen=True)
class Divided:
    """Takes with their split, and how it was made, in words; JSON-ready words only."""

    takes: list[Take]
    how: str


def divided(takes: Sequence[Take], seed: int) -> Divided:
    """Every take in ``train``, ``val`` or ``test``.

    Args:
        seed: of chance; from the content, so that the same files are divided alike.

    Raises:
        DataMissing: when the source puts takes of one recording into two splits.
    """
    told = {take.split for take in takes}
    if {"train", "test"} <= told:
        return _as_told(takes)
    rng = np.random.default_rng(seed)
    subjects = sorted({take.subject for take in takes})
    if len(subjects) > 1 and all(subjects):
        test = _subjects(takes, subjects, rng)
        found = [replace(take, split="test" if take.subject in test else "train") for take in takes]
        return Divided(found, f"By subject: held out {', '.join(sorted(test, key=_order))}; nobody is in both.")
    return _by_take(takes, rng)


def _as_told(takes: Sequence[Take]) -> Divided:
    """As the source says; what it does not name goes with the rest of its recording, else to training."""
    first: dict[str, Take] = {}
    for take in takes:
        if take.split and first.setdefault(take.whole, take).split != take.split:
            one = first[take.whole]
            raise DataMissing(
                f"{one.name} is listed for {one.split}, {take.name} for {take.split}: both are of one recording, and a "
                "model would be tested on what it has learned.",
                f"Take {take.name} off its list; it then goes with the other one.",
            )
    found = [replace(take, split=take.split or (first[take.whole].split if take.whole in first else "train"))
             for take in takes]  # fmt: skip
    unnamed = sum(take.whole not in first for take in takes)
    return Divided(
        found, "As the source says." + (f" Not named there, so for training: {unnamed} takes." * (unnamed > 0))
    )


def _subjects(takes: Sequence[Take], subjects: Sequence[str], rng: np.random.Generator) -> set[str]:
    """Subjects with about a fifth of the seconds, so that most classes are in both splits."""
    seconds: dict[str, float] = defaultdict(float)
    labels: dict[str, set[str]] = defaultdict(set)
    for take in takes:
        seconds[take.subject] += take.motion.seconds
        labels[take.subject].add(take.label)
    total = sum(seconds.values())
    best: tuple[float, set[str]] = (np.inf, set())
    for _ in range(TRIES):
        chosen: set[str] = set()
        for subject in rng.permutation(subjects).tolist():
            if chosen and sum(seconds[s] for s in chosen) >= HELD_OUT * total:
                break
            chosen.add(subject)
        rest = set(subjects) - chosen
        if not rest or len(chosen) > max(1.0, MOST_SUBJECTS * len(subjects)):
            continue
        both = set().union(*(labels[s] for s in chosen)) & set().union(*(labels[s] for s in rest))
        cost = abs(sum(seconds[s] for s in chosen) / total - HELD_OUT) - len(both)
        if cost < best[0] - 1e-9:
            best = (cost, chosen)
    return best[1] or {subjects[int(rng.integers(len(subjects)))]}


def _by_take(takes: Sequence[Take], rng: np.random.Generator) -> Divided:
    by_label: dict[str, list[Take]] = defaultdict(list)
    labels: dict[str, set[str]] = defaultdict(set)
    placed: dict[str, str] = {}
    for take in takes:
        by_label[take.label].append(take)
        labels[take.whole].add(take.label)
    found: list[Take] = []
    cut = 0
    for label in sorted(by_label):
        mine = [take for take in by_label[label] if take.whole not in placed]
        found += [replace(take, split=placed[take.whole]) for take in by_label[label] if take.whole in placed]
        wholes = list(dict.fromkeys(take.whole for take in mine))
        alone = len(wholes) == 1 and labels[wholes[0]] == {label}
        if alone and len({len(take.motion) for take in mine}) == 1:  # so that none is a part of another
            pieces = [piece for take in mine for piece in _in_time(take)]
            cut += len(pieces) > len(mine)
            found += pieces
            continue
        count = max(1, round(HELD_OUT * len(wholes))) if len(wholes) > 1 else 0
        test = {wholes[k] for k in rng.permutation(len(wholes))[:count]}
        placed |= {whole: "test" if whole in test else "train" for whole in wholes}
        found += [replace(take, split=placed[take.whole]) for take in mine]
    how = "By recording, by chance: the files do not name who moves, or only one person."
    if cut:
        how += f" {cut} classes of one take were cut in time: its first three quarters train, the rest is held out."
    return Divided(sorted(found, key=lambda take: take.name), how)


def _in_time(take: Take) -> list[Take]:
    """The first three quarters and the rest of a take that is long enough."""
    motion = take.motion
    if motion.seconds < LEAST_S:
        return [replace(take, split="train")]
    at = round(0.75 * len(motion))
    return [
        replace(take, name=f"{take.name}{mark}", split=split, motion=part)
        for mark, split, part in (("@a", "train", _part(motion, 0, at)), ("@b", "test", _part(motion, at, len(motion))))
    ]


def _part(motion: Motion, start: int, stop: int) -> Motion:
    return replace(
        motion,
        root_position_m=motion.root_position_m[start:stop],
        local_rotations_wxyz=motion.local_rotations_wxyz[start:stop],
    )


def _order(subject: str) -> tuple[int, str]:
    return len(subject), subject
