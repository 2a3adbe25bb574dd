"""Imported data sets: all or nothing, the same for the same files, kept, found by loops, deleted and brought back."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend import datasets, loops, parts
from backend.context import Backend
from backend.importing.work import ImportOptions
from backend.keeping.backup import backup
from backend.keeping.gc import gc
from backend.keeping.integrity import integrity
from backend.keeping.restore import restore
from backend.store import digest_of, name_of
from core.config import digest, parse
from core.errors import Conflict, DataMissing, InvalidConfig, InvalidMotion, LoopscopeError, NotFound
from model.datasets import stored
from model.datasets.registry import DATASETS
from model.domains import dataset_of
from tests.backend.datafolders import imported, learning_from
from tests.backend.importing.files import people, write_bvh

BackendFactory = Callable[..., Backend]


def files_of(backend: Backend) -> set[str]:
    return {blob.name for blob in backend.store.find()}


def test_what_was_imported_is_listed_shown_and_learned_from(either_backend: Backend, tmp_path: Path) -> None:
    view = imported(either_backend, tmp_path / "people", licence="CC0", source="mine")
    assert [each.id for each in datasets.list_datasets(either_backend)] == [view.id]
    assert datasets.show(either_backend, "people") == view
    dataset = dataset_of(learning_from(view.id).data)
    assert dataset.class_names == ("run", "walk")
    assert (dataset.card["title"], dataset.card["licence"], dataset.card["source"]) == ("people", "CC0", "mine")
    assert dataset.train(4).local_rotations_wxyz.shape == (4, 40, 16, 4)
    loops.launch(either_backend, learning_from(view.id))
    assert datasets.show(either_backend, view.id).loops == 1


def test_a_loop_names_it_by_name_and_keeps_its_id(backend: Backend, tmp_path: Path) -> None:
    view = imported(backend, tmp_path / "people")
    by_name, by_id = (parts.check(learning_from(wanted)) for wanted in ("people", view.id))
    assert by_name.data.options["id"] == view.id
    assert digest(by_name) == digest(by_id)


def test_the_same_files_are_the_same_data_set(backend: Backend, tmp_path: Path) -> None:
    first, again = imported(backend, tmp_path / "people"), imported(backend, tmp_path / "people")
    assert first.id == again.id and len(datasets.list_datasets(backend)) == 1


def test_other_files_of_the_same_name_get_a_number_or_are_refused(backend: Backend, tmp_path: Path) -> None:
    imported(backend, tmp_path / "people")
    people(tmp_path / "other" / "people", frames=70)
    second = datasets.import_path(backend, tmp_path / "other" / "people", ImportOptions())
    assert second.name == "people 2"
    with pytest.raises(Conflict, match="people"):
        datasets.import_path(backend, tmp_path / "other" / "people", ImportOptions(name="people"))
    with pytest.raises(InvalidConfig, match="built-in"):
        imported(backend, tmp_path / "people", name="deepmimic")


def test_imports_at_once_keep_one(make_backend: BackendFactory, tmp_path: Path) -> None:
    folder = people(tmp_path / "people")
    found: list[Any] = []

    def go(backend: Backend) -> None:
        try:
            found.append(imported(backend, folder).id)
        except LoopscopeError as error:
            found.append(error)

    threads = [threading.Thread(target=go, args=(make_backend(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1 and len(datasets.list_datasets(make_backend())) == 1


def test_a_bad_file_leaves_nothing(backend: Backend, tmp_path: Path) -> None:
    folder = people(tmp_path / "people")
    (folder / "06_01_walk.bvh").write_bytes(b"HIERARCHY\nROOT")
    before = files_of(backend)
    with pytest.raises(InvalidMotion, match="06_01_walk.bvh"):
        imported(backend, folder)
    assert datasets.list_datasets(backend) == [] and files_of(backend) == before


def test_deleting_hides_it_loops_go_on_and_undo_brings_it_back(backend: Backend, tmp_path: Path) -> None:
    view = imported(backend, tmp_path / "people")
    datasets.delete(backend, "people")
    assert datasets.list_datasets(backend) == []
    assert [each.id for each in datasets.list_datasets(backend, deleted=True)] == [view.id]
    assert dataset_of(learning_from(view.id).data).class_names == ("run", "walk")
    with pytest.raises(DataMissing, match="no imported data set 'people'"):
        parts.check(learning_from("people"))
    datasets.restore(backend, view.id)
    assert datasets.show(backend, "people").deleted_at is None


def test_one_whose_name_was_taken_since_is_not_brought_back(backend: Backend, tmp_path: Path) -> None:
    view = imported(backend, tmp_path / "people", name="x")
    datasets.delete(backend, view.id)
    write_bvh(tmp_path / "b", {"walk": 300})
    imported(backend, tmp_path / "b", name="x")
    with pytest.raises(Conflict, match="named 'x' now"):
        datasets.restore(backend, view.id)


@pytest.mark.parametrize("used", [True, False])
def test_gc_keeps_what_a_loop_names_and_removes_the_rest(
    make_backend: BackendFactory, tmp_path: Path, used: bool
) -> None:
    backend = make_backend(purge_after_days=0.0)
    kept, view = imported(backend, tmp_path / "a", name="kept"), None
    people(tmp_path / "b", frames=80)
    view = imported(backend, tmp_path / "b")
    if used:
        loops.launch(backend, learning_from(view.id))
    datasets.delete(backend, view.id)
    report = gc(backend, dry_run=True, grace_hours=0)
    assert report.datasets == (0 if used else 1)
    gc(backend, grace_hours=0)
    there = {digest_of(name) for name in files_of(backend)}
    assert kept.digest in there and (view.digest in there) is used
    assert [each.id for each in datasets.list_datasets(backend, deleted=True)] == ([view.id] if used else [])


def test_a_copy_that_was_cleaned_away_is_fetched_again(backend: Backend, tmp_path: Path) -> None:
    view = imported(backend, tmp_path / "people")
    gc(backend, grace_hours=0)
    folder = backend.settings.home / "cache" / "datasets" / view.id
    assert not (folder / "clips.npz").exists()
    assert len(datasets.clips(backend, view.id)) == 10
    (folder / "index.csv").unlink()
    assert backend.library is not None and backend.library(view.id) == (view.id, folder)
    assert (folder / "index.csv").is_file()


def test_a_backup_brings_data_sets_back(make_backend: BackendFactory, tmp_path: Path) -> None:
    source = make_backend(home=tmp_path / "one")
    view = imported(source, tmp_path / "people")
    backup(source, tmp_path / "x.tar")
    source.close()
    target = make_backend(home=tmp_path / "two")
    restore(tmp_path / "x.tar", target)
    assert datasets.show(target, view.id) == view
    assert len(datasets.clips(target, view.id)) == 10
    assert integrity(target, deep=True) == []
    with pytest.raises(Conflict, match="data sets"):
        restore(tmp_path / "x.tar", target)


def test_doctor_names_a_data_set_whose_file_is_lost(backend: Backend, tmp_path: Path) -> None:
    view = imported(backend, tmp_path / "people")
    assert integrity(backend, deep=True) == []
    backend.store.blobs.path(name_of(view.digest)).unlink()
    found = integrity(backend)
    assert [f.kind for f in found] == ["missing_artifact"] and "the data set 'people'" in found[0].what


def test_clips_are_played_as_they_were_imported(backend: Backend, tmp_path: Path) -> None:
    view = imported(backend, tmp_path / "people", floor=False)
    found = datasets.clips(backend, view.id, label="run")
    assert {clip.label for clip in found} == {"run"} and len(found) == 5
    motion = datasets.motion(backend, view.id, found[0].index)
    assert (len(motion), motion.label) == (90, "run")
    assert np.isfinite(motion.world()[0]).all()
    with pytest.raises(NotFound, match="clips 0 to 9"):
        datasets.motion(backend, view.id, 10)
    assert {clip.label for clip in datasets.clips(backend, datasets.BUILT_IN)} >= {"walk", "run"}
    assert datasets.motion(backend, datasets.BUILT_IN, 0).fps == 30.0


def test_what_is_not_there_is_said(backend: Backend) -> None:
    for verb in (datasets.show, datasets.delete, datasets.restore, datasets.clips):
        with pytest.raises(NotFound, match="no data set 'x'"):
            verb(backend, "x")
    part = DATASETS["stored"]
    with pytest.raises(InvalidConfig, match="No imported data set is named"):
        part.build(parse(part.options, {}))


def test_windows_are_cut_as_asked(backend: Backend, tmp_path: Path) -> None:
    view = imported(backend, tmp_path / "people")
    part = DATASETS["stored"]
    options = parse(part.options, {"id": view.id, "frames": 50, "fps": 25.0})
    dataset = part.build(options)
    assert dataset.train(2).frames == 50 and dataset.fps == 25.0
    assert dataset.digest != part.build(parse(part.options, {"id": view.id})).digest
    assert set(parse(stored.StoredOptions, {"id": view.id}).model_dump()) == {"id", "mirror"}
