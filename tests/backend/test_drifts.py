"""The verdict on every generation, on the data folder and over HTTP."""

from pathlib import Path

import pytest

from backend import drifts, loops
from backend.client import Client
from backend.drift import Band
from backend.local import Local
from core.errors import NotFound
from tests.app.seeding import NOISE, judged, record, small
from tests.app.seedloops import gaussian, keep_seeds
from tests.backend.serving import Bridge, served


def test_every_generation_has_its_figures_and_its_sentence(tmp_path: Path) -> None:
    with served(tmp_path) as (backend, http), Client("http://test", transport=Bridge(http)) as client:
        view = judged(backend, loops.launch(backend, small(), name="a"), artefacts=True)
        found = client.drift(view.id)
        assert found == Local(backend).drift(view.id) and found.loop == view.id and found.why == ""
        assert [each.generation for each in found.generations] == [0, 1, 2, 3]
        assert [each.verdict for each in found.generations] == ["start", "artefacts", "artefacts", "artefacts"]
        last = found.generations[-1]
        assert (last.fid, last.fid_snapped, last.artefact_share, last.modes_in_use) == (28.0, 3.0, 0.8, 0.9)
        assert last.sentence.startswith("Generation 3: artefacts drift") and "cure" in last.sentence
        assert found.noise["fid"] == Band.of(NOISE["fid"])
        assert set(found.noise) == {"fid", "fid_snapped", "artefacts", "mode_share", "multimodality"}
        assert found.floor == pytest.approx(2.2)


def test_where_nothing_can_be_said_the_answer_says_why(tmp_path: Path) -> None:
    with served(tmp_path) as (backend, http), Client("http://test", transport=Bridge(http)) as client:
        waiting = loops.launch(backend, small())
        assert "not been measured yet" in client.drift(waiting.id).why
        old = record(backend, loops.launch(backend, small(n=90)), 1)
        assert "clone it" in client.drift(old.id).why
        light = keep_seeds(backend, gaussian(), "light")
        found = client.drift(light.id)
        assert "'gaussian'" in found.why and found.generations == [] and found.noise == {}
        with pytest.raises(NotFound, match="nobody"):
            client.drift("nobody")
        with pytest.raises(NotFound, match="nobody"):
            drifts.drift(backend, "nobody")
