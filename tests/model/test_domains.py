"""The motion domain, and a whole short loop over it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.config import LoopConfig, PartConfig, with_changes
from core.errors import DataMissing, InvalidConfig, UnknownPart
from core.loop import Run, run_loop
from core.memory import MemoryMemo, MemoryShelf
from core.policies import POLICIES
from core.protocols import Corrections, Domain, Tick, silent
from core.records import GenerationRecord, Outcome
from core.threads import threads
from model import drift as drift_module
from model import evaluator as evaluator_module
from model.domains import DOMAINS, MotionDomain, dataset_of
from model.drift import DRIFT
from model.metrics import METRICS

TINY: dict[str, Any] = {
    "n": 30,
    "generations": 2,
    "training.initial_steps": 20,
    "training.steps": 4,
    "training.batch_size": 8,
    "model.options": {"width": 32, "layers": 1, "components": 16},
    "sampling.steps": 3,
    "evaluation.samples": 30,
    "evaluation.panel": 4,
}


@dataclass
class Nothing:
    """A corrector that leaves everything alone."""

    splittable: bool = True

    def correct(self, samples: Any, *, rows: slice = slice(None), seed: int = 0, tick: Tick = silent) -> Corrections:
        del seed, tick
        kept = samples.take(np.arange(len(samples))[rows])
        return Corrections(kept, tuple(Outcome("unchanged") for _ in range(len(kept))))


@pytest.fixture
def quick_evaluator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluator_module, "TRAINING_WINDOWS", 64)
    monkeypatch.setattr(evaluator_module, "REFERENCE_WINDOWS", 64)
    monkeypatch.setattr(evaluator_module, "STEPS", 3)
    monkeypatch.setattr(drift_module, "UNSEEN_WINDOWS", 64)


def build(config: LoopConfig, memo: MemoryMemo | None = None) -> MotionDomain:
    domain: MotionDomain = DOMAINS["motion"].build(config, memo or MemoryMemo(), "cpu")
    return domain


def run_of(config: LoopConfig, memo: MemoryMemo) -> Run:
    policy = POLICIES[config.policy.kind]
    domain: Domain = build(config, memo)
    return Run(
        config, domain, policy.build(policy.options(**config.policy.options)), None, Nothing(), MemoryShelf(), memo
    )


def records(config: LoopConfig, memo: MemoryMemo) -> list[GenerationRecord]:
    return list(run_loop(run_of(config, memo)))


@pytest.mark.usefixtures("quick_evaluator")
@pytest.mark.parametrize("policy", ["replace", "augment", "real"])
def test_a_loop_gives_the_same_numbers_twice(policy: str) -> None:
    config = with_changes(LoopConfig(), {**TINY, "policy": {"kind": policy}})
    one, two = records(config, MemoryMemo()), records(config, MemoryMemo())
    assert [r.metrics for r in one] == [r.metrics for r in two]
    assert [r.training for r in one] == [r.training for r in two]
    assert len(one) == 3 and list(one[0].metrics) == [*METRICS, *DRIFT, "tail"]
    assert len({r.metrics["fid"] for r in one}) == 3


@pytest.mark.usefixtures("quick_evaluator")
def test_a_loop_gives_the_same_numbers_on_few_cores_and_on_many() -> None:
    """Of a model that is large enough for torch and BLAS to share its sums out."""
    config = with_changes(LoopConfig(), TINY | {"model.options": {}, "training.batch_size": 64, "generations": 1})
    found = []
    for cores in (1, 4):
        with threads(cores):
            found.append([(r.metrics, r.training) for r in records(config, MemoryMemo())])
    assert found[0] == found[1]


@pytest.mark.usefixtures("quick_evaluator")
def test_more_threads_are_part_of_the_config() -> None:
    wide = with_changes(LoopConfig(), {"training.threads": 2})
    assert "threads" not in LoopConfig().model_dump()["training"] and wide.model_dump()["training"]["threads"] == 2
    seen: list[int] = []

    class Counted(Nothing):
        def correct(self, *args: Any, **named: Any) -> Corrections:
            seen.append(torch.get_num_threads())
            return super().correct(*args, **named)

    run = replace(run_of(with_changes(wide, TINY | {"generations": 0}), MemoryMemo()), panel_corrector=Counted())
    generator = run.domain.generator()
    fit = generator.fit

    def counted(*args: Any, **named: Any) -> Any:
        seen.append(torch.get_num_threads())
        return fit(*args, **named)

    run.domain.generator = lambda: generator  # type: ignore[method-assign]
    generator.fit = counted  # type: ignore[method-assign]
    list(run_loop(run))
    assert seen == [2, 1]


@pytest.mark.usefixtures("quick_evaluator")
def test_the_noise_is_that_of_generation_zero_drawn_again_and_loops_share_it() -> None:
    memo, config = MemoryMemo(), with_changes(LoopConfig(), {**TINY, "generations": 0})
    shelves = [run_of(one, memo) for one in (config, with_changes(config, {"policy": {"kind": "replace"}}))]
    first, second = ((list(run_loop(run)), run.shelf.load(0, "metrics").meta)[1] for run in shelves)
    assert first["noise"] == second["noise"]
    assert first["noise"].keys() == {*METRICS, *DRIFT} == first["floor"].keys()
    assert all(values[0] == first["metrics"][name] for name, values in first["noise"].items())
    assert len(set(first["noise"]["fid"])) == 1 + evaluator_module.NOISE_DRAWS
    assert "fid" in first["caveats"]  # 30 samples for 64 features
    keys = {key for key in memo.items if "-noise-" in key}
    list(run_loop(run_of(with_changes(config, {"sampling.guidance_evaluation": 1.0}), memo)))
    assert len(keys) == 1 and len({key for key in memo.items if "-noise-" in key}) == 2


@pytest.mark.usefixtures("quick_evaluator")
def test_loops_share_the_evaluator_and_generation_zero() -> None:
    memo = MemoryMemo()
    first = records(with_changes(LoopConfig(), {**TINY, "generations": 0}), memo)
    keys = set(memo.items)
    second = records(with_changes(LoopConfig(), {**TINY, "generations": 1, "policy": {"kind": "replace"}}), memo)
    assert set(memo.items) == keys
    assert first[0].metrics == second[0].metrics


def test_the_domain_names_its_data() -> None:
    domain = build(LoopConfig())
    assert len(domain.class_names) == 15
    assert domain.digest == build(with_changes(LoopConfig(), {"n": 12})).digest
    other = with_changes(LoopConfig(), {"data.options": {"mirror": False}})
    assert domain.digest != build(other).digest
    assert domain.real(20) is build(LoopConfig()).real(20)  # kept
    assert domain.distance(domain.real(3), domain.real(5)).shape == (3, 5)
    assert domain.generator() is domain.generator()


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"data.kind": "mnist"}, UnknownPart, "no data set named 'mnist'"),
        ({"model.kind": "gan"}, UnknownPart, "no model named 'gan'"),
        ({"model.options": {"width": 1}}, InvalidConfig, "model.options.width"),
        ({"data.options": {"path": "x"}}, InvalidConfig, "data.options.path"),
        ({"data": {"kind": "npz", "options": {"path": "no/such/folder"}}}, DataMissing, "no file"),
    ],
)
def test_bad_parts_are_refused_in_words(changes: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        build(with_changes(LoopConfig(), changes))


def test_a_data_set_is_kept_until_its_file_changes(tmp_path: Path) -> None:
    assert dataset_of(PartConfig(kind="deepmimic")) is dataset_of(PartConfig(kind="deepmimic"))
    part = PartConfig(kind="npz", options={"path": str(tmp_path)})
    for name in ("clips.npz", "index.csv"):
        with pytest.raises(DataMissing, match="no file"):
            dataset_of(part)
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataMissing, match="cannot be read"):
        dataset_of(part)
