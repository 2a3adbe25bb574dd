"""Laws that every data set keeps. `npz` needs a file: the CMU subset beside this repository, else it is skipped;
`stored` is made of a few written files."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.config import parse
from core.motion import canonicalize
from model.datasets import stored
from model.datasets.base import Dataset
from model.datasets.registry import DATASETS
from tests.backend.importing.files import made, people

CMU = Path(__file__).parents[3] / "shared" / "data" / "cmu"


@pytest.fixture(scope="module")
def imported_id(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An imported data set of a few seconds, lent to this process."""
    folder = tmp_path_factory.mktemp("library")
    for name, data in made(people(folder / "raw")).files.items():
        (folder / name).write_bytes(data)

    def library(wanted: str) -> tuple[str, Path] | None:
        return ("abc", folder) if wanted == "abc" else None

    stored.lend(library)
    yield "abc"
    stored.take_back(library)


@pytest.fixture(scope="module", params=list(DATASETS))
def dataset(request: pytest.FixtureRequest, imported_id: str) -> Dataset:
    part = DATASETS[request.param]
    options: dict[str, object] = {"id": imported_id} if request.param == "stored" else {}
    if "path" in part.options.model_fields:
        if not (CMU / "clips.npz").is_file():
            pytest.skip("the CMU subset is not beside this repository")
        options["path"] = str(CMU)
    built: Dataset = part.build(parse(part.options, options))
    return built


def test_the_same_count_is_the_same_windows(dataset: Dataset) -> None:
    a, b = dataset.train(40), dataset.train(40)
    assert all(np.array_equal(x, y) for x, y in zip(a.arrays().values(), b.arrays().values(), strict=True))


def test_classes_are_balanced_and_named(dataset: Dataset) -> None:
    count = 4 * len(dataset.class_names)
    labels = dataset.train(count).labels
    assert np.bincount(labels, minlength=len(dataset.class_names)).tolist() == [4] * len(dataset.class_names)


def test_windows_are_canonical_unit_and_finite(dataset: Dataset) -> None:
    batch = dataset.train(30)
    assert len(batch) == 30
    assert np.allclose(canonicalize(batch).world()[0], batch.world()[0], atol=1e-5)
    assert np.allclose(np.linalg.norm(batch.local_rotations_wxyz, axis=-1), 1.0, atol=1e-4)


def test_no_held_out_window_is_a_training_window(dataset: Dataset) -> None:
    train, held = dataset.train(60), dataset.held_out(60)
    distance = np.abs(train.world()[0][:, None] - held.world()[0][None]).max((2, 3, 4))
    assert distance.min() > 1e-4


def test_draws_of_held_out_data_differ(dataset: Dataset) -> None:
    assert not np.array_equal(
        dataset.held_out(30).local_rotations_wxyz, dataset.held_out(30, draw=1).local_rotations_wxyz
    )


def test_the_card_tells_source_licence_and_split(dataset: Dataset) -> None:
    assert {"title", "source", "licence", "split"} <= dataset.card.keys()
