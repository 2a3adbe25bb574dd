"""Curves as a table: means, and every seed."""

import csv
import io

import pytest

from app.curvesfile import curves_csv, seeds_csv
from backend.context import Backend
from tests.app.seedloops import SEEDS, gaussian, keep_seeds, values_of


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_per_generation_holds_the_mean_of_the_seeds(backend: Backend) -> None:
    view = keep_seeds(backend, gaussian(seed=2), "one")
    found = rows(curves_csv(backend, [view.id, "nowhere"]))
    assert [row["generation"] for row in found] == ["0", "1", "2", "3", "4"]
    assert float(found[3]["w2"]) == pytest.approx(values_of(2, 4, SEEDS)[3].mean())


def test_a_row_per_seed_holds_its_own_value(backend: Backend) -> None:
    view = keep_seeds(backend, gaussian(seed=2), "=one")
    found = rows(seeds_csv(backend, [view.id]))
    assert len(found) == 5 * SEEDS
    row = next(row for row in found if row["generation"] == "3" and row["replicate"] == "7")
    assert float(row["variance"]) == pytest.approx(values_of(3, 4, SEEDS)[3, 7])
    assert row["name"] == "'=one", "no formula for a spreadsheet"


def test_a_loop_of_one_seed_is_one_row_per_generation(backend: Backend) -> None:
    view = keep_seeds(backend, gaussian(replicates=1), "alone")
    assert [row["replicate"] for row in rows(seeds_csv(backend, [view.id]))] == ["0"] * 5


def test_nothing_chosen_is_a_head_alone(backend: Backend) -> None:
    assert seeds_csv(backend, []).count("\n") == curves_csv(backend, []).count("\n") == 1
