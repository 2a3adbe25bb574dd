"""Every seed counts: means, bands and gaps of lines whose loops run many seeds at once."""

import numpy as np
import pytest

from app.groups import Group, group_loops
from app.series import BANDS, FEW_SEEDS, Series, TraceKeeper, series_of
from backend import measures
from backend.context import Backend
from tests.app.seedloops import SEEDS, gaussian, keep_seeds, values_of


def series(values: list[list[float]]) -> Series:
    array = np.array(values, dtype=np.float64)
    return Series(np.arange(len(array)), array, ("a",) * array.shape[1])


def group_of(backend: Backend, *names: str) -> Group:
    views = [keep_seeds(backend, gaussian(seed=k), name) for k, name in enumerate(names)]
    (group,) = group_loops(views)
    return group


def test_a_loop_of_many_seeds_contributes_them_all(backend: Backend) -> None:
    group = group_of(backend, "one", "two")
    ids = [view.id for view in group.loops]
    found = series_of(group, measures.curves(backend, ids), "w2", TraceKeeper().of(backend, group.loops))
    assert found is not None and found.values.shape == (5, 2 * SEEDS)
    wanted = np.concatenate([values_of(k, 4, SEEDS) for k in (0, 1)], axis=1)
    np.testing.assert_allclose(found.mean, wanted.mean(1))
    np.testing.assert_allclose(found.std, wanted.std(1, ddof=1))
    assert found.owners.count(ids[0]) == SEEDS and group.seeds == 2 * SEEDS


def test_without_traces_a_loop_is_one_seed(backend: Backend) -> None:
    group = group_of(backend, "one", "two")
    found = series_of(group, measures.curves(backend, [view.id for view in group.loops]), "w2")
    assert found is not None and found.values.shape == (5, 2)


def test_a_metric_that_nobody_has_makes_no_series(backend: Backend) -> None:
    assert series_of(group_of(backend, "one"), {}, "fid") is None


def test_what_is_no_number_is_left_out_and_a_generation_without_any_too() -> None:
    group = Group("g", "g", "raw", "#000000", "solid", ())
    assert series_of(group, {}, "w2", {}) is None
    held = series([[1.0, np.nan, 3.0], [2.0, 4.0, np.nan]])
    np.testing.assert_allclose(held.mean, [2.0, 3.0])
    assert held.count.tolist() == [2, 2]
    np.testing.assert_allclose(held.std, [np.sqrt(2), np.sqrt(2)])


@pytest.mark.parametrize("band", [band for band in BANDS if band != "none"])
def test_every_band_holds_the_line(band: str) -> None:
    held = series([[1.0, 2.0, 4.0, 9.0], [1.0, 1.0, 1.0, 1.0]])
    ends = held.band(band)
    assert ends is not None
    assert (ends[0] <= held.centre(band)).all() and (held.centre(band) <= ends[1]).all()


def test_the_standard_error_is_the_deviation_over_the_root_of_the_seeds() -> None:
    held = series([[1.0, 2.0, 4.0, 9.0]])
    low, high = held.band("se") or (held.mean, held.mean)
    np.testing.assert_allclose(high - low, 2 * np.std([1, 2, 4, 9], ddof=1) / 2)
    wide = held.band("ci95") or (held.mean, held.mean)
    np.testing.assert_allclose(wide[1] - wide[0], 1.96 * (high - low))


def test_one_seed_has_no_band_and_none_is_none() -> None:
    assert series([[1.0], [2.0]]).band("std") is None
    assert series([[1.0, 2.0]]).band("none") is None


def test_the_automatic_band_is_the_range_of_a_few_and_the_interval_of_many() -> None:
    few, many = series([list(range(FEW_SEEDS))]), series([list(range(FEW_SEEDS + 1))])
    assert few.resolved("auto") == "min-max" and many.resolved("auto") == "ci95"


def test_traces_are_read_once_per_generation(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    view = keep_seeds(backend, gaussian(), "one")
    keeper = TraceKeeper()
    first = keeper.of(backend, [view])
    monkeypatch.setattr(measures, "traces", lambda *_: {})
    assert keeper.of(backend, [view])[view.id] is first[view.id]
    later = view.model_copy(update={"generation": 5})
    assert keeper.of(backend, [later]) == {view.id: {}}


def test_of_many_loops_the_oldest_read_are_forgotten(backend: Backend) -> None:
    views = [keep_seeds(backend, gaussian(seed=k, replicates=2), str(k)) for k in range(3)]
    keeper = TraceKeeper(most=2)
    keeper.of(backend, views)
    assert [key[0] for key in keeper._kept] == [view.id for view in views[1:]]
