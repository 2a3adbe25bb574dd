"""What each seed measured, over HTTP and through the client, as the backend says it."""

from pathlib import Path

from backend import loops, measures
from backend.client import Client
from tests.backend.lightloops import light
from tests.backend.serving import Bridge, served
from tests.core.light import light_config
from worker.stage import run_stage

__all__ = ["light"]


def test_traces_are_had_over_http(tmp_path: Path) -> None:
    with served(tmp_path) as (backend, http), Client("http://test", transport=Bridge(http)) as client:
        loop = loops.launch(backend, light_config(generations=2))
        assert client.traces(loop.id) == {}
        assert run_stage(backend, loop.id, 0, "block", 0)
        everything = client.traces(loop.id)
        assert everything == measures.traces(backend, [loop.id])[loop.id]
        assert {len(values) for curve in everything.values() for _, values in curve} == {3}
        assert client.traces(loop.id, "std") == {"std": everything["std"]}
        assert client.traces(loop.id, "nothing") == {}
        assert http.get("/loops/nobody/traces").status_code == 404
