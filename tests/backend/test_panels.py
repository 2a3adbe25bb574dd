"""Panels that are no motions: the numbers of every view, the real cloud, tails; all of it through the API too."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from backend import loops, panels
from backend.context import Backend
from backend.parts import build_domain, check, read_config
from core.errors import NotFound
from core.memory import MemoryMemo
from tests.app.seeding import keep_motions, record, small
from tests.backend.panelloops import BODIES, TAILS, keep_panel
from tests.backend.serving import served
from worker.stage import drain

SHOWN = {
    "points": [[0.5, 1.0], [None, 2.0], [1234.6, -3.0]],
    "curve": [0.1, 0.2, 0.3],
    "text": ["<i>no markup", "upup", " mark<i>no"],
}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[tuple[Backend, TestClient]]:
    with served(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("kind", BODIES)
def test_a_panel_is_told_in_the_form_of_its_view(here: tuple[Backend, TestClient], kind: str) -> None:
    backend, http = here
    view = loops.launch(backend, small())
    keep_panel(backend, view, kind)
    found = http.get(f"/loops/{view.id}/generations/0/panel/values")
    assert found.status_code == 200, found.text
    told = json.loads(found.text, parse_constant=pytest.fail)  # no NaN: browsers cannot read it
    assert told["view"] == kind and told["labels"] == [0, 1, 1]
    assert told["statuses"] == ["corrected", "rejected", "unchanged"]
    assert set(told["values"]) == {"real", "raw", "corrected"}
    if kind == "images":
        grey = np.frombuffer(base64.b64decode(told["values"]["raw"]), np.uint8).reshape(3, 1, 2)
        assert grey.tolist() == [[[0, 255]], [[128, 255]], [[0, 64]]]
    else:
        assert told["values"]["raw"] == SHOWN[kind]
    body, _ = BODIES[kind]
    assert told["facts"] == {name: body[name] for name in body if name not in ("view", "pieces")}
    assert "immutable" in found.headers["cache-control"]


def test_a_panel_that_is_not_there_is_explained(here: tuple[Backend, TestClient]) -> None:
    backend, http = here
    view = loops.launch(backend, small())
    for address in ("generations/3/panel/values", "generations/3/tails"):
        answer = http.get(f"/loops/{view.id}/{address}")
        assert answer.status_code == 404 and "3" in answer.json()["error"]["message"]
        assert "immutable" not in answer.headers.get("cache-control", "")
        assert http.get(f"/loops/nowhere/{address}").status_code == 404


def test_motions_are_files_of_their_own(here: tuple[Backend, TestClient]) -> None:
    backend, _ = here
    view = record(backend, loops.launch(backend, small()), 0)
    keep_motions(backend, view, 0)
    with pytest.raises(NotFound, match="motion"):
        panels.panel_values(backend, view.id, 0)


def test_tails_are_told_as_they_were_measured(here: tuple[Backend, TestClient]) -> None:
    backend, http = here
    view = loops.launch(backend, small())
    keep_panel(backend, view, "points")
    told = http.get(f"/loops/{view.id}/generations/0/tails").json()
    assert told["levels"] == TAILS.levels.tolist() and told["shares"] == TAILS.shares[0].tolist()
    assert told["edges"] == TAILS.edges.tolist() and told["score"] == "distance"
    assert (told["real"], told["generated"]) == (TAILS.real.tolist(), TAILS.generated.tolist())


def test_a_generation_without_tails_says_so(here: tuple[Backend, TestClient]) -> None:
    backend, http = here
    view = loops.launch(backend, small())
    keep_panel(backend, view, "points", tails=None)
    assert "no tails" in http.get(f"/loops/{view.id}/generations/0/tails").json()["error"]["message"]


def test_the_cloud_is_the_real_data_of_the_first_seed(here: tuple[Backend, TestClient]) -> None:
    backend, http = here
    config = check(read_config({"domain": "gaussian", "n": 60, "replicates": 3, "seed": 5}))
    view = loops.launch(backend, config)
    told = http.get(f"/loops/{view.id}/real", params={"count": 20}).json()
    real = build_domain(config, MemoryMemo()).real(60)
    chosen = np.linspace(0, 59, 20).round().astype(int)
    np.testing.assert_allclose(told["values"], real.values[0][chosen], atol=1e-3)
    assert told["labels"] == real.labels[chosen].tolist()


def test_a_loop_of_motions_has_no_cloud(here: tuple[Backend, TestClient]) -> None:
    backend, http = here
    answer = http.get(f"/loops/{loops.launch(backend, small()).id}/real")
    assert answer.status_code == 404 and "nearest" in answer.json()["error"]["hint"]


def test_a_light_loop_that_ran_can_be_looked_at_in_every_generation(backend: Backend) -> None:
    view = loops.launch(backend, check(read_config({"domain": "gaussian", "generations": 3, "replicates": 4})))
    drain(backend)
    for t in range(4):
        told = panels.panel_values(backend, view.id, t)
        assert told.view == "points" and len(told.values["raw"]) == len(told.labels)
        vanished = panels.tails(backend, view.id, t)
        assert len(vanished.levels) == len(vanished.shares) and sum(vanished.generated) == pytest.approx(1, abs=1e-3)
        assert panels.measured(backend, view.id, t).keys() >= {"w2", "tail"}
    assert panels.measured(backend, view.id, 9) == {}


def test_small_numbers_keep_their_digits() -> None:
    assert panels.shown({"view": "curve"}, np.array([1.23456e-7, 1e-9])) == [1.2346e-7, 1e-9]
    assert panels.shown({"view": "curve"}, np.array([0.0, np.inf])) == [0.0, None]
