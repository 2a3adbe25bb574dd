"""Data sets over REST and the command line's client: the verbs of :mod:`backend.datasets`, and files that are sent."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from backend import datasets
from backend.client import Client
from backend.context import Backend
from backend.importing.work import ImportOptions
from core.errors import InvalidMotion
from tests.backend.importing.files import people
from tests.backend.serving import Bridge, served


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Backend, TestClient]]:
    with served(tmp_path / "home") as found:
        yield found


def test_a_folder_is_sent_listed_played_deleted_and_brought_back(
    site: tuple[Backend, TestClient], tmp_path: Path
) -> None:
    backend, http = site
    with Client("http://test", transport=Bridge(http)) as client:
        view = client.import_data(people(tmp_path / "people"), ImportOptions(name="five", licence="CC0"))
        assert client.list_datasets() == [view] and view.card["licence"] == "CC0"
        assert client.show_dataset("five") == view
        assert len(http.get(f"/datasets/{view.id}/clips", params={"label": "run"}).json()) == 5
        for form, start in (("lsm", b"LSM1"), ("bvh", b"HIERARCHY"), ("npz", b"PK")):
            assert http.get(f"/datasets/{view.id}/clips/3/motion.{form}").content.startswith(start)
        client.delete_dataset("five")
        assert client.list_datasets() == [] and client.list_datasets(deleted=True)[0].id == view.id
        assert client.restore_dataset(view.id).deleted_at is None
        (tmp_path / "people" / "06_01_x.bvh").write_bytes(b"HIERARCHY\nROOT")
        with pytest.raises(InvalidMotion, match="06_01_x.bvh"):
            client.import_data(tmp_path / "people", ImportOptions())
    assert len(datasets.list_datasets(backend)) == 1


@pytest.mark.parametrize("name", ["../x.bvh", "/x.bvh", "a/../../x.bvh"])
def test_names_that_lead_elsewhere_are_refused(site: tuple[Backend, TestClient], name: str) -> None:
    answer = site[1].post("/datasets", files={"files": (name, b"HIERARCHY")})
    assert answer.status_code == 422 and "can be named" in answer.json()["error"]["message"]


def test_labels_of_uploads_are_no_paths(site: tuple[Backend, TestClient]) -> None:
    answer = site[1].post("/datasets", files={"files": ("x.bvh", b"HIERARCHY")}, data={"labels": "/etc/passwd"})
    assert answer.status_code == 422 and "labels" in answer.text
