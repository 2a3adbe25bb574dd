"""Maps: the last generation's value against the one number that loops differ in."""

from typing import Any

import pytest

from app.groups import group_loops
from app.optionmap import Place, option_maps
from app.overlay import overlay_of
from app.series import TraceKeeper
from backend import measures
from backend.context import Backend
from model.domains import all_metrics
from tests.app.seedloops import gaussian, keep_seeds

W2 = all_metrics()["w2"]


def chart(backend: Backend, lams: tuple[float, ...], **options: Any) -> list[dict[str, Any]]:
    views = [keep_seeds(backend, gaussian(lam=lam, seed=k), "sweep", last=4 + k % 2) for k, lam in enumerate(lams)]
    views = [view.model_copy(update={"config": view.config | {"seed": 0}}) for view in views]
    groups, curves = group_loops(views), measures.curves(backend, [view.id for view in views])
    told = overlay_of(groups, curves)
    found = option_maps(groups, curves, {"w2": [0.1]}, [W2], traces=TraceKeeper().of(backend, views), overlay=told,
                        **options)  # fmt: skip
    charts: list[dict[str, Any]] = found["charts"]
    return charts


def test_a_sweep_becomes_a_map_at_the_last_generation_that_all_have_reached(backend: Backend) -> None:
    (found,) = chart(backend, (1.0, 0.25, 0.5))
    trace = found["data"][0]
    assert found["title"] == "Wasserstein-2 at generation 4, by λ"
    assert trace["x"] == [0.25, 0.5, 1.0], "in the order of the option"
    assert found["layout"]["xaxis"]["ticktext"] == ["0.25", "0.5", "1"]
    assert all(up > 0 for up in trace["error_y"]["array"]) and all(up > 0 for up in trace["error_y"]["arrayminus"])


def test_thresholds_of_theory_are_lines_at_their_value(backend: Backend) -> None:
    (found,) = chart(backend, (0.25, 0.5, 1.0))
    ends = [shape for shape in found["layout"]["shapes"] if shape["name"] == "threshold"]
    assert [shape["x0"] for shape in ends] == pytest.approx([0.5]), "the Gaussian's lambda < 1/2"
    assert "λ = 0.5" in [label["text"] for label in found["layout"]["annotations"]]


def test_two_loops_are_no_map(backend: Backend) -> None:
    assert chart(backend, (0.25, 0.5)) == []


def test_loops_that_differ_in_more_are_no_map(backend: Backend) -> None:
    views = [keep_seeds(backend, gaussian(lam=lam, n=n), "x") for lam, n in ((0.1, 50), (0.2, 60), (0.3, 70))]
    curves = measures.curves(backend, [view.id for view in views])
    assert option_maps(group_loops(views), curves, {}, [W2])["charts"] == []


def test_values_that_spread_widely_stand_at_equal_distances() -> None:
    place = Place.of([0.0, 0.1, 0.3, 1.0, 5.0])
    assert place.even and [place.at(v) for v in place.values] == [0, 1, 2, 3, 4]
    assert place.at(3.0) == pytest.approx(3.5) and place.at(7.0) is None
    near = Place.of([0.25, 0.5, 1.0])
    assert not near.even and near.at(0.6) == 0.6 and near.at(2.0) is None
