from collections.abc import Callable

import numpy as np
import pytest

from core.protocols import Corrections, Tick, silent
from core.records import Outcome
from core.redraw import redraw_rejected
from tests.core.toy import Clip, Numbers

COUNT = 40


def batch() -> Numbers:
    return Numbers(np.random.default_rng(3).normal(size=COUNT), np.arange(COUNT) % 3)


def fresh(row: int, attempt: int) -> Numbers:
    """A draw that depends on row and attempt only."""
    return Numbers(np.random.default_rng([row, attempt]).normal(size=1), np.array([row % 3]))


def hopeless(row: int, attempt: int) -> Numbers:
    return Numbers(np.array([99.0 + attempt]), np.array([row % 3]))


class Tracked(Clip):
    """Clips, and leaves the corrected value as a track of two frames."""

    def correct(
        self, samples: Numbers, *, rows: slice = slice(None), seed: int = 0, tick: Tick = silent
    ) -> Corrections:
        done = super().correct(samples, rows=rows, seed=seed, tick=tick)
        return Corrections(done.samples, done.outcomes, {"value": np.tile(done.samples.values[:, None], 2)})


def redrawn(
    rows: slice, draw: Callable[[int, int], Numbers] = fresh, *, attempts: int = 3, limit: float = 0.337
) -> tuple[Corrections, np.ndarray]:
    corrector = Tracked(limit)
    first = corrector.correct(batch(), rows=rows)
    return redraw_rejected(corrector, batch(), rows, first, draw, attempts=attempts, seed=0, tick=silent)


def test_half_are_rejected_and_most_of_them_find_a_usable_draw() -> None:
    first = Clip(0.337).correct(batch())
    rejected = np.array([o.status == "rejected" for o in first.outcomes])
    assert 0.3 < rejected.mean() < 0.7
    done, drawn = redrawn(slice(None))
    still = np.array([o.status == "rejected" for o in done.outcomes])
    assert np.array_equal(drawn > 0, rejected)
    assert still.sum() < rejected.sum() / 3
    assert (drawn[still] == 3).all()
    assert np.array_equal(done.samples.labels, batch().labels)
    assert np.abs(done.samples.values[~still]).max() <= 0.337
    assert np.array_equal(done.samples.values[~rejected], first.samples.values[~rejected])
    assert np.array_equal(done.tracks["value"][:, 0], done.samples.values)


@pytest.mark.parametrize("parts", [2, 3, 7, COUNT])
def test_the_split_does_not_matter(parts: int) -> None:
    whole, drawn = redrawn(slice(None))
    edges = [COUNT * k // parts for k in range(parts + 1)]
    pieces = [redrawn(slice(a, b)) for a, b in zip(edges, edges[1:], strict=False)]
    assert np.array_equal(np.concatenate([d.samples.values for d, _ in pieces]), whole.samples.values)
    assert np.array_equal(np.concatenate([n for _, n in pieces]), drawn)
    assert tuple(o for d, _ in pieces for o in d.outcomes) == whole.outcomes


def test_what_stays_rejected_stays_as_it_was() -> None:
    done, drawn = redrawn(slice(None), hopeless)
    first = Clip(0.337).correct(batch())
    assert done.outcomes == first.outcomes
    assert np.array_equal(done.samples.values, first.samples.values)
    assert set(drawn.tolist()) == {0, 3}


def test_a_draw_is_corrected_in_the_company_of_the_batch() -> None:
    """A corrector that matches samples looks at all of them, and at the draw in its row."""
    seen: list[tuple[int, int]] = []

    class Matching(Clip):
        def correct(
            self, samples: Numbers, *, rows: slice = slice(None), seed: int = 0, tick: Tick = silent
        ) -> Corrections:
            seen.append((len(samples), rows.start))
            done = super().correct(samples, rows=rows, seed=seed, tick=tick)
            return Corrections(done.samples, tuple(Outcome("corrected") for _ in done.outcomes))

    first = Clip(0.337).correct(batch())
    rejected = [k for k, o in enumerate(first.outcomes) if o.status == "rejected"]
    done, _ = redraw_rejected(
        Matching(0.337), batch(), slice(None), first, fresh, attempts=1, seed=0, tick=silent
    )  # fmt: skip
    assert seen == [(COUNT, k) for k in rejected]
    assert all(o.status != "rejected" for o in done.outcomes)


def test_it_ticks_for_every_draw() -> None:
    said: list[str] = []
    corrector = Clip(0.337)
    first = corrector.correct(batch())
    redraw_rejected(
        corrector, batch(), slice(None), first, hopeless, attempts=2, seed=0, tick=lambda _, s: said.append(s)
    )
    count = sum(o.status == "rejected" for o in first.outcomes)
    assert len(said) >= 2 * count
    assert said[-1] == f"Drawing rejected samples anew: {count} of {count}"
