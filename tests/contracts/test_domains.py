"""Laws that every domain keeps."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from backend.parts import build_run, check, read_config
from core.config import LoopConfig, with_changes
from core.errors import InvalidConfig
from core.loop import Run, run_loop
from core.memory import MemoryMemo, MemoryShelf
from core.protocols import DomainPart
from core.records import GenerationRecord
from model.domains import DOMAINS

SMALL = {
    "generations": 2, "policy": {"kind": "augment", "options": {"lam": 0.5}}, "corrector": {"kind": "none"},
    "training.initial_steps": 4, "training.steps": 2, "training.batch_size": 16, "sampling.steps": 3,
    "evaluation.samples": 40, "evaluation.panel": 8,
}  # fmt: skip
NEEDS: dict[str, set[str]] = {
    "motion": {"skeleton", "fps"}, "points": {"limits"}, "curve": {"abscissa"}, "images": {"shape", "range"},
    "text": {"pieces"},
}  # fmt: skip
KINDS = [kind for kind in DOMAINS if kind != "motion"]  # motion's laws are in tests/model; its judge takes a minute


def config_of(kind: str, **changes: Any) -> LoopConfig:
    start = read_config({"domain": kind})
    small = SMALL | {"n": min(start.n, 48), "replicates": 3 if DOMAINS[kind].light else 1}
    return check(with_changes(start, small | changes))


def run_of(config: LoopConfig) -> Run:
    return build_run(config, shelf=MemoryShelf(), memo=MemoryMemo(), device="cpu")


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def ran(kind: str) -> Iterator[tuple[Run, list[GenerationRecord]]]:
    run = run_of(config_of(kind))
    yield run, list(run_loop(run))


def test_a_domain_says_what_it_is(kind: str) -> None:
    part: DomainPart = DOMAINS[kind]
    assert part.title and part.description and part.data and part.models and part.metrics
    for name, metric in part.metrics.items():
        assert metric.name == name and metric.title and metric.description
    for path in part.fields:
        section, name = path.split(".")
        assert section in part.sections and name in getattr(LoopConfig(), section).model_dump(), path


def test_kinds_belong_to_one_domain() -> None:
    for field in ("data", "models"):
        kinds = [kind for part in DOMAINS.values() for kind in getattr(part, field)]
        assert len(kinds) == len(set(kinds)), field


def test_the_start_is_a_loop_that_can_run(kind: str) -> None:
    start = read_config({"domain": kind})
    assert check(check(start)) == check(start)
    assert start.domain == kind and start.evaluation.panel_corrector.kind == "none"


def test_a_loop_measures_what_the_registry_says(kind: str, ran: tuple[Run, list[GenerationRecord]]) -> None:
    _, records = ran
    assert [record.index for record in records] == [0, 1, 2]
    for record in records:
        assert set(record.metrics) <= set(DOMAINS[kind].metrics), set(record.metrics) - set(DOMAINS[kind].metrics)
        assert np.isfinite(record.metrics[next(iter(DOMAINS[kind].metrics))])
        assert record.counts["real"] and np.isfinite(record.training["loss"])


def test_the_same_config_gives_the_same_numbers(kind: str, ran: tuple[Run, list[GenerationRecord]]) -> None:
    again = list(run_loop(run_of(config_of(kind))))
    assert [r.metrics for r in again] == [r.metrics for r in ran[1]]
    other = list(run_loop(run_of(config_of(kind, seed=1))))
    assert [r.metrics for r in other] != [r.metrics for r in ran[1]]


def test_a_panel_can_be_shown(kind: str, ran: tuple[Run, list[GenerationRecord]]) -> None:
    run, _ = ran
    body = json.loads(json.dumps(run.domain.body()))
    assert body["view"] == DOMAINS[kind].view and NEEDS[body["view"]] <= set(body) and "class_names" in body
    for name in ("panel-real", "panel-raw", "panel-corrected"):
        values = run.shelf.load(2, name).arrays["values"]
        assert values.shape[:2] == (1, 8), (name, values.shape)
        assert np.isfinite(values).all()
    first, last = (run.shelf.load(t, "panel-raw").arrays["values"] for t in (0, 2))
    assert not np.array_equal(first, last)


def test_tails_are_of_the_real_data(ran: tuple[Run, list[GenerationRecord]]) -> None:
    run, records = ran
    item = run.shelf.load(0, "metrics")
    assert item.meta["tails"]["score"]
    levels, shares = item.arrays["tails.levels"], item.arrays["tails.shares"]
    assert (np.diff(levels) < 0).all() and (np.diff(shares) <= 0).all() and (0 <= shares).all() and (shares <= 1).all()
    for side in ("real", "generated"):
        assert item.arrays[f"tails.{side}"].sum() == pytest.approx(1.0, abs=1e-6)
    assert "tail" in records[0].metrics


def test_floors_are_metrics(kind: str, ran: tuple[Run, list[GenerationRecord]]) -> None:
    floor = ran[0].shelf.load(0, "metrics").meta["floor"]
    assert set(floor) <= set(DOMAINS[kind].metrics)
    assert all(np.isfinite(values).all() for values in floor.values())


def test_real_samples_are_nested_and_fresh_ones_are_new(ran: tuple[Run, list[GenerationRecord]]) -> None:
    run, _ = ran
    domain = run.domain
    few, many = (domain.real(count) for count in (24, 40))
    assert np.array_equal(domain.real(24).values, few.values)
    assert len(many) == 40 and np.unique(many.labels).size <= 40
    first, second = (domain.fresh_real(8, t) for t in (1, 2))
    assert len(first) == len(second) == 8
    assert first.values.shape[2:] == few.values.shape[2:]
    assert not np.array_equal(first.values, second.values)


def test_seeds_at_once(kind: str, ran: tuple[Run, list[GenerationRecord]]) -> None:
    run, records = ran
    headline = next(iter(DOMAINS[kind].metrics))
    if not DOMAINS[kind].light:
        with pytest.raises(InvalidConfig) as refused:
            config_of(kind, replicates=2)
        assert refused.value.field == "replicates" and refused.value.hint
        return
    traces = run.shelf.load(2, "metrics").meta["traces"]
    assert len(traces[headline]) == 3
    assert np.mean(traces[headline]) == pytest.approx(records[2].metrics[headline])
    assert all(len(values) == 3 for values in run.shelf.load(2, "model").arrays.values())
