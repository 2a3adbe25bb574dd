"""Imported data sets for tests: five people who walk and run, 3 s each."""

from pathlib import Path
from typing import Any

from backend import datasets
from backend.context import Backend
from backend.datasets import DatasetView
from backend.importing.work import ImportOptions
from core.config import LoopConfig
from tests.backend.importing.files import people


def imported(backend: Backend, folder: Path, **options: Any) -> DatasetView:
    if not folder.is_dir():
        people(folder)
    return datasets.import_path(backend, folder, ImportOptions(**options))


def learning_from(dataset_id: str) -> LoopConfig:
    return LoopConfig.model_validate({"data": {"kind": "stored", "options": {"id": dataset_id}}, "n": 32})
