"""Shared data and judge: the evaluator takes 20 CPU seconds to train, so there is one per test session."""

from pathlib import Path

import pytest
import torch

from core.config import parse
from core.memory import MemoryMemo
from model.datasets.base import Dataset
from model.datasets.registry import DATASETS
from model.evaluator import MotionEvaluator

CMU = Path(__file__).parents[3] / "shared" / "data" / "cmu"


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def deepmimic() -> Dataset:
    part = DATASETS["deepmimic"]
    dataset: Dataset = part.build(part.options())
    return dataset


@pytest.fixture(scope="session")
def cmu() -> Dataset:
    if not (CMU / "clips.npz").is_file():
        pytest.skip("the CMU subset is not beside this repository")
    part = DATASETS["npz"]
    dataset: Dataset = part.build(parse(part.options, {"path": str(CMU)}))
    return dataset


@pytest.fixture(scope="session")
def cmu_evaluator(cmu: Dataset) -> MotionEvaluator:
    return MotionEvaluator(cmu, MemoryMemo())


@pytest.fixture(scope="session")
def evaluator(deepmimic: Dataset) -> MotionEvaluator:
    return MotionEvaluator(deepmimic, MemoryMemo())
